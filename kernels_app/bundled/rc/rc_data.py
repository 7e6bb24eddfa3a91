"""What the judge of regions trains on: regions, checked, cut out of their images."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from kernels_app.bundled.common.images import ImageStore, Region, ahead, squash
from kernels_app.bundled.common.start import Refusal, Run
from kernels_app.contract.data import RcSample, read_files_rc, read_labels, read_rc

LARGEST = 100_000  # px: a region with a side or a corner beyond this is a mistake


@dataclass(frozen=True)
class Look:
    """How a region is looked at: with `context` times its longer side around it, in a square of `side` px."""

    context: float
    side: int


class Batch(NamedTuple):
    """uint8 (b, 3, side, side); (b,) int64 which label is asked; (b,) float32 1 true, 0 false, -1 unknown."""

    images: torch.Tensor
    labels: torch.Tensor
    truth: torch.Tensor


@dataclass(frozen=True)
class Split:
    """Regions: `labels` (n,) int64 is the index of what is asked of each, `truth` (n,) float32 as in Batch."""

    samples: list[RcSample]
    images: ImageStore
    labels: torch.Tensor
    truth: torch.Tensor

    def __len__(self) -> int:
        return len(self.samples)

    def batches(self, lists: Sequence[Sequence[int]]) -> Iterator[Batch]:
        """One for each list of indices. Uncached images are read ahead."""
        made = (
            Batch(torch.stack([self.images.image(n) for n in some]), self.labels[list(some)], self.truth[list(some)])
            for some in lists
        )
        return made if self.images.is_cached else ahead(made)


@dataclass(frozen=True)
class Data:
    """What a training works on. `weights`: (labels, 2), how much a false and a true region of each label counts."""

    labels: list[str]
    train: Split
    validation: Split
    weights: torch.Tensor


def read_training(run: Run, look: Look, cache_mb: int) -> Data:
    """The training and validation data. Raises Refusal where they are too little to train on."""
    labels = read_labels(run.config.dataset)
    train, validation = (read_rc(run.config.dataset, split) for split in ("train", "validation"))
    _refuse_too_little(train, validation)
    _tell(run, labels, train, validation)
    budget = cache_mb * 2**20
    share = budget * len(train) // (len(train) + len(validation))
    data = _split(run, "train", train, labels, look, share)
    held = _split(run, "validation", validation, labels, look, budget - share)
    return Data(labels, data, held, verdict_weights(data.labels, data.truth, len(labels)))


def read_to_judge(run: Run, known: Sequence[str], look: Look, cache_mb: int) -> Split:
    """The regions to validate, or with unknown truth those to infer. Raises Refusal where the model can judge none."""
    asked = run.config.operation
    dataset = run.config.dataset
    samples = read_rc(dataset, "validation") if asked == "validation" else read_files_rc(dataset)
    if not samples:
        raise Refusal(f"There are no regions for this {asked}; please choose a dataset that has some.")
    chosen = [sample for sample in samples if sample.label in known]
    strange = ", ".join(sorted({sample.label for sample in samples} - set(known)))
    if not chosen:
        raise Refusal(f"The model judges {', '.join(known)}; the dataset has only regions of {strange}.")
    if strange:
        left_out = len(samples) - len(chosen)
        run.log(f"WARNING: {left_out} of {len(samples)} regions are left out, as the model does not know {strange}.")
    return _split(run, asked, chosen, known, look, cache_mb * 2**20)


def square(sample: RcSample, context: float) -> Region:
    """The part of the image that is looked at: a square around the region's middle, in whole pixels."""
    side = max(1, round(max(sample.width, sample.height) * context))
    left, top = (
        round(start + length / 2 - side / 2) for start, length in ((sample.x, sample.width), (sample.y, sample.height))
    )
    return left, top, side, side


def verdict_weights(labels: torch.Tensor, truth: torch.Tensor, count: int) -> torch.Tensor:
    """(count, 2) float: 1 / sqrt(n) of each label and verdict, mean 1 over the regions, so that rare ones count."""
    kind = labels * 2 + truth.long()
    weights = torch.bincount(kind, minlength=count * 2).clamp(min=1).float().rsqrt()
    return (weights / weights[kind].mean()).reshape(count, 2)


def _refuse_too_little(train: list[RcSample], validation: list[RcSample]) -> None:
    if not train:
        raise Refusal("There are no judged regions to train with; please label some, or choose another dataset.")
    if not validation:
        raise Refusal("There are no judged regions to validate with; please put some into the validation set.")
    if len(verdicts := {sample.verdict for sample in train}) < 2:
        word = str(verdicts.pop()).lower()
        raise Refusal(f"All regions of the training set are {word}; true and false ones are needed to tell them apart.")


def _tell(run: Run, labels: Sequence[str], train: list[RcSample], validation: list[RcSample]) -> None:
    counts = Counter((sample.label, sample.verdict) for sample in train)
    words = [f"{name} {counts[name, True]} true {counts[name, False]} false" for name in labels]
    run.log(f"{len(train)} training and {len(validation)} validation regions; training: {', '.join(words)}")
    for name in labels:
        if lacking := [word for word, verdict in (("true", True), ("false", False)) if not counts[name, verdict]]:
            run.log(f"WARNING: no training region of '{name}' is {' or '.join(lacking)}; it can only be guessed.")


def _split(run: Run, name: str, samples: list[RcSample], known: Sequence[str], look: Look, budget: int) -> Split:
    index = {label: n for n, label in enumerate(known)}
    for sample in samples:
        _refuse_strange(sample, known)
    labels = torch.tensor([index[sample.label] for sample in samples])
    truth = torch.tensor([-1.0 if sample.verdict is None else float(sample.verdict) for sample in samples])
    regions = [square(sample, look.context) for sample in samples]
    images = ImageStore(run, name, [sample.path for sample in samples], look.side, squash, budget, regions)
    return Split(samples, images, labels, truth)


def _refuse_strange(sample: RcSample, known: Sequence[str]) -> None:
    name = Path(sample.path).name
    if sample.label not in known:
        raise Refusal(
            f"'{name}' has a region of '{sample.label}', which is none of the labels {', '.join(known)}. "
            "Please correct the label."
        )
    numbers = (sample.x, sample.y, sample.width, sample.height)
    is_near = all(math.isfinite(number) and abs(number) <= LARGEST for number in numbers)
    if not is_near or sample.width < 0 or sample.height < 0:
        raise Refusal(f"'{name}' has a region that is none: x, y, width, height {numbers}. Please draw it anew.")
