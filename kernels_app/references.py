"""References within a document. A module of its own: what reads a kernel's row need not load the reader of schemas."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

REFERENCES = 20  # that lead to each other; more is a circle


def resolve(part: Any, root: dict[str, Any]) -> dict[str, Any]:
    """`part` with its own `$ref` (within the document) put in; {} where it is no schema."""
    seen = 0
    while isinstance(part, dict) and isinstance(part.get("$ref"), str) and seen < REFERENCES:
        found = target(part["$ref"], root)
        rest = {key: value for key, value in part.items() if key != "$ref"}
        part = {**found, **rest} if isinstance(found, dict) else rest
        seen += 1
    return part if isinstance(part, dict) else {}


def target(reference: str, root: Any) -> Any:
    """What a reference such as `#/$defs/rate` leads to; None where that is nothing."""
    steps = unquote(reference.removeprefix("#")).strip("/")
    for step in steps.split("/") if steps else []:
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(root, list) and step.isdecimal() and int(step) < len(root):
            root = root[int(step)]
        else:
            root = root.get(step) if isinstance(root, dict) else None
    return root
