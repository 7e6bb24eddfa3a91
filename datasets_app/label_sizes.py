"""How large the labels of a dataset are, and how long compared with their images: what a model has to see."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import F

from datasets_app.formats.geometry import bounds
from datasets_app.models import Annotation, Dataset

MOST = 20_000  # labels that are measured; of more, every so many-th one
BORDERS = (8, 16, 32, 64, 128, 256, 512, 1024)  # pixels, the longer side


@dataclass(frozen=True)
class Bar:
    low: int  # pixels, at least
    high: int  # pixels, less than; 0: no end
    count: int


@dataclass(frozen=True)
class Sizes:
    """`step`: every so many-th label was measured."""

    bars: tuple[Bar, ...] = ()
    measured: int = 0
    step: int = 1

    @property
    def most(self) -> int:
        return max((bar.count for bar in self.bars), default=0)


def sizes(dataset: Dataset) -> Sizes:
    """The longer sides of its shapes; whole images and regions of interest are none."""
    shapes = Annotation.objects.filter(image__dataset=dataset, is_roi=False).exclude(kind="")
    step = -(-shapes.count() // MOST) or 1
    if step > 1:
        shapes = shapes.alias(turn=F("pk") % step).filter(turn=0)
    counts: Counter[int] = Counter()
    for points in shapes.order_by().values_list("points", flat=True).iterator():
        if len(points) > 1:
            (left, top), (right, bottom) = bounds(tuple(point) for point in points)
            counts[_bucket(max(right - left, bottom - top))] += 1
    places = range(min(counts), max(counts) + 1) if counts else range(0)
    bars = (Bar((0, *BORDERS)[place], (*BORDERS, 0)[place], counts[place]) for place in places)
    return Sizes(tuple(bars), sum(counts.values()), step)


def _bucket(side: float) -> int:
    return sum(side >= border for border in BORDERS)
