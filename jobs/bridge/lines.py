"""A message of a stranger as one line of `status.jsonl`: short, JSON, and without a line break in it."""

from __future__ import annotations

import json

from kernels_app.contract import status


def line_of(body: bytes) -> bytes:
    """The line without its end. What is no status message becomes a line that is counted as unreadable, however
    large it was."""
    if len(body) > status.LINE_LIMIT:
        return _refused("too long", body)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return _refused("no JSON", body)
    if not isinstance(found, dict):
        return _refused("no JSON object", body)
    try:
        line = json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half a character
        line = json.dumps(found).encode()
    except RecursionError:
        return _refused("too deep", body)
    return line if len(line) <= status.LINE_LIMIT else _refused("too long", body)


def _refused(why: str, body: bytes) -> bytes:
    return json.dumps({"refused": why, "bytes": len(body)}).encode()
