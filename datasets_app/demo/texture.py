"""Noise and soft steps that the demo plates are made of.

Whole pictures are float32 for speed; sizes are (width, height) in pixels.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field = NDArray[np.floating]  # (height, width), or (height, width, 3) with colour


def step(distance: Field, soft: Field | float = 1.0) -> Field:
    """Smooth 0 → 1 while `distance` goes from -soft/2 to +soft/2 (same unit as `distance`)."""
    t = np.clip(distance / soft + 0.5, 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)


def clouds(rng: np.random.Generator, size: tuple[int, int], cell: float) -> Field:
    """Smooth noise of shape (height, width), about -1..1, with blobs some `cell` pixels across."""
    width, height = size
    grid = (max(2, round(width / cell) + 1), max(2, round(height / cell) + 1))
    coarse = rng.uniform(-1.0, 1.0, (grid[1], grid[0])).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), dtype=np.float32)


def brushed(rng: np.random.Generator, size: tuple[int, int], scale: float) -> Field:
    """Brushing marks along x, shape (height, width), mean 0 and standard deviation 1."""
    width, height = size
    noise = rng.standard_normal((height, width), dtype=np.float32)
    marks = 0.75 * _streaks(noise, 70 * scale) + 0.5 * _streaks(noise[::-1], 16 * scale) + 0.22 * noise
    marks += 0.35 * rng.standard_normal((height, 1), dtype=np.float32)
    marks -= marks.mean()
    return (marks / marks.std()).astype(np.float32)


def _streaks(noise: Field, length: float) -> Field:
    """Running mean over `length` pixels along x, wrapped round, brought back to standard deviation 1."""
    reach = int(np.clip(round(length), 2, noise.shape[1]))
    sums = np.cumsum(np.concatenate([noise, noise[:, :reach]], axis=1, dtype=np.float64), axis=1)
    return ((sums[:, reach:] - sums[:, :-reach]) / np.sqrt(reach)).astype(np.float32)
