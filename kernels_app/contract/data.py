"""The data set as a kernel sees it: `dataset_path`.

`images/<dataset id>/` holds the images under their own names, `label.txt` the class codes (the line number from 0 is
the class index), `train/` and `validation/` what is known of each image. Boxes are pixels, origin at the top left.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import ContractError
from .files import is_text, read_json_object, write_atomically, write_json

Point = tuple[float, float]


@dataclass(frozen=True)
class ClSample:
    """One image and its category. `category` is empty in `files.txt`."""

    path: str
    category: str = ""


@dataclass(frozen=True)
class RcSample:
    """One region: what is inspected (`label`), whether the region has it (None when that is asked), where it is."""

    path: str
    label: str
    verdict: bool | None
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Shape:
    """One labelled shape. `rectangle`: two corner points; `polygon`: three or more."""

    label: str
    shape_type: str
    points: tuple[Point, ...]
    isgenerated: bool = False
    isroi: bool = False
    score: float | None = None


@dataclass(frozen=True)
class ShapeSample:
    """One image of OD or SEG with its shapes; no shapes = a real, empty sample. Sizes are pixels."""

    path: str
    image_id: str
    width: int
    height: int
    shapes: tuple[Shape, ...] = ()


def write_labels(dataset: Path, codes: Iterable[str]) -> None:
    write_atomically(dataset / "label.txt", "".join(f"{code}\n" for code in codes))


def read_labels(dataset: Path) -> list[str]:
    """Class codes in the order of their index."""
    return _lines(dataset / "label.txt")


def split_file(dataset: Path, split: str) -> Path:
    """`train/train.txt` or `validation/validation.txt`, of CL and RC."""
    return dataset / split / f"{split}.txt"


def write_cl(dataset: Path, split: str, samples: Iterable[ClSample]) -> None:
    write_atomically(split_file(dataset, split), "".join(f"{s.path} {s.category}\n" for s in samples))


def read_cl(dataset: Path, split: str) -> list[ClSample]:
    """Samples of a CL split. Paths may hold spaces, categories may not. Raises ContractError naming the line."""
    return [_cl(line, where) for line, where in _numbered(split_file(dataset, split))]


def write_rc(dataset: Path, split: str, samples: Iterable[RcSample]) -> None:
    write_atomically(split_file(dataset, split), "".join(f"{_rc_line(s)}\n" for s in samples))


def read_rc(dataset: Path, split: str) -> list[RcSample]:
    """Samples of an RC split, one a region. Raises ContractError naming the line."""
    return [_rc(line, where, verdict=True) for line, where in _numbered(split_file(dataset, split))]


def write_shapes(folder: Path, sample: ShapeSample) -> Path:
    """Write `<image id>.json` into `folder` (a split, or `annotations/` of a result), LabelMe style."""
    path = folder / f"{sample.image_id}.json"
    write_json(path, shapes_as_json(sample))
    return path


def shapes_as_json(sample: ShapeSample) -> dict[str, Any]:
    return {
        "shapes": [_shape_as_json(shape) for shape in sample.shapes],
        "imagePath": sample.path,
        "image_id": sample.image_id,
        "imageWidth": sample.width,
        "imageHeight": sample.height,
    }


def read_shapes(path: Path) -> ShapeSample:
    """One LabelMe style file. Raises ContractError naming the file, the shape and what is wrong with it."""
    found = read_json_object(path)
    shapes = found.get("shapes")
    if not isinstance(shapes, list):
        raise ContractError(f"{path.name}: shapes must be a list")
    image_id = str(found.get("image_id", path.stem))
    if not is_text(image_id):
        raise ContractError(f"{path.name}: image_id holds characters that are none")
    return ShapeSample(
        path=str(found.get("imagePath", "")),
        image_id=image_id,
        width=_pixels(found, "imageWidth", path.name),
        height=_pixels(found, "imageHeight", path.name),
        shapes=tuple(_shape(shape, f"{path.name}: shape {n}") for n, shape in enumerate(shapes)),
    )


def read_split_shapes(dataset: Path, split: str) -> list[ShapeSample]:
    """Every sample of an OD or SEG split, in the order of their ids: 9 stands before 10."""
    paths = sorted((dataset / split).glob("*.json"), key=lambda path: (len(path.name), path.name))
    return [read_shapes(path) for path in paths]


def write_files(dataset: Path, samples: Iterable[ClSample | RcSample]) -> None:
    """`files.txt` of inference and preprocessing: paths, or for RC regions without a verdict."""
    lines = (s.path if isinstance(s, ClSample) else _rc_line(s) for s in samples)
    write_atomically(dataset / "files.txt", "".join(f"{line}\n" for line in lines))


def read_files(dataset: Path) -> list[str]:
    """Absolute image paths to work on."""
    return _lines(dataset / "files.txt")


def read_files_rc(dataset: Path) -> list[RcSample]:
    """Regions to judge."""
    return [_rc(line, where, verdict=False) for line, where in _numbered(dataset / "files.txt")]


def has_samples(dataset: Path) -> bool:
    """Whether a validation, inference or preprocessing has anything to work on."""
    lists = (dataset / "files.txt", split_file(dataset, "validation"))
    return any(path.is_file() and path.stat().st_size for path in lists) or any((dataset / "validation").glob("*.json"))


def _lines(path: Path) -> list[str]:
    return [line for line in _text(path).splitlines() if line.strip()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ContractError(f"{path.name}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path.name}: is not UTF-8 text") from error


def _numbered(path: Path) -> Iterator[tuple[str, str]]:
    """Lines that hold something, each with where it stands, counted as an editor counts."""
    numbered = enumerate(_text(path).splitlines(), start=1)
    return ((line, f"{path.name}: line {n}") for n, line in numbered if line.strip())


def _cl(line: str, where: str) -> ClSample:
    path, _, category = line.rpartition(" ")
    if not path:
        raise ContractError(f"{where}: expected '<path> <category>', found {line!r}")
    return ClSample(path, category)


def _rc_line(s: RcSample) -> str:
    verdict = "" if s.verdict is None else f" {str(s.verdict).lower()}"
    return f"{s.path} {s.label}{verdict} {s.x:.10g} {s.y:.10g} {s.width:.10g} {s.height:.10g}"


def _rc(line: str, where: str, *, verdict: bool) -> RcSample:
    count = 6 if verdict else 5
    parts = line.rsplit(" ", count)
    try:
        x, y, width, height = (float(part) for part in parts[-4:])
        judged = {"true": True, "false": False}[parts[2].lower()] if verdict else None
        return RcSample(parts[0], parts[1], judged, x, y, width, height)
    except (ValueError, KeyError, IndexError) as error:
        form = "<path> <label> <true|false> <x> <y> <w> <h>" if verdict else "<path> <label> <x> <y> <w> <h>"
        raise ContractError(f"{where}: expected '{form}', found {line!r}") from error


def _pixels(found: dict[str, Any], key: str, name: str) -> int:
    try:
        return int(found.get(key) or 0)
    except (TypeError, ValueError, OverflowError) as error:
        raise ContractError(f"{name}: {key} must be a number of pixels; it is {found[key]!r}") from error


def _shape_as_json(shape: Shape) -> dict[str, Any]:
    document: dict[str, Any] = {
        "label": shape.label,
        "shape_type": shape.shape_type,
        "points": [list(point) for point in shape.points],
        "isgenerated": shape.isgenerated,
        "isroi": shape.isroi,
    }
    return document if shape.score is None else document | {"score": shape.score}


def _shape(found: Any, where: str) -> Shape:
    try:
        points = tuple((float(x), float(y)) for x, y in found["points"])
        kind = str(found.get("shape_type", "polygon"))
        label, score = str(found["label"]), found.get("score")
        if not is_text(label):
            raise ValueError("the label holds characters that are none")
        number = None if score is None else float(score)
        if not all(math.isfinite(value) for point in points for value in point):
            raise ValueError("a coordinate is no finite number")
        if number is not None and not math.isfinite(number):
            raise ValueError("the score is no finite number")
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ContractError(f"{where}: label and points [[x, y], …] are needed ({error})") from error
    if len(points) < (2 if kind == "rectangle" else 3):
        raise ContractError(f"{where}: a {kind} of {len(points)} points")
    return Shape(label, kind, points, bool(found.get("isgenerated")), bool(found.get("isroi")), number)
