"""Review of labels that a model gave: one image at a time, the least sure first, by keys or by forms alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from datasets_app import overlays, reviewing
from datasets_app.changing import ChangeRefused
from datasets_app.models import Annotation, Dataset, Image
from datasets_app.views_files import picture_url
from projects_app import listing
from projects_app.access import project_view
from projects_app.models import Project, Role, User

UNDO = "review-undo"  # in the session: the image that was decided last, and the labels it had


@require_GET
@project_view(Role.LABELLER)
def review(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The image that the address names, else the least sure one that waits."""
    dataset = _dataset(project, pk)
    order = list(reviewing.waiting(dataset).values_list("pk", flat=True))
    wanted = listing.chosen(request, "image")
    at = order.index(wanted) if wanted in order else 0
    context: dict[str, Any] = {
        "dataset": dataset,
        "progress": reviewing.progress(dataset),
        "undo": _undoable(request, dataset),
    }
    if order:
        context |= _shown(project, dataset, order, at)
    return render(request, "datasets/review.html", context)


@dataclass(frozen=True)
class LabelRow:
    """One label in the list beside its image, with the number that stands on it too."""

    label: Annotation
    number: int

    @property
    def choices(self) -> list[reviewing.Choice]:
        return reviewing.choices(self.label)

    @property
    def present(self) -> str:
        return reviewing.present(self.label)

    @property
    def colour(self) -> int:
        return self.number % overlays.COLOURS


def _shown(project: Project, dataset: Dataset, order: list[int], at: int) -> dict[str, Any]:
    image = Image.objects.select_related("blob").get(pk=order[at])
    rows = [LabelRow(label, n) for n, label in enumerate(reviewing.generated(image), start=1)]
    font = max(image.width, image.height) / 40
    drawn = [overlays.numbered(row.label, row.number) for row in rows if row.label.points]
    return {
        "image": image,
        "rows": rows,
        "shapes": [replace(one, y=max(one.y, font)) for one in drawn],  # so that a text at the top can be read
        "is_whole": any(not row.label.points for row in rows),
        "picture_url": picture_url(project, image),
        "previous": order[at - 1] if at else None,
        "next": order[at + 1] if at + 1 < len(order) else None,
        "stroke": max(image.width, image.height) / 400,
        "font": font,
    }


@require_POST
@project_view(Role.LABELLER)
def decide(request: HttpRequest, project: Project, pk: int, image: int) -> HttpResponseBase:
    """`act`: accept, with what was changed or rejected one by one, or reject, which means all of them."""
    dataset = _dataset(project, pk)
    found = get_object_or_404(Image, dataset=dataset, pk=image)
    after = list(reviewing.waiting(dataset).values_list("pk", flat=True))
    following = after[after.index(found.pk) + 1 :] if found.pk in after else []
    try:
        before = reviewing.decide(found, _decisions(request, found), cast(User, request.user))
    except reviewing.Reviewed:
        messages.info(request, _("Somebody has reviewed “%(name)s” already.") % {"name": found.name})
    except ChangeRefused as error:
        messages.error(request, str(error))
        return redirect(dataset)
    except ValueError:
        messages.error(request, _("That is no class of this label. Choose one of the list."))
        return redirect(f"{_address(project, dataset)}?image={found.pk}")
    else:
        request.session[UNDO] = {"image": found.pk, "dataset": dataset.pk, "labels": before}
    return redirect(_address(project, dataset) + (f"?image={following[0]}" if following else ""))


@require_POST
@project_view(Role.LABELLER)
def undo(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Take back what was decided last in this session."""
    dataset = _dataset(project, pk)
    kept = request.session.pop(UNDO, None)
    if not kept or kept["dataset"] != dataset.pk:
        messages.info(request, _("There is nothing to take back."))
        return redirect(_address(project, dataset))
    image = get_object_or_404(Image, dataset=dataset, pk=kept["image"])
    try:
        reviewing.undo(image, kept["labels"], cast(User, request.user))
    except ChangeRefused as error:
        messages.error(request, str(error))
        return redirect(dataset)
    return redirect(f"{_address(project, dataset)}?image={image.pk}")


def _decisions(request: HttpRequest, image: Image) -> dict[int, str]:
    labels = reviewing.generated(image)
    if request.POST.get("act") == "reject":
        return {label.pk: reviewing.REJECT for label in labels}
    return {label.pk: request.POST[f"label-{label.pk}"] for label in labels if f"label-{label.pk}" in request.POST}


def _undoable(request: HttpRequest, dataset: Dataset) -> bool:
    return request.session.get(UNDO, {}).get("dataset") == dataset.pk


def _address(project: Project, dataset: Dataset) -> str:
    return reverse("datasets:review", args=[project.code, dataset.pk])


def _dataset(project: Project, pk: int) -> Dataset:
    return get_object_or_404(Dataset.objects.select_related("project"), project=project, pk=pk)
