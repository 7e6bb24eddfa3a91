"""Truth and prediction over an image, as SVG shapes in the image's own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datasets_app.models import Annotation, Image
from models_app.models import Prediction, Validation


@dataclass(frozen=True)
class Overlay:
    """One shape: `points` as SVG wants them, and what to write on it. x, y: where the text goes."""

    points: str
    text: str
    x: float
    y: float


@dataclass
class Card:
    """One image of a report."""

    image: Image
    prediction: Prediction
    truth: list[Overlay] = field(default_factory=list)
    found: list[Overlay] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)  # what `found` draws, as it was stored


def cards(validation: Validation, predictions: Sequence[Prediction], least: float | None = None) -> list[Card]:
    """Truth from the labels of the datasets, prediction from the validation; one query for any number of images.

    Shapes that score below `least` are left out.
    """
    images = [row.image for row in predictions]
    types = validation.model.model_type.annotation_types.values("pk")
    labels = Annotation.objects.filter(image__in=images, annotation_type__in=types, is_roi=False)
    by_image: dict[int, list[Overlay]] = {}
    for label in labels.select_related("annotation_type").exclude(kind=""):
        text = str(label.annotation_type) if label.verdict is None else str(label.verdict).lower()
        by_image.setdefault(label.image_id, []).append(_overlay(label.points, label.kind, text))
    return [
        Card(row.image, row, by_image.get(row.image_id, []), [_found(entry) for entry in shown], shown)
        for row, shown in ((row, _shown(row, least)) for row in predictions)
    ]


def _shown(row: Prediction, least: float | None) -> list[dict[str, Any]]:
    """The objects that are sure enough; one without a score always is."""
    objects: list[dict[str, Any]] = row.objects_found
    return [entry for entry in objects if least is None or entry.get("score") is None or entry["score"] >= least]


def _found(entry: dict[str, Any]) -> Overlay:
    score = entry.get("score")
    text = entry["label"] if score is None else f"{entry['label']} {score:.2f}"
    return _overlay(entry["points"], entry["kind"], text)


def _overlay(points: list[list[float]], kind: str, text: str) -> Overlay:
    if kind == "rectangle" and len(points) == 2:
        (x1, y1), (x2, y2) = points
        points = [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]
    shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return Overlay(shown, text, min(x for x, _ in points), min(y for _, y in points))
