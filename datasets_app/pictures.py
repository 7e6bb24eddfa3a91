"""Look at a picture that a stranger sent: is it one, how large is it as it is seen, what does it look like."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from PIL import Image, ImageOps

FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "BMP": "image/bmp", "TIFF": "image/tiff", "WEBP": "image/webp"}
THUMBNAIL = 320  # pixels, the longer side
LARGE = 1600  # pixels, where the original is of a kind that browsers do not draw
_HASHED = 64  # pixels: what a perceptual hash needs, with a margin
Image.MAX_IMAGE_PIXELS = settings.IMAGE_PIXELS  # Pillow warns from here on, and refuses twice as many by itself


class BadPicture(Exception):
    """The file is no picture that can be used; `code` says why, the message in the decoder's words."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of a readable picture. Sizes are pixels as it is seen, after EXIF rotation."""

    width: int
    height: int
    content_type: str
    phash: str  # 64 bits as 16 hexadecimal digits


def look(path: Path) -> Picture:
    """Decode the whole picture once, so that no training meets a broken one. Raises BadPicture."""
    try:
        with _opened(path) as image:
            content_type, turned = FORMATS[image.format or ""], _is_turned(image)
            width, height = image.size
            image.draft("L", (_HASHED, _HASHED))  # a JPEG decoder can leave out the detail that nobody needs here
            small = ImageOps.exif_transpose(
                _grey(image).resize((_HASHED, _HASHED), Image.Resampling.BOX, reducing_gap=2)
            )
            phash = _perceptual_hash(small)
    except BadPicture:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on a broken file
        raise BadPicture("broken_image", f"{type(error).__name__}: {error}"[:200]) from None
    return Picture(*((height, width) if turned else (width, height)), content_type, phash)


def size(path: Path) -> tuple[int, int]:
    """Width and height as it is seen, out of its header alone. Raises BadPicture."""
    with _opened(path) as image:
        width, height = image.size
        return (height, width) if _is_turned(image) else (width, height)


def make_thumbnail(source: Path, target: Path, side: int = THUMBNAIL) -> None:
    """Write a JPEG of at most `side` pixels, as the picture is seen. Raises BadPicture."""
    try:
        with _opened(source) as image:
            image.draft("RGB", (side, side))
            small = ImageOps.exif_transpose(_smooth(image))
            small.thumbnail((side, side), reducing_gap=2)
            flat = _on_white(small)
    except BadPicture:
        raise
    except Exception as error:
        raise BadPicture("broken_image", f"{type(error).__name__}: {error}"[:200]) from None
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    flat.save(temporary, "JPEG", quality=82)
    temporary.replace(target)


def _opened(path: Path) -> Image.Image:
    """The picture, its header read and found harmless. Raises BadPicture."""
    if path.stat().st_size == 0:
        raise BadPicture("empty_file")
    try:
        image = Image.open(path, formats=tuple(FORMATS))
    except Image.DecompressionBombError as error:
        raise BadPicture("too_many_pixels", str(error)[:200]) from None
    except Exception as error:
        raise BadPicture("not_an_image", type(error).__name__) from None
    if image.width * image.height > settings.IMAGE_PIXELS:
        image.close()
        raise BadPicture("too_many_pixels", f"{image.width} × {image.height}")
    return image


def _is_turned(image: Image.Image) -> bool:
    """Whether width and height change places when the picture is seen. Pillow turns a TIFF's size by itself."""
    return image.format != "TIFF" and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)


def _grey(image: Image.Image) -> Image.Image:
    return _eight_bit(image).convert("L")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16 and 32 bit greys stretched to what they use; other modes as they are."""
    if not image.mode.startswith(("I", "F")):
        return image
    levels = np.asarray(image, dtype=np.float32)
    low, high = float(levels.min()), float(levels.max())
    return Image.fromarray(((levels - low) * (255 / max(high - low, 1))).astype(np.uint8))


def _smooth(image: Image.Image) -> Image.Image:
    """A mode whose pixels can be averaged: neither two colours nor a palette."""
    modes = {"1": "L", "P": "RGBA", "PA": "RGBA"}
    return image.convert(modes[image.mode]) if image.mode in modes else _eight_bit(image)


def _on_white(image: Image.Image) -> Image.Image:
    """RGB, with white where the picture is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    shown = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown).convert("RGB")


def _perceptual_hash(image: Image.Image) -> str:
    """What stays the same when a picture is scaled or saved anew. imagehash (and scipy) load only where it is used."""
    from imagehash import phash

    return str(phash(image))
