"""The bundled detector on tiles of large images, run for real."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from kernels_app.contract.data import Shape, ShapeSample, read_split_shapes, write_labels, write_shapes
from kernels_app.contract.results import read_annotations, read_summary

from .boxes import assert_answers_alike, iou
from .makers import COLOURS, KernelRun, make_run

pytestmark = pytest.mark.kernel

PARAMS = {
    "epochs": 6, "learning_rate": 1e-3, "batch_size": 4, "image_size": 128, "tile_size": 96, "tile_overlap": 40,
}  # fmt: skip
CLASSES = ["RED", "BLUE"]


@pytest.fixture(scope="module")
def large_pictures(tmp_path_factory):
    """256 × 192 with two squares of 24 pixels each; to validate with one where a square lies across borders of tiles
    (tiles of 96 begin at 0, 53, 107, 160 and 0, 48, 96)."""
    folder = tmp_path_factory.mktemp("od-large")
    write_labels(folder, CLASSES)
    places = {
        "train": [((20, 30), (150, 120)), ((60, 140), (220, 40))],
        "validation": [((84, 36), (190, 150)), ((40, 20), (120, 84))],
    }
    for split, pictures in places.items():
        for n, corners in enumerate(pictures):
            path = folder / "images/1" / f"{split}-{n}.png"
            write_shapes(folder / split, _squares(path, f"{split}{n}", corners))
    return folder


@pytest.fixture(scope="module")
def tiled(tmp_path_factory, large_pictures) -> KernelRun:
    run = make_run(tmp_path_factory.mktemp("od-tiled"), "od", large_pictures, params=PARAMS)
    assert run.finish() == 0, run.log
    return run


@pytest.mark.long
def test_an_object_at_the_border_of_a_tile_is_found_once(tmp_path, large_pictures, tiled):
    card = json.loads((tiled.output / "PARTS.json").read_text())
    assert card["tiles"] == {"size": 96, "overlap": 40}
    assert card["input"]["shape"] == [1, 3, 128, 128]
    assert "validation: 24 of 24 tiles of 2 images" in tiled.log
    run = make_run(tmp_path, "od", large_pictures, operation="validation", base=tiled.output, params=PARAMS)
    assert run.finish() == 0, run.log
    truth, (found, faults) = read_split_shapes(large_pictures, "validation"), read_annotations(run.output)
    assert faults == []
    sure = float(read_summary(run.output)["min_score"])
    for known, seen in zip(truth, found, strict=True):
        for shape in known.shapes:
            overlaps = [iou(shape, other) for other in seen.shapes if (other.score or 0) >= sure]
            assert sum(overlap > 0.1 for overlap in overlaps) == 1
            assert max(overlaps) > 0.5
    assert_answers_alike(tiled, found)


def test_tiles_that_overlap_too_much_are_refused_in_words(tmp_path, large_pictures):
    params = PARAMS | {"tile_size": 100, "tile_overlap": 51}
    words = make_run(tmp_path, "od", large_pictures, params=params).refusal()
    assert words == "Tiles of 100 px cannot overlap by 51 px; please take at most half of their size."


def _squares(path: Path, image_id: str, corners: Sequence[tuple[int, int]]) -> ShapeSample:
    """A picture of one red and one blue square of 24 pixels, whose upper left corners are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (256, 192), (120, 120, 120))
    shapes = []
    for name, (x, y) in zip(CLASSES, corners, strict=True):
        ImageDraw.Draw(image).rectangle((x, y, x + 23, y + 23), fill=COLOURS[name])
        shapes.append(Shape(name, "rectangle", ((x, y), (x + 24, y + 24))))
    image.save(path)
    return ShapeSample(str(path), image_id, 256, 192, tuple(shapes))
