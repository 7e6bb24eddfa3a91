"""How good detections are: average precision, counts at a score, precision over recall. Boxes are in any one unit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from od_pyramid import Target
from torchvision.ops import box_iou

from kernels_app.bundled.common import curves

REF_IOU = 0.5  # a detection that overlaps an object of its class so much has found it
COCO_MOST = 100  # detections of an image that count, or as many as there are


@dataclass(frozen=True)
class Counts:
    """Right and wrong detections whose score is at least `min_score`, out of `objects` that are there."""

    objects: int
    tp: int
    fp: int
    min_score: float

    @property
    def precision(self) -> float:
        return self.tp / max(1, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return self.tp / max(1, self.objects)


@dataclass(frozen=True)
class Ranked:
    """All detections, best first: `scores` (n,), `right` (n,) whether each finds an object, `labels` (n,)."""

    scores: torch.Tensor
    right: torch.Tensor
    labels: torch.Tensor


def average_precision(truth: Sequence[Target], found: Sequence[Target]) -> tuple[float, float]:
    """(AP at IoU 0.5, mean AP over 0.5..0.95) as COCO defines them, over the classes that occur; 0..1."""
    from faster_coco_eval import COCO, COCOeval_faster

    boxes = [row for n, one in enumerate(truth) for row in _coco_rows(n, one)]
    guesses = [row for n, one in enumerate(found) for row in _coco_rows(n, one)]
    if not boxes or not guesses:
        return 0.0, 0.0
    known = COCO({
        "images": [{"id": n} for n in range(len(truth))],
        "categories": [{"id": n, "name": str(n)} for n in sorted({row["category_id"] for row in boxes})],
        "annotations": [row | {"id": n, "iscrowd": 0} for n, row in enumerate(boxes, start=1)],
    })  # fmt: skip
    evaluation = COCOeval_faster(known, known.loadRes(guesses), "bbox", print_function=lambda *_: None)
    evaluation.params.maxDets = [1, 10, max(COCO_MOST, *(len(one["labels"]) for one in found))]
    evaluation.run()
    return float(evaluation.stats[1]), float(evaluation.stats[0])


def count(truth: Sequence[Target], ranked: Ranked, min_score: float = 0.0) -> Counts:
    """What is found at `min_score`, or where that is 0 at the score that gives the best F1."""
    objects = sum(len(one["labels"]) for one in truth)
    scores, right = ranked.scores, ranked.right
    if not min_score:
        hits, seen = right.cumsum(0), torch.arange(1, len(right) + 1)
        f1 = 2 * hits / (seen + objects)
        min_score = float(scores[f1.argmax()]) if len(scores) else 0.5
        min_score = int(min_score * 1e4) / 1e4  # down, so that this detection is counted
    above = right[scores >= min_score]
    return Counts(objects, int(above.sum()), int((~above).sum()), min_score)


def precision_recall(truth: Sequence[Target], ranked: Ranked, classes: Sequence[str]) -> dict[str, list[float | None]]:
    """A curve a class at IoU 0.5: of the detections with at least some score, how many find an object."""
    objects = torch.bincount(torch.cat([one["labels"] for one in truth]), minlength=len(classes)).tolist()
    own = (ranked.labels == n for n in range(len(classes)))
    return {
        name: curves.precision_at(ranked.scores[mine], ranked.right[mine], positives)
        for name, mine, positives in zip(classes, own, objects, strict=True)
    }


def rank(truth: Sequence[Target], found: Sequence[Target]) -> Ranked:
    """Each detection takes the free object of its class that it overlaps most, the best detection first."""
    scores, right, labels = [torch.zeros(0)], [torch.zeros(0, dtype=torch.bool)], [torch.zeros(0, dtype=torch.int64)]
    for known, seen in zip(truth, found, strict=True):
        order = seen["scores"].argsort(descending=True, stable=True)
        overlap = box_iou(seen["boxes"][order], known["boxes"])
        overlap[seen["labels"][order][:, None] != known["labels"][None]] = 0
        scores.append(seen["scores"][order])
        right.append(torch.tensor([_takes(row, overlap) for row in range(len(order))], dtype=torch.bool))
        labels.append(seen["labels"][order])
    everything = [torch.cat(values) for values in (scores, right, labels)]
    order = everything[0].argsort(descending=True, stable=True)
    return Ranked(*(values[order] for values in everything))


def _takes(row: int, overlap: torch.Tensor) -> bool:
    """Whether detection `row` finds an object; the object is taken out of `overlap` (detections, objects)."""
    if overlap.shape[1] == 0:
        return False
    best, which = overlap[row].max(dim=0)
    if best < REF_IOU:
        return False
    overlap[:, which] = 0
    return True


def _coco_rows(image: int, one: Target) -> list[dict[str, Any]]:
    scores = one["scores"].tolist() if "scores" in one else [None] * len(one["labels"])
    rows: list[dict[str, Any]] = []
    for (x1, y1, x2, y2), label, score in zip(one["boxes"].tolist(), one["labels"].tolist(), scores, strict=True):
        width, height = x2 - x1, y2 - y1
        row = {"image_id": image, "category_id": label, "bbox": [x1, y1, width, height], "area": width * height}
        rows.append(row if score is None else row | {"score": score})
    return rows
