"""Small file helpers that both sides of the contract need."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import ContractError

JSON_LIMIT = 256 * 1024**2  # bytes


def write_atomically(path: Path, text: str) -> None:
    """Write `text` as UTF-8 to a temporary name beside `path`, then rename: a reader sees all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as strict JSON (no NaN). Raises ValueError for what JSON cannot hold."""
    write_atomically(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises ContractError with file, line and reason."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise ContractError(f"{path.name}: expected a JSON object, found {type(value).__name__}")
    return value


def read_json(path: Path) -> Any:
    """What the strict JSON in `path` says. Raises ContractError with file, line and reason."""
    try:
        check_size(path, JSON_LIMIT)
        return json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant)
    except OSError as error:
        raise ContractError(f"{path.name}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path.name}: is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        raise ContractError(f"{path.name}: line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        raise ContractError(f"{path.name}: {error}") from error


def check_size(path: Path, limit: int) -> None:
    """Raises ContractError where a file is too large to be read, whatever of it was really written; and OSError."""
    if (size := path.stat().st_size) > limit:
        raise ContractError(f"{path.name}: too large to be read ({size:,} bytes, {limit:,} at most)")


def is_text(value: str) -> bool:
    """Whether a file and a database take it: JSON can spell a NUL, and halves of characters, which both refuse."""
    return not any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in value)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")
