"""What a request to a page of jobs asks for."""

from __future__ import annotations

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from jobs.models import Job
from projects_app.models import Project


def job_of(project: Project, pk: int) -> Job:
    rows = Job.objects.select_related("project", "host", "created_by")
    job: Job = get_object_or_404(rows, project=project, pk=pk)
    return job


def is_htmx(request: HttpRequest) -> bool:
    return bool(request.htmx)  # type: ignore[attr-defined]


def number(request: HttpRequest, name: str) -> int | None:
    """A whole number of the query string; None where it is none."""
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
