"""Images decoded once, resized, and kept as bytes below `temp_path`: an epoch then reads memory instead of files."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, UnidentifiedImageError

from . import distributed
from .report import Report
from .start import Refusal, Run

Size = tuple[int, int]  # width, height in pixels
Region = tuple[int, int, int, int]  # x, y of the upper left corner, width, height; pixels of the upright image
Fit = Callable[[Size, int], Size]  # (size of the file's image, side asked for) -> size to resize to

SHOWN = 3  # broken images that are named
UNREADABLE = (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError)
T = TypeVar("T")


def squash(original: Size, side: int) -> Size:
    """A square, whatever the picture's shape: classification."""
    return side, side


def within(original: Size, side: int) -> Size:
    """The longer side becomes `side`, the shape stays: detection."""
    longest = max(original)
    return max(1, round(original[0] * side / longest)), max(1, round(original[1] * side / longest))


class ImageStore:
    """The images of `paths`, or one region of each, resized. What fits into `budget` bytes is decoded once, the rest
    each time. Several regions of one image are decoded together."""

    def __init__(
        self, run: Run, name: str, paths: Sequence[str], side: int, fit: Fit, budget: int,
        regions: Sequence[Region] | None = None,
    ) -> None:  # fmt: skip
        self.paths, self.side, self.fit = list(paths), side, fit
        self.regions = None if regions is None else list(regions)
        self._run = run
        self._file = Path(run.config.temp_path) / f"images-{name}.u8"
        self._cached = min(len(self.paths), budget // (side * side * 3))
        self._sizes: dict[int, tuple[Size, Size]] = {}
        self._pixels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.paths)

    @property
    def is_cached(self) -> bool:
        return self._cached == len(self.paths)

    def fill(self, report: Report, workers: int) -> None:
        """Decode what the cache holds, each rank its share. Raises Refusal naming the images that cannot be read."""
        self._open()
        together: dict[str, list[int]] = {}
        for index, path in enumerate(self.paths):
            together.setdefault(path, []).append(index)
        groups = list(together.values())
        mine = [groups[n] for n in distributed.share(len(groups), self._run)]
        broken: list[str] = []
        begun = time.monotonic()
        pool = ThreadPoolExecutor(max(1, workers))
        try:
            for n, (indices, sizes) in enumerate(zip(mine, pool.map(self._keep, mine), strict=True)):
                if sizes is None:
                    broken.append(self.paths[indices[0]])
                else:
                    self._sizes |= sizes
                report.at((n + 1) / max(1, len(mine)))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # a run that is stopped does not decode to the end
        if everywhere := [path for some in distributed.gathered(broken) for path in some]:
            raise _broken(everywhere)
        for found in distributed.gathered(self._sizes):
            self._sizes |= found
        report.run.log(f"{len(self)} images ready after {time.monotonic() - begun:.1f} s")
        if not self.is_cached:
            report.run.log(f"{len(self) - self._cached} of {len(self)} images are decoded anew each epoch (cache_mb)")

    def sizes(self, index: int) -> tuple[Size, Size]:
        """(width, height) of the image in its file, or of its region, and as it is given out."""
        return self._sizes[index]

    def image(self, index: int) -> torch.Tensor:
        """uint8, (3, height, width), RGB."""
        if index < self._cached and self._pixels is not None:
            width, height = self._sizes[index][1]
            return torch.from_numpy(self._pixels[index, :height, :width].copy()).permute(2, 0, 1)
        try:
            return self._decoded([index])[0][0]
        except UNREADABLE as error:
            raise _broken([self.paths[index]]) from error

    def _open(self) -> None:
        """The file is made by rank 0 and shared by all."""
        shape = (self._cached, self.side, self.side, 3)
        if self._cached and self._run.rank == 0:
            np.memmap(self._file, np.uint8, "w+", shape=shape).flush()
        distributed.barrier()
        self._pixels = np.memmap(self._file, np.uint8, "r+", shape=shape) if self._cached else None

    def _keep(self, indices: list[int]) -> dict[int, tuple[Size, Size]] | None:
        """Decode the images of one file into the cache; their sizes, None where the file cannot be read."""
        found = {}
        try:
            cached = [index for index in indices if index < self._cached and self._pixels is not None]
            for index, (pixels, original) in zip(cached, self._decoded(cached), strict=True):
                height, width = pixels.shape[1:]
                assert self._pixels is not None
                self._pixels[index, :height, :width] = pixels.permute(1, 2, 0).numpy()
                found[index] = (original, (width, height))
            for index in set(indices) - set(cached):
                original = size_of(self.paths[index]) if self.regions is None else self.regions[index][2:]
                found[index] = (original, self.fit(original, self.side))
        except UNREADABLE:
            return None
        return found

    def _decoded(self, indices: list[int]) -> list[tuple[torch.Tensor, Size]]:
        """Of images that lie in one file."""
        if not indices:
            return []
        path = self.paths[indices[0]]
        if self.regions is None:
            return [decode(path, self.side, self.fit)] * len(indices)
        pixels = whole(path)
        return [cut(pixels, self.regions[index], self.side, self.fit) for index in indices]


def decode(path: str, side: int, fit: Fit) -> tuple[torch.Tensor, Size]:
    """The image as uint8 (3, height, width), upright, resized with antialiasing; and its size in the file."""
    with Image.open(path) as image:
        original = _upright_size(image)
        width, height = fit(original, side)
        image.draft(image.mode, (2 * max(width, height),) * 2)  # JPEG: decode at a half, quarter or eighth, when enough
        pixels = _rgb(ImageOps.exif_transpose(image))
    return resized(torch.from_numpy(pixels).permute(2, 0, 1), (width, height)), original


def whole(path: str) -> torch.Tensor:
    """The image as it is in the file, upright: uint8 (3, height, width)."""
    with Image.open(path) as image:
        return torch.from_numpy(_rgb(ImageOps.exif_transpose(image))).permute(2, 0, 1)


def cut(pixels: torch.Tensor, region: Region, side: int, fit: Fit) -> tuple[torch.Tensor, Size]:
    """A region of an image, resized; and its size. What lies beyond the edge repeats the edge."""
    x, y, width, height = region
    rows = torch.arange(y, y + height).clamp(0, pixels.shape[1] - 1)
    columns = torch.arange(x, x + width).clamp(0, pixels.shape[2] - 1)
    return resized(pixels[:, rows[:, None], columns], fit((width, height), side)), (width, height)


def resized(pixels: torch.Tensor, size: Size) -> torch.Tensor:
    """uint8 (3, height, width) to `size` (width, height), with antialiasing."""
    width, height = size
    if (height, width) == pixels.shape[1:]:
        return pixels
    return F.interpolate(pixels[None], (height, width), mode="bilinear", antialias=True)[0]


def size_of(path: str) -> Size:
    """Width and height of the upright image; only its header is read."""
    with Image.open(path) as image:
        return _upright_size(image)


def ahead(items: Iterable[T], depth: int = 2) -> Iterator[T]:
    """The same items, made by a thread that runs up to `depth` ahead; its errors are raised here."""
    ready: queue.Queue[tuple[bool, T | Exception | None]] = queue.Queue(depth)
    left = threading.Event()

    def put(item: tuple[bool, T | Exception | None]) -> None:
        while not left.is_set():
            try:
                return ready.put(item, timeout=0.2)
            except queue.Full:
                continue

    def make() -> None:
        try:
            for item in items:
                put((True, item))
            put((False, None))
        except Exception as error:
            put((False, error))

    threading.Thread(target=make, daemon=True).start()
    try:
        while (got := ready.get())[0]:
            yield got[1]  # type: ignore[misc]
    finally:
        left.set()
    if isinstance(got[1], Exception):
        raise got[1]


def _upright_size(image: Image.Image) -> Size:
    width, height = image.size
    turned = image.getexif().get(0x0112, 1) >= 5  # orientations 5 to 8 lie on their side
    return (height, width) if turned else (width, height)


def _rgb(image: Image.Image) -> np.ndarray:
    """uint8 (height, width, 3). 16 bits are cut to the upper 8; transparency and palettes are resolved."""
    if image.mode.startswith(("I", "F")):
        grey = np.asarray(image, dtype=np.float32)
        grey = grey / 257.0 if grey.max(initial=0) > 255 else grey
        return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))


def _broken(paths: list[str]) -> Refusal:
    names = ", ".join(Path(path).name for path in sorted(paths)[:SHOWN])
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return Refusal(
        f"{len(paths)} image(s) cannot be read: {names}{more}. Please replace them or take them out of the dataset."
    )
