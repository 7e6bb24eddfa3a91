"""Painting one defect or bolt over a photographed plate. Every painter changes a window of the picture in place."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .scene import Scene
from .shapes import Shape
from .texture import Field, clouds, step

Vector = NDArray[np.floating]
_MARGIN = 4  # pixels of window around an outline
_TINTS = np.array([(0.66, 0.50, 0.30), (0.50, 0.36, 0.22), (0.52, 0.62, 0.92), (0.40, 0.52, 0.74)])  # rust, oil, heat


class Window:
    """The part of a picture round a shape, with the fields painters think in, all (h, w)."""

    def __init__(self, pixels: Field, shape: Shape, lamp: Vector) -> None:
        height, width = pixels.shape[:2]
        x1, y1, x2, y2 = shape.box
        self.left, self.top = max(0, int(x1) - _MARGIN), max(0, int(y1) - _MARGIN)
        right, bottom = min(width, int(x2) + _MARGIN + 1), min(height, int(y2) + _MARGIN + 1)
        self.pixels = pixels[self.top : bottom, self.left : right]  # a view: painting it paints the picture
        self.size = (right - self.left, bottom - self.top)
        ys, xs = np.mgrid[self.top : bottom, self.left : right] + 0.5
        dx, dy = xs - shape.centre[0], ys - shape.centre[1]
        far = np.hypot(dx, dy) + 1e-6
        self.facing = (dx * lamp[0] + dy * lamp[1]) / far  # 1 on the lamp's side, -1 on the other
        spokes = shape.outline - shape.centre
        angle, reach = np.arctan2(spokes[:, 1], spokes[:, 0]), np.hypot(*spokes.T)
        self.edge = np.interp(np.arctan2(dy, dx), angle, reach, period=2 * np.pi)  # pixels to the outline that way
        self.rho = far / self.edge  # 0 in the centre, 1 on the outline

    def blend(self, colour: Field | Vector | float, alpha: Field) -> None:
        """Lay a colour (float, (3,) or (h, w, 3)) over the window, alpha (h, w) deep."""
        self.pixels += (colour - self.pixels) * alpha[..., None]


def scratch(window: Window, shape: Shape, rng: np.random.Generator, lamp: Vector) -> None:
    """A groove: a bright or dark line of changing depth with a thin counter-light on one side."""
    line = _coverage(window, shape.outline)
    depth = 0.75 + 0.35 * clouds(rng, window.size, 14) + 0.2 * clouds(rng, window.size, 2)
    shift = np.sign(np.round(lamp)).astype(int)
    lip = np.clip(np.roll(line, (shift[1], shift[0]), axis=(0, 1)) - line, 0, 1)
    strength = rng.uniform(0.14, 0.30) * (1 if rng.random() < 0.6 else -1)
    window.pixels += (strength * (line * depth - 0.3 * lip))[..., None]


def dent(window: Window, shape: Shape, rng: np.random.Generator, lamp: Vector) -> None:
    """A bowl: its wall on the lamp's side lies in shade, the far wall catches the light."""
    inside = np.clip(window.rho, 0, 1)
    slope = np.sin(np.pi * inside**1.3) * (0.75 + 0.25 * inside)
    shade = -rng.uniform(0.16, 0.30) * slope * window.facing
    bowl = -rng.uniform(0.03, 0.08) * (1 - inside**4)
    glint = rng.uniform(0.05, 0.2) * np.clip(-window.facing, 0, 1) ** 4 * np.exp(-(((inside - 0.62) / 0.16) ** 2))
    window.pixels += ((shade + bowl + glint) * (inside < 1))[..., None].astype(np.float32)


def stain(window: Window, shape: Shape, rng: np.random.Generator, lamp: Vector) -> None:
    """Dried liquid or heat tint: a translucent colour, uneven inside, a little stronger towards its edge."""
    soft = np.clip(0.2 * window.edge, 1.5, 6.0)
    body = step((1 - window.rho) * window.edge - 0.35 * soft, soft)
    tide = np.exp(-(((window.rho - 0.86) / 0.12) ** 2))
    blotches = clouds(rng, window.size, max(3.0, window.size[0] / 5))
    alpha = rng.uniform(0.34, 0.62) * body * np.clip(0.72 + 0.25 * blotches + 0.28 * tide, 0, 1.2)
    tint = _TINTS[rng.integers(len(_TINTS))] * rng.uniform(0.92, 1.08, 3)
    window.blend(window.pixels * tint, alpha.astype(np.float32))


def hole(window: Window, shape: Shape, rng: np.random.Generator, lamp: Vector) -> None:
    """Punched through: a dark ragged opening with a lit far wall, and a bright burr round it."""
    inwards = (1 - window.rho) * window.edge  # pixels inside the outline
    burr = np.clip(0.14 * window.edge, 1.2, None)
    window.blend(rng.uniform(0.72, 0.92) + 0.16 * window.facing[..., None], 0.85 * step(inwards))
    wall = 0.20 * np.clip(-window.facing, 0, 1) * np.exp(-((1 - window.rho) / 0.3))
    dark = rng.uniform(0.04, 0.12) + wall
    window.blend(dark[..., None], step(inwards - burr, 1.4))


Painter = Callable[[Window, Shape, np.random.Generator, Vector], None]
PAINTERS: dict[str, Painter] = {"scratch": scratch, "dent": dent, "stain": stain, "hole": hole}


def paint(pixels: Field, shape: Shape, rng: np.random.Generator, view: Scene) -> None:
    """Paint one defect into the picture (height, width, 3), in place."""
    PAINTERS[shape.kind](Window(pixels, shape, view.lamp), shape, rng, view.lamp)


def bolt(pixels: Field, ring: Shape, rng: np.random.Generator, view: Scene, faulty: bool) -> None:
    """A socket bolt in its countersink; a faulty one is missing or has lost a piece of its head."""
    window = Window(pixels, ring, view.lamp)
    inwards, facing = (1 - window.rho) * window.edge, window.facing
    radius = float(window.edge.mean())
    window.blend((0.38 - 0.16 * facing)[..., None], step(inwards))
    if faulty and rng.random() < 0.5:
        window.blend((0.07 - 0.08 * facing * window.rho)[..., None], step(inwards - 0.45 * radius, 1.5))
        return
    head = step(inwards - 0.17 * radius)
    if faulty:
        head *= _bite(window, ring, rng, radius)
    window.blend((rng.uniform(0.60, 0.72) + 0.20 * facing * window.rho**2)[..., None], head)
    window.blend((0.14 - 0.06 * facing)[..., None], step(inwards - 0.62 * radius, 1.5))


def _bite(window: Window, ring: Shape, rng: np.random.Generator, radius: float) -> Field:
    """1 where the head is still there: a round piece at a random side is broken off."""
    side = rng.uniform(0, 2 * np.pi)
    x, y = ring.centre + radius * 0.8 * np.array([np.cos(side), np.sin(side)])
    ys, xs = np.mgrid[0 : window.size[1], 0 : window.size[0]] + 0.5
    return step(np.hypot(xs + window.left - x, ys + window.top - y) - 0.62 * radius, 1.4)


def _coverage(window: Window, outline: Vector) -> Field:
    """How much of each pixel of the window lies inside the outline, 0..1: drawn four times as large."""
    fine = Image.new("L", (window.size[0] * 4, window.size[1] * 4))
    corners = (outline - (window.left, window.top)) * 4
    ImageDraw.Draw(fine).polygon([tuple(point) for point in corners.tolist()], fill=255)
    return np.asarray(fine.reduce(4), dtype=np.float32) / 255
