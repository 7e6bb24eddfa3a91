"""One model: its page, its name, its settings and files for download."""

from __future__ import annotations

import json
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from jobs.views import job_context
from models_app import choices, exporting, files
from models_app.models import TrainedModel
from models_app.names import name_complaints
from projects_app.access import project_view
from projects_app.models import Project, Role, User

SHOWN = 20  # validations on the page
NAMED = 8  # children, retrainings


class EditForm(forms.ModelForm):
    """Name and description of a model."""

    class Meta:
        model = TrainedModel
        fields = ["name", "description"]
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=200,
        error_messages={"required": gettext_lazy("Give the model a name.")},
    )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if complaints := name_complaints(self.instance.project, name, but=self.instance):
            raise ValidationError([complaint.message for complaint in complaints])
        return name


@require_GET
@project_view()
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    model = get_model(project, pk)
    return _page(request, model, EditForm(instance=model))


@require_POST
@project_view(Role.LABELLER)
def edit(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Change name and description; what is wrong with them is said beside them, and nothing is changed."""
    model = get_model(project, pk)
    form = EditForm(request.POST, instance=get_model(project, pk))
    if form.is_valid():
        model = form.save()
    if request.htmx:  # type: ignore[attr-defined]
        form = EditForm(instance=model) if form.is_valid() else form
        context = _facts(request, model) | {"form": form, "oob": True}
        return render(request, "models/_facts.html", context, status=422 if form.is_bound else 200)
    if form.is_bound and not form.is_valid():
        return _page(request, model, form, status=422)
    messages.success(request, _("Saved."))
    return redirect(model)


@require_GET
@project_view()
def settings_download(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """`model.json` as the kernel got it."""
    model = get_model(project, pk)
    text = json.dumps(model.settings, ensure_ascii=False, indent=1) + "\n"
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = 'attachment; filename="model.json"'
    return response


@require_GET
@project_view()
def file_download(request: HttpRequest, project: Project, pk: int, name: str) -> HttpResponseBase:
    return files.download(get_model(project, pk).folder, name)


def get_model(project: Project, pk: int) -> TrainedModel:
    """The model with all that its page shows; 404 where it is not there."""
    related = (
        *("job__project", "job__host", "job__created_by", "model_type", "kernel", "base_model__project"),
        *("retrained_from__project", "created_by", "project", "snapshot__project", "sweep__project"),
    )
    return get_object_or_404(TrainedModel.objects.select_related(*related), project=project, pk=pk)


def _page(request: HttpRequest, model: TrainedModel, form: EditForm, status: int = 200) -> HttpResponse:
    activations = model.activations.select_related("started_by", "ended_by", "replaced_by")
    facts = _facts(request, model)
    context = (
        job_context(model.job)
        | facts
        | {
            "form": form,
            "kernel_card": choices.KernelCard(model.kernel),
            "has_checkpoint": model.has_checkpoint,
            "files": files.listed(model.folder) if not model.job.is_active else [],
            "validations": model.validations.select_related("job", "project", "model").order_by("-pk")[:SHOWN],
            "activations": activations,
            "held": next((one for one in activations if one.ended_at is None), None),
            "export": exporting.newest(model) if facts["may"]["developer"] else None,
        }
    )
    return render(request, "models/detail.html", context, status=status)


def _facts(request: HttpRequest, model: TrainedModel) -> dict[str, Any]:
    """What the card *Basic information* shows."""
    return {
        "model": model,
        "may": {role.value: model.project.allows(cast(User, request.user), role) for role in Role},
        "children": list(model.children.select_related("project").only("name", "project")[:NAMED]),
        "child_count": model.children.count(),
        "retrainings": list(model.retrainings.select_related("project").only("name", "project")[:NAMED]),
        "retraining_count": model.retrainings.count(),
    }
