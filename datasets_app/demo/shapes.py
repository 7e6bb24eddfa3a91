"""Outlines of defects, and finding room for them on a plate. Points are pixels in the image, (n, 2)."""

from dataclasses import dataclass

import numpy as np

from .scene import Points, Scene

KINDS = ("scratch", "dent", "stain", "hole")
_DENSE = 96  # points of an outline that is painted; a label keeps every fourth of them
_LENGTH = {"scratch": (55, 130), "dent": (13, 24), "stain": (17, 36), "hole": (8, 14)}  # length or radius at scale 1


@dataclass(frozen=True)
class Shape:
    """Where a defect is painted: `outline` goes round it once, in order."""

    kind: str
    centre: Points  # (2,)
    outline: Points  # (96, 2)

    @property
    def label(self) -> Points:
        """The outline a person would click, (24, 2)."""
        return self.outline[::4]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """x1, y1, x2, y2 in pixels."""
        return (*self.outline.min(axis=0).tolist(), *self.outline.max(axis=0).tolist())


def place(rng: np.random.Generator, kind: str, view: Scene, taken: list[Shape], share: float = 1.0) -> Shape:
    """A shape on free metal, `share` of the usual size; it shrinks while there is no room for it."""
    length = rng.uniform(*_LENGTH[kind]) * view.scale * share
    while True:
        centre = view.project(rng.uniform(-0.9, 0.9, (1, 2)) * view.half)[0]
        outline = _strip(rng, centre, length, view.scale) if kind == "scratch" else _blob(rng, kind, centre, length)
        shape = Shape(kind, centre, outline)
        if _on_free_metal(shape, view, taken):
            return shape
        length *= 0.96


def _on_free_metal(shape: Shape, view: Scene, taken: list[Shape]) -> bool:
    points, room = view.unproject(shape.outline), 6 * view.scale
    if view.beyond_edge(points).max() > -room:
        return False
    to_bolts = np.linalg.norm(points[:, None] - view.bolts(), axis=2)
    return to_bolts.min() > 20 * view.scale and not any(_touch(shape.box, other.box, room) for other in taken)


def _touch(a: tuple[float, ...], b: tuple[float, ...], room: float) -> bool:
    return a[0] < b[2] + room and b[0] < a[2] + room and a[1] < b[3] + room and b[1] < a[3] + room


def _blob(rng: np.random.Generator, kind: str, centre: Points, radius: float) -> Points:
    """A closed wobbly curve, star-shaped about its centre."""
    rough, stretch = {"dent": (0.04, 1.5), "stain": (0.17, 1.7), "hole": (0.10, 1.25)}[kind]
    theta = np.linspace(0, 2 * np.pi, _DENSE, endpoint=False)
    waves = np.arange(2, 7)[:, None]
    heights = rng.normal(0, rough, (5, 1)) * (2 / waves)
    wobble = np.exp((heights * np.cos(waves * theta + rng.uniform(0, 6.3, (5, 1)))).sum(axis=0))
    aspect, turn = rng.uniform(1, stretch) ** 0.5, rng.uniform(0, np.pi)
    flat = np.stack([np.cos(theta) * wobble * aspect, np.sin(theta) * wobble / aspect], axis=1) * radius
    cos, sin = np.cos(turn), np.sin(turn)
    return centre + flat @ np.array([[cos, sin], [-sin, cos]])


def _strip(rng: np.random.Generator, centre: Points, length: float, scale: float) -> Points:
    """A thin bent strip: up one side of a curve and back down the other."""
    t = np.linspace(-1, 1, _DENSE // 2)
    bend, hook = rng.normal(0, 0.06), rng.normal(0, 0.03)
    turn = rng.uniform(0.2, np.pi - 0.2)  # never quite along the brushing, where nobody would see it
    shake = rng.normal(0, 0.004) * np.cos(9 * t + rng.uniform(0, 6.3))
    line = np.stack([t / 2, bend * (1 - t**2) + hook * (t**3 - t) + shake], axis=1) * length
    along = np.gradient(line, axis=0)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.linalg.norm(along, axis=1, keepdims=True)
    swell = np.interp(t, np.linspace(-1, 1, 7), rng.uniform(0.6, 1.3, 7)) * (1 - 0.7 * np.abs(t) ** 3)
    reach = (0.7 + rng.uniform(0.3, 1.2) * scale * swell)[:, None]
    cos, sin = np.cos(turn), np.sin(turn)
    strip = np.concatenate([line + across * reach, (line - across * reach)[::-1]])
    return centre + strip @ np.array([[cos, sin], [-sin, cos]])
