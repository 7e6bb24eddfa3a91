"""Jobs: what runs, what waits, what each device does; one job's status, log and graphs."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jobs import charts, diagnosis, kinds, listing, logs, runfolder, views_log, waiting
from jobs.asked import is_htmx, job_of, number
from jobs.curves import storing, tables
from jobs.models import HELD, Job, State
from kernels_app.contract import results
from projects_app.access import project_view
from projects_app.korean import fluent
from projects_app.listing import page_of
from projects_app.models import Project, Role, User


@require_GET
@project_view()
def job_list(request: HttpRequest, project: Project) -> HttpResponse:
    """What runs, what waits, what ended, and what each device of each host does."""
    mine = Job.objects.filter(project=project)
    chosen = {name: request.GET.get(name, "") for name in ("state", "kind", "q", "sort", "by")}
    by = cast(User, request.user) if chosen["by"] == "me" else None
    jobs = listing.choose(mine, chosen["state"], chosen["kind"], chosen["q"], by)
    queue, hosts = waiting.Queue(), listing.hosts(project)
    column = listing.by_column(jobs, chosen["sort"])
    grouped = listing.InOrder(jobs, queue) if column is None else None
    context = chosen | {
        "page": page_of(request, column if column is not None else grouped),  # type: ignore[arg-type]  # it pages too
        "groups": grouped.counts if grouped else None,
        "queue": queue,
        "hosts": hosts,
        "devices": listing.totals(hosts),
        "filters": listing.FILTERS,
        "kinds": mine.order_by("kind").values_list("kind", flat=True).distinct(),
        "is_filtered": bool(chosen["state"] or chosen["kind"] or chosen["q"] or by),
        "live": mine.active().exists(),
        "oob": is_htmx(request),
    }
    return render(request, "jobs/_list.html" if context["oob"] else "jobs/list.html", context)


@require_GET
@project_view()
def running(request: HttpRequest, project: Project) -> HttpResponse:
    """The number in the top bar."""
    active = Job.objects.filter(project=project).active()
    counts = {"count": active.filter(state__in=HELD).count(), "waiting": active.filter(state=State.QUEUED).count()}
    return render(request, "_running_jobs.html", counts)


@require_GET
@project_view()
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    job = job_of(project, pk)
    kind = kinds.find(job.kind)
    is_program = kind is None or not kinds.is_function(kind)
    own = {"subject": job.subject, "is_program": is_program, "has_log": is_program or hasattr(kind, "has_log")}
    return render(request, "jobs/detail.html", job_context(job) | own)


@require_GET
@project_view()
def status(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The fragment that polls itself while the job is active."""
    return _status(request, job_of(project, pk))


@require_POST
@project_view(Role.MANAGER)
def front(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Move a waiting job to the front; with `back` to where it was."""
    job, user = job_of(project, pk), cast(User, request.user)
    is_back = "back" in request.POST
    moved = job.move_back(user) if is_back else job.move_to_front(user)
    if not moved:
        text = _("“%(job)s” does not wait any more, or stands there already.")
    else:
        text = _("“%(job)s” is back at its place.") if is_back else _("“%(job)s” is at the front now.")
    (messages.success if moved else messages.info)(request, fluent(text % {"job": job.title}))
    target = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return redirect(target if safe else job)


@require_POST
@project_view(Role.LABELLER)
def cancel(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    job = job_of(project, pk)
    job.request_cancel(by=cast(User, request.user))
    if is_htmx(request):
        return _status(request, job)
    if job.state == State.CANCELLED:
        messages.success(request, _("“%(job)s” was cancelled.") % {"job": job.title})
    elif job.is_active:
        text = _("“%(job)s” is being cancelled. It keeps its last checkpoint.")
        messages.info(request, text % {"job": job.title})
    else:
        messages.info(request, _("“%(job)s” had ended already.") % {"job": job.title})
    return redirect(job.subject[1] if job.subject else job)


@require_GET
@project_view()
def metrics(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Points since the cursor `after`, 204 when there are none and more may come; or one chart between two x."""
    job = job_of(project, pk)
    if part := charts.window_of(request.GET):
        return JsonResponse(charts.window(job, request.GET.get("chart", ""), part, _judging(job)))
    after = number(request, "after") or 0
    found = charts.since(job, after, _judging(job))
    if found is None and job.is_active:
        return HttpResponse(status=204)
    return JsonResponse(found or {"cursor": after, "active": False, "charts": []})


@require_GET
@project_view()
def scores(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The table of best and last below the graphs; asks for itself again while the job is active."""
    job = job_of(project, pk)
    return render(request, "jobs/_scores.html", {"job": job, "scores": _scores(job)})


@require_GET
@project_view()
def metrics_csv(request: HttpRequest, project: Project, pk: int, chart: str) -> HttpResponseBase:
    """The metrics file as the kernel wrote it; where it is gone, what was read of it."""
    job = job_of(project, pk)
    curves = [curve for curve in storing.curves_of(job.pk) if curve.chart == chart]
    if not curves:  # only names the ingest met: `chart` cannot lead elsewhere
        raise Http404
    try:
        file = logs.open_plain(runfolder.output(job) / results.METRICS / f"{chart}.csv")
    except OSError:
        return tables.answer(f"{chart}.csv", tables.chart_rows(curves))
    return FileResponse(file, as_attachment=True, filename=f"{chart}.csv", content_type="text/csv")


def job_context(job: Job) -> dict[str, object]:
    """All that the partials of `templates/jobs/` show of one job; the pages of models and validations use it too."""
    return status_context(job) | {"log": views_log.opening(job), "levels": views_log.LEVELS, "scores": _scores(job)}


def status_context(job: Job) -> dict[str, object]:
    """What `_status.html` and `_timeline.html` show: no more, since it is asked for every two seconds."""
    return {
        "job": job,
        "events": list(job.events.all()),
        "leases": list(job.leases.select_related("host")),
        "queue": waiting.Queue() if job.state == State.QUEUED else None,
        "grace": settings.JOB_GRACE,
        "failure": diagnosis.told(job) if job.state == State.FAILED else None,
        "repairs": diagnosis.repairs(job),
    }


def _status(request: HttpRequest, job: Job) -> HttpResponse:
    """The status, the timeline with it where there is news; the whole page reloads once when the job ends."""
    context = status_context(job)
    seen = number(request, "events")
    context["timeline_too"] = seen is not None and seen != len(cast(list[object], context["events"]))
    response = render(request, "jobs/_status.html", context)
    if not job.is_active:
        response["HX-Refresh"] = "true"
    return response


def _scores(job: Job) -> dict[str, dict[str, dict[str, object]]]:
    return charts.best_and_last(job, _judging(job).goals)


def _judging(job: Job) -> charts.Judging:
    """What the kernel of the job's model says is better."""
    model = job.trained_models.select_related("kernel").first()
    return charts.judging(model.kernel.metrics if model else [])
