"""The metal before anything happens to it: where the plate lies, how it is lit, what is behind it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .texture import Field, brushed, clouds, step

Points = NDArray[np.floating]  # (n, 2)
BOLTS = ((-1, -1), (1, -1), (-1, 1), (1, 1))  # corners, as signs of the plate's x and y


@dataclass(frozen=True)
class Scene:
    """A plate on a bench. Plate coordinates are pixels from the plate's middle, before tilt and perspective."""

    size: tuple[int, int]  # width, height in pixels
    scale: float  # 1.0 where the shorter side is 240 pixels
    half: NDArray[np.float64]  # (2,) half width and half height of the plate, in plate coordinates
    to_image: NDArray[np.float64]  # (3, 3) homography from plate coordinates to pixels
    lamp: NDArray[np.float64]  # (2,) unit vector in the image, towards the light

    def project(self, points: Points) -> Points:
        """Plate coordinates (n, 2) to pixels (n, 2)."""
        return _apply(self.to_image, points)

    def unproject(self, points: Points) -> Points:
        """Pixels (n, 2) to plate coordinates (n, 2)."""
        return _apply(np.linalg.inv(self.to_image), points)

    def bolts(self) -> Points:
        """Middles of the four bolts in plate coordinates, (4, 2)."""
        return np.array(BOLTS) * (self.half - 20 * self.scale)

    def beyond_edge(self, points: Points) -> Points:
        """Signed distance (n,) of plate coordinates (n, 2) to the rounded edge; negative on the plate."""
        corner = 9 * self.scale
        x, y = (np.abs(points[:, i]) - float(self.half[i] - corner) for i in (0, 1))
        return np.sqrt(np.maximum(x, 0) ** 2 + np.maximum(y, 0) ** 2) + np.minimum(np.maximum(x, y), 0) - corner


def scene(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Lay a plate into a picture: a little off the middle, a little turned, seen a little from the side."""
    width, height = size
    scale = min(size) / 240
    half = np.array(size) / 2 - rng.uniform(14, 22, 2) * scale
    turn, shift = np.radians(rng.uniform(-2.5, 2.5)), rng.uniform(-4, 4, 2) * scale
    tilt = rng.uniform(-0.035, 0.035, 2) / half
    cos, sin = np.cos(turn), np.sin(turn)
    move = np.array([[cos, -sin, width / 2 + shift[0]], [sin, cos, height / 2 + shift[1]], [0, 0, 1]])
    lean = np.array([[1, rng.normal(0, 0.012), 0], [0, 1, 0], [*tilt, 1]])
    lamp = np.radians(rng.uniform(200, 340))  # from above: y grows downwards
    return Scene(size, scale, half, move @ lean, np.array([np.cos(lamp), np.sin(lamp)]))


def photograph(rng: np.random.Generator, view: Scene) -> Field:
    """The clean plate on its bench, (height, width, 3), 0..1 as displayed."""
    width, height = view.size
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32) + np.float32(0.5)
    pixels = np.stack([xs.ravel(), ys.ravel()], axis=1)
    beyond = view.beyond_edge(view.unproject(pixels)).reshape(height, width)
    down, right = np.gradient(beyond)
    facing = right * np.float32(view.lamp[0]) + down * np.float32(view.lamp[1])  # 1: this edge looks at the lamp
    shadow = step(-beyond - 5 * view.scale * facing, 14 * view.scale)
    bevel = (0.30 * facing - 0.04) * step(beyond + 3 * view.scale, 2 * view.scale)
    bench = _bench(rng, view) * (1 - 0.6 * shadow)[..., None]
    metal = _metal(rng, view) + bevel[..., None]
    return bench + (metal - bench) * step(-beyond)[..., None]


def _bench(rng: np.random.Generator, view: Scene) -> Field:
    colours = [(0.20, 0.21, 0.23), (0.30, 0.25, 0.20), (0.13, 0.14, 0.14), (0.24, 0.30, 0.31)]
    grain = 1 + 0.10 * clouds(rng, view.size, 60 * view.scale) + 0.07 * clouds(rng, view.size, 3 * view.scale)
    return grain[..., None] * np.array(colours[rng.integers(len(colours))], dtype=np.float32)


def _metal(rng: np.random.Generator, view: Scene) -> Field:
    """Brushed metal under a lamp, filling the whole picture."""
    marks = _marks(rng, view)
    y = np.linspace(-0.5, 0.5, view.size[1], dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, view.size[0], dtype=np.float32)[None]
    lit = x * np.float32(view.lamp[0]) + y * np.float32(view.lamp[1])
    tone = rng.uniform(0.48, 0.62) + rng.uniform(0.10, 0.26) * lit
    tone += 0.018 * clouds(rng, view.size, 70 * view.scale) + rng.uniform(0.022, 0.042) * marks
    band = (x - rng.uniform(-0.4, 0.4) + rng.uniform(-0.35, 0.35) * y) / rng.uniform(0.12, 0.28)
    tone += rng.uniform(0.08, 0.24) * np.exp(-(band**2)) * (1 + 0.22 * marks)  # the lamp's glare
    tint = 1 + rng.normal(0, 0.012) * np.array([1.0, 0.1, -1.2]) + np.array([-0.008, 0.0, 0.012])
    return tone[..., None] * tint.astype(np.float32)


def _marks(rng: np.random.Generator, view: Scene) -> Field:
    """Brushing marks as the camera sees them: along the plate, with its turn and perspective."""
    sheet = (round(view.half[0] * 2.3), round(view.half[1] * 2.3))
    to_plate = np.linalg.inv(view.to_image)
    to_sheet = np.array([[1, 0, sheet[0] / 2], [0, 1, sheet[1] / 2], [0, 0, 1]]) @ to_plate
    coefficients = (to_sheet / to_sheet[2, 2]).ravel()[:8].tolist()
    flat = Image.fromarray(brushed(rng, sheet, view.scale))
    seen = flat.transform(view.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
    return np.asarray(seen, dtype=np.float32)


def _apply(homography: Field, points: Points) -> Points:
    x, y = points.T
    across, down, away = (row[0] * x + row[1] * y + row[2] for row in homography.tolist())
    return np.stack([across / away, down / away], axis=1)
