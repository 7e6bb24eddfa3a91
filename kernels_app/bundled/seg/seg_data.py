"""What the segmenter trains on: images, and masks drawn from their shapes when they are needed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from seg_polygons import corners_of, draw

from kernels_app.bundled.common.images import ImageStore, Size, ahead, within
from kernels_app.bundled.common.samples import unlabelled
from kernels_app.bundled.common.start import Refusal, Run
from kernels_app.contract.data import ShapeSample, read_files, read_labels, read_split_shapes

IGNORED = 255  # in a mask: beyond the image's edge
MOST_CLASSES = 200  # below IGNORED
FINER = 4  # a mask is drawn at most so much larger than it is needed, then made smaller
RAREST = 10.0  # how much more than the commonest a class may count in the loss, at most


@dataclass(frozen=True)
class Split:
    """Images and their shapes; `index` gives the number of a label in the masks, from 1. 0 is the background."""

    images: ImageStore
    samples: list[ShapeSample]
    index: dict[str, int]

    def __len__(self) -> int:
        return len(self.samples)

    def batches(self, lists: Sequence[Sequence[int]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """For each list of indices: uint8 images (b, 3, side, side) and masks (b, side, side). Uncached images are
        read ahead."""
        made = (
            (torch.stack([self.image(n) for n in some]), torch.stack([self.mask(n) for n in some])) for some in lists
        )
        return made if self.images.is_cached else ahead(made)

    def image(self, index: int) -> torch.Tensor:
        """uint8 (3, side, side), 0 at right and bottom where the image is no square."""
        return self._padded(self.images.image(index), 0)

    def mask(self, index: int) -> torch.Tensor:
        """uint8 (side, side), IGNORED where the image is no square."""
        original, (width, height) = self.images.sizes(index)
        fine = self._drawn(index, _not_above(original, FINER * self.images.side))
        return self._padded(
            torch.from_numpy(cv2.resize(fine, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)), IGNORED
        )

    def truth(self, index: int) -> np.ndarray:
        """uint8 (height, width) of the file's image."""
        return self._drawn(index, self.images.sizes(index)[0])

    def _drawn(self, index: int, size: Size) -> np.ndarray:
        """The mask at `size` (width, height). A later shape lies above an earlier one, as in the labelling tools."""
        (width, height), mask = self.images.sizes(index)[0], np.zeros(size[::-1], np.uint8)
        for shape in self.samples[index].shapes:
            if not shape.isroi:
                draw(mask, corners_of(shape), self.index[shape.label], (size[0] / width, size[1] / height))
        return mask

    def _padded(self, tensor: torch.Tensor, value: int) -> torch.Tensor:
        side, (height, width) = self.images.side, tensor.shape[-2:]
        return torch.nn.functional.pad(tensor, (0, side - width, 0, side - height), value=value)


@dataclass(frozen=True)
class Data:
    classes: list[str]
    train: Split
    validation: Split


def read_training(run: Run, side: int, cache_mb: int) -> Data:
    """The training and validation data. Raises Refusal where they are too little to train on."""
    classes = read_labels(run.config.dataset)
    train, validation = (read_split_shapes(run.config.dataset, split) for split in ("train", "validation"))
    if not train:
        raise Refusal("There are no labelled images to train with; please label some, or choose another dataset.")
    if not validation:
        raise Refusal("There are no labelled images to validate with; please put some into the validation set.")
    _refuse_no_shapes(run, classes, train, validation)
    budget = cache_mb * 2**20
    share = budget * len(train) // (len(train) + len(validation))
    return Data(
        classes,
        _split(run, "train", train, classes, side, share),
        _split(run, "validation", validation, classes, side, budget - share),
    )


def read_to_judge(run: Run, classes: Sequence[str], side: int, cache_mb: int) -> Split:
    """The images to validate, or without truth those to infer. Raises Refusal where there are none.

    Classes of `label.txt` that the model does not know come after its own: their regions are all missed.
    """
    asked = run.config.operation
    if asked == "validation":
        samples = read_split_shapes(run.config.dataset, "validation")
        classes = [*classes, *(code for code in read_labels(run.config.dataset) if code not in classes)]
    else:
        samples = unlabelled(read_files(run.config.dataset))
    if not samples:
        raise Refusal(f"There are no images for this {asked}; please choose a dataset that has some.")
    return _split(run, asked, samples, classes, side, cache_mb * 2**20)


def class_weights(split: Split) -> torch.Tensor:
    """(classes + 1,) float: 1 / sqrt(share of the pixels), mean 1 over the pixels; the rarest at most RAREST times the
    commonest. A class without pixels counts as the commonest."""
    counts = torch.zeros(len(split.index) + 1, dtype=torch.int64)
    for n in range(len(split)):
        seen = split.mask(n)
        counts += torch.bincount(seen[seen != IGNORED].long(), minlength=len(counts))
    relative = (counts.max() / counts.clamp(min=1)).sqrt().clamp(max=RAREST)
    relative[counts == 0] = 1
    return (relative / ((relative * counts).sum() / counts.sum())).float()


def _not_above(size: Size, longest: int) -> Size:
    return size if max(size) <= longest else within(size, longest)


def _split(run: Run, name: str, samples: list[ShapeSample], classes: Sequence[str], side: int, budget: int) -> Split:
    index = {code: n for n, code in enumerate(classes, start=1)}
    for sample in samples:
        for shape in sample.shapes:
            if not shape.isroi and shape.label not in index:
                raise Refusal(
                    f"'{Path(sample.path).name}' has a shape labelled '{shape.label}', which is none of the classes "
                    f"{', '.join(index)}. Please correct the label."
                )
    if len(classes) > MOST_CLASSES:
        raise Refusal(f"This kernel tells at most {MOST_CLASSES} classes apart; the dataset has {len(classes)}.")
    return Split(ImageStore(run, name, [s.path for s in samples], side, within, budget), samples, index)


def _refuse_no_shapes(run: Run, classes: list[str], train: list[ShapeSample], validation: list[ShapeSample]) -> None:
    counts = Counter(shape.label for sample in train for shape in sample.shapes if not shape.isroi)
    if not counts:
        raise Refusal("None of the training images has a labelled region; please label some first.")
    if not any(not shape.isroi for sample in validation for shape in sample.shapes):
        raise Refusal("None of the validation images has a labelled region; please label some there too.")
    for name in sorted(set(classes) - set(counts)):
        run.log(f"WARNING: no training region of '{name}'; the model will not learn it.")
    run.log(f"{len(train)} training and {len(validation)} validation images, regions: {dict(counts)}")
