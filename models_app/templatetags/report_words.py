"""Words and links of reports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from models_app.reports.counts import NOTHING

register = template.Library()
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)
FRACTION = re.compile(r"-?\d*\.\d+(?:[eE][-+]?\d+)?", re.ASCII)
FILTERS = ("truth", "predicted", "show", "label", "below", "page")


@register.filter
def nothing(code: str) -> str:
    """A class; in words, where it is none."""
    return _("nothing") if code == NOTHING else code or _("any")


@register.filter
def percent(share: float) -> str:
    """A share without a decimal; what is little, but something, is not 0."""
    value = 100 * share
    return f"{value:.0f}" if value >= 1 or not value else "<1"


@register.filter
def plain(value: float | None) -> str:
    """A number as an input takes it, whatever the language; nothing for None."""
    return "" if value is None else f"{value:.6g}"


@register.filter
def is_number(cell: str) -> bool:
    """Whether a cell of a CSV holds a number and nothing else."""
    return NUMBER.fullmatch(cell) is not None


@register.filter
def is_fraction(cell: str) -> bool:
    """Whether it is a number that was measured, not counted: three digits of it say enough."""
    return FRACTION.fullmatch(cell) is not None


@register.simple_tag(takes_context=True)
def report_link(context: Mapping[str, Any], query: Mapping[str, Any]) -> SafeString:
    """The address of the part of this report that `query` names, in place of what is chosen now."""
    data = context["request"].GET.copy()
    for name in FILTERS:
        data.pop(name, None)
    for name, value in query.items():
        data[name] = value
    place = "report" if "score" in query else "images"
    return mark_safe(f"?{data.urlencode()}#{place}".replace("&", "&amp;"))  # noqa: S308 (urlencode leaves no sign)
