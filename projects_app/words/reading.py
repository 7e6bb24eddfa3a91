"""The words of a project out of YAML that somebody wrote: every fault with its line, and nothing that could be code.

Only plain mappings, lists and texts: a number or a date is the text that stands there. No tags, no aliases (with which
a small file unfolds to a huge one), one document, nested a few levels.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from projects_app.models import CODE, Colour, TrainingType

VERSION = "1"
MOST = 200_000  # bytes
DEPTH = 8
FAULTS = 50  # named at most
LABELS, DATA, TYPES = "annotation_types", "data_categories", "model_types"
_KEYS = {
    "": ("version", LABELS, DATA, TYPES),
    LABELS: ("code", "name", "training_type", "colour", "categories"),
    "categories": ("code", "name", "colour"),
    DATA: ("code", "name", "colour"),
    TYPES: ("code", "name", "training_type", "learns"),
}
_CODE_LENGTH = {LABELS: 128, "categories": 128, DATA: 64, TYPES: 128}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Fault:
    line: int
    text: str


class Refused(Exception):
    """`faults` says what is wrong, each with its line."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(f"{one.line}: {one.text}" for one in faults))
        self.faults = faults


@dataclass(frozen=True)
class Node:
    """A text, a list of nodes, or a mapping of keys to nodes; where it begins."""

    line: int
    value: Any


@dataclass
class Entry:
    """One row of a section. What is None was not given, and stays as it is."""

    line: int
    code: str
    name: str | None = None
    colour: str | None = None
    training_type: str | None = None
    categories: list[Entry] | None = None
    learns: list[tuple[int, str]] | None = None  # line, code


@dataclass
class Words:
    labels: list[Entry] = field(default_factory=list)
    data_categories: list[Entry] = field(default_factory=list)
    model_types: list[Entry] = field(default_factory=list)


def read(text: str) -> Words:
    """Raises Refused."""
    if len(text.encode("utf-8", "surrogatepass")) > MOST:
        raise Refused([Fault(1, _("The file is larger than %(size)d kB.") % {"size": MOST // 1000})])
    reader = _Reader()
    words = reader.words(_document(text))
    if reader.faults:
        raise Refused(sorted(reader.faults, key=lambda one: one.line)[:FAULTS])
    return words


def _document(text: str) -> Node:
    """The one document. Raises Refused."""
    try:
        events = yaml.parse(text, Loader=_LOADER)
        found = [_node(event, events, 0) for event in events if not _is_frame(event)]
    except (yaml.YAMLError, UnicodeError) as error:
        raise Refused([_of_yaml(error, text)]) from error
    if len(found) != 1:
        line = found[1].line if found else 1
        raise Refused([Fault(line, _("Exactly one document is expected, and there are %(n)d.") % {"n": len(found)})])
    return found[0]


def _is_frame(event: yaml.Event) -> bool:
    frames = (yaml.StreamStartEvent, yaml.StreamEndEvent, yaml.DocumentStartEvent, yaml.DocumentEndEvent)
    return isinstance(event, frames)


def _node(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
    line = event.start_mark.line + 1 if event.start_mark else 1
    if isinstance(event, yaml.AliasEvent):
        raise Refused([Fault(line, _("Aliases (*name) are not allowed. Write it out."))])
    if getattr(event, "tag", None):
        raise Refused([Fault(line, _("Tags (!name) are not allowed."))])
    if depth > DEPTH:
        raise Refused([Fault(line, _("It is nested too deeply."))])
    if isinstance(event, yaml.ScalarEvent):
        return Node(line, event.value)
    if isinstance(event, yaml.SequenceStartEvent):
        return Node(line, [_node(one, events, depth + 1) for one in _until(events, yaml.SequenceEndEvent)])
    found: dict[str, Node] = {}
    for one in _until(events, yaml.MappingEndEvent):
        key = _node(one, events, depth + 1)
        value = _node(next(events), events, depth + 1)
        if not isinstance(key.value, str):
            raise Refused([Fault(key.line, _("A key must be a word."))])
        if key.value in found:
            text = _("“%(key)s” stands there twice, first in line %(line)d.")
            raise Refused([Fault(key.line, text % {"key": key.value, "line": found[key.value].line})])
        found[key.value] = value if not isinstance(value.value, str) else Node(key.line, value.value)
    return Node(line, found)


def _until(events: Iterator[yaml.Event], end: type[yaml.Event]) -> Iterator[yaml.Event]:
    for event in events:
        if isinstance(event, end):
            return
        yield event


def _of_yaml(error: Exception, text: str) -> Fault:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:  # a sign that no YAML may hold
        position = getattr(error, "position", 0)
        return Fault(text.count("\n", 0, position) + 1, _("A sign stands here that no YAML may hold."))
    return Fault(mark.line + 1, _("This is no YAML: %(why)s.") % {"why": getattr(error, "problem", None) or "?"})


class _Reader:
    """Goes on after a fault, so that all are named at once."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def words(self, root: Node) -> Words:
        found = self._mapping(root, "")
        version = found.get("version")
        if version is None or version.value != VERSION:
            line = version.line if version else root.line
            self._fault(line, _("“version: %(version)s” is expected.") % {"version": VERSION})
        sections = {name: self._entries(found.get(name), name) for name in (LABELS, DATA, TYPES)}
        return Words(sections[LABELS], sections[DATA], sections[TYPES])

    def _entries(self, node: Node | None, section: str) -> list[Entry]:
        found: list[Entry] = []
        for one in self._list(node, section):
            entry = self._entry(one, section)
            if entry is None:
                continue
            if first := next((other for other in found if other.code == entry.code), None):
                text = _("“%(code)s” stands there twice, first in line %(line)d.")
                self._fault(entry.line, text % {"code": entry.code, "line": first.line})
            found.append(entry)
        return found

    def _entry(self, node: Node, section: str) -> Entry | None:
        found = self._mapping(node, section)
        if (code := self._text(found, "code", _CODE_LENGTH[section])) is None:
            if "code" not in found and isinstance(node.value, dict):
                self._fault(node.line, _("“code” is missing."))
            return None
        self._check_code(found["code"].line, code)
        entry = Entry(found["code"].line, code, self._text(found, "name", 200))
        entry.colour = self._choice(found, "colour", ["", *Colour.values])
        entry.training_type = self._choice(found, "training_type", TrainingType.values)
        if "categories" in found:
            entry.categories = self._entries(found["categories"], "categories")
        if "learns" in found:
            entry.learns = [
                (one.line, one.value) for one in self._list(found["learns"], "learns") if self._is_text(one, "learns")
            ]
        return entry

    def _mapping(self, node: Node, section: str) -> dict[str, Node]:
        if not isinstance(node.value, dict):
            where = f"{section}: " if section else ""
            self._fault(node.line, where + _("“key: value” is expected here."))
            return {}
        for key in node.value:
            if key not in _KEYS[section]:
                near = difflib.get_close_matches(key, _KEYS[section], 1)
                known = near[0] if near else ", ".join(_KEYS[section])
                text = _("“%(key)s” is not known here. Did you mean: %(known)s?")
                self._fault(node.value[key].line, text % {"key": key[:80], "known": known})
        return node.value

    def _list(self, node: Node | None, key: str) -> list[Node]:
        if node is None or node.value == "":
            return []
        if not isinstance(node.value, list):
            self._fault(node.line, _("“%(key)s” must be a list.") % {"key": key})
            return []
        return node.value

    def _text(self, found: dict[str, Node], key: str, longest: int) -> str | None:
        node = found.get(key)
        if node is None or not self._is_text(node, key):
            return None
        text: str = node.value.strip()
        if not text or len(text) > longest or not text.isprintable():
            sentence = _("“%(key)s” must be a text of 1 to %(n)d signs in one line.")
            self._fault(node.line, sentence % {"key": key, "n": longest})
            return None
        return text

    def _choice(self, found: dict[str, Node], key: str, known: list[str]) -> str | None:
        node = found.get(key)
        if node is None or not self._is_text(node, key):
            return None
        if node.value not in known:
            names = ", ".join(filter(None, known))
            text = _("“%(key)s” is one of %(known)s; “%(given)s” stands there.")
            self._fault(node.line, text % {"key": key, "known": names, "given": node.value[:80]})
            return None
        return str(node.value)

    def _is_text(self, node: Node, key: str) -> bool:
        if isinstance(node.value, str):
            return True
        self._fault(node.line, _("“%(key)s” must be a text.") % {"key": key})
        return False

    def _check_code(self, line: int, code: str) -> None:
        try:
            CODE(code)
        except ValidationError as error:
            self._fault(line, f"“{code}”: {error.messages[0]}")

    def _fault(self, line: int, text: str) -> None:
        self.faults.append(Fault(line, text))
