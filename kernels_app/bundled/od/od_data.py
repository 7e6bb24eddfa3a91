"""What the detector trains on: images, and their boxes in the pixels of the resized image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from kernels_app.bundled.common.images import ImageStore, ahead, within
from kernels_app.bundled.common.start import Refusal, Run
from kernels_app.contract.data import Shape, ShapeSample, read_files, read_labels, read_split_shapes

Target = dict[str, torch.Tensor]  # boxes (n, 4) float x1 y1 x2 y2, labels (n,) int64
SMALLEST = 1.0  # pixels of the file's image; a narrower box is no box


@dataclass(frozen=True)
class Split:
    """Images and what is known of each: `samples` as the contract has them, `truth` in the pixels of the file."""

    images: ImageStore
    samples: list[ShapeSample]
    truth: list[Target]

    def __len__(self) -> int:
        return len(self.samples)

    def scale(self, index: int) -> torch.Tensor:
        """(4,): what x1, y1, x2, y2 in the file's pixels are multiplied with to get the resized image's."""
        (width, height), (small_width, small_height) = self.images.sizes(index)
        across, down = small_width / width, small_height / height
        return torch.tensor([across, down, across, down])

    def target(self, index: int) -> Target:
        known = self.truth[index]
        return {"boxes": known["boxes"] * self.scale(index), "labels": known["labels"]}

    def batches(self, lists: Sequence[Sequence[int]]) -> Iterator[tuple[list[torch.Tensor], list[Target]]]:
        """For each list of indices: uint8 images (3, h, w) and their targets. Uncached images are read ahead."""
        made = (([self.images.image(n) for n in some], [self.target(n) for n in some]) for some in lists)
        return made if self.images.is_cached else ahead(made)


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
    budget = cache_mb * 2**20
    share = budget * len(train) // (len(train) + len(validation))
    data = Data(
        classes,
        _split(run, "train", train, classes, side, share),
        _split(run, "validation", validation, classes, side, budget - share),
    )
    _refuse_no_boxes(run, data)
    return data


def read_to_judge(run: Run, classes: Sequence[str], side: int, cache_mb: int) -> Split:
    """The images to validate, or without truth those to infer. Raises Refusal where there are none.

    Classes of `label.txt` that the model does not know come after its own: their objects are all missed.
    """
    asked = run.config.operation
    if asked == "validation":
        samples = read_split_shapes(run.config.dataset, "validation")
    else:
        samples = _unlabelled(read_files(run.config.dataset))
    if not samples:
        raise Refusal(f"There are no images for this {asked}; please choose a dataset that has some.")
    if asked == "validation":
        classes = [*classes, *(code for code in read_labels(run.config.dataset) if code not in classes)]
    return _split(run, asked, samples, classes, side, cache_mb * 2**20)


def _unlabelled(paths: Sequence[str]) -> list[ShapeSample]:
    """Samples without shapes. The id is the file's name, numbered where another folder has the same."""
    seen: Counter[str] = Counter()
    samples = []
    for path in paths:
        stem = Path(path).stem
        seen[stem] += 1
        samples.append(ShapeSample(path, stem if seen[stem] == 1 else f"{stem}_{seen[stem]}", 0, 0))
    return samples


def _split(run: Run, name: str, samples: list[ShapeSample], classes: Sequence[str], side: int, budget: int) -> Split:
    index = {code: n for n, code in enumerate(classes)}
    truth = [_target(sample, index) for sample in samples]
    dropped = sum(not shape.isroi for s in samples for shape in s.shapes) - sum(len(t["labels"]) for t in truth)
    if dropped:
        run.log(f"{name}: {dropped} box(es) narrower than {SMALLEST:g} px were left out")
    return Split(ImageStore(run, name, [s.path for s in samples], side, within, budget), samples, truth)


def _target(sample: ShapeSample, index: dict[str, int]) -> Target:
    """Boxes around the labelled shapes; regions of interest are no labels."""
    boxes, labels = [], []
    for shape in sample.shapes:
        if shape.isroi:
            continue
        if shape.label not in index:
            raise Refusal(
                f"'{Path(sample.path).name}' has a shape labelled '{shape.label}', which is none of the classes "
                f"{', '.join(index)}. Please correct the label."
            )
        box = _box(shape)
        if box[2] - box[0] >= SMALLEST and box[3] - box[1] >= SMALLEST:
            boxes.append(box)
            labels.append(index[shape.label])
    return {"boxes": torch.tensor(boxes).reshape(-1, 4), "labels": torch.tensor(labels, dtype=torch.int64)}


def _box(shape: Shape) -> tuple[float, float, float, float]:
    """The upright rectangle around all points, whichever way round they were drawn."""
    across, down = [x for x, _ in shape.points], [y for _, y in shape.points]
    return min(across), min(down), max(across), max(down)


def _refuse_no_boxes(run: Run, data: Data) -> None:
    counts = Counter(data.classes[n] for target in data.train.truth for n in target["labels"].tolist())
    if not counts:
        raise Refusal("None of the training images has a labelled box; please label some objects first.")
    if not any(len(target["labels"]) for target in data.validation.truth):
        raise Refusal("None of the validation images has a labelled box; please label some objects there too.")
    for name in sorted(set(data.classes) - set(counts)):
        run.log(f"WARNING: no training box of '{name}'; the model will not learn it.")
    run.log(f"{len(data.train)} training and {len(data.validation)} validation images, boxes: {dict(counts)}")
