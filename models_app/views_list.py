"""The list of models: filters, order and page out of the address, quick whatever their number; running rows live."""

from __future__ import annotations

from typing import cast

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from datasets_app.models import Dataset
from jobs.models import Job
from models_app.choices import figures
from models_app.model_filters import ModelFilters
from models_app.models import Activation, TrainedModel
from projects_app import listing
from projects_app.access import project_view
from projects_app.models import Project, Role, User

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
    """Every model of the project, as its address says."""
    filters = ModelFilters.of(request, project)
    in_order, sort = listing.ordered(request, filters.rows(), ORDERS)
    page = listing.page_by_ids(request, in_order, _full())
    role = project.role_of(cast(User, request.user))
    context = {
        "page": page,
        "sort": sort,
        "filters": filters,
        "active": _active(page),
        "figures": figures.last_of(page),
        "running": [model for model in page if model.job.is_active],
        "may_train": role is not None and role.rank >= Role.LABELLER.rank,
        "may_import": role is not None and role.rank >= Role.DEVELOPER.rank,
        "has_data": Dataset.objects.filter(project=project).exists(),
        "has_categories": TrainedModel.objects.filter(project=project, data_category__gt="").exists(),
    }
    template = "models/_list.html" if request.htmx else "models/list.html"  # type: ignore[attr-defined]
    return render(request, template, context)


@require_GET
@project_view()
def states(request: HttpRequest, project: Project) -> HttpResponse:
    """How the models that the address names (`model`, repeated) are doing: a state each, and the next question while
    one of them is at work."""
    wanted = {pk for text in request.GET.getlist("model") if (pk := listing.whole(text)) is not None}
    found = list(_full().filter(project=project, pk__in=list(wanted)[: listing.SIZES[-1]]))
    context = {"models": found, "running": [model for model in found if model.job.is_active], "oob": True}
    return render(request, "models/_states.html", context)


def _full() -> QuerySet[TrainedModel]:
    """What a row shows; not the long texts, of which a page would hold a hundred."""
    related = ("job", "model_type", "base_model__project", "created_by", "project", "sweep__project")
    long = ("description", "settings", "varied", "classes", "imported_from", "sweep__axes", "sweep__ends")
    of_base = [f"base_model__{name}" for name in long[:5]]
    of_job = [f"job__{field.name}" for field in Job._meta.concrete_fields if field.name not in _SHOWN_OF_JOB]
    return TrainedModel.objects.select_related(*related).defer(*long, *of_base, *of_job)


_SHOWN_OF_JOB = (
    *("id", "state", "percentage", "cancel_requested_at", "started_at", "ended_at"),
    *("queued_at", "priority", "devices"),
)


def _active(page: object) -> set[int]:
    """Which models of the page are in use."""
    models = [model.pk for model in cast("list[TrainedModel]", page)]
    return set(Activation.objects.current().filter(model__in=models).values_list("model", flat=True))  # type: ignore[arg-type]
