"""Tiles: parts of a large image that are looked at one by one, and how what is found becomes the image's again.

Where tiles begin and how they are joined is `predict.py`'s, so that the exported model answers as the kernel does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from od_pyramid import Target

from kernels_app.bundled.common.images import UNREADABLE, Size, size_of
from kernels_app.bundled.common.predict import Place, cut_off, fitting, places, separate
from kernels_app.bundled.common.schedule import generator
from kernels_app.bundled.common.start import Refusal

VISIBLE = 0.3  # of an object, at least: less of it in a tile is not labelled there
SMALLEST = 1.0  # pixels of the file's image; a narrower box is no box
SMALLEST_TILE = 32  # pixels

Tiles = dict[str, int]  # size, overlap in pixels of the file's image


@dataclass(frozen=True)
class Piece:
    """What the model sees at once: an image, number `image`, or the tile of it at `place`. `truth` in its pixels."""

    image: int
    place: Place | None
    truth: Target


def asked(tile_size: int, tile_overlap: int) -> Tiles | None:
    """What the settings ask for. Raises Refusal where they contradict each other."""
    if tile_size == 0:
        return None
    if tile_size < SMALLEST_TILE:
        raise Refusal(f"Tiles of {tile_size} px are too small; please take at least {SMALLEST_TILE} px, or 0 for none.")
    if tile_overlap * 2 > tile_size:
        raise Refusal(
            f"Tiles of {tile_size} px cannot overlap by {tile_overlap} px; please take at most half of their size."
        )
    return {"size": tile_size, "overlap": tile_overlap}


def into(frame: Size) -> Callable[[Size, int], Size]:
    """How images are resized: as large as fits into `frame`, their form kept."""
    return lambda original, _: fitting(original, frame)


def pieces(sizes: Sequence[Size], truth: Sequence[Target], tiles: Tiles) -> list[Piece]:
    """All tiles of images of `sizes`, whose objects are `truth`."""
    return [
        Piece(n, place, clipped(known, place))
        for n, (size, known) in enumerate(zip(sizes, truth, strict=True))
        for place in places(size, tiles)
    ]


def balanced(found: Sequence[Piece], seed: int) -> list[Piece]:
    """All that hold an object, and at most as many that hold none, drawn by `seed`; their order stays."""
    empty = [n for n, piece in enumerate(found) if not len(piece.truth["labels"])]
    drawn = torch.randperm(len(empty), generator=generator(seed)).tolist()
    left_out = {empty[n] for n in drawn[len(found) - len(empty) :]}
    return [piece for n, piece in enumerate(found) if n not in left_out]


def clipped(known: Target, place: Place) -> Target:
    """The objects of an image as the tile at `place` shows them, in its pixels."""
    x, y, width, height = place
    boxes = known["boxes"] - torch.tensor([x, y, x, y])
    inside = boxes.clamp(min=0).minimum(torch.tensor([width, height, width, height]))
    sides, whole = inside[:, 2:] - inside[:, :2], boxes[:, 2:] - boxes[:, :2]
    seen = (sides >= SMALLEST).all(dim=1) & (sides.prod(dim=1) >= VISIBLE * whole.prod(dim=1))
    return {"boxes": inside[seen], "labels": known["labels"][seen]}


def upright_size(path: str) -> Size:
    """Of an image file; one that cannot be read is said so where it is decoded."""
    try:
        return size_of(path)
    except UNREADABLE:
        return SMALLEST_TILE, SMALLEST_TILE


def joined(parts: Sequence[tuple[Place, Target]], size: Size, most: int) -> Target:
    """What the tiles of an image of `size` hold, boxes in pixels of the image: each object once, the best `most`."""
    whole = {name: torch.cat([found[name] for _, found in parts]) for name in ("boxes", "scores", "labels")}
    if len(parts) > 1:
        cut = torch.cat([torch.from_numpy(cut_off(found["boxes"].numpy(), place, size)) for place, found in parts])
        kept = separate(whole["boxes"].numpy(), whole["scores"].numpy(), whole["labels"].numpy(), cut.numpy())
        whole = {name: values[kept] for name, values in whole.items()}
    order = whole["scores"].argsort(descending=True, stable=True)[:most]
    return {name: values[order] for name, values in whole.items()}
