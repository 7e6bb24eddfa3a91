"""Truth and prediction over an image, as SVG shapes in the image's own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from datasets_app.models import Image
from models_app.models import FoundObject, Prediction, TruthObject, Validation
from models_app.reports.found import outline, score_of
from models_app.reports.matching import box_of


@dataclass(frozen=True)
class Overlay:
    """One shape: `points` as SVG wants them, and what to write on it. x, y, bottom: where the text goes.

    `outcome`: tp, fp, fn, for regions right or wrong, "" where nothing says which. `key` names it in the page.
    """

    points: str
    text: str
    x: float
    y: float
    bottom: float
    outcome: str = ""
    key: str = ""


@dataclass(frozen=True)
class Line:
    """One object in the list beside its image, errors first. `other`: what it was taken for, or what it really is."""

    key: str
    outcome: str
    label: str
    other: str = ""
    score: float | None = None
    iou: float | None = None


@dataclass
class Card:
    """One image of a report. `lines` has errors first."""

    image: Image
    prediction: Prediction
    truth: list[Overlay] = field(default_factory=list)
    found: list[Overlay] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def count(self, outcome: str) -> int:
        return sum(line.outcome == outcome for line in self.lines)

    @property
    def wrong(self) -> int:
        return self.count("wrong")

    @property
    def tp(self) -> int:
        return self.count("tp")

    @property
    def fp(self) -> int:
        return self.count("fp")

    @property
    def fn(self) -> int:
        return self.count("fn")


def cards(validation: Validation, predictions: Sequence[Prediction], least: float | None = None) -> list[Card]:
    """Two statements for any number of images. Found shapes that score below `least` are left out."""
    made = {row.image_id: Card(row.image, row) for row in predictions}
    from_score = least or 0.0
    for found in _of_images(FoundObject, validation, made):
        if score_of(found) >= from_score:
            _add_found(made[found.image_id], found, from_score)
    for truth in _of_images(TruthObject, validation, made):
        _add_truth(made[truth.image_id], truth, from_score)
    for card in made.values():
        card.lines.sort(key=lambda line: (line.outcome in ("tp", "right"), -(line.score or 0)))
    return list(made.values())


def _of_images(kind, validation: Validation, made: dict[int, Card]):  # type: ignore[no-untyped-def]
    return kind.objects.filter(validation=validation, image__in=made).order_by("pk")


def _add_found(card: Card, one: FoundObject, least: float) -> None:
    words = ("fp", "tp") if one.verdict is None else ("wrong", "right")
    outcome = "" if one.is_right is None else words[one.is_right]
    key, other = f"found-{one.pk}", ""
    name = one.label if one.verdict is None else f"{one.label}: {str(one.verdict).lower()}"
    if one.verdict is not None and one.is_right is False:
        other = str(not one.verdict).lower()
    elif one.mistaken and (one.rival_score is None or one.rival_score < least):
        other = one.mistaken
    text = name if one.score is None else f"{name} {one.score:.2f}"
    card.found.append(_overlay(card.image, one, text, outcome, key))
    card.lines.append(Line(key, outcome, name, other, one.score, one.iou))


def _add_truth(card: Card, one: TruthObject, least: float) -> None:
    key = f"truth-{one.pk}"
    is_found = one.found_score is not None and one.found_score >= least
    card.truth.append(_overlay(card.image, one, one.label, "tp" if is_found else "fn", key))
    if not is_found:
        is_taken = one.taken_score is not None and one.taken_score >= least
        card.lines.append(Line(key, "fn", one.label, one.taken_for if is_taken else ""))


def _overlay(image: Image, one: FoundObject | TruthObject, text: str, outcome: str, key: str) -> Overlay:
    points = outline(one)
    shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    left, top, _right, bottom = box_of(points)
    line = font_size(image)
    return Overlay(shown, text, left, max(top, line), min(bottom, image.height - line), outcome, key)


def font_size(image: Image) -> float:
    """Of the texts on an image, in its own pixels: as large on a small image as on a large one."""
    return image.width / 45
