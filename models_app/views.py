"""Models: the list, one model, its files."""

from __future__ import annotations

import json
import shutil
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from datasets_app import blobs, snapshots
from datasets_app.models import Dataset
from jobs import runfolder
from jobs.models import Job, State
from jobs.views import job_context
from models_app import files
from models_app.models import TrainedModel
from models_app.names import unique_name
from projects_app import listing
from projects_app.access import project_view
from projects_app.models import ModelType, Project, Role, User

ORDERS = {
    "id": "pk",
    "name": "name",
    "model_type": "model_type__code",
    "category": "data_category",
    "state": "job__state",
    "who": "created_by__username",
    "when": "created_at",
}


@require_GET
@project_view()
def model_list(request: HttpRequest, project: Project) -> HttpResponse:
    """Every model of the project; the fragment asks for itself while something in it runs."""
    models = TrainedModel.objects.filter(project=project)
    models = models.select_related(
        "job", "model_type", "base_model", "created_by", "kernel", "project", "sweep__project"
    )
    if text := request.GET.get("q", "").strip():
        models = models.filter(name__icontains=text)
    if state := request.GET.get("state", ""):
        models = models.filter(job__in=_jobs_in(state))
    if model_type := listing.chosen(request, "model_type"):
        models = models.filter(model_type=model_type)
    in_order, sort = listing.ordered(request, models, ORDERS)
    page = listing.page_of(request, in_order)
    context = {
        "page": page,
        "sort": sort,
        "live": any(model.job.is_active for model in page),
        "model_types": ModelType.objects.filter(project=project),
        "states": [("active", _("Not ended")), *State.choices],
        "filtered": any(request.GET.get(name) for name in ("q", "state", "model_type")),
        "may_train": project.allows(cast(User, request.user), Role.LABELLER),
        "has_data": Dataset.objects.filter(project=project).exists(),
        "has_categories": TrainedModel.objects.filter(project=project).exclude(data_category="").exists(),
    }
    template = "models/_list.html" if request.htmx else "models/list.html"  # type: ignore[attr-defined]
    return render(request, template, context)


@require_GET
@project_view()
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    model = _model(project, pk)
    context = job_context(model.job) | {
        "model": model,
        "has_checkpoint": model.has_checkpoint,
        "form": EditForm(initial={"name": model.name, "description": model.description}),
        "files": files.listed(model.folder) if not model.job.is_active else [],
        "may": {role.value: project.allows(cast(User, request.user), role) for role in Role},
        "settings_json": json.dumps(model.settings, ensure_ascii=False, indent=2),
        "validations": model.validations.select_related("job", "project", "model").order_by("-pk")[:20],
        "children": model.children.select_related("job", "project"),
    }
    return render(request, "models/detail.html", context)


class EditForm(forms.Form):
    name = forms.CharField(max_length=200)
    description = forms.CharField(required=False)


@require_POST
@project_view(Role.LABELLER)
def edit(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Change name and description."""
    model = _model(project, pk)
    form = EditForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the model a name of at most 200 characters. Nothing was changed."))
        return redirect(model)
    name = form.cleaned_data["name"]
    if TrainedModel.objects.filter(project=project, name=name).exclude(pk=model.pk).exists():
        text = _("A model named “%(name)s” is there already; “%(free)s” is free. Nothing was changed.")
        messages.error(request, text % {"name": name, "free": unique_name(project, name)})
        return redirect(model)
    model.name, model.description = name, form.cleaned_data["description"]
    model.save(update_fields=["name", "description"])
    messages.success(request, _("Saved."))
    return redirect(model)


@require_POST
@project_view(Role.DEVELOPER)
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Delete an ended model and free its bytes; refused by name where something depends on it."""
    model = _model(project, pk)
    job, folder, run = model.job, model.folder, runfolder.of(model.job)
    if job.is_active:
        messages.error(request, _("This training has not ended. Cancel it first."))
        return redirect(model)
    try:
        with transaction.atomic():
            model.delete()
            job.delete()
            hashes = snapshots.drop_unused(model.snapshot)
    except ProtectedError as error:
        names = ", ".join(sorted({f"{row}" for row in error.protected_objects})[:10])
        messages.error(request, _("The model is needed by: %(names)s.") % {"names": names})
        return redirect(model)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(run, ignore_errors=True)
    blobs.release_unused(hashes)
    messages.success(request, _("“%(name)s” was deleted.") % {"name": model.name})
    return redirect("models:list", project.code)


@require_GET
@project_view()
def settings_download(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """`model.json` as the kernel got it."""
    model = _model(project, pk)
    text = json.dumps(model.settings, ensure_ascii=False, indent=1) + "\n"
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="model.json"'
    return response


@require_GET
@project_view()
def file_download(request: HttpRequest, project: Project, pk: int, name: str) -> HttpResponseBase:
    return files.download(_model(project, pk).folder, name)


def _model(project: Project, pk: int) -> TrainedModel:
    related = (
        "job__project",
        "model_type",
        "kernel",
        "base_model",
        "retrained_from",
        "created_by",
        "project",
        "snapshot",
        "sweep__project",
    )
    return get_object_or_404(TrainedModel.objects.select_related(*related), project=project, pk=pk)


def _jobs_in(state: str) -> Any:
    return Job.objects.active() if state == "active" else Job.objects.filter(state=state)
