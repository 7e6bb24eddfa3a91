"""What is made of a snapshot: an archive, or a dataset again."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from datasets_app import archives, export_words, exporting, restoring, snapshot_exporting
from datasets_app.formats import FORMATS
from datasets_app.formats.writing import WRITERS
from datasets_app.plan_checks import NAME_LENGTH
from datasets_app.snapshot_reading import SETS, Contents
from datasets_app.views_snapshots import contents_or_404, get_snapshot
from projects_app.access import project_view
from projects_app.models import Project, Role, User


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def export(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """A POST starts the job; an htmx GET asks how the exports are doing."""
    snapshot = get_snapshot(project, pk)
    context = {"snapshot": snapshot, "exports": snapshot_exporting.of(snapshot), "owner": snapshot}
    context |= {"asked": "datasets:snapshot_export", "download": "datasets:snapshot_download"}
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "datasets/_exports.html", context)
    contents = contents_or_404(snapshot)
    if request.method == "POST":
        try:
            snapshot_exporting.start(snapshot, contents, request.POST.get("format", ""), cast(User, request.user))
        except exporting.ExportRefused as refusal:
            messages.error(request, str(refusal))
        return redirect("datasets:snapshot_export", project.code, snapshot.pk)
    missing = len(snapshot_exporting.missing(snapshot, contents))
    formats = [_row(contents, name, missing) for name in sorted(WRITERS, key=lambda name: FORMATS[name].TITLE)]
    return render(request, "datasets/snapshot_export.html", context | {"contents": contents, "formats": formats})


@require_GET
@project_view(Role.LABELLER)
def download(request: HttpRequest, project: Project, pk: int, job: int) -> HttpResponseBase:
    if answer := archives.file_of(snapshot_exporting.of(get_snapshot(project, pk)), job):
        return answer
    raise Http404(_("There is no such export any more. Start one on the page of the snapshot."))


class RestoreForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name of the dataset"), max_length=NAME_LENGTH)


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def restore(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """What would be made of it, and under which name; a POST starts the job."""
    snapshot = get_snapshot(project, pk)
    contents = contents_or_404(snapshot)
    sets = [split for split in SETS if contents.of(split)]
    which = request.POST.get("set") or request.GET.get("set") or sets[0] if sets else "train"
    which = which if which in (*SETS, restoring.BOTH) else sets[0] if sets else "train"
    initial = {"name": restoring.proposed_name(snapshot, contents, which)}
    form = RestoreForm(request.POST or None, initial=initial)
    try:
        found, refusal = restoring.preview(snapshot, contents, which), ""
    except restoring.RestoreRefused as error:
        found, refusal = None, str(error)
    if found and form.is_valid():
        try:
            job = restoring.start(snapshot, contents, which, form.cleaned_data["name"], cast(User, request.user))
            return redirect(job)
        except restoring.RestoreRefused as error:
            form.add_error("name", str(error))
    context = {
        "snapshot": snapshot,
        "contents": contents,
        "sets": [*sets, restoring.BOTH] if len(sets) > 1 else sets,
        "set": which,
        "form": form,
        "found": found,
        "refusal": refusal,
    }
    return render(request, "datasets/snapshot_restore.html", context, status=422 if form.errors else 200)


def _row(contents: Contents, format: str, missing: int) -> dict[str, Any]:
    """A format: what it would lose, or why it cannot be."""
    row: dict[str, Any] = {"name": format, "title": FORMATS[format].TITLE}
    try:
        found = snapshot_exporting.losses(contents, format, missing)
    except exporting.ExportRefused as refusal:
        return row | {"refusal": str(refusal)}
    return row | {"losses": [(export_words.sentence(one), one.count) for one in found]}
