"""Pictures as tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy
import torch
from PIL import Image
from torch import nn

Box = tuple[float, float, float, float]  # x, y, width, height in pixels


def picture(path: str, size: int, box: Box | None = None) -> torch.Tensor:
    """3 × size × size, from 0 to 1: the image, or the part of it in `box`, squashed to a square."""
    with Image.open(path) as image:
        part = image.convert("RGB")
        if box:
            part = part.crop((round(box[0]), round(box[1]), round(box[0] + box[2]), round(box[1] + box[3])))
        pixels = numpy.asarray(part.resize((size, size)), dtype=numpy.float32)
    return torch.from_numpy(pixels / 255).permute(2, 0, 1)


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def batches(
    samples: list[Any], example: Callable[[Any, list[str]], tuple[torch.Tensor, ...]], labels: list[str],
    size: int, device: str, is_shuffled: bool,
) -> Iterator[tuple[torch.Tensor, tuple[torch.Tensor, ...], int]]:  # fmt: skip
    """Images, targets, how many. `example`: image and target tensors of one sample."""
    order = torch.randperm(len(samples)).tolist() if is_shuffled else range(len(samples))
    for start in range(0, len(samples), size):
        chosen = [example(samples[n], labels) for n in order[start : start + size]]
        images, *targets = (torch.stack(column).to(device) for column in zip(*chosen, strict=True))
        yield images, tuple(targets), len(chosen)


def block(inside: int, outside: int) -> nn.Module:
    """Half the width and height."""
    layers = nn.Conv2d(inside, outside, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    return nn.Sequential(*layers)
