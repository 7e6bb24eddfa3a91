"""How good a detector is, and what its detections look like as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from od_data import Split, Target
from od_model import Detector, collate
from torch import nn
from torchvision.ops import box_iou

from kernels_app.bundled.common import distributed
from kernels_app.bundled.common.export import run_onnx
from kernels_app.bundled.common.report import Report
from kernels_app.bundled.common.session import Session
from kernels_app.bundled.common.start import Run
from kernels_app.contract.data import Shape, ShapeSample, write_shapes
from kernels_app.contract.results import write_summary

LOSS = ["step", "train_loss", "val_loss"]  # a row an epoch
BATCH_LOSS = ["step", "train_loss"]  # several rows an epoch, so that the graph grows
MAP = ["step", "mAP50", "mAP"]
REF_IOU = 0.5  # a detection that overlaps an object of its class so much has found it


@dataclass(frozen=True)
class Scores:
    """On the validation images: COCO's AP at IoU 0.5 and its mean over IoU 0.5..0.95, 0..1; and the loss."""

    map50: float
    map: float
    loss: float

    def beats(self, other: Scores) -> bool:
        return (self.map50, self.map) > (other.map50, other.map)

    def write(self, report: Report, step: int, train_loss: float | None) -> None:
        report.row("loss", LOSS, step=step, train_loss=train_loss, val_loss=self.loss)
        report.row("mAP", MAP, step=step, mAP50=self.map50, mAP=self.map)

    def __str__(self) -> str:
        return f"mAP50 {self.map50:.4f}, mAP {self.map:.4f}, loss {self.loss:.4f}"


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


@torch.inference_mode()
def judge(
    session: Session, model: Detector, split: Split, tell: Callable[[float], None], *, with_loss: bool
) -> tuple[list[Target], float]:
    """Detections of every image, boxes in pixels of its file; and the mean loss (0 without `with_loss`)."""
    lists = session.shares(len(split))
    found: dict[int, Target] = {}
    total = 0.0
    for n, (indices, (images, targets)) in enumerate(zip(lists, split.batches(lists), strict=True), start=1):
        batch, sizes = collate(images, session.device)
        truth = [{k: v.to(session.device) for k, v in t.items()} for t in targets] if with_loss else None
        losses, seen = model(batch, sizes, truth)
        total += len(indices) * sum(loss.item() for loss in losses.values())
        for index, one in zip(indices, seen, strict=True):
            one = {name: value.cpu() for name, value in one.items()}
            found[index] = one | {"boxes": one["boxes"] / split.scale(index)}
        tell(n / len(lists))
    parts = distributed.gathered((found, total))
    everything = {index: one for part, _ in parts for index, one in part.items()}
    return [everything[n] for n in range(len(split))], sum(loss for _, loss in parts) / len(split)


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
    evaluation.run()
    return float(evaluation.stats[1]), float(evaluation.stats[0])


def count(truth: Sequence[Target], found: Sequence[Target], min_score: float = 0.0) -> Counts:
    """What is found at `min_score`, or where that is 0 at the score that gives the best F1."""
    scores, right = _matched(truth, found)
    objects = sum(len(one["labels"]) for one in truth)
    if not min_score:
        hits, seen = right.cumsum(0), torch.arange(1, len(right) + 1)
        f1 = 2 * hits / (seen + objects)
        min_score = float(scores[f1.argmax()]) if len(scores) else 0.5
        min_score = int(min_score * 1e4) / 1e4  # down, so that this detection is counted
    above = right[scores >= min_score]
    return Counts(objects, int(above.sum()), int((~above).sum()), min_score)


def largest_difference(model: nn.Module, path: Path, batch: torch.Tensor) -> float:
    """Between torch and the ONNX file on one image, in pixels; infinite where they find a different number."""
    with torch.inference_mode():
        here = model(batch)[0].numpy()
    there = run_onnx(path, batch)[0]
    return float(abs(here - there).max(initial=0)) if here.shape == there.shape else float("inf")


def write_results(run: Run, split: Split, found: Sequence[Target], classes: Sequence[str], min_score: float) -> None:
    """`annotations/<image id>.json` with every detection, and where the truth is known `summary.csv`."""
    folder = run.config.output / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    for n, (sample, one) in enumerate(zip(split.samples, found, strict=True)):
        width, height = split.images.sizes(n)[0]
        write_shapes(folder, ShapeSample(sample.path, sample.image_id, width, height, _shapes(one, classes)))
    if run.config.operation != "validation":
        return
    map50, mean = average_precision(split.truth, found)
    c = count(split.truth, found, min_score)
    run.log(f"mAP50 {map50:.4f}, mAP {mean:.4f}; precision {c.precision:.4f}, recall {c.recall:.4f} at {c.min_score}")
    write_summary(run.config.output, [
        ("mAP50", round(map50, 6)), ("mAP", round(mean, 6)), ("GT", c.objects), ("TP", c.tp), ("FP", c.fp),
        ("FN", c.objects - c.tp), ("PREC", round(c.precision, 6)), ("RECL", round(c.recall, 6)),
        ("ref_IoU", REF_IOU), ("min_score", c.min_score),
    ])  # fmt: skip


def _shapes(found: Target, classes: Sequence[str]) -> tuple[Shape, ...]:
    rows = zip(found["boxes"].tolist(), found["scores"].tolist(), found["labels"].tolist(), strict=True)
    return tuple(
        Shape(
            classes[label], "rectangle", ((round(x1, 2), round(y1, 2)), (round(x2, 2), round(y2, 2))),
            isgenerated=True, score=round(score, 6),
        )
        for (x1, y1, x2, y2), score, label in rows
    )  # fmt: skip


def _coco_rows(image: int, one: Target) -> list[dict[str, Any]]:
    scores = one["scores"].tolist() if "scores" in one else [None] * len(one["labels"])
    rows: list[dict[str, Any]] = []
    for (x1, y1, x2, y2), label, score in zip(one["boxes"].tolist(), one["labels"].tolist(), scores, strict=True):
        width, height = x2 - x1, y2 - y1
        row = {"image_id": image, "category_id": label, "bbox": [x1, y1, width, height], "area": width * height}
        rows.append(row if score is None else row | {"score": score})
    return rows


def _matched(truth: Sequence[Target], found: Sequence[Target]) -> tuple[torch.Tensor, torch.Tensor]:
    """(scores, right) of all detections, best first: each takes the free object of its class it overlaps most."""
    scores, right = [torch.zeros(0)], [torch.zeros(0, dtype=torch.bool)]
    for known, seen in zip(truth, found, strict=True):
        order = seen["scores"].argsort(descending=True, stable=True)
        overlap = box_iou(seen["boxes"][order], known["boxes"])
        overlap[seen["labels"][order][:, None] != known["labels"][None]] = 0
        scores.append(seen["scores"][order])
        right.append(torch.tensor([_takes(row, overlap) for row in range(len(order))], dtype=torch.bool))
    all_scores, all_right = torch.cat(scores), torch.cat(right)
    order = all_scores.argsort(descending=True, stable=True)
    return all_scores[order], all_right[order]


def _takes(row: int, overlap: torch.Tensor) -> bool:
    """Whether detection `row` finds an object; the object is taken out of `overlap` (detections, objects)."""
    if overlap.shape[1] == 0:
        return False
    best, which = overlap[row].max(dim=0)
    if best < REF_IOU:
        return False
    overlap[:, which] = 0
    return True
