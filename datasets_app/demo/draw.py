"""Synthetic demo pictures: brushed-metal plates with bolts and defects, and the labels of what was painted.

One picture carries the labels of every training type: CL (`Plate.category`), RC (`Plate.regions`), OD (`Defect.box`)
and SEG (`Defect.polygon`). Numpy and Pillow only; the same seed gives the same bytes.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from .paint import bolt, paint
from .scene import Scene, photograph, scene
from .shapes import KINDS, Shape, place
from .texture import Field

__all__ = ["GOOD", "KINDS", "REGION", "Defect", "Plate", "Region", "plate"]

GOOD = "good"
REGION = "BOLT_HOLE"
_FAULTY_BOLTS = 0.25  # share of the bolts
_LAYOUT, _METAL, _BOLTS, _DEFECTS, _CAMERA = range(5)  # one random stream each: a defect never changes the metal


@dataclass(frozen=True)
class Defect:
    """One painted defect, in pixels: pixel (i, j) covers x from j to j + 1 and y from i to i + 1."""

    kind: str  # one of KINDS
    polygon: tuple[tuple[float, float], ...]  # outline, 24 points
    box: tuple[float, float, float, float]  # x1, y1, x2, y2, tight around what was painted


@dataclass(frozen=True)
class Region:
    """One inspected place of the plate."""

    label: str
    box: tuple[float, float, float, float]  # x, y, width, height in pixels
    verdict: bool  # true: faulty (bolt missing or its head chipped)


@dataclass(frozen=True)
class Plate:
    """A picture and everything that is true about it."""

    image: Image.Image  # RGB
    defects: tuple[Defect, ...]  # the dominating one first; empty for a good plate
    regions: tuple[Region, ...]  # the four bolts: left to right, upper row first
    category: str  # GOOD, or the kind of the dominating defect


def plate(seed: int, *, size: tuple[int, int] = (320, 240), category: str | None = None) -> Plate:
    """Draw one plate; `size` is width, height in pixels, at least 64 each.

    With `category` the plate has just one defect of that kind, or none for GOOD; without, 0 to 4 of mixed kinds, of
    which the first is drawn at full size and the others smaller. Metal, light and bolts depend on seed and size alone,
    so a seed's GOOD plate is its defective plate before the damage. Raises ValueError for an unknown category, a
    negative seed or a smaller size.
    """
    if category not in (None, GOOD, *KINDS):
        raise ValueError(f"category {category!r} is none of {', '.join((GOOD, *KINDS))}")
    if min(size) < 64:
        raise ValueError(f"size {size} is below 64 pixels")
    view = scene(_stream(seed, _LAYOUT), size)
    pixels = photograph(_stream(seed, _METAL), view)
    regions = _bolts(_stream(seed, _BOLTS), pixels, view)
    shapes = _damage(_stream(seed, _DEFECTS), pixels, view, category)
    image = _expose(_stream(seed, _CAMERA), pixels)
    return Plate(image, tuple(map(_defect, shapes)), regions, shapes[0].kind if shapes else GOOD)


def _stream(seed: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, purpose])


def _bolts(rng: np.random.Generator, pixels: Field, view: Scene) -> tuple[Region, ...]:
    """Paint the four bolts in place."""
    regions = []
    around = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    circle = 11 * view.scale * np.stack([np.cos(around), np.sin(around)], axis=1)
    for middle in view.bolts():
        faulty = bool(rng.random() < _FAULTY_BOLTS)
        ring = Shape(REGION, view.project(middle[None])[0], view.project(middle + circle))
        bolt(pixels, ring, rng, view, faulty)
        x1, y1, x2, y2 = np.array(ring.box) + np.array([-3, -3, 3, 3]) * view.scale
        regions.append(Region(REGION, (float(x1), float(y1), float(x2 - x1), float(y2 - y1)), faulty))
    return tuple(regions)


def _damage(rng: np.random.Generator, pixels: Field, view: Scene, category: str | None) -> list[Shape]:
    """Paint the defects in place; returns them, the dominating one first."""
    if category is None:
        kinds = rng.choice(KINDS, rng.integers(0, 5)).tolist()
    else:
        kinds = [] if category == GOOD else [category]
    shapes: list[Shape] = []
    for kind in kinds:
        share = rng.uniform(0.5, 0.75) if shapes else 1.0
        shapes.append(place(rng, kind, view, shapes, share))
    for shape in shapes:
        paint(pixels, shape, rng, view)
    return shapes


def _expose(rng: np.random.Generator, pixels: Field) -> Image.Image:
    """What the camera makes of it: vignette, a little blur, noise that grows with the light, 8 bits."""
    height, width = pixels.shape[:2]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    vignette = 1 - rng.uniform(0.08, 0.16) * (x**2 + y**2).astype(np.float32)
    sharp = _to_image(pixels * vignette[..., None] * 255)
    seen = np.asarray(sharp.filter(ImageFilter.GaussianBlur(rng.uniform(0.35, 0.6))), dtype=np.float32)
    grain = 0.5 * rng.standard_normal(pixels.shape, dtype=np.float32)
    grain += 0.8 * rng.standard_normal((height, width, 1), dtype=np.float32)
    return _to_image(seen + (1.5 + 0.16 * np.sqrt(seen)) * grain)


def _to_image(levels: Field) -> Image.Image:
    """RGB from (height, width, 3) of 0..255, rounded and clipped."""
    return Image.fromarray(np.clip(levels + 0.5, 0, 255).astype(np.uint8))


def _defect(shape: Shape) -> Defect:
    return Defect(shape.kind, tuple((float(x), float(y)) for x, y in shape.label), shape.box)
