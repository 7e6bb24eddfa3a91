"""A shape that somebody drew: is it one, and where does it lie inside its image?"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from datasets_app.formats import geometry
from datasets_app.models import Image, ShapeKind
from datasets_app.records import Shape

MOST_CORNERS = 10_000
_DIGITS = 2  # hundredths of a pixel


class Refused(Exception):
    """What cannot be done, in words for the person who asked for it."""


def fitting(image: Image, kind: str, points: Any) -> list[list[float]]:
    """The corners, cut at the image's borders; a rectangle by its top left and bottom right one. Raises Refused."""
    try:
        corners = tuple((round(x, _DIGITS), round(y, _DIGITS)) for x, y in geometry.points(points))
        _check_number(kind, corners)
        if kind == ShapeKind.RECTANGLE:
            corners = geometry.bounds(corners)
        shape, _was_cut = geometry.fit(Shape("", kind, corners), (image.width, image.height))
        rounded = [(round(x, _DIGITS), round(y, _DIGITS)) for x, y in shape.points]
        kept = tuple(one for n, one in enumerate(rounded) if one != rounded[n - 1])  # a press that counted twice is one
        geometry.fit(Shape("", kind, kept), (image.width, image.height))  # little of it may be left inside
        return [list(one) for one in kept]
    except geometry.BadShape as error:
        raise Refused(_words(error.code, image)) from None


def _check_number(kind: str, corners: tuple[Any, ...]) -> None:
    if kind == ShapeKind.RECTANGLE and len(corners) != 2:
        raise Refused(_("A box has two corners, %(count)d were given.") % {"count": len(corners)})
    if kind == ShapeKind.POLYGON and len(set(corners)) < 3:
        raise Refused(_("A polygon needs at least three different corners. Set more of them."))
    if len(corners) > MOST_CORNERS:
        raise Refused(
            _("A polygon has at most %(most)d corners, this one %(count)d.")
            % {"most": MOST_CORNERS, "count": len(corners)}
        )


def _words(code: str, image: Image) -> str:
    if code == "outside_image":
        return _("That lies outside of the image, which is %(width)d × %(height)d pixels.") % {
            "width": image.width,
            "height": image.height,
        }
    if code in ("zero_size_box", "zero_area_polygon", "too_few_points"):
        return _("That shape has no area. Draw it larger.")
    return _("The corners are no pairs of numbers.")
