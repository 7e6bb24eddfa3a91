"""Jobs: what runs, what waits, what each device does; one job's status, log and graphs."""

from __future__ import annotations

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jobs import charts, kinds, listing, logs, queue, runfolder
from jobs.enclosure import logcut
from jobs.models import HELD, Job, State
from kernels_app.contract import results
from projects_app.access import project_view
from projects_app.listing import page_of
from projects_app.models import Project, Role, User


@require_GET
@project_view()
def job_list(request: HttpRequest, project: Project) -> HttpResponse:
    """What runs, what waits, what ended, and what each device of each host does."""
    mine = Job.objects.filter(project=project)
    chosen = {name: request.GET.get(name, "") for name in ("state", "kind", "q", "sort")}
    jobs = listing.choose(mine, chosen["state"], chosen["kind"], chosen["q"])
    in_order = listing.in_order(jobs, chosen["sort"]).select_related("project", "created_by", "host")
    context = chosen | {
        "page": page_of(request, in_order),
        "places": listing.places(),
        "hosts": listing.hosts(project),
        "filters": listing.FILTERS,
        "kinds": mine.order_by("kind").values_list("kind", flat=True).distinct(),
        "is_filtered": bool(chosen["state"] or chosen["kind"] or chosen["q"]),
        "live": mine.active().exists(),
        "oob": _is_htmx(request),
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
    job = _job(project, pk)
    kind = kinds.find(job.kind)
    own = {"subject": job.subject, "is_program": kind is None or not kinds.is_function(kind)}
    return render(request, "jobs/detail.html", job_context(job) | own)


@require_GET
@project_view()
def status(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The fragment that polls itself while the job is active."""
    return _status(request, _job(project, pk))


@require_POST
@project_view(Role.LABELLER)
def cancel(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    job = _job(project, pk)
    job.request_cancel(by=cast(User, request.user))
    if _is_htmx(request):
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
def log(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """What was added to the log since byte `from`, and the next poll while there may be more; 204 when nothing was.

    Without `from` the whole card, opened at the tail.
    """
    job = _job(project, pk)
    start = _number(request, "from")
    found = _log(job, start)
    if found["more"] and not found["text"]:
        return HttpResponse(status=204)
    template = "jobs/_log.html" if start is None else "jobs/_log_part.html"
    return render(request, template, {"job": job, "log": found})


@require_GET
@project_view()
def log_download(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    job = _job(project, pk)
    try:
        parts = logs.parts(runfolder.log(job))
    except OSError as error:
        raise Http404(_("This job has no log.")) from error
    name = f'attachment; filename="job-{job.pk}.log"'
    return StreamingHttpResponse(parts, content_type="text/plain; charset=utf-8", headers={"Content-Disposition": name})


@require_GET
@project_view()
def metrics(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Points since the cursor `after`; 204 when there are none and more may come."""
    job = _job(project, pk)
    after = _number(request, "after") or 0
    found = charts.since(job, after)
    if found is None and job.is_active:
        return HttpResponse(status=204)
    return JsonResponse(found or {"cursor": after, "active": False, "charts": []})


@require_GET
@project_view()
def scores(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The table of best and last below the graphs; asks for itself again while the job is active."""
    job = _job(project, pk)
    return render(request, "jobs/_scores.html", {"job": job, "scores": _scores(job)})


@require_GET
@project_view()
def metrics_csv(request: HttpRequest, project: Project, pk: int, chart: str) -> HttpResponseBase:
    """The metrics file as the kernel wrote it."""
    job = _job(project, pk)
    if not job.points.filter(chart=chart).exists():  # only names the ingest met: `chart` cannot lead elsewhere
        raise Http404
    try:
        file = logs.open_plain(runfolder.output(job) / results.METRICS / f"{chart}.csv")
    except OSError as error:
        raise Http404(_("This file is gone.")) from error
    return FileResponse(file, as_attachment=True, filename=f"{chart}.csv", content_type="text/csv")


def job_context(job: Job) -> dict[str, object]:
    """All that the partials of `templates/jobs/` show of one job; the pages of models and validations use it too."""
    return status_context(job) | {"log": _log(job, None), "scores": _scores(job)}


def status_context(job: Job) -> dict[str, object]:
    """What `_status.html` and `_timeline.html` show: no more, since it is asked for every two seconds."""
    wants, free = queue.waiting_reason(job) if job.state == State.QUEUED else (0, 0)
    return {
        "job": job,
        "events": list(job.events.all()),
        "leases": list(job.leases.select_related("host")),
        "wants": wants,
        "free": free,
        "most": queue.most_devices(),
        "worker_lives": bool(queue.alive_hosts()) if job.is_active else True,
        "grace": settings.JOB_GRACE,
        "short": queue.shortest_of_disk() if job.state == State.QUEUED else None,
        "floor": settings.JOB_DISK_FLOOR,
    }


def _status(request: HttpRequest, job: Job) -> HttpResponse:
    """The status, the timeline with it where there is news; the whole page reloads once when the job ends."""
    context = status_context(job)
    seen = _number(request, "events")
    context["timeline_too"] = seen is not None and seen != len(cast(list[object], context["events"]))
    response = render(request, "jobs/_status.html", context)
    if not job.is_active:
        response["HX-Refresh"] = "true"
    return response


def _scores(job: Job) -> dict[str, dict[str, dict[str, object]]]:
    """Best and last of each curve, by what the kernel of the job's model says is better."""
    model = job.trained_models.select_related("kernel").first()
    return charts.best_and_last(job, model.goals if model else {})


def _log(job: Job, start: int | None) -> dict[str, object]:
    """Text since byte `start` (None: the tail), where it ends, the file's size; `more`: whether to ask again."""
    path = runfolder.log(job)
    text, end, size = logs.read(path, start)
    if not job.is_active and 0 < size - end < logs.CHUNK:  # nobody will finish the last line any more
        text, end = text + logs.tail(path, size - end), size
    cut = logcut.cut_of(path)
    kept = size - (cut.until - cut.at) if cut else size
    more = job.is_active or end < size
    return {
        "text": text,
        "end": end,
        "size": kept,
        "more": more,
        "cut": size > logs.OPENING,
        "lost": cut.lost if cut else 0,
    }


def _job(project: Project, pk: int) -> Job:
    rows = Job.objects.select_related("project", "host", "created_by")
    job: Job = get_object_or_404(rows, project=project, pk=pk)
    return job


def _is_htmx(request: HttpRequest) -> bool:
    return bool(request.htmx)  # type: ignore[attr-defined]


def _number(request: HttpRequest, name: str) -> int | None:
    """A whole number of the query string; None where it is none."""
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 20 else None
