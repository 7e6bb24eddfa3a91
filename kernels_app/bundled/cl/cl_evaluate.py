"""How good a classifier is, and what its judgements look like as files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from cl_data import Split

from kernels_app.bundled.common import curves, distributed
from kernels_app.bundled.common.report import Report
from kernels_app.bundled.common.session import Session, batched
from kernels_app.bundled.common.start import Run
from kernels_app.bundled.common.weights import Net, normalised
from kernels_app.contract.results import Detection, write_confusion, write_detections, write_summary

LOSS = ["step", "train_loss", "val_loss"]  # a row an epoch
ACCURACY = ["step", "accuracy", "macro_f1"]


@dataclass(frozen=True)
class Scores:
    """On the validation images: macro-F1 and accuracy 0..1, and the weighted loss."""

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


def loss_of(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor, *, alone: bool = False) -> torch.Tensor:
    """Cross-entropy, the mean over the samples of all ranks, or of this one (`alone`), each counting as its class
    does."""
    total, count = F.cross_entropy(logits, truth, weights, reduction="sum"), weights[truth].sum()
    return total / count if alone else distributed.whole(total) / distributed.whole(count)


@torch.inference_mode()
def judge(
    session: Session, model: Net, split: Split, tell: Callable[[float], None], *, alone: bool = False
) -> torch.Tensor:
    """Logits (n, classes) on the CPU. Each rank judges its share, or this one all (`alone`); `tell` hears how far."""
    lists = batched(len(split), session.batch) if alone else session.shares(len(split))
    found = torch.zeros(len(split), model.num_classes)
    for n, (indices, (images, _)) in enumerate(zip(lists, split.batches(lists), strict=True), start=1):
        with session.precision.context():
            found[indices] = model(prepared(session, model, images)).float().cpu()
        tell(n / len(lists))
    return found if alone else distributed.add_up(found)


def rearranged(logits: torch.Tensor, known: Sequence[str], classes: Sequence[str]) -> torch.Tensor:
    """`logits` of the model's own classes `known`, in the order of `classes`; -inf for those it does not know."""
    padded = torch.cat([logits, torch.full((len(logits), 1), -torch.inf)], dim=1)
    return padded[:, [known.index(name) if name in known else len(known) for name in classes]]


def score(logits: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor) -> Scores:
    """`logits` (n, classes), `truth` (n,), `weights` (classes,)."""
    matrix = confusion(logits.argmax(dim=1), truth, logits.shape[1])
    accuracy = float(matrix.diagonal().sum() / matrix.sum().clamp(min=1))
    return Scores(macro_f1(matrix), accuracy, F.cross_entropy(logits, truth, weights).item())


def confusion(predicted: torch.Tensor, truth: torch.Tensor, classes: int) -> torch.Tensor:
    """(classes, classes) counts, a row a true class."""
    return torch.bincount(truth * classes + predicted, minlength=classes**2).reshape(classes, classes)


def macro_f1(matrix: torch.Tensor) -> float:
    """The mean F1 of the classes that occur, as truth or as prediction."""
    hits, occurs = matrix.diagonal(), matrix.sum(0) + matrix.sum(1)
    return float((2 * hits[occurs > 0] / occurs[occurs > 0]).mean())


def precision_recall(
    logits: torch.Tensor, truth: torch.Tensor, classes: Sequence[str]
) -> dict[str, list[float | None]]:
    """A curve a class: of the images judged to be of it by at least some probability, how many are."""
    p = logits.softmax(dim=1)
    rows = ((name, p[:, n], truth == n) for n, name in enumerate(classes))
    return {name: curves.precision_at(score, right, int(right.sum())) for name, score, right in rows}


def write_results(run: Run, split: Split, classes: Sequence[str], logits: torch.Tensor) -> None:
    """`detections.csv`, and where the truth is known `confusion.csv` and `summary.csv`."""
    predicted, probabilities = logits.argmax(dim=1), logits.softmax(dim=1)
    rows = zip(split.images.paths, split.truth.tolist(), predicted.tolist(), probabilities.tolist(), strict=True)
    found = [Detection(path, None if y < 0 else y, guess, tuple(p)) for path, y, guess, p in rows]
    write_detections(run.config.output, found, classes=len(classes))
    if run.config.operation != "validation":
        return
    matrix = confusion(predicted, split.truth, len(classes))
    accuracy = float(matrix.diagonal().sum() / matrix.sum())
    run.log(f"accuracy {accuracy:.4f}, macro-F1 {macro_f1(matrix):.4f} on {len(split)} images")
    write_confusion(run.config.output, classes, matrix.tolist())
    curves.write(run, precision_recall(logits, split.truth, classes))
    write_summary(run.config.output, [("accuracy", round(accuracy, 6)), ("macro_f1", round(macro_f1(matrix), 6))])
