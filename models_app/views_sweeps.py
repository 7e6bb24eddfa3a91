"""A batch of trainings: what varies against what came of it, cancelling the rest, keeping the best."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from models_app.models import Sweep
from models_app.sweeps import plots, pruning
from models_app.sweeps.facts import facts_of
from models_app.sweeps.plan import LARGEST
from models_app.sweeps.table import Table
from projects_app import listing
from projects_app.access import project_view
from projects_app.models import Project, Role, User

COMPARED = 12  # trainings whose graphs are drawn over each other: of more, the best


@require_GET
@project_view()
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The whole page; for htmx the table or the pictures, and once nothing runs any more the word to load anew."""
    sweep = _sweep(project, pk)
    table = Table(sweep)
    rows, sort = table.ordered(request.GET.get("sort", ""))
    x, y = _axes(request, table)
    context = {
        "sweep": sweep,
        "table": table,
        "page": listing.page_of(request, rows),  # type: ignore[arg-type]  # a list pages as well
        "sort": sort,
        "x": x,
        "y": y,
        "parallel": plots.parallel(table, y),
        "scatter": plots.scatter(table, x, y),
        "may_keep": project.allows(cast(User, request.user), Role.DEVELOPER),
        "may_act": project.allows(cast(User, request.user), Role.LABELLER),
        "section": "models",
        "compared": [row.model for row in table.ranked[:COMPARED]],
    }
    if not request.htmx:  # type: ignore[attr-defined]
        return render(request, "sweeps/detail.html", context | {"facts": facts_of(sweep, table)})
    part = "_plots" if request.htmx.target == "sweep-plots" else "_table"  # type: ignore[attr-defined]
    answer = render(request, f"sweeps/{part}.html", context)
    if not table.is_live:
        answer["HX-Refresh"] = "true"
    return answer


@require_POST
@project_view(Role.LABELLER)
def cancel(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Cancel every training that has not ended."""
    sweep = _sweep(project, pk)
    count = sweep.cancel_rest(cast(User, request.user))
    if count:
        text = ngettext("%(n)d training is being cancelled.", "%(n)d trainings are being cancelled.", count)
        messages.success(request, text % {"n": count})
    else:
        messages.info(request, _("Every training of this batch has ended already."))
    return redirect(sweep)


@require_POST
@project_view(Role.DEVELOPER)
def keep(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Keep the checkpoints of the best so many only; of all where nothing is given."""
    sweep = _sweep(project, pk)
    text = request.POST.get("keep", "").strip()
    count = listing.whole(text)
    if text and not (count and count <= LARGEST):
        messages.error(request, _("Say how many, as a whole number from 1. Nothing was changed."))
        return redirect(sweep)
    gone = pruning.keep_best(sweep, count)
    if count is None:
        messages.success(request, _("From now on every checkpoint is kept. What was deleted stays deleted."))
    elif not gone.models:
        messages.success(request, _("Saved. There was nothing to delete yet."))
    else:
        text = ngettext(
            "The checkpoint of %(n)d training was deleted: %(size)s are free again.",
            "The checkpoints of %(n)d trainings were deleted: %(size)s are free again.",
            gone.models,
        )
        messages.success(request, text % {"n": gone.models, "size": filesizeformat(gone.bytes)})
    return redirect(sweep)


def _sweep(project: Project, pk: int) -> Sweep:
    rows = Sweep.objects.select_related("project", "kernel", "created_by")
    sweep: Sweep = get_object_or_404(rows, project=project, pk=pk)
    return sweep


def _axes(request: HttpRequest, table: Table) -> tuple[str, int]:
    """The setting and the number of the metric that the pictures show; the first ones where the address says none."""
    x = request.GET.get("x", "")
    known = [metric.key for metric in table.metrics]
    y = request.GET.get("y", "")
    first = table.names[0] if table.names else ""
    return (x if x in table.names else first), (known.index(y) if y in known else 0)
