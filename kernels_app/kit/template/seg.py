"""SEG: which class each pixel belongs to, written as polygons."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy
import torch
from pictures import block, picture, size_of
from PIL import Image, ImageDraw
from torch import nn
from torch.nn import functional

from kernels_app.contract.data import Shape, ShapeSample, read_files, read_split_shapes, write_shapes
from kernels_app.contract.results import write_summary

SIZE = 96  # pixels a side
MIN_AREA = 8  # pixels of the small picture


def network(classes: int) -> nn.Module:
    """Class 0 is the background."""
    blocks = block(3, 16), block(16, 32), nn.Conv2d(32, 32, 3, padding=2, dilation=2), nn.ReLU()
    return nn.Sequential(*blocks, nn.Conv2d(32, classes + 1, 1), nn.Upsample(scale_factor=4, mode="bilinear"))


def samples(dataset: Path, split: str) -> list[ShapeSample]:
    return read_split_shapes(dataset, split)


def inputs(dataset: Path) -> list[ShapeSample]:
    return [ShapeSample(path, f"{n:06}", *size_of(path)) for n, path in enumerate(read_files(dataset))]


def example(sample: ShapeSample, labels: list[str]) -> tuple[torch.Tensor, ...]:
    return picture(sample.path, SIZE), torch.from_numpy(mask_of(sample, labels))


def loss(output: torch.Tensor, targets: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return functional.cross_entropy(output, targets[0])


def mask_of(sample: ShapeSample, labels: list[str]) -> numpy.ndarray:
    """size × size: 0 is the background, n + 1 the class n."""
    mask = Image.new("L", (SIZE, SIZE))
    for shape in sample.shapes:
        if not shape.isroi and shape.label in labels:
            points = [(x / sample.width * SIZE, y / sample.height * SIZE) for x, y in shape.points]
            draw = ImageDraw.Draw(mask)
            (draw.rectangle if len(points) == 2 else draw.polygon)(points, fill=labels.index(shape.label) + 1)
    return numpy.array(mask, dtype=numpy.int64)


def polygons(mask: numpy.ndarray, sample: ShapeSample, known: list[str], chances: numpy.ndarray) -> list[Shape]:
    found = []
    for n, name in enumerate(known, 1):
        outlines, _holes = cv2.findContours((mask == n).astype(numpy.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        for outline in outlines:
            if len(outline) >= 3 and cv2.contourArea(outline) >= MIN_AREA:
                corners = outline[:, 0].astype(float) / SIZE * [sample.width, sample.height]
                inside = chances[n][mask == n]
                points = tuple((float(x), float(y)) for x, y in corners)
                found.append(Shape(name, "polygon", points, isgenerated=True, score=float(inside.mean())))
    return found


def write_results(
    network: nn.Module, samples: list[ShapeSample], known: list[str], labels: list[str], output: Path, device: str,
    *, is_validation: bool,
) -> None:  # fmt: skip
    (output / "annotations").mkdir(parents=True, exist_ok=True)
    both = either = 0
    for sample in samples:
        chances = network(picture(sample.path, SIZE)[None].to(device)).softmax(1)[0].cpu().numpy()
        mask = chances.argmax(0)
        shapes = polygons(mask, sample, known, chances)
        answer = ShapeSample(sample.path, sample.image_id, sample.width, sample.height, tuple(shapes))
        write_shapes(output / "annotations", answer)
        truth = mask_of(sample, known)
        both += int(((truth == mask) & (truth > 0)).sum())
        either += int(((truth > 0) | (mask > 0)).sum())
    if is_validation:
        write_summary(output, [("IoU", both / max(1, either))])
