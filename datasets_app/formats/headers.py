"""What the header of a picture says, without decoding it: enough to place labels, and to say what is odd about it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_SUFFIXES = {
    **dict.fromkeys((".jpg", ".jpeg"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **{".png": "PNG", ".bmp": "BMP", ".webp": "WEBP"},
}
_ORIENTATION = 0x0112  # EXIF tag; 5 to 8 are turned by 90 degrees
_TAIL = 2**16  # bytes at the end of a file in which its end mark stands; cameras write after it
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}


class Header(NamedTuple):
    """`width`, `height`: pixels as the picture is seen, after EXIF rotation."""

    width: int
    height: int
    format: str
    mode: str  # as Pillow calls it
    is_turned: bool = False
    has_alpha: bool = False


def read_header(path: Path) -> Header:
    """Raises whatever Pillow does on a file that is none of these pictures."""
    with Image.open(path, formats=FORMATS) as image:
        format, mode = image.format or "", image.mode
        alpha = mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
        if format == "PNG" and "exif" not in image.info:  # asking for it would decode the pixels
            return Header(*image.size, format, mode, has_alpha=alpha)
        orientation = image.getexif().get(_ORIENTATION, 1)
        width, height = image.size
        if orientation in (5, 6, 7, 8) and format != "TIFF":  # Pillow has turned the size of a TIFF already
            width, height = height, width
        return Header(width, height, format, mode, orientation not in (0, 1), alpha)


def oddities(name: str, header: Header) -> Iterator[tuple[str, str]]:
    """Code and detail of what a person should know of the picture before they trust it."""
    suffix = posixpath.splitext(name)[1].lower()
    if _SUFFIXES.get(suffix) != header.format:
        yield "extension_lies", f"{header.format}"
    if header.mode.startswith(("I", "F")):
        yield "deep_pixels", header.mode
    if header.mode == "CMYK":
        yield "cmyk", ""
    if header.mode in ("P", "PA"):
        yield "palette", ""
    elif header.has_alpha:
        yield "alpha", header.mode
    if header.is_turned:
        yield "turned", f"{header.width} × {header.height}"


def is_cut_off(path: Path, format: str) -> bool:
    """Whether the mark that ends the file is missing. The import decodes the picture and knows for certain."""
    end = _ENDS.get(format)
    if end is None:
        return False
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        return end not in file.read()
