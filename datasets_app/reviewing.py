"""People look at what a model labelled: accept, reject, or say what it really is. Uncertain images come first.

A label that was accepted or changed is a person's from then on; what nobody looked at stays marked as generated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils.translation import gettext as _

from datasets_app import changing, label_history
from datasets_app.label_history import AnnotationChange, Verb
from datasets_app.models import Annotation, Dataset, Image, labelled_field
from projects_app.models import AnnotationType, Category, TrainingType, User

REJECT = "-"  # what becomes of a label that is rejected; no class can have this number
_KEPT = ("id", "annotation_type_id", "category_id", "verdict", "kind", "points", "score", "is_generated", "is_roi")
_NEXT: dict[str, Any] = {"label_version": F("label_version") + 1}  # whoever sees older labels changes none


@dataclass(frozen=True)
class Choice:
    """What a label may be changed to: `value` in the form, `name` on the page."""

    value: str
    name: str


@dataclass(frozen=True)
class Progress:
    done: int
    count: int

    @property
    def left(self) -> int:
        return self.count - self.done

    @property
    def percent(self) -> float:
        return 100 * self.done / self.count if self.count else 100.0


class Reviewed(Exception):
    """Somebody else was quicker."""


def waiting(dataset: Dataset) -> QuerySet[Image]:
    """Images that nobody reviewed yet, the least sure first; those in which nothing was found come last."""
    least = Min("annotations__score", filter=Q(annotations__is_generated=True))
    return (
        dataset.images.filter(needs_review=True)
        .annotate(least=least)
        .order_by(F("least").asc(nulls_last=True), "position", "pk")
    )


def progress(dataset: Dataset) -> Progress:
    count = dataset.images.count()
    return Progress(count - dataset.images.filter(needs_review=True).count(), count)


def generated(image: Image) -> list[Annotation]:
    """Its labels that are still a model's, the least sure first."""
    rows = image.annotations.filter(is_generated=True).select_related("annotation_type", "category")
    return list(rows.order_by(F("score").asc(nulls_last=True), "pk"))


def choices(label: Annotation) -> list[Choice]:
    """What it can be: for CL the categories of its question, for RC a verdict, else the types of its kind."""
    kind = label.annotation_type
    if kind is None:
        return []
    if kind.training_type == TrainingType.CL:
        return [Choice(str(one.pk), one.code) for one in kind.categories.all()]
    if kind.training_type == TrainingType.RC:
        return [Choice("true", _("true")), Choice("false", _("false"))]
    types = AnnotationType.objects.filter(project=kind.project_id, training_type=kind.training_type).order_by("code")
    return [Choice(str(one.pk), one.code) for one in types]


def present(label: Annotation) -> str:
    """The value of what it is now."""
    if label.verdict is not None:
        return str(label.verdict).lower()
    return str(label.category_id or label.annotation_type_id)


def decide(image: Image, decisions: Mapping[int, str], who: User) -> list[dict[str, Any]]:
    """Take over what somebody said of the generated labels of an image: by label a value of `choices`, or REJECT.

    What is not named is accepted as it is. Returns what was there, for `undo`. Raises Reviewed, ChangeRefused, and
    ValueError for a value that is none of the choices; then nothing changed.
    """
    with transaction.atomic():
        changing.hold(image.dataset)
        if Image.objects.filter(pk=image.pk, needs_review=True).update(needs_review=False, **_NEXT) != 1:
            raise Reviewed
        before = [_as_json(label) for label in image.annotations.order_by("pk")]
        for label in generated(image):
            key, seen = label.pk, label_history.state(label)
            _apply(label, decisions.get(key, present(label)))
            _write_down(image, key, who, seen, label_history.state(label) if label.pk else None)
        _mark(image)
        image.dataset.labels_changed()
    return before


def undo(image: Image, before: list[dict[str, Any]], who: User) -> bool:
    """Give the image the labels that it had, and put it back among those that wait; False where it waits already.

    Raises ChangeRefused."""
    with transaction.atomic():
        changing.hold(image.dataset)
        if Image.objects.filter(pk=image.pk, needs_review=False).update(needs_review=True, **_NEXT) != 1:
            return False
        image.annotations.all().delete()
        Annotation.objects.bulk_create(Annotation(image=image, **row) for row in before)
        _mark(image, any_counts=True)
        for change in image.label_changes.reviewed():
            _write_down(image, change.label, who, change.after, change.before, undoes=change)
        image.dataset.labels_changed()
    return True


def _write_down(
    image: Image,
    label: int,
    who: User,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
    undoes: AnnotationChange | None = None,
) -> None:
    """Who decided what, in the history of the labels."""
    kind = str((before or after or {}).get("training_type", ""))
    AnnotationChange.objects.create(
        image=image, label=label, who=who.get_username(), verb=Verb.UNDO if undoes else Verb.REVIEW, before=before,
        after=after, was_labelled=bool(kind) and getattr(image, labelled_field(kind)), undoes=undoes,
    )  # fmt: skip


def _apply(label: Annotation, value: str) -> None:
    if value == REJECT:
        label.delete()
        return
    if value not in {choice.value for choice in choices(label)}:
        raise ValueError(value)
    kind = label.annotation_type.training_type if label.annotation_type else ""
    if kind == TrainingType.CL:
        label.category = Category.objects.get(pk=value)
    elif kind == TrainingType.RC:
        label.verdict = value == "true"
    else:
        label.annotation_type = AnnotationType.objects.get(pk=value)
    label.is_generated = False
    label.save(update_fields=["category", "verdict", "annotation_type", "is_generated"])


def _mark(image: Image, *, any_counts: bool = False) -> None:
    """An image that lost its category or its last region is not labelled any more; one without a shape is empty."""
    for kind in (TrainingType.CL, TrainingType.RC):
        field = labelled_field(kind)
        is_there = image.annotations.filter(annotation_type__training_type=kind).exists()
        if getattr(image, field) != is_there and (any_counts or getattr(image, field)):
            Image.objects.filter(pk=image.pk).update(**{field: is_there})
            setattr(image, field, is_there)


def _as_json(label: Annotation) -> dict[str, Any]:
    return {name: getattr(label, name) for name in _KEPT}
