"""Exporting a dataset: what each format would lose, start one, see how it is doing, download it."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from datasets_app import archives, export_jobs, export_words, exporting
from datasets_app.formats import FORMATS
from datasets_app.formats.writing import WRITERS
from datasets_app.models import Dataset
from projects_app.access import project_view
from projects_app.models import Project, Role, TrainingType, User


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def export(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """A POST starts the job; an htmx GET asks how the exports are doing."""
    dataset = get_object_or_404(Dataset, project=project, pk=pk)
    if request.method == "POST":
        try:
            export_jobs.start(
                dataset, request.POST.get("format", ""), _kind(request.POST.get("type", "")), cast(User, request.user)
            )
        except exporting.ExportRefused as refusal:
            messages.error(request, str(refusal))
        return redirect("datasets:export", project.code, dataset.pk)
    context = {"dataset": dataset, "exports": export_jobs.of(dataset), "owner": dataset, "asked": "datasets:export"}
    context["download"] = "datasets:export_download"
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "datasets/_exports.html", context)
    return render(request, "datasets/export.html", context | _choices(dataset, _kind(request.GET.get("type", ""))))


@require_GET
@project_view(Role.LABELLER)
def download(request: HttpRequest, project: Project, pk: int, job: int) -> HttpResponseBase:
    dataset = get_object_or_404(Dataset, project=project, pk=pk)
    if answer := archives.file_of(export_jobs.of(dataset), job):
        return answer
    raise Http404(_("There is no such export any more. Start one on the page of the dataset."))


def _choices(dataset: Dataset, chosen: str) -> dict[str, Any]:
    """A row a format: what it would lose, or why it cannot be."""
    return {
        "types": [(str(kind), kind.label) for kind in exporting.training_types([dataset])],
        "type": chosen,
        "formats": [_row(dataset, name, chosen) for name in sorted(WRITERS, key=lambda name: FORMATS[name].TITLE)],
    }


def _row(dataset: Dataset, format: str, chosen: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": format, "title": FORMATS[format].TITLE}
    try:
        found = exporting.losses([dataset], format, chosen or None)
    except exporting.ExportRefused as refusal:
        return row | {"refusal": str(refusal)}
    kind = chosen or exporting.choose_type([dataset], format)
    label = TrainingType(kind).label if kind else ""
    return row | {"losses": [(export_words.sentence(one), one.count) for one in found], "type": label}


def _kind(value: str) -> str:
    """A training type, or "" where the portal chooses."""
    return value if value in TrainingType.values else ""
