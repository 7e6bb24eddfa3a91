"""What a detector finds in images, how good that is, and what it looks like as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import od_measure
import od_tiles
import torch
from od_data import Split
from od_model import Detector, collate, on
from od_pyramid import Parts, Target

from kernels_app.bundled.common import curves, distributed
from kernels_app.bundled.common.images import Size
from kernels_app.bundled.common.report import Report
from kernels_app.bundled.common.session import Session, batched
from kernels_app.bundled.common.start import Run
from kernels_app.contract.data import Shape, ShapeSample, write_shapes
from kernels_app.contract.results import write_summary

LOSS = ["step", "train_loss", "val_loss"]  # a row an epoch
MAP = ["step", "mAP50", "mAP"]

Sums = dict[str, list[float]]  # of the parts of a loss: their sum, and over how many


@dataclass(frozen=True)
class Scores:
    """On the validation images: COCO's AP at IoU 0.5 and its mean over IoU 0.5..0.95, 0..1; and the loss."""

    map50: float
    map: float
    loss: float

    def beats(self, other: Scores) -> bool:
        return (self.map50, self.map, -self.loss) > (other.map50, other.map, -other.loss)

    def write(self, report: Report, step: int, train_loss: float | None) -> None:
        report.row("loss", LOSS, step=step, train_loss=train_loss, val_loss=self.loss)
        report.row("mAP", MAP, step=step, mAP50=self.map50, mAP=self.map)

    def __str__(self) -> str:
        return f"mAP50 {self.map50:.4f}, mAP {self.map:.4f}, loss {self.loss:.4f}"


@dataclass(frozen=True)
class View:
    """How a model sees images: padded to `frame`, with the arithmetic of its backbone; `most` detections an image."""

    frame: Size
    architecture: str
    most: int


@torch.inference_mode()
def judge(
    session: Session, model: Detector, view: View, split: Split, tell: Callable[[float], None], *, with_loss: bool,
    alone: bool = False,
) -> tuple[list[Target], float]:  # fmt: skip
    """Detections of every image, boxes in pixels of its file; and the mean loss (0 without `with_loss`).

    Each rank judges its share, or this one all (`alone`); `tell` hears how far.
    """
    lists = batched(len(split), session.batch) if alone else session.shares(len(split))
    found: dict[int, Target] = {}
    sums: Sums = {}
    torch.manual_seed(0)  # Faster R-CNN draws samples for its loss: the same ones in every epoch
    for n, (indices, (images, targets)) in enumerate(zip(lists, split.batches(lists), strict=True), start=1):
        with session.precision.context():
            batch = collate(images, view.frame, view.architecture, session.device)
            parts, seen = model(batch, on(session.device, targets) if with_loss else None)
        _add(sums, {name: (total.tolist(), float(count)) for name, (total, count) in parts.items()})
        for index, one in zip(indices, seen, strict=True):
            found[index] = _in_piece(split, index, {name: value.cpu() for name, value in one.items()})
        tell(n / len(lists))
    everything: dict[int, Target] = {}
    total: Sums = {}
    for some, part in [(found, sums)] if alone else distributed.gathered((found, sums)):
        everything |= some
        _add(total, part)
    loss = sum(value / max(1.0, count) for value, count in total.values())
    return _in_images(split, everything, view.most), loss


def score(split: Split, found: Sequence[Target], loss: float) -> Scores:
    map50, mean = od_measure.average_precision(split.truth, found)
    return Scores(map50, mean, loss)


def write_results(run: Run, split: Split, found: Sequence[Target], classes: Sequence[str], min_score: float) -> None:
    """`annotations/<image id>.json` with every detection, and where the truth is known `summary.csv` and curves."""
    folder = run.config.output / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    for n, (sample, one) in enumerate(zip(split.samples, found, strict=True)):
        width, height = split.size(n)
        write_shapes(folder, ShapeSample(sample.path, sample.image_id, width, height, _shapes(one, classes)))
    if run.config.operation != "validation":
        return
    map50, mean = od_measure.average_precision(split.truth, found)
    ranked = od_measure.rank(split.truth, found)
    c = od_measure.count(split.truth, ranked, min_score)
    run.log(f"mAP50 {map50:.4f}, mAP {mean:.4f}; precision {c.precision:.4f}, recall {c.recall:.4f} at {c.min_score}")
    curves.write(run, od_measure.precision_recall(split.truth, ranked, classes))
    write_summary(run.config.output, [
        ("mAP50", round(map50, 6)), ("mAP", round(mean, 6)), ("GT", c.objects), ("TP", c.tp), ("FP", c.fp),
        ("FN", c.objects - c.tp), ("PREC", round(c.precision, 6)), ("RECL", round(c.recall, 6)),
        ("ref_IoU", od_measure.REF_IOU), ("min_score", c.min_score),
    ])  # fmt: skip


def _add(sums: Sums, parts: Sums | dict[str, tuple[float, float]] | Parts) -> None:
    for name, (total, count) in parts.items():
        known = sums.setdefault(name, [0.0, 0.0])
        known[0], known[1] = known[0] + float(total), known[1] + float(count)


def _in_piece(split: Split, index: int, found: Target) -> Target:
    """Boxes in the piece's own pixels, cut at its borders; those in what it was filled up with are left out."""
    width, height = split.images.sizes(index)[0]
    boxes = (found["boxes"] / split.scale(index)).clamp(min=0).minimum(torch.tensor([width, height, width, height]))
    real = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    return {"boxes": boxes[real], "scores": found["scores"][real], "labels": found["labels"][real]}


def _in_images(split: Split, found: dict[int, Target], most: int) -> list[Target]:
    """Detections of each image, of those of its pieces."""
    parts: list[list[tuple[od_tiles.Place, Target]]] = [[] for _ in split.samples]
    for index, piece in enumerate(split.pieces):
        place = piece.place or (0, 0, *split.size(piece.image))
        corner = torch.tensor([*place[:2], *place[:2]])
        parts[piece.image].append((place, found[index] | {"boxes": found[index]["boxes"] + corner}))
    return [od_tiles.joined(some, split.size(n), most) for n, some in enumerate(parts)]


def _shapes(found: Target, classes: Sequence[str]) -> tuple[Shape, ...]:
    rows = zip(found["boxes"].tolist(), found["scores"].tolist(), found["labels"].tolist(), strict=True)
    return tuple(
        Shape(
            classes[label], "rectangle", ((round(x1, 2), round(y1, 2)), (round(x2, 2), round(y2, 2))),
            isgenerated=True, score=round(score, 6),
        )
        for (x1, y1, x2, y2), score, label in rows
    )  # fmt: skip
