"""Models beside each other: their graphs over one another, what they reached, which settings differ."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from jobs import charts
from jobs.curves import tables
from models_app.comparing import graphs
from models_app.comparing.chosen import MOST, Chosen, named, numbers, offered
from models_app.comparing.table import Table
from projects_app.access import project_view
from projects_app.models import Project


@require_GET
@project_view()
def compare(request: HttpRequest, project: Project) -> HttpResponse:
    """The whole page; for htmx the table, which asks for itself while one of the models is trained."""
    if request.GET.getlist("add"):
        return redirect(_with_added(request))
    chosen = Chosen.of(project, request.GET)
    context: dict[str, Any] = {"chosen": chosen, "table": Table(chosen), "most": MOST, "section": "models"}
    context["sources"] = {"metrics": chosen.address("compare_metrics")}
    if request.htmx:  # type: ignore[attr-defined]
        answer = render(request, "models/_compare_table.html", context)
        if not chosen.is_live:
            answer["HX-Refresh"] = "true"
        return answer
    return render(request, "models/compare.html", context | _search(request, chosen))


@require_GET
@project_view()
def search(request: HttpRequest, project: Project) -> HttpResponse:
    """Models that could be compared with those of the address, for the search field."""
    return render(request, "models/_compare_found.html", _search(request, Chosen.of(project, request.GET)))


@require_GET
@project_view()
def metrics(request: HttpRequest, project: Project) -> HttpResponse:
    """Points of all models since the cursor `after`, as `jobs.views.metrics`; or one chart between two x."""
    chosen = Chosen.of(project, request.GET)
    if part := charts.window_of(request.GET):
        return JsonResponse(graphs.window(chosen, request.GET.get("chart", ""), part))
    after = request.GET.get("after", "")
    found = graphs.since(chosen, after)
    if found is None and chosen.is_live:
        return HttpResponse(status=204)
    return JsonResponse(found or {"cursor": after, "active": False, "charts": []})


@require_GET
@project_view()
def metrics_csv(request: HttpRequest, project: Project) -> HttpResponseBase:
    """Every point of one chart: a row for each, with its model."""
    chart = request.GET.get("chart", "")
    rows = graphs.rows(Chosen.of(project, request.GET), chart)
    if rows is None:
        raise Http404(_("None of these models has such a curve."))
    return tables.answer(f"{chart.replace('/', '-')}.csv", rows)


def _search(request: HttpRequest, chosen: Chosen) -> dict[str, Any]:
    """What was looked for, what was found, and what was ticked before."""
    text = request.GET.get("find", "").strip()
    picked = list(named(chosen.project, numbers(request.GET, "add")))
    found = offered(chosen.project, text, [*chosen.models, *picked])
    return {"chosen": chosen, "find": text, "offered": found, "picked": picked}


def _with_added(request: HttpRequest) -> str:
    """The address of the page with what was ticked; the rest of it stays."""
    query = request.GET.copy()
    query.setlist("model", [*query.getlist("model"), *query.pop("add")])
    query.pop("find", None)
    return f"{request.path}?{query.urlencode()}"
