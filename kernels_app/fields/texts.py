"""How one value stands in one input, and what the text of an input means."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from typing import Any

from django.utils.translation import gettext as _

from kernels_app import jsontext
from kernels_app.fields.shape import Node

NATURAL, NULL, JSON = "", "null", "json"  # modes
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
LONGEST = 100_000  # characters of one setting's JSON
EXACT = 2**53  # whole numbers below it survive being a float
FRAGILE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")  # what a one-line input, or a page, does not keep


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()  # the setting is not there; None is the value null


class Unreadable(Exception):
    """A text that should be JSON and is not."""

    def __init__(self, fault: jsontext.JsonFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def write(node: Node, value: Any) -> tuple[str, str]:
    """The text and the mode for a value, such that `read` gives the value back."""
    if node.kind == "group" and value is not None:
        return jsontext.write(value), JSON
    if value is None and node.nullable and node.kind != "json":
        return "", NULL
    text = _natural(node, value)
    if text and not _is_fragile(node, text):
        try:
            if same(read(node, text, NATURAL), value):
                return text, NATURAL
        except Unreadable:
            pass
    return jsontext.write(value), NATURAL if node.kind == "json" else JSON


def read(node: Node, text: str, mode: str) -> Any:
    """The value that a text means; ABSENT for an empty one. A number that is none stays text, so that the check can
    quote it. Raises Unreadable.
    """
    if mode == NULL:
        return None
    text = text.strip()
    if not text:
        return ABSENT
    if mode == JSON or node.kind in ("json", "group") or (node.kind == "array" and text.startswith("[")):
        return _json(text)
    if node.choices:
        return next((choice.value for choice in node.choices if choice.text == text), text)
    if node.kind == "array":
        return [_scalar(node.item_kind, word) for word in _words(node, text)]
    return _scalar(node.kind, text)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON: true is not 1, but 5.0 is 5."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    return type(one) is type(other) and bool(one == other)


def _json(text: str) -> Any:
    found = jsontext.read(text if len(text) <= LONGEST else "")
    if len(text) > LONGEST:
        raise Unreadable(jsontext.JsonFault(1, 1, _("This is too long for one setting.")))
    if found.error:
        raise Unreadable(found.error)
    return found.value


def _natural(node: Node, value: Any) -> str:
    """The text that people would type; "" where there is none."""
    if node.kind == "json":
        return jsontext.write(value)
    if node.choices:
        found = next((choice.text for choice in node.choices if same(choice.value, value)), "")
        return found or (value if isinstance(value, str) else "")
    if node.kind == "array" and isinstance(value, list):
        words = [plain(item) for item in value]
        if all(words) and not any("\n" in word for word in words):
            text = ("\n" if node.item_kind == "string" else ", ").join(words)
            if words and same(_list(node, text), value):
                return text
        return jsontext.write(value)
    return "" if isinstance(value, list | dict) else plain(value)


def _list(node: Node, text: str) -> Any:
    """What a list's text means, or None where it is read as JSON."""
    return None if text.startswith("[") else read(node, text, NATURAL)


def plain(value: Any) -> str:
    """A single value as people type it; "" for null and for what is no single value."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int | float) else ""


def _is_fragile(node: Node, text: str) -> bool:
    kept = text.replace("\n", "") if node.kind in ("array", "json") else text
    return bool(FRAGILE.search(kept))


def _words(node: Node, text: str) -> list[str]:
    if node.item_kind == "string":
        return [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]
    return [word for word in re.split(r"[\s,;]+", text) if word]


def _scalar(kind: str, text: str) -> Any:
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if kind in ("integer", "number"):
        plain_text = unicodedata.normalize("NFKC", text)  # full-width digits too
        if GROUPED.fullmatch(plain_text):  # as the page itself writes large numbers
            plain_text = plain_text.replace(",", "")
        if NUMBER.fullmatch(plain_text):
            return _number(kind, plain_text)
    return text


def _number(kind: str, text: str) -> Any:
    """A number; what is too large for one stays text."""
    try:
        return int(text)
    except ValueError:
        pass
    value = float(text)
    if not math.isfinite(value):
        return text
    return int(value) if kind == "integer" and value.is_integer() and abs(value) < EXACT else value
