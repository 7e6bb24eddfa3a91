"""Which prediction finds which object: greedy by score within a class, as COCO and VOC do.

A prediction takes the free object of its class that it overlaps most, the surest prediction first. So what a prediction
finds does not depend on those that are less sure, and every threshold can be asked for once this is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

SURE = 1.0  # the score of a shape that has none
IOUS = tuple(round(0.5 + 0.05 * n, 2) for n in range(10))  # at which COCO's mean AP is taken
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Pairing:
    """What one prediction found. `truth`: index of the object that it found (`is_right`) or took for its own class.

    `iou`: with that object, else with the one that it overlaps most.
    """

    is_right: bool = False
    truth: int | None = None
    iou: float = 0.0


class Scene:
    """The objects of one image: classes of truth and predictions, scores, and overlap (predictions × truth)."""

    def __init__(
        self, truth: Sequence[str], found: Sequence[str], scores: Sequence[float], overlap: np.ndarray
    ) -> None:
        self.truth, self.found, self.scores = truth, found, scores
        self.order = sorted(range(len(found)), key=lambda n: -scores[n])  # stable, as COCO's
        self._own: list[list[tuple[float, int]]] = []  # of each prediction: IoU and object, the best first
        self._other: list[list[tuple[float, int]]] = []
        for label, row in zip(found, overlap.tolist(), strict=True):
            ranked = sorted(((iou, k) for k, iou in enumerate(row) if iou > 0), reverse=True)  # of equals COCO's last
            self._own.append([one for one in ranked if truth[one[1]] == label])
            self._other.append([one for one in ranked if truth[one[1]] != label])

    def hits(self, least: float) -> dict[int, tuple[float, int]]:
        """By prediction: IoU and index of the object of its class that it finds at this IoU."""
        gone: set[int] = set()
        found = {}
        for n in self.order:
            if one := _best(self._own[n], least, gone):
                found[n] = one
                gone.add(one[1])
        return found

    def pairings(self, least: float) -> list[Pairing]:
        """Of each prediction. One that finds nothing of its class may have taken an object of another class for it,
        which nobody surer has found or taken; of each object only the surest such prediction counts."""
        hits = self.hits(least)
        gone: set[int] = set()
        made: dict[int, Pairing] = {}
        for n in self.order:
            one = hits.get(n) or _best(self._other[n], least, gone)
            if one:
                gone.add(one[1])
                made[n] = Pairing(n in hits, one[1], one[0])
            else:
                nearest = max((some[0][0] for some in (self._own[n], self._other[n]) if some), default=0.0)
                made[n] = Pairing(iou=nearest)
        return [made[n] for n in range(len(self.found))]


def _best(ranked: Sequence[tuple[float, int]], least: float, gone: set[int]) -> tuple[float, int] | None:
    """The first that is free and overlaps enough."""
    for one in ranked:
        if one[0] < min(least, 1 - 1e-10):
            return None
        if one[1] not in gone:
            return one
    return None


def box_of(points: Sequence[Sequence[float]]) -> Box:
    """The rectangle around a shape."""
    xs, ys = [x for x, _y in points], [y for _x, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def box_overlap(found: Sequence[Box], truth: Sequence[Box]) -> np.ndarray:
    """IoU, float64 (found, truth)."""
    if not found or not truth:
        return np.zeros((len(found), len(truth)))
    a, b = np.asarray(found, np.float64)[:, None], np.asarray(truth, np.float64)[None]
    sides = (np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])).clip(min=0)
    common = sides[..., 0] * sides[..., 1]
    union = _area(a) + _area(b) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _area(boxes: np.ndarray) -> np.ndarray:
    sides = boxes[..., 2:] - boxes[..., :2]
    return sides[..., 0] * sides[..., 1]


class Ranking:
    """All predictions of a set by class, for average precision: scores, and whether each is right at every IoU."""

    def __init__(self) -> None:
        self._scores: dict[str, list[float]] = {}
        self._right: dict[str, list[list[bool]]] = {}
        self._objects: dict[str, int] = {}

    def add(self, scene: Scene) -> None:
        """One more image; their order decides between equal scores."""
        for label in scene.truth:
            self._objects[label] = self._objects.get(label, 0) + 1
        if not scene.found:
            return
        hits = [scene.hits(iou) for iou in IOUS]
        for n in scene.order:
            self._scores.setdefault(scene.found[n], []).append(scene.scores[n])
            self._right.setdefault(scene.found[n], []).append([n in at for at in hits])

    def classes(self) -> Iterator[tuple[str, int, float, float]]:
        """Of each class that occurs: objects, AP at IoU 0.5, mean AP over 0.5..0.95; 0..1, as COCO defines them."""
        for label, objects in self._objects.items():
            at_each = average_precisions(self._scores.get(label, []), self._right.get(label, []), objects)
            yield label, objects, float(at_each[0]), float(at_each.mean())


def average_precisions(scores: Sequence[float], right: Sequence[Sequence[bool]], objects: int) -> np.ndarray:
    """AP at each IoU, from predictions in any order; 101 levels of recall."""
    if not len(scores):
        return np.zeros(len(IOUS))
    order = np.argsort(-np.asarray(scores), kind="stable")
    ranked = np.asarray(right, bool)[order]
    hits = ranked.cumsum(0)
    recall, precision = hits / objects, hits / np.arange(1, len(order) + 1)[:, None]
    best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    levels = np.linspace(0, 1, 101)
    found = []
    for n in range(ranked.shape[1]):
        places = np.searchsorted(recall[:, n], levels, side="left")
        found.append(sum(best[place, n] for place in places if place < len(best)) / len(levels))
    return np.array(found)


def best_score(scores: Sequence[float], right: Sequence[bool], objects: int) -> float | None:
    """The score from which on F1 is highest, rounded down so that it counts itself; None without predictions."""
    if not scores:
        return None
    order = np.argsort(-np.asarray(scores), kind="stable")
    ranked = np.asarray(scores)[order]
    hits = np.asarray(right, bool)[order].cumsum()
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + objects)
    f1[:-1][ranked[1:] == ranked[:-1]] = -1  # of equal scores only the last is a threshold
    return float(np.floor(ranked[f1.argmax()] * 1e4) / 1e4)
