"""Data sets as a kernel sees them: the small real ones of quickstart/, and images of 5 megapixels, drawn here."""

from __future__ import annotations

import csv
import json
import os
import random
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from defusedxml import ElementTree
from PIL import Image, ImageDraw

from bench.table import MeasurementFailed
from kernels_app.contract.data import (
    ClSample,
    RcSample,
    Shape,
    ShapeSample,
    write_cl,
    write_labels,
    write_rc,
    write_shapes,
)  # fmt: skip

QUICKSTART = {"cl": "cl_pcb", "rc": "rc_pcb", "od": "od_bccd", "seg": "seg_nuclei"}
LARGE = (2592, 1944)  # 5 megapixels, as many inspection cameras have
REPOSITORY = Path(__file__).resolve().parents[2]


def quickstart(kind: str, folder: Path) -> Path:
    """The quickstart data of a kernel, laid out in `folder` as the contract says. Raises MeasurementFailed where this
    machine has none."""
    root = Path(os.environ.get("TRAINPORTAL_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    source = root / "quickstart" / QUICKSTART[kind]
    if not source.is_dir():
        raise MeasurementFailed(f"the data quickstart/{QUICKSTART[kind]} is not in {root} (TRAINPORTAL_TEST_DATA)")
    {"cl": _cl, "rc": _rc, "od": _od, "seg": _seg}[kind](source, folder)
    return folder


def drawn(
    kind: str, folder: Path, *, train: int = 24, held: int = 4, size: tuple[int, int] = LARGE, form: str = "png"
) -> Path:
    """Grey plates with dark scratches and round holes, in files that end with `form`; the same ones each time."""
    names = {"train": train, "validation": held}
    write_labels(folder, ["HOLE", "SCRATCH"] if kind != "rc" else ["HOLE"])
    plates = {
        split: [_plate(folder / "images/1" / f"{split}-{n:03d}.{form}", n, size) for n in range(count)]
        for split, count in names.items()
    }
    for split, some in plates.items():
        _LAYOUTS[kind](folder, split, some, size)
    return folder


# --- quickstart -------------------------------------------------------------------------------------------------------


def _cl(source: Path, folder: Path) -> None:
    rows = list(csv.DictReader((source / "split.csv").open(encoding="utf-8")))
    write_labels(folder, sorted({row["label"] for row in rows}))
    for split, name in (("train", "train"), ("validation", "val")):
        chosen = [row for row in rows if row["split"] == name]
        write_cl(folder, split, [ClSample(str(source / row["file"]), row["label"]) for row in chosen])


def _rc(source: Path, folder: Path) -> None:
    """One question, DEFECT; boards of group 00041 to train on, of group 20085 to judge by."""
    write_labels(folder, ["DEFECT"])
    for split, group in (("train", "00041"), ("validation", "20085")):
        samples = []
        for path in sorted((source / "images").glob(f"{group}*.json")):
            for label, points in _labelme(path):
                (x1, y1), (x2, y2) = points
                box = (min(x1, x2), min(y1, y2), abs(x2 - x1), abs(y2 - y1))
                samples.append(RcSample(str(path.with_suffix(".png")), "DEFECT", label != "ok", *box))
        write_rc(folder, split, samples)


def _od(source: Path, folder: Path) -> None:
    write_labels(folder, ["RBC", "WBC", "Platelets"])
    for split, name in (("train", "train"), ("validation", "val")):
        for stem in (source / f"ImageSets/Main/{name}.txt").read_text().split():
            root = ElementTree.parse(source / f"Annotations/{stem}.xml").getroot()
            shapes = [_voc_shape(found) for found in root.iter("object")]
            image = source / "JPEGImages" / str(root.findtext("filename"))
            write_shapes(folder / split, ShapeSample(str(image), stem, 320, 240, tuple(shapes)))


def _voc_shape(found) -> Shape:  # type: ignore[no-untyped-def]
    x1, y1, x2, y2 = (float(found.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
    return Shape(found.findtext("name"), "rectangle", ((x1, y1), (x2, y2)))


def _seg(source: Path, folder: Path) -> None:
    """The last 30 images to judge by."""
    write_labels(folder, ["nucleus"])
    for n, path in enumerate(sorted((source / "images").glob("*.json"))):
        shapes = tuple(Shape(label, "polygon", tuple(points)) for label, points in _labelme(path))
        split = "validation" if n >= 70 else "train"
        write_shapes(folder / split, ShapeSample(str(path.with_suffix(".png")), path.stem, 256, 256, shapes))


def _labelme(path: Path) -> Iterable[tuple[str, list[tuple[float, float]]]]:
    shapes = json.loads(path.read_text(encoding="utf-8"))["shapes"]
    return [(shape["label"], [(float(x), float(y)) for x, y in shape["points"]]) for shape in shapes]


# --- drawn ------------------------------------------------------------------------------------------------------------

Plate = tuple[str, list[tuple[str, tuple[int, int, int, int]]]]  # path, and (label, box) of what is on it


def _plate(path: Path, n: int, size: tuple[int, int]) -> Plate:
    """One label a plate, by turns, so that it has a category too."""
    dice = random.Random(path.stem)
    noise = np.random.default_rng(n).integers(110, 146, (size[1] // 4, size[0] // 4), np.uint8)
    image = Image.fromarray(noise).resize(size).convert("RGB")
    pen, label, found = ImageDraw.Draw(image), ("HOLE", "SCRATCH")[n % 2], []
    for _ in range(8):
        side = dice.randrange(size[0] // 20, size[0] // 10)
        x, y = dice.randrange(size[0] - side), dice.randrange(size[1] - side)
        box = (x, y, x + side, y + side)
        if label == "HOLE":
            pen.ellipse(box, fill=(30, 30, 34))
        else:
            pen.line(box, fill=(24, 24, 28), width=max(3, side // 12))
        found.append((label, box))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, compress_level=1, quality=90)
    return str(path), found


def _draw_cl(folder: Path, split: str, plates: list[Plate], size: tuple[int, int]) -> None:
    write_cl(folder, split, [ClSample(path, found[0][0]) for path, found in plates])


def _draw_rc(folder: Path, split: str, plates: list[Plate], size: tuple[int, int]) -> None:
    regions = [(path, label, box) for path, found in plates for label, box in found]
    samples = [
        RcSample(path, "HOLE", label == "HOLE", x1, y1, x2 - x1, y2 - y1) for path, label, (x1, y1, x2, y2) in regions
    ]
    write_rc(folder, split, samples)


def _draw_shapes(folder: Path, split: str, plates: list[Plate], size: tuple[int, int]) -> None:
    for path, found in plates:
        shapes = tuple(
            Shape(label, "rectangle", ((float(x1), float(y1)), (float(x2), float(y2))))
            for label, (x1, y1, x2, y2) in found
        )
        write_shapes(folder / split, ShapeSample(path, Path(path).stem, *size, shapes))


_LAYOUTS: dict[str, Callable[[Path, str, list[Plate], tuple[int, int]], None]] = {
    "cl": _draw_cl, "rc": _draw_rc, "od": _draw_shapes, "seg": _draw_shapes,
}  # fmt: skip
