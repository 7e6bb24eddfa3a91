"""People correct the labels of an image: every change is checked, kept with who and when, and can be taken back.

Whoever changes something names the `label_version` of the image that they saw. Where it is not that any more, or the
dataset is frozen, nothing changes, and Refused says so in words.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from datasets_app import changing, label_history, label_shapes
from datasets_app.changing import ChangeRefused
from datasets_app.label_history import AnnotationChange, Verb
from datasets_app.label_shapes import Refused
from datasets_app.models import Annotation, Image, ShapeKind, labelled_field
from projects_app.models import AnnotationType, Category, TrainingType, User

DRAWN_AS = {
    TrainingType.RC: ShapeKind.RECTANGLE,
    TrainingType.OD: ShapeKind.RECTANGLE,
    TrainingType.SEG: ShapeKind.POLYGON,
}


class Meanwhile(Refused):
    """Somebody else was quicker."""


def add(image: Image, who: User, seen: int, kind: AnnotationType, points: Any) -> Annotation:
    """Draw a box or polygon. A region of RC is not judged yet."""
    if kind.training_type not in DRAWN_AS:
        raise Refused(_("“%(label)s” is a label of the whole image. Choose its category instead.") % {"label": kind})
    shape = DRAWN_AS[TrainingType(kind.training_type)]
    fitting = label_shapes.fitting(image, shape, points)
    with _turn(image, seen):
        label = Annotation(image=image, annotation_type=kind, kind=shape, points=fitting)
        return _write(label, None, Verb.ADD, who)


def move(image: Image, who: User, seen: int, pk: int, points: Any) -> Annotation:
    """Give a shape other corners."""
    with _turn(image, seen):
        label, before = _label(image, pk)
        if not label.points:
            raise Refused(_("“%(label)s” is a label of the whole image: it has no corners.") % {"label": label})
        label.points = label_shapes.fitting(image, label.kind, points)
        return _write(label, before, Verb.MOVE, who)


def reclass(image: Image, who: User, seen: int, pk: int, kind: AnnotationType) -> Annotation:
    """Make a shape one of another class of its training type."""
    with _turn(image, seen):
        label, before = _label(image, pk)
        own = label.annotation_type
        if own is None or kind.training_type != own.training_type or kind.training_type == TrainingType.CL:
            raise Refused(
                _("A label “%(label)s” cannot become “%(kind)s”: that is a class of another training type.")
                % {"label": label, "kind": kind}
            )
        label.annotation_type = kind
        return _write(label, before, Verb.CLASS, who)


def judge(image: Image, who: User, seen: int, pk: int, *, verdict: bool) -> Annotation:
    """Say whether a region has what is looked for."""
    with _turn(image, seen):
        label, before = _label(image, pk)
        if label.annotation_type is None or label.annotation_type.training_type != TrainingType.RC:
            raise Refused(_("Only regions are judged. “%(label)s” is none.") % {"label": label})
        label.verdict = verdict
        return _write(label, before, Verb.JUDGE, who)


def categorise(image: Image, who: User, seen: int, question: AnnotationType, category: Category | None) -> None:
    """Answer a question about the whole image, or leave it unanswered."""
    if question.training_type != TrainingType.CL:
        raise Refused(_("“%(question)s” is no question about the whole image.") % {"question": question})
    if category is not None and category.annotation_type_id != question.pk:
        raise Refused(
            _("“%(category)s” is no category of “%(question)s”.") % {"category": category, "question": question}
        )
    with _turn(image, seen):
        label = given(image, question)
        before = label_history.state(label) if label else None
        if category is None:
            if label is None:
                raise Refused(_("Nothing changed: it is so already."))
            _write(label, before, Verb.DELETE, who)
            return
        label = label or Annotation(image=image, annotation_type=question)
        label.category = category
        _write(label, before, Verb.CLASS if before else Verb.ADD, who)


def given(image: Image, question: AnnotationType) -> Annotation | None:
    """The answer that the image has to a question of CL."""
    answers = Annotation.objects.meant().filter(image=image, annotation_type=question, is_roi=False)
    return answers.select_related("annotation_type", "category").order_by("is_generated", "pk").first()


def delete(image: Image, who: User, seen: int, pk: int) -> None:
    with _turn(image, seen):
        label, before = _label(image, pk)
        _write(label, before, Verb.DELETE, who)


def undo(image: Image, who: User, seen: int) -> AnnotationChange:
    """Take back the last change that stands, whoever made it; returns the entry that says so."""
    with _turn(image, seen):
        last = image.label_changes.standing().first()
        if last is None:
            raise Refused(_("There is nothing to take back."))
        found = _found(image).filter(pk=last.label).first()
        if (label_history.fields(label_history.state(found)) if found else None) != _fields(last.after):
            raise Refused(
                _("“%(change)s” cannot be taken back: in a review or a merge the label became another one since.")
                % {"change": last.sentence}
            )
        was_labelled = getattr(image, labelled_field(last.training_type))
        _restore(image, last, found)
        _mark(image, last.training_type, is_labelled=last.was_labelled)
        return AnnotationChange.objects.create(
            image=image, label=last.label, who=who.get_username(), verb=Verb.UNDO, before=last.after,
            after=last.before, was_labelled=was_labelled, undoes=last,
        )  # fmt: skip


@contextmanager
def _turn(image: Image, seen: int) -> Iterator[None]:
    """The labels of the image are ours until the end of the transaction, if they are still those that were seen."""
    with transaction.atomic():
        try:
            dataset = changing.hold(image.dataset)  # nobody freezes it now, or takes the image away
        except ChangeRefused as refused:
            raise Refused(str(refused)) from refused
        if Image.objects.filter(pk=image.pk, label_version=seen).update(label_version=F("label_version") + 1) != 1:
            raise Meanwhile(
                _(
                    "Somebody changed the labels of this image meanwhile, so yours was not saved. What you see now is "
                    "the newest state: look at it and make your change again."
                )
            )
        image.refresh_from_db()
        yield
        dataset.labels_changed()
        image.refresh_from_db()


def _found(image: Image) -> Any:
    return image.annotations.select_related("annotation_type", "category", "image__dataset")


def _label(image: Image, pk: int) -> tuple[Annotation, dict[str, Any]]:
    """The label and what it is before a change."""
    label: Annotation | None = _found(image).filter(pk=pk).first()
    if label is None:
        raise Meanwhile(_("This label is not there any more."))
    if label.is_roi:
        raise Refused(_("A region of interest says where to look: it is no label."))
    if label.is_generated and label.image.dataset.compares:
        raise Refused(
            _("A validation put this label beside those of people, to compare: it stays as the model gave it.")
        )
    return label, label_history.state(label)


def _write(label: Annotation, before: dict[str, Any] | None, verb: Verb, who: User) -> Annotation:
    """Save or delete it, mark its image, and write down who did what. Raises Refused where that changes nothing."""
    image, kept = label.image, label.pk
    training_type = label.annotation_type.training_type if label.annotation_type else ""
    if verb == Verb.DELETE:
        label.delete()
        after = None
    else:
        label.is_generated = False
        after = label_history.state(label)
        if after == before:
            raise Refused(_("Nothing changed: it is so already."))
        label.save()
        kept = label.pk
    was_labelled = getattr(image, labelled_field(training_type))
    looked_at = training_type in (TrainingType.OD, TrainingType.SEG)
    there = image.annotations.filter(annotation_type__training_type=training_type)
    _mark(image, training_type, is_labelled=looked_at or there.exists())
    AnnotationChange.objects.create(
        image=image, label=kept, who=who.get_username(), verb=verb, before=before, after=after,
        was_labelled=was_labelled,
    )  # fmt: skip
    return label


def _mark(image: Image, training_type: str, *, is_labelled: bool) -> None:
    Image.objects.filter(pk=image.pk).update(**{labelled_field(training_type): is_labelled})


def _fields(kept: dict[str, Any] | None) -> dict[str, Any] | None:
    return label_history.fields(kept) if kept else None


def _restore(image: Image, change: AnnotationChange, found: Annotation | None) -> None:
    """Make the label what it was before the change, under its old number."""
    if change.before is None:
        if found is not None:
            found.delete()
        return
    wanted = label_history.fields(change.before)
    types = AnnotationType.objects.filter(pk=wanted["annotation_type_id"])
    categories = Category.objects.filter(pk=wanted["category_id"])
    if not types.exists() or (wanted["category_id"] and not categories.exists()):
        raise Refused(
            _("“%(label)s” is no class of this project any more, so it cannot come back.")
            % {"label": change.before["text"]}
        )
    Annotation(pk=change.label, image=image, **wanted).save(force_insert=found is None, force_update=found is not None)
