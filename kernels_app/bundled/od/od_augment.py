"""Random changes of one image and its boxes."""

from __future__ import annotations

from typing import Protocol

import torch
from od_pyramid import Target


class Wishes(Protocol):
    """What the settings say of it. `brightness`, `contrast`: how far at most, as a part of 1."""

    @property
    def flip_horizontal(self) -> bool: ...
    @property
    def flip_vertical(self) -> bool: ...
    @property
    def brightness(self) -> float: ...
    @property
    def contrast(self) -> float: ...


def augment(image: torch.Tensor, target: Target, wishes: Wishes, dice: torch.Generator) -> tuple[torch.Tensor, Target]:
    """`image` uint8 (3, h, w), boxes in its pixels; both changed alike."""
    across, down, brighter, stronger = torch.rand(4, generator=dice).tolist()
    height, width = image.shape[1:]
    boxes = target["boxes"]
    if wishes.flip_horizontal and across < 0.5:
        image = image.flip(2)
        boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)
    if wishes.flip_vertical and down < 0.5:
        image = image.flip(1)
        boxes = torch.stack([boxes[:, 0], height - boxes[:, 3], boxes[:, 2], height - boxes[:, 1]], dim=1)
    factor = 1 + wishes.contrast * (2 * stronger - 1)
    offset = 127.5 * wishes.brightness * (2 * brighter - 1)
    if factor != 1 or offset:
        middle = image.float().mean()
        image = ((image.float() - middle) * factor + middle + offset).clamp_(0, 255).to(torch.uint8)
    return image, target | {"boxes": boxes}
