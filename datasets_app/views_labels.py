"""The labels of one image beside its picture: what they are, who changed them, and changing them by forms.

A script draws and moves corners by the same posts; it gets the panel anew where a form gets the page.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from datasets_app import labelling, overlays
from datasets_app.label_shapes import Refused
from datasets_app.models import Annotation, Dataset, Image, labelled_field
from datasets_app.overlays import Drawn
from projects_app.access import project_view
from projects_app.listing import whole
from projects_app.models import AnnotationType, Category, Project, Role, TrainingType, User

HISTORY = 50  # entries beside the picture
NO_CATEGORY = "-"


@require_POST
@project_view(Role.LABELLER)
def change(request: HttpRequest, project: Project, pk: int, image: int) -> HttpResponseBase:
    """`act` says what: add, move, class, true, false, delete, category, undo. `seen`: the version it was chosen at."""
    dataset = get_object_or_404(Dataset.objects.select_related("project"), project=project, pk=pk)
    shown = get_object_or_404(Image.objects.select_related("dataset"), dataset=dataset, pk=image)
    error, chosen = "", None
    try:
        chosen = _act(request, project, shown)
    except Refused as refused:
        error = str(refused)
    if not request.htmx:  # type: ignore[attr-defined]
        if error:
            messages.error(request, error)
        query = f"?{request.GET.urlencode()}" if request.GET else ""
        return redirect(reverse("datasets:image", args=[project.code, dataset.pk, shown.pk]) + query)
    shown.refresh_from_db()
    dataset.refresh_from_db()
    context = {"dataset": dataset, "image": shown, "error": error, "chosen": chosen, **panel(request, dataset, shown)}
    return render(request, "datasets/_labels.html", context, status=422 if error else 200)


def _act(request: HttpRequest, project: Project, image: Image) -> int | None:
    """Do what was asked for; the label to go on with. Raises Refused."""
    act, who, seen = request.POST.get("act", ""), _user(request), whole(request.POST.get("seen", "")) or 0
    if act == "undo":
        labelling.undo(image, who, seen)
        return None
    if act == "add":
        return labelling.add(image, who, seen, _type(request, project), _points(request)).pk
    if act == "category":
        question = _type(request, project)
        labelling.categorise(image, who, seen, question, _category(request, question))
        return None
    label = whole(request.POST.get("label", ""))
    if label is None:
        raise Refused(_("Choose a label of the list first."))
    if act == "move":
        labelling.move(image, who, seen, label, _points(request))
    elif act == "class":
        labelling.reclass(image, who, seen, label, _type(request, project))
    elif act in ("true", "false"):
        labelling.judge(image, who, seen, label, verdict=act == "true")
    elif act == "delete":
        labelling.delete(image, who, seen, label)
        return None
    else:
        raise Refused(_("Nothing was asked for. Use one of the buttons beside the picture."))
    return label


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise BadRequest
    return request.user


def _type(request: HttpRequest, project: Project) -> AnnotationType:
    found = AnnotationType.objects.filter(project=project, pk=whole(request.POST.get("type", "")) or 0).first()
    if found is None:
        raise Refused(_("There is no such class in this project. Choose one of the list."))
    return found


def _category(request: HttpRequest, question: AnnotationType) -> Category | None:
    wanted = request.POST.get("category", "")
    if wanted == NO_CATEGORY:
        return None
    found = Category.objects.filter(annotation_type=question, pk=whole(wanted) or 0).first()
    if found is None:
        raise Refused(_("“%(question)s” has no such category. Choose one of the list.") % {"question": question})
    return found


def _points(request: HttpRequest) -> Any:
    try:
        return json.loads(request.POST.get("points", ""))
    except (ValueError, RecursionError):
        return None  # no corners, which is refused where it is known of what


def panel(request: HttpRequest, dataset: Dataset, image: Image) -> dict[str, Any]:
    """What the picture and the list beside it show."""
    tile = overlays.tiles([image], overlays.label_rows(dataset), fine=True)[0]
    tile.shapes = [
        replace(one, y=max(one.y, tile.font)) for one in tile.shapes
    ]  # so that a text at the top can be read
    may_edit = dataset.project.allows(_user(request), Role.LABELLER)
    editable = may_edit and dataset.frozen_at is None
    history = image.label_changes.select_related("undoes", "undone_by")
    types = list(AnnotationType.objects.filter(project=dataset.project_id).order_by("code")) if editable else []
    return {
        "tile": tile,
        "legend": _legend(tile.shapes),
        "shapes": json.dumps([_as_json(one, dataset) for one in tile.shapes]),
        "may_edit": may_edit,
        "editable": editable,
        "classes": [
            (kind, [one for one in types if one.training_type == kind])
            for kind in labelling.DRAWN_AS
            if any(one.training_type == kind for one in types)
        ],
        "usual_class": _usual(dataset),
        "regions": any(one.label and one.label.verdict is not None for one in tile.shapes)
        or any(one.training_type == TrainingType.RC for one in types),
        "questions": _questions(dataset, image, [one for one in types if one.training_type == TrainingType.CL]),
        "labelled_for": [kind.label for kind in TrainingType if getattr(image, labelled_field(kind))],
        "history": history[:HISTORY],
        "history_count": history.count(),
        "undo": history.standing().first() if editable else None,
    }


def _legend(shapes: list[Drawn]) -> list[tuple[Drawn, int]]:
    """Each label that is drawn once, with how often."""
    first: dict[str, Drawn] = {}
    for one in shapes:
        first.setdefault(one.key, one)
    return [(one, sum(other.key == key for other in shapes)) for key, one in first.items()]


def _usual(dataset: Dataset) -> str:
    """The code of the class that is drawn most often in this dataset."""
    drawn = [row for row in dataset.label_counts() if row["training_type"] in labelling.DRAWN_AS]
    return str(max(drawn, key=lambda row: int(str(row["count"])))["annotation_type"]) if drawn else ""


def _questions(dataset: Dataset, image: Image, types: list[AnnotationType]) -> list[dict[str, Any]]:
    """Those that somebody answered in this dataset; all of the project where it has no labels yet."""
    counts = dataset.label_counts()
    asked = {row["annotation_type"] for row in counts if row["training_type"] == TrainingType.CL}
    shown = [one for one in types if one.code in asked or not counts]
    given = {one.pk: labelling.given(image, one) for one in shown}
    return [{"type": one, "given": given[one.pk], "categories": one.categories.all()} for one in shown]


def _as_json(one: Drawn, dataset: Dataset) -> dict[str, Any]:
    """A shape for the script that draws it; `fixed`: nobody changes it."""
    label: Annotation = one.label  # type: ignore[assignment]
    kind = label.annotation_type
    return {
        "id": label.pk,
        "key": one.key,
        "text": one.text,
        "colour": one.colour,
        "kind": label.kind,
        "points": label.points,
        "type": label.annotation_type_id,
        "training": kind.training_type if kind else "",
        "generated": label.is_generated,
        "fixed": label.is_roi or (label.is_generated and dataset.compares),
    }
