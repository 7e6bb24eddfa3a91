"""Labels as SVG draws them: in the image's own pixels, a colour a label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from datasets_app.models import Annotation, Dataset, Image, labelled_field
from projects_app.models import AnnotationType, Category, Colour, TrainingType

COLOURS = 12  # classes label-0 to label-11 of static/css/datasets.css
_FINE = 32  # points of a polygon in a small picture


@dataclass(frozen=True)
class Drawn:
    """One label of an image. `points` are empty for a label of the whole image; x, y: where its text goes."""

    text: str
    colour: int
    points: str = ""
    x: float = 0
    y: float = 0
    size: str = ""
    is_generated: bool = False
    key: str = ""  # as in LabelRow
    label: Annotation | None = None


class Scaled:
    """How thick lines are and how large letters over an image, in its own pixels."""

    image: Any  # has `width` and `height`

    @property
    def stroke(self) -> float:
        """A line two pixels wide on a small picture of 240 pixels."""
        return float(max(self.image.width, self.image.height) / 120)

    @property
    def fine_stroke(self) -> float:
        """For a picture as large as the page."""
        return float(max(self.image.width, self.image.height) / 400)

    @property
    def font(self) -> float:
        return float(max(self.image.width, self.image.height) / 50)


@dataclass
class Tile(Scaled):
    """One image with its labels."""

    image: Image
    shapes: list[Drawn] = field(default_factory=list)
    tags: list[Drawn] = field(default_factory=list)  # labels of the whole image

    @property
    def is_labelled(self) -> bool:
        """Whether somebody looked at it, for any training type."""
        return any(getattr(self.image, labelled_field(kind)) for kind in TrainingType)


@dataclass(frozen=True)
class LabelRow:
    """One label of a dataset: how often it stands there, its colour, and its key in the URL's filter."""

    key: str
    text: str
    annotation_type: str
    training_type: str
    count: int
    images: int
    colour: int


def label_rows(dataset: Dataset) -> list[LabelRow]:
    """Every label of the dataset, in the order that the project gave them, each with its colour."""
    places = {one.code: one.position for one in AnnotationType.objects.filter(project=dataset.project_id)}
    counted = [(_key(row["annotation_type"], row["code"], row["verdict"]), row) for row in dataset.label_counts()]
    counted.sort(key=lambda one: (str(one[1]["training_type"]), places.get(str(one[1]["annotation_type"]), 0)))
    found = colours(dataset.project_id, [key for key, _row in counted])
    return [
        LabelRow(
            key=key,
            text=_text(str(row["code"]), row["verdict"]),
            annotation_type=str(row["annotation_type"]),
            training_type=str(row["training_type"]),
            count=int(str(row["count"])),
            images=int(str(row["images"])),
            colour=found[key],
        )
        for key, row in counted
    ]


def in_order(project: int, keys: Iterable[str]) -> list[str]:
    """Labels of one training type in the order that the project gave them, which their colours follow."""
    places = {one.code: one.position for one in AnnotationType.objects.filter(project=project)}
    return sorted(keys, key=lambda key: (places.get(key.partition(":")[0], 0), key))


def colours(project: int, keys: Iterable[str]) -> dict[str, int]:
    """A colour a label (`TYPE`, `TYPE:category`, `TYPE:true`): the one that was chosen, else one that nobody chose."""
    wanted = list(dict.fromkeys(keys))
    types = AnnotationType.objects.filter(project=project).exclude(colour="")
    chosen = {one.code: Colour(one.colour).number for one in types}
    chosen |= {f"{code}:true": number for code, number in chosen.items()}
    categories = Category.objects.filter(annotation_type__project=project).exclude(colour="")
    for one in categories.select_related("annotation_type"):
        chosen[f"{one.annotation_type.code}:{one.code}"] = Colour(one.colour).number
    taken = {chosen[key] for key in wanted if key in chosen}
    free = [number for number in range(COLOURS) if number not in taken] or list(range(COLOURS))
    others = [key for key in wanted if key not in chosen]
    given = {key: free[n % len(free)] for n, key in enumerate(others)}
    return {key: chosen.get(key, given.get(key, 0)) for key in wanted}


def tiles(images: Iterable[Image], labels: list[LabelRow], *, fine: bool = False) -> list[Tile]:
    """Images with their labels, in one statement for all; `fine` keeps every point of a polygon."""
    found = {image.pk: Tile(image) for image in images}
    by_key = {row.key: row.colour for row in labels}
    rows = Annotation.objects.filter(image__in=found).select_related("annotation_type", "category").order_by("pk")
    for label in rows:
        drawn = _drawn(label, by_key, fine=fine)
        (found[label.image_id].shapes if drawn.points else found[label.image_id].tags).append(drawn)
    return list(found.values())


def numbered(label: Annotation, number: int) -> Drawn:
    """A label in the order of a list beside the image, and with its number."""
    code = label.annotation_type.code if label.annotation_type else ""
    text = f"{number} {_text(code, label.verdict)}"
    return shape(text, number % COLOURS, label.points, label.kind, fine=True)


def of_preview(shown: dict[str, Any], colours: dict[str, int]) -> dict[str, Any]:
    """An image of an upload, as the template of a tile takes it."""
    shapes = [
        shape(
            "ROI" if one["is_roi"] else one["label"],
            colours.get(one["label"], 0),
            one["points"],
            one["kind"],
            fine=False,
        )
        for one in shown["shapes"]
    ]
    tags = [Drawn(shown["category"], colours.get(shown["category"], 0))] if shown["category"] else []
    return shown | {"shapes": shapes, "tags": tags, "stroke": max(shown["width"], shown["height"]) / 120}


def _drawn(label: Annotation, colours: dict[str, int], *, fine: bool) -> Drawn:
    if label.is_roi:
        return replace(shape("ROI", 0, label.points, label.kind, fine=fine), key="ROI", label=label)
    kind = label.annotation_type.code if label.annotation_type else ""
    code = label.category.code if label.category else kind
    key = _key(kind, code, label.verdict)
    colour = colours.get(key, 0)
    text = _text(code, label.verdict)
    drawn = shape(text, colour, label.points, label.kind, fine=fine) if label.points else Drawn(text, colour)
    return replace(drawn, is_generated=label.is_generated, key=key, label=label)


def shape(text: str, colour: int, points: Sequence[Sequence[float]], kind: str, *, fine: bool) -> Drawn:
    """A labelled region as SVG draws it; `fine` keeps every point."""
    if kind == "rectangle":
        (left, top), (right, bottom) = points
        points = [[left, top], [right, top], [right, bottom], [left, bottom]]
    xs, ys = [x for x, _y in points], [y for _x, y in points]
    step = 1 if fine else max(1, len(points) // _FINE)
    shown = " ".join(f"{x:.4g},{y:.4g}" if max(xs) < 1000 else f"{x:.0f},{y:.0f}" for x, y in points[::step])
    size = f"{max(xs) - min(xs):.0f} × {max(ys) - min(ys):.0f}"
    return Drawn(text, colour, shown, round(min(xs), 1), round(min(ys), 1), size)


def _key(annotation_type: object, code: object, verdict: object) -> str:
    if verdict is not None:
        return f"{annotation_type}:{str(verdict).lower()}"
    return str(annotation_type) if annotation_type == code else f"{annotation_type}:{code}"


def _text(code: str, verdict: object) -> str:
    return code if verdict is None else f"{code}: {str(verdict).lower()}"
