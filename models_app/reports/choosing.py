"""What of a report is looked at: a score, a cell of the matrix, a class, an outcome. All of it stands in the URL."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from django.core.cache import cache
from django.db.models import Case, Count, F, Q, QuerySet, Value, When
from django.http import QueryDict

from models_app.models import FoundObject, Prediction, TruthObject, Validation
from models_app.reports.counts import NOTHING, Matrix
from projects_app.models import TrainingType

KEPT = 3600  # seconds that a matrix at another score than the usual is used again
SHOWN = ("wrong", "right", "tp", "fp", "fn")
_NONE = Q(pk__in=())


@dataclass(frozen=True)
class Choice:
    """`least`: from which score on shapes count (OD, SEG), or judgements are shown. `below`: up to which score.

    `truth`, `predicted`: a cell, each a class or NOTHING. `label`: a class. `show`: wrong, right, tp, fp or fn.
    """

    least: float | None = None
    below: float | None = None
    truth: str = ""
    predicted: str = ""
    label: str = ""
    show: str = ""

    @property
    def is_any(self) -> bool:
        return any((self.below is not None, self.truth, self.predicted, self.label, self.show))

    @property
    def from_score(self) -> float:
        return self.least or 0.0


def of(data: QueryDict, validation: Validation) -> Choice:
    """What the URL asks for; nonsense in it asks for nothing."""
    usual = usual_score(validation)
    least = _score(data.get("score", ""))
    show = data.get("show", "")
    return Choice(
        least=usual if least is None else least,
        below=_score(data.get("below", "")),
        truth=data.get("truth", ""),
        predicted=data.get("predicted", ""),
        label=data.get("label", ""),
        show=show if show in SHOWN else "",
    )


def usual_score(validation: Validation) -> float | None:
    """From which score on shapes count where nobody says; None where all judgements do."""
    return float(validation.figures.get("min_score", 0.5)) if validation.finds_shapes else None


def labels(validation: Validation) -> list[str]:
    """The classes to choose from; for RC what is inspected."""
    found = validation.figures.get("matrix", {}).get("classes") or list(validation.figures.get("said", {}))
    return list(validation.model.classes) if validation.training_type == TrainingType.RC else found


def is_usual(validation: Validation, choice: Choice) -> bool:
    return choice.least == usual_score(validation)


# --- the matrix ------------------------------------------------------------------------------------------------------


def matrix(validation: Validation, choice: Choice) -> Matrix:
    """What was taken for what, at the score that was chosen."""
    if not validation.finds_shapes or is_usual(validation, choice):
        return Matrix.from_json(validation.figures.get("matrix", {}))
    key = f"matrix-{validation.pk}-{validation.job.ended_at}-{choice.from_score!r}".replace(" ", "_")
    found: Matrix | None = cache.get(key)
    if found is None:
        found = _counted(validation, choice.from_score)
        cache.set(key, found, KEPT)
    return found


def _counted(validation: Validation, least: float) -> Matrix:
    made = Matrix(list(validation.model.classes))
    found = FoundObject.objects.filter(_sure(least), validation=validation).order_by()
    cell = Case(When(is_right=True, then=F("label")), When(_is_free(least), then=F("mistaken")), default=Value(NOTHING))
    for row in found.annotate(cell=cell).values("cell", "label").annotate(n=Count("pk")):
        made.add(row["cell"], row["label"], row["n"])
    for label, n in _missed(validation, least).order_by().values_list("label").annotate(Count("pk")):
        made.add(label, NOTHING, n)
    return made


def _sure(least: float) -> Q:
    """A shape without a score is sure."""
    return Q(score__gte=least) | Q(score=None)


def _is_free(least: float) -> Q:
    """It took an object for its class that nothing of that one's own class has found at this score."""
    return ~Q(mistaken="") & (Q(rival_score=None) | Q(rival_score__lt=least))


def _missed(validation: Validation, least: float) -> QuerySet[TruthObject]:
    """Objects that nothing lies on."""
    return TruthObject.objects.filter(_below("found_score", least), _below("taken_score", least), validation=validation)


def _below(field: str, least: float) -> Q:
    return Q(**{field: None}) | Q(**{f"{field}__lt": least})


# --- objects ---------------------------------------------------------------------------------------------------------


def objects(validation: Validation, choice: Choice) -> tuple[QuerySet[FoundObject], QuerySet[TruthObject]]:
    """The objects that were chosen: of those that were found, and of those that were missed."""
    found = FoundObject.objects.filter(_of_found(validation, choice), validation=validation)
    if choice.below is not None:
        found = found.filter(score__lt=choice.below)
    return found, TruthObject.objects.filter(_of_truth(validation, choice), validation=validation)


def _of_found(validation: Validation, choice: Choice) -> Q:
    if validation.training_type == TrainingType.RC:
        return _of_regions(choice)
    wanted = _sure(choice.from_score)
    if choice.show == "fn" or choice.predicted == NOTHING:
        return _NONE
    if choice.show:
        wanted &= Q(is_right=choice.show in ("tp", "right"))
    if choice.label:
        wanted &= Q(label=choice.label)
    if choice.predicted:
        wanted &= Q(label=choice.predicted)
    free = _is_free(choice.from_score)
    if choice.truth == NOTHING:
        wanted &= Q(is_right=False) & ~free
    elif choice.truth:
        wanted &= Q(is_right=True, label=choice.truth) | (Q(is_right=False, mistaken=choice.truth) & free)
    return wanted


def _of_regions(choice: Choice) -> Q:
    wanted = Q() if choice.least is None else Q(score__gte=choice.least)
    said = {"true": True, "false": False}
    if choice.show:
        wanted &= Q(is_right=choice.show in ("tp", "right"))
    if choice.label:
        wanted &= Q(label=choice.label)
    if choice.predicted:
        wanted &= Q(verdict=said[choice.predicted]) if choice.predicted in said else _NONE
    if choice.truth:
        truth = said.get(choice.truth)
        wanted &= _NONE if truth is None else Q(verdict=truth, is_right=True) | Q(verdict=not truth, is_right=False)
    return wanted


def _of_truth(validation: Validation, choice: Choice) -> Q:
    """Missed objects. One that was taken for another class is missed too, but stands in that one's cell."""
    if not validation.finds_shapes or not validation.compares or choice.below is not None:
        return _NONE
    if choice.show in ("tp", "fp", "right") or choice.truth == NOTHING or choice.predicted not in ("", NOTHING):
        return _NONE
    least = choice.from_score
    wanted = _below("found_score", least)
    if choice.predicted == NOTHING:
        wanted &= _below("taken_score", least)
    for label in (choice.label, choice.truth):
        wanted &= Q(label=label) if label else Q()
    return wanted


# --- images ----------------------------------------------------------------------------------------------------------


def images(validation: Validation, choice: Choice) -> list[int]:
    """The ids of the images that were chosen, the worst first."""
    rows = validation.predictions.filter(_of_images(validation, choice)).order_by("-worst", "pk")
    ids = list(rows.values_list("image_id", flat=True))
    if validation.training_type == TrainingType.OD and validation.compares and not is_usual(validation, choice):
        errors = _errors(validation, choice.from_score)
        ids.sort(key=lambda pk: -errors[pk])  # stable: of equals the usual order
    return ids


def _of_images(validation: Validation, choice: Choice) -> Q:
    if validation.training_type == TrainingType.CL:
        return _of_categories(choice)
    if choice.show == "right" and not choice.truth and not choice.predicted and not choice.label:
        return ~_of_images(validation, replace(choice, show="wrong"))
    if not choice.is_any and not (validation.training_type == TrainingType.RC and choice.least):
        return Q()
    found, missed = objects(validation, choice)
    return Q(image__in=found.order_by().values("image")) | Q(image__in=missed.order_by().values("image"))


def _of_categories(choice: Choice) -> Q:
    wanted = Q()
    if choice.show:
        wanted &= Q(is_right=choice.show in ("right", "tp"))
    if choice.least is not None:
        wanted &= Q(score__gte=choice.least)
    if choice.below is not None:
        wanted &= Q(score__lt=choice.below)
    for name in ("truth", "predicted"):
        if value := getattr(choice, name):
            wanted &= Q(**{name: value})
    return wanted & (Q(truth=choice.label) | Q(predicted=choice.label)) if choice.label else wanted


def _errors(validation: Validation, least: float) -> Counter[int]:
    """By image: false alarms and missed objects."""
    false = FoundObject.objects.filter(_sure(least), validation=validation, is_right=False).order_by()
    missed = TruthObject.objects.filter(_below("found_score", least), validation=validation).order_by()
    counts: Counter[int] = Counter(dict(false.values_list("image_id").annotate(Count("pk"))))
    counts.update(dict(missed.values_list("image_id").annotate(Count("pk"))))
    return counts


def predictions(validation: Validation, ids: list[int]) -> list[Prediction]:
    """The rows of these images, in this order."""
    rows = Prediction.objects.filter(validation=validation, image__in=ids).select_related("image")
    by_image: dict[int, Any] = {row.image_id: row for row in rows}
    return [by_image[pk] for pk in ids if pk in by_image]


def _score(text: str) -> float | None:
    """A number within 0 and 1, or the nearer of them."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if value != value else min(max(value, 0.0), 1.0)
