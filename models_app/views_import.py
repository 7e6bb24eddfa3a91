"""Model import on the page: send an archive, look at what it is and which kernel it gets, start or discard."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from models_app.complaints import OrderRefused
from models_app.imports import drafts, kernels
from models_app.imports.layout import BadModel
from models_app.imports.order import ImportOrder
from models_app.models import ModelDraft
from projects_app import uploads
from projects_app.access import project_view
from projects_app.korean import fluent
from projects_app.models import Project, Role, User
from projects_app.uploads import PiecesField


class UploadForm(forms.Form):
    weights = PiecesField(
        label=gettext_lazy("Model files"),
        help_text=gettext_lazy(
            "A zip, tar or tar.gz with save/checkpoint.pth and what else belongs to the model, or an export of this "
            "portal."
        ),
    )
    settings_file = forms.FileField(
        label=gettext_lazy("Settings file (model.json)"),
        required=False,
        help_text=gettext_lazy("With training_type, model_type and training_params. An export brings its own."),
    )

    def settings_text(self) -> str:
        """Raises BadModel."""
        given = self.cleaned_data.get("settings_file")
        return drafts.text_of(given) if given else ""


@require_http_methods(["GET", "POST"])
@project_view(Role.DEVELOPER)
def upload(request: HttpRequest, project: Project) -> HttpResponse:
    """Receive an archive and look at it; on to the preview."""
    user = cast(User, request.user)
    form = UploadForm(request.POST or None, request.FILES or None) if request.method == "POST" else UploadForm()
    uploads.owned(form, project, user)
    if request.method == "POST" and form.is_valid():
        try:
            draft = drafts.receive(project, user, form.cleaned_data["weights"], form.settings_text())
            uploads.done(form.cleaned_data["weights"])
            return redirect("models:import_draft", project.code, draft.pk)
        except BadModel as error:
            form.add_error("weights", str(error))
    waiting = ModelDraft.objects.filter(project=project, created_by=user)
    context = {"form": form, "waiting": waiting}
    return render(request, "models/import.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@project_view(Role.DEVELOPER)
def preview(request: HttpRequest, project: Project, draft: str) -> HttpResponse:
    """What was found, what is wrong with it, and what it will become. A POST looks again (`check`), or starts."""
    rows = ModelDraft.objects.filter(project=project, pk=draft)
    found = rows.select_related("project", "created_by", "job__project").first()
    if found is None:
        messages.info(request, _("This upload was imported or discarded."))
        return redirect("models:list", project.code)
    if job := drafts.job_of(found):
        return redirect(job)
    order = _order(request, found)
    complaints = order.check()
    if request.method == "POST" and "check" not in request.POST:
        try:
            return redirect(order.start(cast(User, request.user)))
        except OrderRefused as refusal:
            complaints = refusal.complaints
    status = 422 if request.method == "POST" and complaints else 200
    return render(request, "models/import_draft.html", _context(order, complaints), status=status)


@require_POST
@project_view(Role.DEVELOPER)
def discard(request: HttpRequest, project: Project, draft: str) -> HttpResponse:
    """Drop the upload, with all its files."""
    found = get_object_or_404(ModelDraft.objects.select_related("job__project"), project=project, pk=draft)
    if job := drafts.job_of(found):
        return redirect(job)
    drafts.discard(found)
    messages.success(request, fluent(_("The upload “%(name)s” was discarded.") % {"name": found}))
    return redirect("models:import", project.code)


def _order(request: HttpRequest, draft: ModelDraft) -> ImportOrder:
    """What the page says; at first what is proposed. A chosen file takes the place of the text."""
    if request.method == "GET":
        order = ImportOrder(draft, draft.settings_text)
        order.name, order.description = order.proposed_name, order.proposed_description
        return order
    data = request.POST
    order = ImportOrder(draft, data.get("settings", ""), data.get("kernel", ""), data.get("name", "").strip())
    order.description = data.get("description", "").strip()
    if given := request.FILES.get("settings_file"):
        try:
            order.text = drafts.text_of(given)
        except BadModel as error:
            messages.error(request, str(error))
    return order


def _context(order: ImportOrder, complaints: list[Any]) -> dict[str, Any]:
    by_field: dict[str, list[str]] = {}
    for complaint in complaints:
        by_field.setdefault(complaint.field, []).append(complaint.message)
    bad = {order.json.line_of(one.pointer): one.message for one in complaints if one.pointer}
    if order.json.error:
        bad = {order.json.error.line: order.json.error.message}
    return {
        "draft": order.draft,
        "order": order,
        "found": order.draft.found,
        "about": order.about,
        "errors": by_field,
        "finder": order.kernels,
        "brought": kernels.BROUGHT,
        "lines": range(1, order.text.count("\n") + 2),
        "bad_lines": bad,
        "new_type": order.model_type if order.model_type and not order.model_type.pk else None,
    }
