"""Which models are in use: the page of all model types, and the steps to change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from models_app import activating, champion
from models_app.activating import ActivationRefused
from models_app.choices import figures
from models_app.models import Activation, TrainedModel
from models_app.records import REASON_LENGTH
from models_app.views import get_model
from projects_app import listing
from projects_app.access import project_view
from projects_app.korean import fluent
from projects_app.models import ModelType, Project, Role, User

SECTION = "active"  # of the navigation


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=REASON_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("In a few words. It is kept, with your name and the time."),
    )


@require_GET
@project_view()
def active_list(request: HttpRequest, project: Project) -> HttpResponse:
    """Every model type with the model in use, then everything that was."""
    held = Activation.objects.current().filter(project=project)
    by_type = {one.model_type_id: one for one in held.select_related("model__project", "started_by")}
    types = list(ModelType.objects.filter(project=project))
    finished = TrainedModel.objects.finished().filter(model_type__in=[kind for kind in types if kind.pk not in by_type])
    history = Activation.objects.filter(project=project).select_related(
        "model__project", "model_type", "started_by", "ended_by", "replaced_by"
    )
    context = {
        "section": SECTION,
        "rows": sorted(((kind, by_type.get(kind.pk)) for kind in types), key=lambda row: row[1] is None),
        "finished": dict(finished.order_by().values_list("model_type").annotate(Count("pk"))),
        "figures": figures.last_of(one.model for one in by_type.values() if one.model),
        "page": listing.page_of(request, history),
        "may_activate": project.allows(cast(User, request.user), Role.MANAGER),
    }
    return render(request, "models/active.html", context)


@require_http_methods(["GET", "POST"])
@project_view(Role.MANAGER)
def activate(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The model beside the one that it would replace, what to think of before, and why: then use it."""
    model = get_model(project, pk)
    if why := activating.why_not(model):
        messages.error(request, why)
        return redirect(model)
    held = activating.current(model.model_type)
    if held and held.model_id == model.pk:
        messages.info(request, fluent(_("“%(name)s” is active already.") % {"name": model.name}))
        return redirect(model)

    def act(reason: str, by: User) -> str:
        seen = listing.whole(request.POST.get("instead_of", ""))
        activating.activate(model, by, reason, instead_of=seen)
        return _("“%(name)s” is active for %(type)s now.") % {"name": model.name, "type": model.model_type.code}

    contest = champion.contest(model, held.model if held else None)
    return _reasoned(request, model, "models/activate.html", act, {"held": held, "contest": contest})


@require_http_methods(["GET", "POST"])
@project_view(Role.MANAGER)
def deactivate(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Say why: then nothing is in use for the model's type."""
    model = get_model(project, pk)
    held = model.activation
    if held is None:
        messages.info(request, fluent(_("“%(name)s” is not active.") % {"name": model.name}))
        return redirect(model)

    def act(reason: str, by: User) -> str:
        activating.deactivate(model, by, reason)
        return _("“%(name)s” is not active any more.") % {"name": model.name}

    return _reasoned(request, model, "models/deactivate.html", act, {"held": held})


def _reasoned(
    request: HttpRequest, model: TrainedModel, template: str, act: Callable[[str, User], str], more: dict[str, Any]
) -> HttpResponse:
    """Ask for the reason, then do it; what was refused is said beside the reason, over what is so now."""
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            messages.success(request, fluent(act(form.cleaned_data["reason"], cast(User, request.user))))
            return redirect(model)
        except ActivationRefused as refusal:
            form.add_error(None, str(refusal))
    context = {"model": model, "form": form} | more
    return render(request, template, context, status=422 if request.method == "POST" else 200)
