"""What the classifier trains on: samples, checked, and their images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from kernels_app.bundled.common.images import ImageStore, ahead, squash
from kernels_app.bundled.common.start import Refusal, Run
from kernels_app.contract.data import ClSample, read_cl, read_files, read_labels


@dataclass(frozen=True)
class Split:
    """Images and their classes: `truth` is (n,) int64, -1 where nobody knows."""

    images: ImageStore
    truth: torch.Tensor

    def __len__(self) -> int:
        return len(self.images)

    def batches(self, lists: Sequence[Sequence[int]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """For each list of indices: uint8 (b, 3, side, side) and (b,) int64. Uncached images are read ahead."""
        made = ((torch.stack([self.images.image(n) for n in some]), self.truth[list(some)]) for some in lists)
        return made if self.images.is_cached else ahead(made)


@dataclass(frozen=True)
class Data:
    """What a training works on. `weights`: (classes,), how much a sample of each class counts in the loss."""

    classes: list[str]
    train: Split
    validation: Split
    weights: torch.Tensor


def read_training(run: Run, side: int, cache_mb: int) -> Data:
    """The training and validation data. Raises Refusal where they are too little to train on."""
    classes = read_labels(run.config.dataset)
    train, validation = (read_cl(run.config.dataset, split) for split in ("train", "validation"))
    _refuse_too_little(train, validation)
    counts = Counter(sample.category for sample in train)
    for name in sorted(set(classes) - set(counts)):
        run.log(f"WARNING: no training image of '{name}'; the model will not learn it.")
    run.log(
        f"{len(train)} training and {len(validation)} validation images of {len(classes)} categories: {dict(counts)}"
    )
    budget = cache_mb * 2**20
    share = budget * len(train) // (len(train) + len(validation))
    data = _split(run, "train", train, classes, side, share)
    held = _split(run, "validation", validation, classes, side, budget - share)
    return Data(classes, data, held, class_weights(data.truth, len(classes)))


def _refuse_too_little(train: list[ClSample], validation: list[ClSample]) -> None:
    if not train:
        raise Refusal("There are no labelled images to train with; please label some, or choose another dataset.")
    if not validation:
        raise Refusal("There are no labelled images to validate with; please put some into the validation set.")
    if len({sample.category for sample in train}) < 2:
        raise Refusal("A classifier needs images of two categories or more; the training set has only one.")


def asked_classes(run: Run, known: Sequence[str]) -> list[str]:
    """The classes whose indices the results carry: those of `label.txt`. Raises Refusal where the model has none."""
    path = run.config.dataset / "label.txt"
    classes = (read_labels(run.config.dataset) if path.is_file() else []) or list(known)
    if not set(classes) & set(known):
        raise Refusal(f"The model knows {', '.join(known)}; the dataset has none of these categories.")
    if strange := sorted(set(classes) - set(known)):
        run.log(f"WARNING: the model was not trained on {', '.join(strange)} and never answers so.")
    return classes


def read_to_judge(run: Run, classes: Sequence[str], side: int, cache_mb: int) -> Split:
    """The images to validate, or with unknown truth those to infer. Raises Refusal where there are none."""
    asked = run.config.operation
    if asked == "validation":
        samples = read_cl(run.config.dataset, "validation")
    else:
        samples = [ClSample(path) for path in read_files(run.config.dataset)]
    if not samples:
        raise Refusal(f"There are no images for this {asked}; please choose a dataset that has some.")
    return _split(run, asked, samples, classes, side, cache_mb * 2**20)


def class_weights(truth: torch.Tensor, classes: int) -> torch.Tensor:
    """(classes,) float: 1 / sqrt(n), mean 1 over the samples: rare classes count, without drowning the others."""
    counts = torch.bincount(truth, minlength=classes).clamp(min=1).float()
    weights = counts.rsqrt()
    return weights / weights[truth].mean()


def _split(run: Run, name: str, samples: list[ClSample], classes: Sequence[str], side: int, budget: int) -> Split:
    index = {name: n for n, name in enumerate(classes)}
    for sample in samples:
        if sample.category and sample.category not in index:
            raise Refusal(
                f"'{Path(sample.path).name}' is labelled '{sample.category}', which is none of the categories "
                f"{', '.join(classes)}. Please correct the label."
            )
    truth = torch.tensor([index[s.category] if s.category else -1 for s in samples])
    return Split(ImageStore(run, name, [s.path for s in samples], side, squash, budget), truth)
