"""How good a judge of regions is, and what its judgements look like as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from rc_data import Split

from kernels_app.bundled.common import curves, distributed
from kernels_app.bundled.common.report import Report
from kernels_app.bundled.common.session import Session, batched
from kernels_app.bundled.common.start import Run
from kernels_app.bundled.common.weights import Net, normalised
from kernels_app.contract.results import Detection, write_confusion, write_detections, write_summary

LOSS = ["step", "train_loss", "val_loss"]  # a row an epoch
ACCURACY = ["step", "accuracy", "macro_f1"]
VERDICTS = ["false", "true"]


@dataclass(frozen=True)
class Scores:
    """On all validation regions: macro-F1 of true and false and accuracy, 0..1, and the weighted loss."""

    macro_f1: float
    accuracy: float
    loss: float

    def beats(self, other: Scores) -> bool:
        """By macro-F1, which a constant answer does not win; the loss decides between equals."""
        return (self.macro_f1, -self.loss) > (other.macro_f1, -other.loss)

    def write(self, report: Report, step: int, train_loss: float | None) -> None:
        report.row("loss", LOSS, step=step, train_loss=train_loss, val_loss=self.loss)
        report.row("accuracy", ACCURACY, step=step, accuracy=self.accuracy, macro_f1=self.macro_f1)

    def __str__(self) -> str:
        return f"macro-F1 {self.macro_f1:.4f}, accuracy {self.accuracy:.4f}, loss {self.loss:.4f}"


def prepared(session: Session, model: Net, images: torch.Tensor) -> torch.Tensor:
    """uint8 (n, 3, h, w) as the model takes them, on the device."""
    return normalised(images, model.pretrained_cfg["architecture"], session.device)


def own(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """(n,): of `logits` (n, labels) those of the label that is asked of each region."""
    return logits.gather(1, labels[:, None])[:, 0]


def loss_of(
    logits: torch.Tensor, labels: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor, *, alone: bool = False
) -> torch.Tensor:
    """Binary cross-entropy of each region's own label, the mean over the regions of all ranks, or of this one
    (`alone`), each counting as its label and verdict do. `logits` (n, labels), `truth` (n,) 0 or 1, `weights`
    (labels, 2)."""
    count = weights[labels, truth.long()]
    total = F.binary_cross_entropy_with_logits(own(logits, labels), truth, count, reduction="sum")
    return total / count.sum() if alone else distributed.whole(total) / distributed.whole(count.sum())


@torch.inference_mode()
def judge(
    session: Session, model: Net, split: Split, tell: Callable[[float], None], *, alone: bool = False
) -> torch.Tensor:
    """Logits (n, labels) on the CPU. Each rank judges its share, or this one all (`alone`); `tell` hears how far."""
    lists = batched(len(split), session.batch) if alone else session.shares(len(split))
    found = torch.zeros(len(split), model.num_classes)
    for n, (indices, batch) in enumerate(zip(lists, split.batches(lists), strict=True), start=1):
        with session.precision.context():
            found[indices] = model(prepared(session, model, batch.images)).float().cpu()
        tell(n / len(lists))
    return found if alone else distributed.add_up(found)


def score(logits: torch.Tensor, split: Split, weights: torch.Tensor) -> Scores:
    """`logits` (n, labels) of the regions of `split`, `weights` (labels, 2)."""
    answers = own(logits, split.labels)
    matrix = confusion(answers, split.truth)
    count = weights[split.labels, split.truth.long()]
    loss = F.binary_cross_entropy_with_logits(answers, split.truth, count, reduction="sum") / count.sum()
    return Scores(macro_f1(matrix), accuracy(matrix), loss.item())


def confusion(answers: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """(2, 2) counts, a row a true verdict, a column the one given; `answers` (n,) logits. 0 is false, 1 true."""
    return torch.bincount(truth.long() * 2 + (answers >= 0).long(), minlength=4).reshape(2, 2)


def accuracy(matrix: torch.Tensor) -> float:
    return float(matrix.diagonal().sum() / matrix.sum().clamp(min=1))


def macro_f1(matrix: torch.Tensor) -> float:
    """The mean F1 of the verdicts that occur, as truth or as answer."""
    hits, occurs = matrix.diagonal(), matrix.sum(0) + matrix.sum(1)
    return float((2 * hits[occurs > 0] / occurs[occurs > 0]).mean())


def precision_recall(logits: torch.Tensor, split: Split, names: Sequence[str]) -> dict[str, list[float | None]]:
    """A curve a label: of its regions judged true with at least some probability, how many are."""
    answers, is_true = own(logits, split.labels), split.truth > 0
    chosen = {name: split.labels == n for n, name in enumerate(names)}
    return {
        name: curves.precision_at(answers[some], is_true[some], int(is_true[some].sum()))
        for name, some in chosen.items()
    }


def write_results(run: Run, split: Split, names: Sequence[str], logits: torch.Tensor) -> None:
    """`detections.csv`, and where the truth is known `confusion.csv`, `precision_recall.csv` and `summary.csv`."""
    answers = own(logits, split.labels)
    found = []
    for sample, p in zip(split.samples, answers.double().sigmoid().tolist(), strict=True):
        truth = None if sample.verdict is None else int(sample.verdict)
        box = (sample.x, sample.y, sample.width, sample.height)
        found.append(Detection(sample.path, truth, int(p >= 0.5), (1 - p, p), box))
    write_detections(run.config.output, found, classes=2)
    if run.config.operation != "validation":
        return
    matrix = confusion(answers, split.truth)
    figures = [("accuracy", round(accuracy(matrix), 6)), ("macro_f1", round(macro_f1(matrix), 6))]
    run.log(f"accuracy {figures[0][1]:.4f}, macro-F1 {figures[1][1]:.4f} on {len(split)} regions")
    write_confusion(run.config.output, VERDICTS, matrix.tolist())
    curves.write(run, precision_recall(logits, split, names))
    write_summary(run.config.output, figures)
