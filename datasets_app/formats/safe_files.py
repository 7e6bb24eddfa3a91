"""Read JSON, XML and YAML that strangers wrote: bounded in size, and every failure is one exception with a plain
message."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, ParseError

import yaml
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

MAX_YAML = 2 * 2**20  # bytes; a list of classes is small, and the parser slow
MAX_BYTES = 200 * 2**20  # a COCO file of this size holds about a million polygons


_YAML = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # scalars stay text, and nothing is merged or copied


class UnreadableFile(Exception):
    """The file cannot be read as what its name says; the message names the line where there is one."""


def read_json(path: Path) -> Any:
    """The parsed file; raises UnreadableFile."""
    text = read_text(path)
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except json.JSONDecodeError as error:
        raise UnreadableFile(f"line {error.lineno}: no JSON ({error.msg})") from None
    except RecursionError:
        raise UnreadableFile("nested too deeply") from None
    except ValueError as error:  # NaN, or a number of thousands of digits
        raise UnreadableFile(str(error)) from None


def read_xml(path: Path) -> Element:
    """The root element; raises UnreadableFile, also for entities, which no annotation tool writes."""
    data = read_bytes(path)
    try:
        return ElementTree.fromstring(data)
    except ParseError as error:
        raise UnreadableFile(f"line {error.position[0]}: no XML ({error})") from None
    except DefusedXmlException:
        raise UnreadableFile("XML with entities is refused") from None
    except (ValueError, LookupError, RecursionError) as error:  # e.g. an encoding that the parser does not know
        raise UnreadableFile(f"no XML ({error})") from None


def read_yaml(path: Path) -> Any:
    """YAML as mappings, lists and texts: a number or a date is the text that stands there. Raises UnreadableFile."""
    read_bytes(path, MAX_YAML)
    try:
        return yaml.load(read_text(path), Loader=_YAML)  # noqa: S506 (a BaseLoader makes no objects)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise UnreadableFile(f"line {mark.line + 1 if mark else 1}: no YAML") from None
    except (RecursionError, ValueError, TypeError) as error:  # e.g. a key that is a list
        raise UnreadableFile(f"no YAML ({type(error).__name__})") from None


def read_text(path: Path) -> str:
    """UTF-8, with or without byte order mark; raises UnreadableFile."""
    data = read_bytes(path)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(f"line {line}: the text is not UTF-8") from None


def read_bytes(path: Path, limit: int | None = None) -> bytes:
    """The whole file, when it is not larger than `limit` bytes (MAX_BYTES); raises UnreadableFile."""
    limit = MAX_BYTES if limit is None else limit
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UnreadableFile(error.strerror or "cannot be opened") from None
    if len(data) > limit:
        raise UnreadableFile(f"larger than {limit / 2**20:g} MB")
    return data


def refuse_constant(name: str) -> NoReturn:
    """For Python's parser, which takes NaN and Infinity."""
    raise ValueError(f"{name} is no JSON number")
