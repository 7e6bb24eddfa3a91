"""The report of one validation: figures, matrix, tables, images worst first, one image at full size."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from datasets_app import deleting
from datasets_app.views_files import picture_url
from jobs import runfolder
from jobs.views import job_context
from kernels_app.contract import ContractError, results
from models_app import files, overlays, rereading
from models_app.models import Validation
from models_app.reports import choosing, crops, page
from models_app.reports.choosing import Choice
from projects_app import listing
from projects_app.access import project_view
from projects_app.models import Project, TrainingType

SIZES = (24, 48, 96)  # images on one page of a report
ROWS = 20  # of a table in the report; its own page holds all
TABLE_ROWS = 500  # on one page of a table


@require_GET
@project_view()
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The verdict, key numbers, advice, the matrix, the images worst first; then what it was, its tables and files."""
    validation = _validation(project, pk)
    choice = choosing.of(request.GET, validation)
    report = _report(request, validation, choice)
    context = job_context(validation.job) | {
        "validation": validation,
        "report": report,
        "class_rows": page.class_rows(validation, report.matrix) if validation.compares else [],
        "differing": page.all_differing(validation),
        "outdated": rereading.state(validation),
        "tables": [_table(path, validation) for path in results.report_tables(validation.folder)],
        "files": files.at_root(validation.folder) if not validation.job.is_active else None,
        "result_users": deleting.dependants(validation.result) if validation.result else [],
    }
    return render(request, "validations/detail.html", context | _images(request, validation, choice))


def _report(request: HttpRequest, validation: Validation, choice: Choice) -> page.ReportPage:
    return page.of(
        validation,
        choice,
        as_percent=request.GET.get("as") == "percent",
        hides_diagonal=request.GET.get("diagonal") == "hidden",
    )


def _images(request: HttpRequest, validation: Validation, choice: Choice) -> dict[str, Any]:
    """The images that were chosen, or cut out of them the objects."""
    context: dict[str, Any] = {
        "choice": choice,
        "usual": choosing.usual_score(validation),
        "least": choice.least,
        "labels": choosing.labels(validation),
        "has_objects": validation.training_type != TrainingType.CL,
        "kept": [(name, request.GET[name]) for name in ("as", "diagonal", "view", "size") if request.GET.get(name)],
        "sizes": ",".join(map(str, SIZES)),
        "view": "",
    }
    if context["has_objects"] and request.GET.get("view") == "crops":
        every = listing.page_of(request, crops.every(validation, choice), SIZES)
        return context | {"page": every, "crops": crops.drawn(validation, list(every), choice), "view": "crops"}
    shown = listing.page_of(request, choosing.images(validation, choice), SIZES)
    cards = overlays.cards(validation, choosing.predictions(validation, list(shown)), choice.least)
    return context | {"page": shown, "cards": cards}


@require_GET
@project_view()
def image(request: HttpRequest, project: Project, pk: int, image: int) -> HttpResponse:
    """One image at full size, truth and prediction over each other, and the way to its neighbours in the bucket."""
    validation = _validation(project, pk)
    choice = choosing.of(request.GET, validation)
    prediction = get_object_or_404(validation.predictions.select_related("image__blob", "image__dataset"), image=image)
    rows = choosing.images(validation, choice)
    at = rows.index(image) if image in rows else -1
    context = {
        "validation": validation,
        "prediction": prediction,
        "card": overlays.cards(validation, [prediction], choice.least)[0],
        "choice": choice,
        "least": choice.least,
        "usual": choosing.usual_score(validation),
        "previous": rows[at - 1] if at > 0 else None,
        "next": rows[at + 1] if 0 <= at < len(rows) - 1 else None,
        "number": at + 1,
        "count": len(rows),
        "picture_url": picture_url(project, prediction.image),
        "font_size": overlays.font_size(prediction.image),
    }
    return render(request, "validations/image.html", context)


@require_GET
@project_view()
def table(request: HttpRequest, project: Project, pk: int, name: str) -> HttpResponse:
    """One report of the kernel with all its rows, page by page."""
    validation = _validation(project, pk)
    path = next((one for one in results.report_tables(validation.folder) if one.name == name), None)
    if path is None:
        raise Http404(_("There is no such table."))
    shown = _table(path, validation, limit=None)
    rows = Paginator(shown.get("rows", []), TABLE_ROWS).get_page(request.GET.get("page"))
    context = {"validation": validation, "table": shown | {"rows": list(rows)}, "page": rows}
    return render(request, "validations/table.html", context)


def _validation(project: Project, pk: int) -> Validation:
    related = (
        *("job__project", "job__host", "model__model_type", "model__project", "model__kernel"),
        *("kernel", "created_by", "project", "snapshot__project", "result__project"),
    )
    return get_object_or_404(Validation.objects.select_related(*related), project=project, pk=pk)


def _table(path: Path, validation: Validation, limit: int | None = -1) -> dict[str, Any]:
    """A report as rows; the first is a heading except in a summary. `limit` None: all rows."""
    is_key = path.name in (*results.SUMMARY_NAMES, "confusion.csv")
    if limit == -1:
        limit = TABLE_ROWS if is_key else ROWS
    try:
        rows = results.read_table(path, **({} if limit is None else {"limit": limit + 2}))  # a heading, and one more
    except ContractError as error:
        return {"name": path.name, "error": str(error), "is_key": is_key}
    has_heading = path.name not in results.SUMMARY_NAMES and bool(rows)
    body = rows[1:] if has_heading else rows
    heading = rows[0] if has_heading else []
    if path.name == "confusion.csv" and heading and heading[-1] == "name":
        heading = [_("truth ↓ · prediction →"), *(row[-1] for row in body)]
        body = [[row[-1], *row[:-1]] for row in body]
    inside = f"{runfolder.of(validation.job) / runfolder.DATASET}/images/"
    shown = [[cell.removeprefix(inside) for cell in row] for row in islice(body, limit)]
    cut = limit is not None and len(body) > limit
    return {"name": path.name, "heading": heading, "rows": shown, "cut": cut, "is_key": is_key}
