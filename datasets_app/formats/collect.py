"""From what annotation files state to a Reading: find the images, check the shapes, count every problem."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from datasets_app.formats.geometry import BadShape, fit
from datasets_app.formats.masks import Outlines
from datasets_app.formats.safe_files import UnreadableFile
from datasets_app.formats.source import Lookup, Source
from datasets_app.records import ImageRecord, Point, Problem, Reading, Shape, Shapes

Identity = tuple[str, str, tuple[Point, ...], bool, bool | None]


@dataclass(frozen=True, slots=True)
class Entry:
    """What one annotation file states of one image, before anything was looked up."""

    file: str
    names: Iterable[str]  # of the image, the most likely first
    shapes: Sequence[Shape] = ()
    size: tuple[float, float] | None = None  # stated width and height in pixels
    split: str = ""
    key: str = ""  # entries with the same key speak of the same image; "" is the file
    is_relative: bool = False  # points are fractions of the image's width and height, not pixels


@dataclass
class Collector:
    """Gathers entries and problems of one reading."""

    source: Source
    problems: list[Problem] = field(default_factory=list)
    shapes: dict[str, Shapes] = field(default_factory=dict)  # of each labelled image
    splits: dict[str, str] = field(default_factory=dict)

    def problem(self, path: str, code: str, detail: str = "") -> None:
        self.problems.append(Problem(path, code, detail))

    def mask_problems(self, path: str, where: str, found: Outlines) -> None:
        """What a mask holds and polygons do not."""
        if len(found.polygons) > 1:
            self.problem(path, "multi_part", f"{where}: {len(found.polygons)} parts")
        if found.holes:
            self.problem(path, "mask_holes", f"{where}: {found.holes} holes")

    def add(self, entries: Iterable[Entry]) -> None:
        """Give each entry its image and keep the shapes that hold."""
        kept = list(entries)
        for entry, image in zip(kept, self._resolve(kept), strict=True):
            if image:
                self._label(image, entry)

    def take(self, shapes: dict[str, list[Shape]]) -> None:
        """The same for shapes of images that were found already."""
        for image, found in shapes.items():
            self._label(image, Entry(image, (image,), tuple(found)))

    def set_split(self, image: str, split: str, path: str) -> None:
        """The first statement counts; a second, different one is a problem of the file `path`."""
        if split and self.splits.setdefault(image, split) != split:
            self.problem(path, "two_splits", f"{image}: {self.splits[image]} and {split}")

    def labels(self) -> tuple[str, ...]:
        """Labels of the kept shapes, in the order they were met; a region of interest has none."""
        met = (shape.label for shapes in self.shapes.values() for shape in shapes.traits if not shape.is_roi)
        return tuple(dict.fromkeys(met))

    def reading(self, name: str, labels: tuple[str, ...], notes: dict[str, str]) -> Reading:
        """All images of the source, labelled or not."""
        return Reading(name, tuple(self._records()), labels, tuple(self.problems), notes=notes)

    def _records(self) -> Iterator[ImageRecord]:
        for image in self.source.images:
            labelled, shapes = image in self.shapes, self.shapes.get(image, ())
            yield ImageRecord(image, shapes=shapes, labelled=labelled, split=self.splits.get(image, ""))

    def _resolve(self, entries: list[Entry]) -> list[str | None]:
        """The image of each entry. Exact names go first: a guess must not take an image that another names outright."""
        found: list[str | None] = [None] * len(entries)
        owners: dict[str, str] = {}
        for exact in (True, False):
            for index, entry in enumerate(entries):
                if found[index] is None:
                    found[index] = self._claim(entry, owners, exact)
        for entry, image in zip(entries, found, strict=True):
            if image is None:
                self._report_unfound(entry)
        return found

    def _claim(self, entry: Entry, owners: dict[str, str], exact: bool) -> str | None:
        owner = entry.key or entry.file
        for lookup in self._lookups(entry):
            image = lookup.image if lookup.how == "exact" or not exact else None
            if image and owners.setdefault(image, owner) == owner:
                return image
        return None

    def _lookups(self, entry: Entry) -> Iterator[Lookup]:
        """One after the other: most images are found under the first name or two."""
        return (self.source.lookup(name, near=entry.file) for name in entry.names)

    def _report_unfound(self, entry: Entry) -> None:
        lookups, stated = list(self._lookups(entry)), next(iter(entry.names), "")
        ambiguous = [lookup.candidates for lookup in lookups if lookup.candidates]
        taken = [lookup.image for lookup in lookups if lookup.image]
        if taken:
            self.problem(entry.file, "image_twice", f"{stated}: {taken[0]} is described elsewhere too")
        elif ambiguous:
            self.problem(entry.file, "ambiguous_name", f"{stated}: {', '.join(ambiguous[0][:5])}")
        else:
            self.problem(entry.file, "image_missing", stated)

    def _label(self, image: str, entry: Entry) -> None:
        try:
            size = self.source.size(image)
        except UnreadableFile as error:
            self.problem(image, "unreadable_image", str(error))
            return
        if entry.size and entry.size != size:
            stated = "x".join(f"{side:g}" for side in entry.size)
            self.problem(image, "size_differs", f"{stated} stated, {size[0]}x{size[1]} found")
        self.set_split(image, entry.split, entry.file)
        shapes = _in_pixels(entry.shapes, size) if entry.is_relative else entry.shapes
        self.shapes[image] = self._fitting(image, shapes, size)

    def _fitting(self, image: str, shapes: Sequence[Shape], size: tuple[int, int]) -> Shapes:
        """The shapes of the image that were kept before, and those of these that hold."""
        before = self.shapes.get(image, ())
        seen: dict[Identity, Shape] = {_identity(shape): shape for shape in before}
        is_changed = not isinstance(shapes, Shapes) or bool(before)
        for shape in shapes:
            try:
                fitted, cut = fit(shape, size)
            except BadShape as error:
                self.problem(image, error.code, describe(shape))
                is_changed = True
                continue
            if cut:
                self.problem(image, "clipped", describe(shape))
            if seen.setdefault(_identity(fitted), fitted) is not fitted:
                self.problem(image, "duplicate_shape", describe(shape))
                is_changed = True
            is_changed = is_changed or fitted is not shape
        return Shapes(seen.values()) if is_changed else shapes  # type: ignore[return-value]


def _in_pixels(shapes: Iterable[Shape], size: tuple[int, int]) -> list[Shape]:
    width, height = size
    return [shape._replace(points=tuple((x * width, y * height) for x, y in shape.points)) for shape in shapes]


def _identity(shape: Shape) -> Identity:
    """What makes two shapes the same: a score does not."""
    return shape.label, shape.kind, shape.points, shape.is_roi, shape.verdict


def describe(shape: Shape) -> str:
    """For a problem's detail: label, kind and the first points."""
    corners = ", ".join(f"{x:g},{y:g}" for x, y in shape.points[:4])
    return f"{shape.label} {shape.kind} {corners}{', ...' if len(shape.points) > 4 else ''}"
