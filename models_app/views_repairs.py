"""The buttons beside a failure: go on with a training, or train once more with one setting changed."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from models_app import repairs
from models_app.complaints import Complaint, OrderRefused
from models_app.models import TrainedModel
from models_app.resuming import ResumeOrder
from projects_app.access import project_view
from projects_app.korean import fluent
from projects_app.models import Project, Role, User


@require_POST
@project_view(Role.LABELLER)
def resume(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Go on from the last checkpoint, as a new job on the same model."""
    model = _model(project, pk)
    try:
        ResumeOrder(model).start(cast(User, request.user))
    except OrderRefused as refusal:
        why = " ".join(complaint.message for complaint in refusal.complaints)
        messages.error(request, _("“%(name)s” does not go on. %(why)s") % {"name": model.name, "why": why})
    else:
        messages.success(request, fluent(_("“%(name)s” is in the queue.") % {"name": model.name}))
    return redirect(model)


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def repair(request: HttpRequest, project: Project, pk: int, repair: str) -> HttpResponse:
    """Show what would be changed and what would happen; start it."""
    model = _model(project, pk)
    if repair not in repairs.LABELS:
        raise Http404
    change = repairs.change_of(model, repair)
    if change is None or model.job.is_active:
        messages.error(request, _("This repair does not fit “%(name)s” any more.") % {"name": model.name})
        return redirect(model)
    name = request.POST.get("name", "").strip() or repairs.proposed_name(model)
    is_start = request.method == "POST"
    order = repairs.order(model, change, name, with_files=is_start)
    if is_start:
        try:
            made = order.start(cast(User, request.user))
        except OrderRefused as refusal:
            return _page(request, order, model, repair, change, refusal.complaints)
        messages.success(request, fluent(_("“%(name)s” is in the queue.") % {"name": made.name}))
        return redirect(made)
    return _page(request, order, model, repair, change)


def _page(
    request: HttpRequest,
    order: repairs.TrainOrder,
    model: TrainedModel,
    repair: str,
    change: repairs.Change,
    refused: list[Complaint] | None = None,
) -> HttpResponse:
    report = order.check()
    errors = refused or report.errors
    form = reverse("models:train", args=[model.project.code])
    context = {
        "model": model,
        "change": change,
        "name": order.name,
        "title": repairs.LABELS[repair],
        "errors": [one.message for one in errors],
        "is_blocked": any(one.field != "name" for one in errors),
        "warnings": report.warnings,
        "form_url": f"{form}?{repairs.query(model, change)}",
    }
    return render(request, "models/repair.html", context, status=422 if refused else 200)


def _model(project: Project, pk: int) -> TrainedModel:
    related = ("job", "model_type", "kernel", "base_model", "retrained_from", "project")
    return get_object_or_404(TrainedModel.objects.select_related(*related), project=project, pk=pk)
