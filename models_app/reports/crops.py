"""Objects cut out of their images, each with what it was compared with: all false alarms of a class on one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from datasets_app.models import Image
from models_app.models import FoundObject, TruthObject, Validation
from models_app.reports import choosing
from models_app.reports.choosing import Choice
from models_app.reports.found import outline
from models_app.reports.matching import Box, box_of

AROUND = 0.4  # of an object's longer side, that is shown around it
LEAST = 12  # pixels

Key = tuple[bool, int]  # whether it was found, and the row's id


@dataclass(frozen=True)
class Crop:
    """`view`: the part of the image, as SVG wants it. `truth`, `found`: points of the shapes."""

    image: Image
    key: str
    view: str
    outcome: str
    label: str
    other: str
    score: float | None
    iou: float | None
    truth: str
    found: str


def every(validation: Validation, choice: Choice) -> list[Key]:
    """Wrong ones first: false alarms, the surest first; what was missed; then right ones, the least sure first."""
    found, missed = choosing.objects(validation, choice)
    false = found.filter(is_right=False).order_by("-score", "pk").values_list("pk", flat=True)
    right = found.exclude(is_right=False).order_by("score", "pk").values_list("pk", flat=True)
    lost = missed.order_by("pk").values_list("pk", flat=True)
    return [*((True, pk) for pk in false), *((False, pk) for pk in lost), *((True, pk) for pk in right)]


def drawn(validation: Validation, keys: Sequence[Key], choice: Choice) -> list[Crop]:
    """In two statements."""
    found = _rows(FoundObject, [pk for is_found, pk in keys if is_found], "image", "truth")
    lost = _rows(TruthObject, [pk for is_found, pk in keys if not is_found], "image")
    return [_found(found[pk], choice) if is_found else _lost(lost[pk], choice) for is_found, pk in keys]


def _rows(kind, ids: list[int], *related: str):  # type: ignore[no-untyped-def]
    return {row.pk: row for row in kind.objects.filter(pk__in=ids).select_related(*related)}


def _found(one: FoundObject, choice: Choice) -> Crop:
    is_free = one.rival_score is None or one.rival_score < choice.from_score
    truth = one.truth if one.truth and (one.is_right or is_free) else None
    other = one.mistaken if one.mistaken and is_free else ""
    label = one.label if one.verdict is None else f"{one.label}: {str(one.verdict).lower()}"
    words = ("fp", "tp") if one.verdict is None else ("wrong", "right")
    outcome = "" if one.is_right is None else words[one.is_right]
    shapes = [outline(one), *([outline(truth)] if truth else [])]
    return Crop(
        one.image, f"found-{one.pk}", _view(shapes), outcome, label, other, one.score, one.iou,
        _points(outline(truth)) if truth else "", _points(outline(one)),
    )  # fmt: skip


def _lost(one: TruthObject, choice: Choice) -> Crop:
    is_taken = one.taken_score is not None and one.taken_score >= choice.from_score
    other = one.taken_for if is_taken else ""
    return Crop(
        one.image, f"truth-{one.pk}", _view([outline(one)]), "fn", one.label, other, None, None,
        _points(outline(one)), "",
    )  # fmt: skip


def _view(shapes: Sequence[Sequence[Sequence[float]]]) -> str:
    left, top, right, bottom = _around([box_of(points) for points in shapes])
    side = max(right - left, bottom - top, LEAST)
    side += 2 * AROUND * side
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    return f"{x:.1f} {y:.1f} {side:.1f} {side:.1f}"


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _points(corners: Sequence[Sequence[float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
