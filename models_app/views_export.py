"""Exporting a model: start it, see how it is doing, download it."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from models_app import exporting
from models_app.views import get_model
from projects_app.access import project_view
from projects_app.models import Project, Role, User


@require_http_methods(["GET", "POST"])
@project_view(Role.DEVELOPER)
def export(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The card of the model's page: a POST starts the job; a GET asks how it is doing."""
    model = get_model(project, pk)
    is_htmx = bool(request.htmx)  # type: ignore[attr-defined]
    if request.method == "POST":
        try:
            exporting.start(model, cast(User, request.user))
        except exporting.ExportRefused as refusal:
            messages.error(request, str(refusal))
            return HttpResponseClientRedirect(model.get_absolute_url()) if is_htmx else redirect(model)
    if not is_htmx:
        return redirect(f"{model.get_absolute_url()}#export")
    return render(request, "models/_export.html", {"model": model, "export": exporting.newest(model)})


@require_GET
@project_view(Role.DEVELOPER)
def download(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """The newest archive that is there."""
    model = get_model(project, pk)
    for found in model.exports.select_related("job", "model"):
        if found.is_there:
            return FileResponse(found.path.open("rb"), as_attachment=True, filename=found.file_name)
    raise Http404(_("There is no export of this model. Start one on its page."))
