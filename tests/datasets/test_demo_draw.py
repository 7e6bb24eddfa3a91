"""The demo plates: reproducible, and every label says what was really painted."""

import hashlib
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageDraw

from datasets_app.demo.draw import GOOD, KINDS, Plate, plate

pytestmark = pytest.mark.one_database

SEEDS = range(6)
drawing = cache(plate)  # where a test does not mind that another one has drawn the same plate
SIZES = [(320, 240), (64, 64), (200, 360)]


def damage(seed: int, category: str | None, size: tuple[int, int] = (320, 240)) -> tuple[Plate, np.ndarray]:
    """A plate and how far each of its pixels is from the same plate unharmed, (height, width) in grey levels."""
    drawn, clean = drawing(seed, size=size, category=category), drawing(seed, size=size, category=GOOD)
    return drawn, np.abs(np.asarray(drawn.image, int) - np.asarray(clean.image, int)).max(axis=2)


def inside(drawn: Plate, polygon: tuple[tuple[float, float], ...]) -> np.ndarray:
    """The pixels whose middle lies in the polygon, (height, width) of bool."""
    mask = Image.new("L", (drawn.image.width * 8, drawn.image.height * 8))
    ImageDraw.Draw(mask).polygon([(x * 8, y * 8) for x, y in polygon], fill=255)
    return np.asarray(mask)[4::8, 4::8] > 0


def test_the_same_seed_gives_the_same_bytes_and_labels():
    assert plate(7).image.tobytes() == plate(7).image.tobytes()
    assert (plate(7).defects, plate(7).regions) == (plate(7).defects, plate(7).regions)


def test_every_seed_gives_another_picture():
    assert len({hashlib.sha256(drawing(seed).image.tobytes()).digest() for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("size", SIZES)
def test_a_plate_has_the_size_asked_for(size: tuple[int, int]):
    assert (plate(1, size=size).image.size, plate(1, size=size).image.mode) == (size, "RGB")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seed", range(12))
def test_polygons_lie_in_their_boxes_and_boxes_in_the_picture(seed: int, size: tuple[int, int]):
    for defect in drawing(seed, size=size).defects:
        x1, y1, x2, y2 = defect.box
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]
        assert 8 <= len(defect.polygon) <= 40
        assert all(x1 <= x <= x2 and y1 <= y <= y2 for x, y in defect.polygon)


def test_a_good_plate_has_no_defects():
    assert all(
        (drawing(seed, category=GOOD).defects, drawing(seed, category=GOOD).category) == ((), GOOD) for seed in SEEDS
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_category_gives_one_defect_of_that_kind(kind: str):
    for seed in SEEDS:
        drawn = drawing(seed, category=kind)
        assert (drawn.category, [defect.kind for defect in drawn.defects]) == (kind, [kind])


def test_without_a_category_plates_carry_zero_to_four_defects_of_every_kind():
    plates = [drawing(seed, size=(64, 64)) for seed in range(80)]
    assert {len(drawn.defects) for drawn in plates} == {0, 1, 2, 3, 4}
    assert {defect.kind for drawn in plates for defect in drawn.defects} == set(KINDS)
    assert all(drawn.category == (drawn.defects[0].kind if drawn.defects else GOOD) for drawn in plates)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_pixels_inside_a_polygon_differ_from_the_unharmed_plate(kind: str, size: tuple[int, int]):
    for seed in SEEDS:
        drawn, changed = damage(seed, kind, size)
        there = changed[inside(drawn, drawn.defects[0].polygon)]
        assert there.size > 0
        assert there.mean() > 8, f"seed {seed}"
        assert (there > 3).mean() > 0.7, f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_pixels_away_from_every_box_are_those_of_the_unharmed_plate(seed: int):
    drawn, changed = damage(seed, None)
    for defect in drawn.defects:
        x1, y1, x2, y2 = (round(edge) for edge in defect.box)
        changed[max(0, y1 - 4) : y2 + 4, max(0, x1 - 4) : x2 + 4] = 0
    assert changed.max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_box_is_tight_around_what_was_painted(kind: str):
    for seed in SEEDS:
        drawn, changed = damage(seed, kind)
        ys, xs = np.nonzero(changed > 5)
        painted = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
        assert np.abs(np.subtract(painted, drawn.defects[0].box)).max() <= 4, f"seed {seed}"


@pytest.mark.parametrize("size", SIZES)
def test_every_plate_has_four_bolt_holes_inside_the_picture(size: tuple[int, int]):
    for seed in range(12):
        regions = drawing(seed, size=size).regions
        assert [region.label for region in regions] == ["BOLT_HOLE"] * 4
        for x, y, width, height in (region.box for region in regions):
            assert 0 <= x < x + width <= size[0]
            assert 0 <= y < y + height <= size[1]


def test_some_bolts_are_faulty_and_most_are_not():
    verdicts = [region.verdict for seed in range(40) for region in drawing(seed, size=(64, 64)).regions]
    assert 0.1 < np.mean(verdicts) < 0.4


def test_defects_keep_off_the_bolts_and_off_each_other():
    for seed in range(20):
        drawn = drawing(seed)
        boxes = [defect.box for defect in drawn.defects]
        boxes += [(x + 3, y + 3, x + w - 3, y + h - 3) for x, y, w, h in (region.box for region in drawn.regions)]
        cover = sum(inside(drawn, ((a, b), (c, b), (c, d), (a, d))).astype(int) for a, b, c, d in boxes[:-4])
        assert np.max(cover) <= 1, f"seed {seed}"
        for defect in drawn.defects:
            outline = inside(drawn, defect.polygon)
            assert not any(outline[int(b) : int(d), int(a) : int(c)].any() for a, b, c, d in boxes[-4:]), f"seed {seed}"


@pytest.mark.parametrize("wrong", [{"category": "crack"}, {"size": (320, 32)}, {"seed": -1}])
def test_nonsense_is_refused(wrong: dict):
    with pytest.raises(ValueError, match=r"category|size|non-negative"):
        plate(**{"seed": 1} | wrong)
