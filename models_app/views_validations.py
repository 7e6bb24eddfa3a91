"""Validations: start, list, one report with its tables and images."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets_app import blobs, snapshots
from datasets_app.models import Dataset
from jobs import runfolder
from jobs.models import State
from jobs.views import job_context
from kernels_app.contract import ContractError, results
from kernels_app.models import Kernel
from models_app import choices, files, overlays
from models_app.complaints import OrderRefused, why_not
from models_app.form_inputs import DatasetsField
from models_app.models import Operation, Prediction, TrainedModel, Validation
from models_app.orders import ValidationOrder
from projects_app import listing
from projects_app.access import project_view
from projects_app.models import Project, Role, User

ORDERS = {"id": "pk", "model": "model__name", "state": "job__state", "when": "created_at"}
IMAGES = 48  # on one page of a report
ROWS = 500  # of a table on the page; the file holds all


class StartForm(forms.Form):
    kernel = forms.ModelChoiceField(Kernel.objects.none(), label=gettext_lazy("Kernel"), empty_label=None)
    operation = forms.ChoiceField(label=gettext_lazy("Operation"))
    datasets = DatasetsField(
        Dataset.objects.none(),
        label=gettext_lazy("Datasets"),
        error_messages={"required": gettext_lazy("Choose at least one dataset.")},
    )

    def __init__(self, model: TrainedModel, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kernels = Kernel.objects.on_in(model.project).order_by("name", "-pk")
        fits = [k.pk for k in kernels if not why_not(k, model.project, model.model_type, "validation")]
        cast(forms.ModelChoiceField, self.fields["kernel"]).queryset = kernels.filter(pk__in=fits)
        supported = [choice for choice in Operation.choices if model.kernel.supports_operation(choice[0])]
        cast(forms.ChoiceField, self.fields["operation"]).choices = supported
        datasets = Dataset.objects.filter(project=model.project).order_by("name")
        cast(forms.ModelMultipleChoiceField, self.fields["datasets"]).queryset = datasets


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def start(request: HttpRequest, project: Project, model: int) -> HttpResponse:
    """From a finished model only."""
    found = get_object_or_404(
        TrainedModel.objects.select_related("job", "kernel", "model_type"), project=project, pk=model
    )
    if not found.is_finished:
        messages.error(request, _("Only a model whose training succeeded can be validated."))
        return redirect(found)
    usual = {"kernel": found.kernel_id, "operation": Operation.VALIDATION, "datasets": found.validation_datasets.all()}
    form = StartForm(found, request.POST or None, initial=usual)
    if request.method == "POST" and form.is_valid():
        clean = form.cleaned_data
        order = ValidationOrder(found, clean["kernel"], list(clean["datasets"]), clean["operation"])
        try:
            return redirect(order.start(cast(User, request.user)))
        except OrderRefused as refusal:
            for complaint in refusal.complaints:
                form.add_error(complaint.field if complaint.field in form.fields else None, complaint.message)
    if form.is_bound:
        chosen = {pk for text in request.POST.getlist("datasets") if (pk := listing.whole(text)) is not None}
    else:
        chosen = {dataset.pk for dataset in found.validation_datasets.all()}
    context = {"model": found, "form": form, "picker": choices.datasets(project, found.model_type, chosen)}
    return render(request, "validations/start.html", context, status=422 if form.is_bound else 200)


@require_GET
@project_view()
def validation_list(request: HttpRequest, project: Project) -> HttpResponse:
    rows = Validation.objects.filter(project=project)
    rows = rows.select_related("job", "model__model_type", "created_by", "project")
    if text := request.GET.get("q", "").strip():
        rows = rows.filter(model__name__icontains=text)
    if (state := request.GET.get("state", "")) in State.values:
        rows = rows.filter(job__state=state)
    if model := listing.chosen(request, "model"):
        rows = rows.filter(model=model)
    in_order, sort = listing.ordered(request, rows, ORDERS)
    page = listing.page_of(request, in_order)
    context = {
        "page": page,
        "sort": sort,
        "live": any(row.job.is_active for row in page),
        "states": State.choices,
        "filtered": any(request.GET.get(name) for name in ("q", "state", "model")),
    }
    template = "validations/_list.html" if request.htmx else "validations/list.html"  # type: ignore[attr-defined]
    return render(request, template, context)


@require_GET
@project_view()
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The key numbers, the CSV reports as tables, the images worst first."""
    validation = _validation(project, pk)
    page = Paginator(_in_order(request, validation), IMAGES).get_page(request.GET.get("page"))
    least = _least_score(request, validation)
    context = job_context(validation.job) | {
        "validation": validation,
        "tables": [_table(path, validation) for path in results.report_tables(validation.folder)],
        "page": page,
        "cards": overlays.cards(validation, list(page), least),
        "least": least,
        "show": request.GET.get("show", ""),
        "wrong": validation.predictions.filter(is_right=False).count(),
        "judged": validation.predictions.exclude(is_right=None).count(),
        "files": files.listed(validation.folder) if not validation.job.is_active else [],
    }
    return render(request, "validations/detail.html", context)


@require_GET
@project_view()
def image(request: HttpRequest, project: Project, pk: int, image: int) -> HttpResponse:
    """One image at full size, truth and prediction over each other, and the way to its neighbours."""
    validation = _validation(project, pk)
    rows = list(_in_order(request, validation).values_list("image_id", flat=True))
    least = _least_score(request, validation)
    prediction = get_object_or_404(validation.predictions.select_related("image__dataset"), image=image)
    at = rows.index(image) if image in rows else -1
    context = {
        "validation": validation,
        "prediction": prediction,
        "card": overlays.cards(validation, [prediction], least)[0],
        "least": least,
        "previous": rows[at - 1] if at > 0 else None,
        "next": rows[at + 1] if 0 <= at < len(rows) - 1 else None,
        "font_size": max(8, prediction.image.width // 45),
    }
    return render(request, "validations/image.html", context)


@require_GET
@project_view()
def file_download(request: HttpRequest, project: Project, pk: int, name: str) -> HttpResponseBase:
    return files.download(_validation(project, pk).folder, name)


@require_POST
@project_view(Role.LABELLER)
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Delete an ended validation and free its bytes."""
    validation = _validation(project, pk)
    job, folder, run = validation.job, validation.folder, runfolder.of(validation.job)
    if job.is_active:
        messages.error(request, _("This validation has not ended. Cancel it first."))
        return redirect(validation)
    with transaction.atomic():
        validation.delete()
        job.delete()
        hashes = snapshots.drop_unused(validation.snapshot)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(run, ignore_errors=True)
    blobs.release_unused(hashes)
    messages.success(request, _("The validation was deleted."))
    return redirect("validations:list", project.code)


def _validation(project: Project, pk: int) -> Validation:
    related = ("job__project", "model__model_type", "model__project", "kernel", "created_by", "project", "snapshot")
    return get_object_or_404(Validation.objects.select_related(*related), project=project, pk=pk)


def _in_order(request: HttpRequest, validation: Validation) -> QuerySet[Prediction]:
    """Wrong ones first, of these the surest first; where nothing says right or wrong, as they stand in the dataset."""
    rows = validation.predictions.select_related("image__dataset__project")
    if request.GET.get("show") == "wrong":
        rows = rows.filter(is_right=False)
    if validation.finds_shapes:
        return rows.order_by("image__dataset", "image__position", "pk")
    return rows.order_by(F("is_right").asc(nulls_last=True), F("score").desc(nulls_last=True), "pk")


def _least_score(request: HttpRequest, validation: Validation) -> float | None:
    """The score that a shape needs to be shown: the URL's, else the kernel's own `min_score`; None where all are."""
    if not validation.finds_shapes:
        return None
    usual = validation.summary.get("min_score", 0.5)
    try:
        given = float(request.GET.get("score", usual))
    except ValueError:
        given = 0.5
    return min(max(given, 0.0), 1.0)


def _table(path: Path, validation: Validation) -> dict[str, Any]:
    """A report as rows; the first is a heading except in a summary."""
    try:
        rows = results.read_table(path, limit=ROWS + 2)  # a heading, and one more than is shown
    except ContractError as error:
        return {"name": path.name, "error": str(error)}
    has_heading = path.name not in results.SUMMARY_NAMES and bool(rows)
    body = rows[1:] if has_heading else rows
    heading = rows[0] if has_heading else []
    if path.name == "confusion.csv" and heading and heading[-1] == "name":
        heading = [_("truth ↓ · prediction →"), *(row[-1] for row in body)]
        body = [[row[-1], *row[:-1]] for row in body]
    inside = f"{runfolder.of(validation.job) / runfolder.DATASET}/images/"
    shown = [[cell.removeprefix(inside) for cell in row] for row in body[:ROWS]]
    is_key = path.name in (*results.SUMMARY_NAMES, "confusion.csv")
    return {"name": path.name, "heading": heading, "rows": shown, "cut": len(body) > ROWS, "is_key": is_key}
