"""Masks become polygons that enclose exactly their pixels; COCO's own library says what run lengths mean."""

import numpy as np
import pytest
from faster_coco_eval.core import mask as coco_masks
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets_app.formats import masks
from datasets_app.formats.geometry import BadShape

sides = st.integers(1, 12)


def covered(polygons, height: int, width: int) -> np.ndarray:
    """The pixels whose middle lies in one of the polygons, by counting the edges to their right."""
    rows, columns = np.mgrid[0:height, 0:width] + 0.5
    found = np.zeros((height, width), dtype=bool)
    for polygon in polygons:
        inside = np.zeros_like(found)
        for (x, top), (_x, bottom) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
            inside ^= ((top > rows) != (bottom > rows)) & (columns < x)  # edges are upright or level
        found |= inside
    return found


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.integers(0, 2**32), st.floats(0.1, 0.95))
def test_polygons_cover_the_mask_and_nothing_else_but_its_holes(height, width, seed, share):
    pixels = np.random.default_rng(seed).random((height, width)) < share
    if not pixels.any():
        return
    found = masks.trace(pixels)
    inside = covered(found.polygons, height, width)
    assert (inside >= pixels).all()
    assert (inside == pixels).all() == (found.holes == 0)


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.integers(0, 2**32))
def test_run_lengths_mean_what_cocos_library_says(height, width, seed):
    pixels = np.random.default_rng(seed).random((height, width)) < 0.4
    encoded = coco_masks.encode(np.asfortranarray(pixels.astype(np.uint8)))
    text = encoded["counts"] if isinstance(encoded["counts"], str) else encoded["counts"].decode()
    mask = {"size": [height, width], "counts": text}
    if not pixels.any():
        with pytest.raises(BadShape, match="empty_mask"):
            masks.of_run_lengths(mask)
        return
    expected = masks.trace(pixels)
    assert _sorted(masks.of_run_lengths(mask)) == _sorted(expected)
    flat = pixels.T.ravel()
    changes = np.flatnonzero(np.diff(np.concatenate([[False], flat]).astype(int))).tolist()
    counts = np.diff([0, *changes, flat.size]).tolist()
    assert _sorted(masks.of_run_lengths({"size": [height, width], "counts": counts})) == _sorted(expected)


def _sorted(found):
    return sorted(sorted(polygon) for polygon in found.polygons), found.holes


def test_pixels_that_touch_at_a_corner_are_one_polygon():
    (polygon,) = masks.trace(np.array([[1, 0], [0, 1]], dtype=bool)).polygons
    assert len(polygon) == 8


def test_a_mask_in_a_corner_of_a_huge_image_is_no_work():
    mask = {"size": [1_000_000, 1_000_000], "counts": [0, 3, 10**12 - 3]}
    assert masks.of_run_lengths(mask).polygons == (((0.0, 0.0), (1.0, 0.0), (1.0, 3.0), (0.0, 3.0)),)


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        ({}, "bad_mask"),
        ({"size": [2, 2]}, "bad_mask"),
        ({"size": [2, 2], "counts": [1, 2]}, "bad_mask"),
        ({"size": [2, 2], "counts": [1, -2, 5]}, "bad_mask"),
        ({"size": [2, 2], "counts": [1, True, 2]}, "bad_mask"),
        ({"size": [2, 2], "counts": [1, 1.5, 1.5]}, "bad_mask"),
        ({"size": [2, "2"], "counts": [4]}, "bad_mask"),
        ({"size": [2, 2], "counts": [4]}, "empty_mask"),
        ({"size": [2, 2], "counts": ""}, "bad_mask"),
        ({"size": [2, 2], "counts": "1\u20ac"}, "bad_mask"),
        ({"size": [2, 2], "counts": "`" * 40}, "bad_mask"),
        ({"size": [2, 2], "counts": "1P"}, "bad_mask"),
        ({"size": [1000, 1_000_000], "counts": [1, 10**9 - 1]}, "mask_too_large"),
        ({"size": [10**30, 1], "counts": [10**30]}, "bad_mask"),
        ({"size": [1024, 1024], "counts": [1, 1] * (1024 * 512)}, "mask_too_complex"),
    ],
)
def test_run_lengths_that_cannot_be_are_refused(mask, code):
    if code == "mask_too_complex":  # a chessboard: columns of an even height would be stripes
        mask = {"size": [1023, 1025], "counts": [*[1, 1] * ((1023 * 1025) // 2), 1]}
    with pytest.raises(BadShape) as refusal:
        masks.of_run_lengths(mask)
    assert refusal.value.code == code


def test_a_bitmap_is_read_and_a_broken_one_refused(tmp_path):
    image = Image.new("L", (6, 5))
    image.paste(255, (2, 1, 4, 3))
    image.save(tmp_path / "a.png")
    assert masks.of_bitmap(tmp_path / "a.png").polygons == (((2.0, 1.0), (4.0, 1.0), (4.0, 3.0), (2.0, 3.0)),)
    (tmp_path / "b.png").write_bytes(b"no image")
    Image.new("L", (6, 5)).save(tmp_path / "c.png")
    for name, code in (("b.png", "bad_mask"), ("c.png", "empty_mask"), ("gone.png", "bad_mask")):
        with pytest.raises(BadShape, match=code):
            masks.of_bitmap(tmp_path / name)
