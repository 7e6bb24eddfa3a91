"""The verdict on a region (RC: does it have what its label names?), which no format has a place for of its own.

Each keeps it where it keeps what users add: LabelMe JSON in `flags`, LabelMe XML in `attributes` as text, COCO and
Pascal VOC in the attributes that CVAT writes.
"""

from __future__ import annotations

import re
from typing import Any

KEY = "verdict"
_WORDS = {"true": True, "false": False}
_PAIR = re.compile(rf"(?:^|[,;\s]){KEY}=(true|false)(?:$|[,;\s])", re.IGNORECASE)


def verdict_of(attributes: Any) -> bool | None:
    """Of a mapping of attributes; None where it says nothing, or nothing that is a verdict."""
    return word(attributes.get(KEY)) if isinstance(attributes, dict) else None


def verdict_in(text: str) -> bool | None:
    """Of a text such as "rotation=0.0, verdict=true"."""
    found = _PAIR.search(text)
    return word(found[1]) if found else None


def word(value: Any) -> bool | None:
    """True and false, also as text in any case; None for anything else."""
    return value if isinstance(value, bool) else _WORDS.get(str(value).strip().lower())
