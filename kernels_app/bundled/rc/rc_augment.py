"""Random changes of regions in training: seldom does somebody draw the same region twice alike."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def moved(images: torch.Tensor, shift: float, dice: torch.Generator) -> torch.Tensor:
    """`images` (n, 3, side, side), each moved in x and y by up to `shift` of its side, larger or smaller by as much.

    What comes in from beyond the edge repeats the edge. `dice` is on the CPU.
    """
    if not shift:
        return images
    chances = (torch.rand(len(images), 3, generator=dice) * 2 - 1) * shift
    places = torch.zeros(len(images), 2, 3)  # in grid_sample's measure the side is 2
    places[:, 0, 0] = places[:, 1, 1] = 1 + chances[:, 2]
    places[:, :, 2] = chances[:, :2] * 2
    grid = F.affine_grid(places.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
