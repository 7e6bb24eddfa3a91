"""Random changes of whole batches of images and masks alike, on the device."""

from __future__ import annotations

from typing import Protocol

import torch
import torch.nn.functional as F
from seg_data import IGNORED

from kernels_app.bundled.common.augment import Wishes, recoloured


class Zooming(Wishes, Protocol):
    """`zoom`: how much larger or smaller an image may become, as a part of 1."""

    @property
    def zoom(self) -> float: ...


def augment(
    images: torch.Tensor, masks: torch.Tensor, wishes: Zooming, dice: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """`images` (n, 3, side, side), normalised; `masks` uint8 (n, side, side). Each changed in its own way; `dice` is on
    the CPU. Beyond the edge images are 0 and masks IGNORED."""
    n = len(images)
    for wished, turn in (
        (wishes.flip_horizontal, lambda t: t.flip(-1)),
        (wishes.flip_vertical, lambda t: t.flip(-2)),
        (wishes.rotate_quarter, lambda t: t.transpose(-1, -2)),
    ):
        if wished:
            chosen = (torch.rand(n, generator=dice) < 0.5).to(images.device)
            images = torch.where(chosen.view(n, 1, 1, 1), turn(images), images)
            masks = torch.where(chosen.view(n, 1, 1), turn(masks), masks)
    if wishes.zoom:
        images, masks = _zoomed(images, masks, wishes.zoom, dice)
    images = recoloured(images, wishes, dice) * (masks != IGNORED)[:, None]
    return images.contiguous(memory_format=torch.channels_last), masks


def _zoomed(
    images: torch.Tensor, masks: torch.Tensor, zoom: float, dice: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Larger, and a random part of it; or smaller, somewhere in the frame. By up to the factor 1 + `zoom`."""
    n = len(images)
    part = (1 + zoom) ** (torch.rand(n, generator=dice) * 2 - 1)  # of the image that is seen; above 1: more than all
    shift = (torch.rand(n, 2, generator=dice) * 2 - 1) * (1 - part).abs()[:, None]
    change = torch.zeros(n, 2, 3)
    change[:, 0, 0], change[:, 1, 1], change[:, :, 2] = part, part, shift
    grid = F.affine_grid(change.to(images.device), list(images.shape), align_corners=False)
    seen = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    known = masks[:, None].float() - IGNORED  # so that the zeros beyond the edge become IGNORED
    drawn = F.grid_sample(known, grid, mode="nearest", padding_mode="zeros", align_corners=False)
    return seen, (drawn[:, 0] + IGNORED).round().to(torch.uint8)
