"""What the header of a picture says, without decoding it: enough to place labels, and to say what is odd about it."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_SUFFIXES = {
    **dict.fromkeys((".jpg", ".jpeg"), "JPEG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **{".png": "PNG", ".bmp": "BMP", ".webp": "WEBP"},
}
_ORIENTATION = 0x0112  # EXIF tag; 5 to 8 are turned by 90 degrees
_HEAD = 2**13  # bytes in which the header of nearly every picture ends
_TAIL = 2**16  # bytes at the end of a file in which its end mark stands; cameras write after it
_PART = 2**14  # bytes that are compared at the start, in the middle and at the end of files of one size
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}  # by the channels of a JPEG
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers that state a JPEG's size


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
    with path.open("rb") as file:
        return _plain_jpeg(file.read(_HEAD)) or _read_header(file)


class Glimpse(NamedTuple):
    """What the bytes of a picture tell without decoding them. `fingerprint`: the same for the same picture."""

    fingerprint: bytes
    is_cut_off: bool  # the mark that ends the file is missing; the import decodes the picture and knows for certain


def glimpse(path: Path, format: str) -> Glimpse:
    """`format` as the header says it. Raises OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        head, middle, tail = file.read(_PART), _part(file, size // 2, _PART), _part(file, max(0, size - _TAIL), _TAIL)
    digest = hashlib.sha256(b"%d " % size + head + middle + tail[-_PART:]).digest()
    return Glimpse(digest, _ENDS.get(format, b"") not in tail)


def _part(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _plain_jpeg(head: bytes) -> Header | None:
    """The header of a JPEG that says nothing of cameras, which nearly all of a large set are: Pillow takes ten times as
    long. None for any other file, and for what only Pillow can tell."""
    if not head.startswith(b"\xff\xd8\xff"):
        return None
    place, found = 2, None
    while place + 4 <= len(head) and head[place] == 0xFF:
        marker, length = head[place + 1], int.from_bytes(head[place + 2 : place + 4])
        part = head[place + 4 : place + 2 + length]
        if marker == 0xDA:
            return found
        if not (0xC0 <= marker <= 0xFE) or length < 2 or part.startswith((b"Exif", b"MPF\0", b"http://ns.adobe.com/x")):
            return None  # EXIF and XMP may turn it
        if marker in _FRAMES:
            if found or len(part) < 6 or part[0] != 8 or part[5] not in _MODES:
                return None
            height, width = int.from_bytes(part[1:3]), int.from_bytes(part[3:5])
            found = Header(width, height, "JPEG", _MODES[part[5]]) if width and height else None
        place += 2 + length
    return None


def _read_header(file: BinaryIO) -> Header:
    file.seek(0)
    with Image.open(file, formats=FORMATS) as image:
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
