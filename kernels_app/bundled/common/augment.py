"""Random changes of whole batches, on the device: a few tensor operations for all images together."""

from __future__ import annotations

from typing import Protocol

import torch


class Wishes(Protocol):
    """What the settings of a kernel say of it. `brightness`, `contrast`: how far at most, as a part of 1."""

    @property
    def flip_horizontal(self) -> bool: ...
    @property
    def flip_vertical(self) -> bool: ...
    @property
    def rotate_quarter(self) -> bool: ...
    @property
    def brightness(self) -> float: ...
    @property
    def contrast(self) -> float: ...


def augment(images: torch.Tensor, wishes: Wishes, dice: torch.Generator) -> torch.Tensor:
    """`images` (n, 3, side, side) in -1..1, each changed in its own way; `dice` is on the CPU."""
    n = len(images)

    def some() -> torch.Tensor:
        return (torch.rand(n, 1, 1, 1, generator=dice) < 0.5).to(images.device)

    if wishes.flip_horizontal:
        images = torch.where(some(), images.flip(3), images)
    if wishes.flip_vertical:
        images = torch.where(some(), images.flip(2), images)
    if wishes.rotate_quarter:
        images = torch.where(some(), images.transpose(2, 3), images)
    return recoloured(images, wishes, dice).contiguous(memory_format=torch.channels_last)


def recoloured(images: torch.Tensor, wishes: Wishes, dice: torch.Generator) -> torch.Tensor:
    """As `augment`, but brightness and contrast alone."""

    def about(width: float) -> torch.Tensor:
        numbers = torch.rand(len(images), 1, 1, 1, generator=dice)
        return ((numbers * 2 - 1) * width).to(images.device, images.dtype)

    if not (wishes.brightness or wishes.contrast):
        return images
    middle = images.mean(dim=(1, 2, 3), keepdim=True)
    return (images - middle) * (1 + about(wishes.contrast)) + middle + about(wishes.brightness)
