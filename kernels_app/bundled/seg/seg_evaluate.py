"""How good a segmenter is, and what it finds as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from seg_data import IGNORED, Split
from seg_polygons import Tracing, polygons

from kernels_app.bundled.common import curves, distributed
from kernels_app.bundled.common.images import Size
from kernels_app.bundled.common.report import Report
from kernels_app.bundled.common.session import Session, batched
from kernels_app.bundled.common.start import Run
from kernels_app.bundled.common.weights import Net, normalised
from kernels_app.contract.data import ShapeSample, write_shapes
from kernels_app.contract.files import write_atomically
from kernels_app.contract.results import write_summary

LOSS = ["step", "train_loss", "val_loss"]  # a row an epoch
IOU = ["step", "IoU", "mIoU"]
BINS = 1000  # of probability, in which pixels are counted for the curves
SMOOTH = 1.0  # pixels, so that a class of few pixels does not make the Dice loss jump
Each = Callable[[int, np.ndarray, np.ndarray], None]  # index, mask, certainty; both (height, width) of the file


@dataclass(frozen=True)
class Scores:
    """On the validation images: IoU of all regions together, mean IoU of the classes, 0..1; and the loss."""

    iou: float
    mean_iou: float
    loss: float

    def beats(self, other: Scores) -> bool:
        return (self.iou, self.mean_iou, -self.loss) > (other.iou, other.mean_iou, -other.loss)

    def __str__(self) -> str:
        return f"IoU {self.iou:.4f}, mIoU {self.mean_iou:.4f}, loss {self.loss:.4f}"


@dataclass(frozen=True)
class Verdict:
    """Counted over all images. `confusion`: pixels of the files, a row a true class, the background first;
    `by_probability` (2, classes, BINS): pixels of the resized images, those of the class in [1], the others in [0]."""

    confusion: torch.Tensor
    by_probability: torch.Tensor
    loss: float

    @property
    def scores(self) -> Scores:
        per_class = [value for value in self.class_iou() if value is not None]
        mean = sum(per_class) / len(per_class) if per_class else 0.0
        return Scores(self.iou, mean, self.loss)

    @property
    def right(self) -> int:
        """Pixels of regions that were given their class."""
        return int(self.confusion.diagonal()[1:].sum())

    @property
    def iou(self) -> float:
        return self.right / max(1, int(self.confusion.sum() - self.confusion[0, 0]))

    @property
    def precision(self) -> float:
        return self.right / max(1, int(self.confusion[:, 1:].sum()))

    @property
    def recall(self) -> float:
        return self.right / max(1, int(self.confusion[1:].sum()))

    def class_iou(self) -> list[float | None]:
        """Of each class; None where it neither is nor was found."""
        hits = self.confusion.diagonal()
        either = self.confusion.sum(0) + self.confusion.sum(1) - hits
        return [h / e if e else None for h, e in zip(hits[1:].tolist(), either[1:].tolist(), strict=True)]

    def curves(self, classes: Sequence[str]) -> dict[str, list[float | None]]:
        """Precision over recall of the pixels of each class."""
        others, own = self.by_probability
        return {name: curves.precision_of_counts(own[n], others[n]) for n, name in enumerate(classes)}


def write_graphs(report: Report, verdict: Verdict, classes: Sequence[str], step: int, train_loss: float | None) -> None:
    scores = verdict.scores
    report.row("loss", LOSS, step=step, train_loss=train_loss, val_loss=scores.loss)
    report.row("IoU", IOU, step=step, IoU=scores.iou, mIoU=scores.mean_iou)
    if len(classes) > 1:
        shown = dict(list(zip((_column(name) for name in classes), verdict.class_iou(), strict=True))[: curves.MOST])
        report.row("class_IoU", ["step", *shown], step=step, **shown)


def prepared(session: Session, model: Net, images: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """uint8 (n, 3, side, side) as the model takes them, on the device; 0 beyond the image's edge."""
    seen = normalised(images, model.encoder.name.removeprefix("tu-"), session.device)
    return seen * (masks != IGNORED)[:, None].to(session.device)


def loss_sums(logits: torch.Tensor, masks: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """What the loss is made of, to be added up over batches and ranks. (2 + 3 * classes,): cross-entropy and the
    weights it was taken with; then for each class but the background what is common, what there is, what is true."""
    truth = masks.long()
    valid = truth != IGNORED
    entropy = F.cross_entropy(logits, truth, weights, ignore_index=IGNORED, reduction="sum")
    known = F.one_hot(truth * valid, logits.shape[1]).permute(0, 3, 1, 2)[:, 1:] * valid[:, None]
    p = logits.softmax(dim=1)[:, 1:] * valid[:, None]
    common, found, there = ((values).sum(dim=(0, 2, 3)) for values in (p * known, p, known))
    counted = weights[truth * valid] * valid
    return torch.cat([torch.stack([entropy, counted.sum()]), common, found + there, there])


def loss_from(sums: torch.Tensor) -> torch.Tensor:
    """Weighted cross-entropy plus the Dice loss, the mean over the classes that are there."""
    common, both, there = sums[2:].view(3, -1)
    is_there = there > 0
    dice = 1 - (2 * common + SMOOTH) / (both + SMOOTH)
    return sums[0] / sums[1].clamp(min=1e-9) + (dice * is_there).sum() / is_there.sum().clamp(min=1)


@torch.inference_mode()
def judge(
    session: Session, model: Net, split: Split, weights: torch.Tensor, tell: Callable[[float], None], *,
    each: Each | None = None, alone: bool = False,
) -> Verdict:  # fmt: skip
    """Each rank judges its share, or this one all (`alone`); `tell` hears how far. `weights` as the loss takes them.

    `split` may have more classes than the model; their regions are missed. `each` gets what was found in an image.
    """
    lists = batched(len(split), session.batch) if alone else session.shares(len(split))
    own, all_classes = len(weights), len(split.index) + 1
    sums = torch.zeros(2 + 3 * (own - 1), dtype=torch.float64)
    confusion = torch.zeros(all_classes * all_classes, dtype=torch.int64)
    histogram = torch.zeros(2, own - 1, BINS, dtype=torch.int64)
    for n, (indices, (images, masks)) in enumerate(zip(lists, split.batches(lists), strict=True), start=1):
        with session.precision.context():
            logits = model(prepared(session, model, images, masks)).float()
        known = masks.to(session.device)
        unknown_left_out = known.where((known < own) | (known == IGNORED), 0)
        sums += loss_sums(logits, unknown_left_out, weights.to(session.device)).double().cpu()
        p = logits.softmax(dim=1)
        histogram += _by_probability(p, known)
        for index, one in zip(indices, p.cpu(), strict=True):
            mask, certainty = _at_size(one, *split.images.sizes(index))
            pairs = split.truth(index).astype(np.int64) * all_classes + mask
            confusion += torch.from_numpy(np.bincount(pairs.ravel(), minlength=len(confusion)))
            if each is not None:
                each(index, mask, certainty)
        tell(n / len(lists))
    if not alone:
        sums, confusion, histogram = (distributed.add_up(t) for t in (sums, confusion, histogram))
    return Verdict(confusion.view(all_classes, all_classes), histogram, float(loss_from(sums)))


def shapes_of(split: Split, tracing: Tracing, found: dict[int, ShapeSample]) -> Each:
    """For `judge`: puts the polygons of each image into `found`."""
    classes = list(split.index)

    def each(index: int, mask: np.ndarray, certainty: np.ndarray) -> None:
        sample, (width, height) = split.samples[index], split.images.sizes(index)[0]
        shapes = tuple(polygons(mask, certainty, classes, tracing))
        found[index] = ShapeSample(sample.path, sample.image_id, width, height, shapes)

    return each


def write_results(run: Run, samples: Sequence[ShapeSample], verdict: Verdict, classes: Sequence[str]) -> None:
    """`annotations/<image id>.json`, and where the truth is known `summary.csv` and tables of classes and precision."""
    folder = run.config.output / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    for sample in samples:
        write_shapes(folder, sample)
    if run.config.operation != "validation":
        return
    scores = verdict.scores
    run.log(f"{scores}; precision {verdict.precision:.4f}, recall {verdict.recall:.4f} of the pixels")
    curves.write(run, verdict.curves(classes[: verdict.by_probability.shape[1]]))
    _write_classes(run, verdict, classes)
    write_summary(run.config.output, [
        ("IoU", round(scores.iou, 6)), ("mIoU", round(scores.mean_iou, 6)),
        ("PREC", round(verdict.precision, 6)), ("RECL", round(verdict.recall, 6)),
    ])  # fmt: skip


def _write_classes(run: Run, verdict: Verdict, classes: Sequence[str]) -> None:
    """`classes.csv`: of each class its IoU, and the pixels that it has, that were found, and that are common."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "IoU", "pixels", "found", "common"])
    matrix = verdict.confusion
    counts = (matrix.sum(1), matrix.sum(0), matrix.diagonal())
    columns = (verdict.class_iou(), *(values[1:].tolist() for values in counts))
    for name, iou, *pixels in zip(classes, *columns, strict=True):
        writer.writerow([name, "" if iou is None else round(iou, 6), *pixels])
    write_atomically(run.config.output / "classes.csv", text.getvalue())


def _column(name: str) -> str:
    """As a curve of a graph whose x axis is `step`."""
    return f"{name} " if name == "step" else name


def _by_probability(p: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
    """(2, classes, BINS) on the CPU; `p` (n, classes + 1, side, side) with the background first."""
    valid = masks != IGNORED
    bins = (p[:, 1:].movedim(1, 0)[:, valid] * BINS).long().clamp(max=BINS - 1)
    rows = []
    for n, values in enumerate(bins, start=1):
        both = torch.bincount(values + BINS * (masks[valid] == n), minlength=2 * BINS)
        rows.append(both.view(2, BINS))
    return torch.stack(rows, dim=1).cpu()


def _at_size(p: torch.Tensor, original: Size, inner: Size) -> tuple[np.ndarray, np.ndarray]:
    """The likeliest class of each pixel of the file, uint8, and its probability; `p` (classes + 1, side, side).

    Class by class, as all of them at the size of a large file would not fit into memory.
    """
    (width, height), (across, down) = original, inner
    mask, best = np.zeros((height, width), np.uint8), np.full((height, width), -1.0, np.float32)
    for n, layer in enumerate(p[:, :down, :across]):
        large = F.interpolate(layer[None, None], (height, width), mode="bilinear", antialias=True)[0, 0].numpy()
        better = large > best
        mask[better], best[better] = n, large[better]
    return mask, best
