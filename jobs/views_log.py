"""The log of a job: live on the job's own page, whole on one of its own, as a file."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from jobs import logs, runfolder
from jobs.asked import is_htmx, job_of, number
from jobs.enclosure.logcut import cut_of
from jobs.models import Job
from projects_app.access import project_view
from projects_app.models import Project

LEVELS = {logs.WARNING: gettext_lazy("Warnings and errors"), logs.ERROR: gettext_lazy("Errors")}


@dataclass(frozen=True)
class Shown:
    """A part of a job's log. `more`: whether to ask again, `soon`: at once, since there is more already.

    `lost`: bytes that were cut out of its middle; `kept`: those that are there.
    """

    part: logs.Part
    more: bool
    soon: bool = False
    lost: int = 0
    kept: int = 0

    @property
    def size(self) -> int:
        return self.part.size


def opening(job: Job) -> Shown:
    """The tail, as a page opens with it."""
    path = runfolder.log(job)
    cut = cut_of(path)
    return Shown(logs.read(path, None), job.is_active, lost=cut.lost if cut else 0, kept=logs.kept(path))


@require_GET
@project_view()
def log(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """A page of its own. Of htmx the card; with `from` what was added since that byte, 204 when nothing was."""
    job = job_of(project, pk)
    start = number(request, "from")
    if start is not None:
        return _added(request, job, start)
    if is_htmx(request):
        shown = opening(job)
        context = {"job": job, "log": shown, "levels": LEVELS}
        return render(request, "jobs/_log.html", context) if shown.size else HttpResponse(status=204)
    return _page(request, job)


def _added(request: HttpRequest, job: Job, start: int) -> HttpResponse:
    """A last line that grows is shown as it stands, though it is not passed over before its end."""
    part = logs.follow(runfolder.log(job), start)
    if job.is_active and part.size == number(request, "size") and part.end == start:
        return HttpResponse(status=204)
    is_behind = part.end < part.size and len(part.lines) > 0 and not part.rest
    more = job.is_active or is_behind
    return render(request, "jobs/_log_part.html", {"job": job, "log": Shown(part, more, soon=is_behind)})


def _page(request: HttpRequest, job: Job) -> HttpResponse:
    """Any part of it: around byte `at`, from byte `since`, or what holds the words `q` or is of a `level`."""
    path = runfolder.log(job)
    at, since = number(request, "at"), number(request, "since")
    text, level = request.GET.get("q", "").strip()[:200], request.GET.get("level", "")
    level = level if level in LEVELS else ""
    context: dict[str, object] = {"job": job, "q": text, "level": level, "levels": LEVELS, "subject": job.subject}
    if text or level:
        found, on = logs.search(path, text, level, since or 0)
        return render(request, "jobs/log.html", context | {"found": found, "on": on, "size": _size(job)})
    if at is not None:
        part = logs.around(path, at)
    else:
        part = logs.read(path, None if since is None else logs.line_start(path, since))
    context |= {"part": part, "marked": at, "earlier": max(0, part.start - logs.CHUNK), "size": part.size}
    return render(request, "jobs/log.html", context)


@require_GET
@project_view()
def log_download(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    job = job_of(project, pk)
    try:
        parts = logs.parts(runfolder.log(job))
    except OSError as error:
        raise Http404(_("This job has no log.")) from error
    name = f'attachment; filename="job-{job.pk}.log"'
    return StreamingHttpResponse(parts, content_type="text/plain; charset=utf-8", headers={"Content-Disposition": name})


def _size(job: Job) -> int:
    return logs.kept(runfolder.log(job))
