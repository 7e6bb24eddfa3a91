"""Validations: start, list, files, delete. Their reports: `views_reports`."""

from __future__ import annotations

import shutil
from typing import Any, cast

from django.contrib import messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets_app import blobs, deleting, snapshots
from datasets_app.changing import ChangeRefused
from datasets_app.models import Dataset
from jobs import runfolder
from jobs.models import State
from models_app import archives, choices, files, reports
from models_app.complaints import OrderRefused
from models_app.models import Operation, TrainedModel, Validation
from models_app.orders import ValidationOrder
from models_app.validation_form import StartForm, proposal
from models_app.validation_models import OPERATION_WORDS
from projects_app import listing
from projects_app.access import project_view
from projects_app.models import Project, Role, User

ORDERS = {
    "id": "pk",
    "model": "model__name",
    "state": "job__state",
    "operation": "operation",
    "who": "created_by__username",
    "when": "created_at",
}
FILTERS = ("q", "model", "state", "operation", "dataset", "who")


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def start(request: HttpRequest, project: Project, model: int) -> HttpResponse:
    """From a finished model only; of any other the page says why not."""
    found = get_object_or_404(
        TrainedModel.objects.select_related("job", "kernel", "model_type", "project"), project=project, pk=model
    )
    reason = found.why_not_validated()
    form = StartForm(found, request.POST or None, initial=proposal(found, request.GET.get("operation", "")))
    if request.method == "POST" and not reason and form.is_valid():
        try:
            return redirect(_order(found, form.cleaned_data).start(cast(User, request.user)))
        except OrderRefused as refusal:
            for complaint in refusal.complaints:
                form.add_error(complaint.field if complaint.field in form.fields else None, complaint.message)
    chosen = _chosen(request, form, found)
    context = {
        "model": found,
        "form": form,
        "reason": reason,
        "picker": choices.datasets(project, found.model_type, chosen),
        "others": form.kernels.others,
    }
    return render(request, "validations/start.html", context, status=422 if request.method == "POST" else 200)


def _order(model: TrainedModel, clean: dict[str, Any]) -> ValidationOrder:
    return ValidationOrder(model, clean["kernel"], list(clean["datasets"]), clean["operation"], clean.get("min_score"))


def _chosen(request: HttpRequest, form: StartForm, model: TrainedModel) -> set[int]:
    """The datasets that are ticked: those that were, those that the address names, those it was validated with."""
    given = (request.POST if form.is_bound else request.GET).getlist("datasets")
    numbers = {pk for text in given if (pk := listing.whole(text)) is not None}
    return numbers if numbers or form.is_bound else {dataset.pk for dataset in model.validation_datasets.all()}


@require_GET
@project_view()
def validation_list(request: HttpRequest, project: Project) -> HttpResponse:
    rows = Validation.objects.filter(project=project)
    found = _filtered(request, rows).select_related("job", "model__model_type", "created_by", "project", "result")
    in_order, sort = listing.ordered(request, found, ORDERS)
    page = listing.page_of(request, in_order.prefetch_related("datasets"))
    context = {
        "page": page,
        "sort": sort,
        "live": any(row.job.is_active for row in page),
        "states": State.choices,
        "operations": OPERATION_WORDS.items(),
        "datasets": Dataset.objects.filter(validations__project=project).distinct().order_by("name"),
        "people": User.objects.filter(pk__in=rows.values("created_by")).order_by("username"),
        "model": TrainedModel.objects.filter(project=project, pk=listing.chosen(request, "model") or 0).first(),
        "filtered": any(request.GET.get(name) for name in FILTERS),
    }
    template = "validations/_list.html" if request.htmx else "validations/list.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def _filtered(request: HttpRequest, rows: QuerySet[Validation]) -> QuerySet[Validation]:
    """By model, state, operation, dataset (also the one that came of it) and person; nonsense filters nothing."""
    if text := request.GET.get("q", "").strip():
        rows = rows.filter(model__name__icontains=text)
    if (state := request.GET.get("state", "")) in State.values:
        rows = rows.filter(job__state=state)
    if (operation := request.GET.get("operation", "")) in Operation.values:
        rows = rows.filter(operation=operation)
    if model := listing.chosen(request, "model"):
        rows = rows.filter(model=model)
    if person := listing.chosen(request, "who"):
        rows = rows.filter(created_by=person)
    if dataset := listing.chosen(request, "dataset"):
        rows = rows.filter(pk__in=Validation.datasets.through.objects.filter(dataset=dataset).values("validation"))
    return rows


@require_GET
@project_view()
def file_download(request: HttpRequest, project: Project, pk: int, name: str) -> HttpResponseBase:
    return files.download(_validation(project, pk).folder, name)


@require_GET
@project_view()
def archive(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """All results as one zip."""
    return archives.download(_validation(project, pk).folder, f"validation-{pk}")


@require_POST
@project_view(Role.LABELLER)
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Delete an ended validation and free its bytes; with `result` also the dataset that came of it."""
    validation = _validation(project, pk)
    job, result = validation.job, validation.result
    if job.is_active:
        messages.error(request, _("This validation has not ended. Cancel it first."))
        return redirect(validation)
    folder, run = validation.folder, runfolder.of(job)
    with transaction.atomic():
        reports.drop_rows(validation)
        validation.delete()
        job.delete()
        hashes = snapshots.drop_unused(validation.snapshot)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(run, ignore_errors=True)
    blobs.release_unused(hashes)
    messages.success(request, _("The validation was deleted."))
    if result and request.POST.get("result"):
        _delete_result(request, result)
    return redirect("validations:list", project.code)


def _delete_result(request: HttpRequest, result: Dataset) -> None:
    """Unless something was made of it."""
    try:
        deleting.delete(result)
    except deleting.InUse as error:
        names = ", ".join(f"{one.kind} “{one.name}”" for one in error.dependants[:10])
        text = _("Its dataset “%(name)s” stays, because it was used by: %(names)s.")
        messages.warning(request, text % {"name": result.name, "names": names})
    except ChangeRefused as error:
        messages.warning(request, str(error))


def _validation(project: Project, pk: int) -> Validation:
    return get_object_or_404(Validation.objects.select_related("job", "snapshot", "result"), project=project, pk=pk)
