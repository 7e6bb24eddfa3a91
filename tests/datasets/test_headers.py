"""What the header of a picture says, without decoding it: the quick way of plain JPEGs says what Pillow would."""

from __future__ import annotations

import contextlib

import pytest
from PIL import Image

from datasets_app.formats import headers

ORIENTATION = 0x0112


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 5, "comment": b"x" * 3000}])
def test_a_plain_jpeg_is_read_without_pillow_and_says_the_same(tmp_path, monkeypatch, mode, options):
    path = tmp_path / "a.jpg"
    Image.new(mode, (37, 21)).save(path, "JPEG", **options)
    with path.open("rb") as file:
        expected = headers._read_header(file)
    monkeypatch.setattr(headers, "_read_header", None)
    assert headers.read_header(path) == expected == headers.Header(37, 21, "JPEG", mode)


def test_a_turned_jpeg_is_left_to_pillow(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", (37, 21)).save(tmp_path / "a.jpg", exif=exif)
    assert headers.read_header(tmp_path / "a.jpg")[:2] == (21, 37)


def test_every_cut_of_a_jpeg_is_read_or_refused_as_a_whole(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (37, 21)).save(path, "JPEG")
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with contextlib.suppress(OSError, SyntaxError):  # what Pillow says of a file that is no picture
            assert headers.read_header(path)[:3] == (37, 21, "JPEG")
    assert headers.glimpse(path, "JPEG").is_cut_off
