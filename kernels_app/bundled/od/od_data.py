"""What the detector trains on: images or tiles of them, and their boxes in the pixels of the resized image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import od_tiles
import torch
from od_model import frame as frame_of
from od_pyramid import Target
from od_tiles import SMALLEST, Piece, Tiles

from kernels_app.bundled.common.images import ImageStore, Size, ahead, within
from kernels_app.bundled.common.samples import unlabelled
from kernels_app.bundled.common.start import Refusal, Run
from kernels_app.contract.data import Shape, ShapeSample, read_files, read_labels, read_split_shapes


@dataclass(frozen=True)
class Split:
    """Images and what is known of each: `samples` as the contract has them, `truth` in the pixels of the file.

    The model sees `pieces`, whose images are in `images`.
    """

    images: ImageStore
    samples: list[ShapeSample]
    truth: list[Target]
    pieces: list[Piece]
    tiled_sizes: list[Size]  # of the files' images, where these are cut into tiles

    def __len__(self) -> int:
        return len(self.pieces)

    def size(self, sample: int) -> Size:
        """Width and height of an image in its file."""
        return self.tiled_sizes[sample] if self.tiled_sizes else self.images.sizes(sample)[0]

    def scale(self, index: int) -> torch.Tensor:
        """(4,): what x1, y1, x2, y2 in a piece's own pixels are multiplied with to get the resized piece's."""
        (width, height), (small_width, small_height) = self.images.sizes(index)
        across, down = small_width / width, small_height / height
        return torch.tensor([across, down, across, down])

    def target(self, index: int) -> Target:
        known = self.pieces[index].truth
        boxes = known["boxes"] * self.scale(index)
        return {"boxes": boxes, "labels": known["labels"], "index": torch.tensor(index)}

    def batches(self, lists: Sequence[Sequence[int]]) -> Iterator[tuple[list[torch.Tensor], list[Target]]]:
        """For each list of indices: uint8 images (3, h, w) and their targets. Uncached images are read ahead."""
        made = (([self.images.image(n) for n in some], [self.target(n) for n in some]) for some in lists)
        return made if self.images.is_cached else ahead(made)


@dataclass(frozen=True)
class Cut:
    """How images become pieces: resized to fit into `frame`, whose longer side is `side`; after cutting into tiles."""

    frame: Size
    tiles: Tiles | None
    cache_mb: int

    @property
    def side(self) -> int:
        return max(self.frame)


@dataclass(frozen=True)
class Data:
    """`frame`: width and height that all images are padded to."""

    classes: list[str]
    train: Split
    validation: Split
    frame: Size


def read_training(run: Run, side: int, tiles: Tiles | None, cache_mb: int, seed: int) -> Data:
    """The training and validation data; images or `tiles` of them, the longer side resized to `side`.

    Raises Refusal where they are too little to train on.
    """
    classes = read_labels(run.config.dataset)
    train, validation = (read_split_shapes(run.config.dataset, split) for split in ("train", "validation"))
    if not train:
        raise Refusal("There are no labelled images to train with; please label some, or choose another dataset.")
    if not validation:
        raise Refusal("There are no labelled images to validate with; please put some into the validation set.")
    cut = Cut(_frame(side, tiles, [*train, *validation]), tiles, cache_mb)
    share = len(train) / (len(train) + len(validation))
    data = Data(
        classes,
        _split(run, "train", train, classes, cut, share, seed),
        _split(run, "validation", validation, classes, cut, 1 - share),
        cut.frame,
    )
    _refuse_no_boxes(run, data)
    return data


def read_to_judge(run: Run, classes: Sequence[str], cut: Cut) -> Split:
    """The images to validate, or without truth those to infer. Raises Refusal where there are none.

    Classes of `label.txt` that the model does not know come after its own: their objects are all missed.
    """
    asked = run.config.operation
    if asked == "validation":
        samples = read_split_shapes(run.config.dataset, "validation")
    else:
        samples = unlabelled(read_files(run.config.dataset))
    if not samples:
        raise Refusal(f"There are no images for this {asked}; please choose a dataset that has some.")
    if asked == "validation":
        classes = all_classes(run, classes)
    return _split(run, asked, samples, classes, cut, 1.0)


def all_classes(run: Run, known: Sequence[str]) -> list[str]:
    """Those of the model, and then those of `label.txt` that it does not know."""
    path = run.config.dataset / "label.txt"
    listed = read_labels(run.config.dataset) if path.is_file() else []
    return [*known, *(code for code in listed if code not in known)]


def _frame(side: int, tiles: Tiles | None, samples: Sequence[ShapeSample]) -> Size:
    """No larger than the images need; the same for all of them, see `od_model.frame`."""
    if tiles is not None:
        return side, side
    return frame_of([within(od_tiles.upright_size(sample.path), side) for sample in samples])


def _split(
    run: Run, name: str, samples: list[ShapeSample], classes: Sequence[str], cut: Cut, share: float,
    seed: int | None = None,
) -> Split:  # fmt: skip
    """`share`: of the cache. With a `seed` it is to train on: then of the tiles without an object some are left out."""
    index = {code: n for n, code in enumerate(classes)}
    truth = [_target(sample, index) for sample in samples]
    dropped = sum(not shape.isroi for s in samples for shape in s.shapes) - sum(len(t["labels"]) for t in truth)
    if dropped:
        run.log(f"{name}: {dropped} box(es) narrower than {SMALLEST:g} px were left out")
    sizes, regions = [], None
    pieces = [Piece(n, None, known) for n, known in enumerate(truth)]
    if cut.tiles is not None:
        sizes = [od_tiles.upright_size(sample.path) for sample in samples]
        found = od_tiles.pieces(sizes, truth, cut.tiles)
        pieces = found if seed is None else od_tiles.balanced(found, seed)
        regions = [piece.place for piece in pieces if piece.place]
        run.log(f"{name}: {len(pieces)} of {len(found)} tiles of {len(samples)} images")
    paths, budget = [samples[piece.image].path for piece in pieces], int(share * cut.cache_mb * 2**20)
    store = ImageStore(run, name, paths, cut.side, od_tiles.into(cut.frame), budget, regions)
    return Split(store, samples, truth, pieces, sizes)


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
    images = f"{len(data.train.samples)} training and {len(data.validation.samples)} validation images"
    run.log(f"{images}, boxes: {dict(counts)}")
