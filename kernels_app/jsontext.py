"""JSON as people type it: its value, or what is wrong at which line and column; and where each part of it stands.

The scanner is our own, because the standard library tells neither the place of a value nor names that stand twice.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

LIMIT = 1_000_000  # characters
DEPTH = 100  # lists and objects within each other
LONGEST_NAME = 1000  # characters of a key
SECTION = "training_params"

SPACE = re.compile(r"[ \t\n\r]*")
STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![0-9.eE])")
WORD = re.compile(r"[^\W\d]\w*|-?Infinity")
CONSTANTS = {"true": True, "false": False, "null": None}
SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class JsonFault:
    """What is wrong with a text, and where: line and column from 1, in characters."""

    line: int
    column: int
    message: str


@dataclass(frozen=True)
class JsonText:
    """`value` is None where there is an `error`; the places of what stands before the error are known all the same."""

    text: str
    value: Any = None
    error: JsonFault | None = None
    places: dict[str, int] = field(default_factory=dict, repr=False)  # JSON pointer → offset of its key or value

    def line_of(self, pointer: str) -> int:
        """The line (from 1) where the value of a JSON pointer, or its name, stands; else its nearest parent's."""
        while pointer and pointer not in self.places:
            pointer = pointer.rpartition("/")[0]
        return bisect_right(self._lines, self.places.get(pointer, 0))

    def line_of_setting(self, pointer: str) -> int:
        """The same for a pointer below `/training_params`, whether or not the text is a whole `model.json`."""
        if f"/{SECTION}" in self.places:
            return self.line_of(pointer)
        return self.line_of(pointer.removeprefix(f"/{SECTION}"))

    @cached_property
    def _lines(self) -> list[int]:
        return _starts(self.text)


def read(text: str) -> JsonText:
    """The value of a text, or the first thing that is wrong with it. Never raises."""
    if len(text) > LIMIT:
        message = _("The text is longer than %(n)s characters.") % {"n": f"{LIMIT:,}"}
        return JsonText("", error=JsonFault(1, 1, message))
    scanner = _Scanner(text)
    try:
        value = scanner.document()
    except _Wrong as wrong:
        return JsonText(text, error=_fault(text, wrong), places=scanner.places)
    return JsonText(text, value, None, scanner.places)


def write(value: Any) -> str:
    """JSON for people: on one line while it is short, Korean as Korean, halves of characters spelled out."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) > 80 and isinstance(value, list | dict):
        text = json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value) if SURROGATE.search(text) else text


def settings_of(value: Any) -> dict[str, Any]:
    """The settings out of what was pasted: the `training_params` of a whole `model.json`, or the object itself.

    Raises ValueError with a sentence where it is no object.
    """
    if not isinstance(value, dict):
        raise ValueError(_("Settings are a JSON object: names and values between { and }."))
    section = value.get(SECTION)
    return section if isinstance(section, dict) else value


class _Wrong(Exception):
    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at, self.message = at, message


class _Scanner:
    """Reads a text from left to right and stops at the first thing that is wrong."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.places: dict[str, int] = {}

    def document(self) -> Any:
        self.at = 1 if self.text.startswith("\ufeff") else 0
        self._space()
        if self.at == len(self.text):
            raise _Wrong(0, _("There is nothing here yet; an empty object is {}."))
        value = self._value("", 0)
        self._space()
        if self.at < len(self.text):
            raise _Wrong(self.at, self._odd() or _("Something follows after the end of the JSON."))
        return value

    def _value(self, pointer: str, depth: int) -> Any:
        self.places.setdefault(pointer, self.at)
        letter = self._letter()
        if letter in "{[" and letter:
            if depth >= DEPTH:
                raise _Wrong(self.at, _("Lists and objects are nested too deeply (more than %(n)d).") % {"n": DEPTH})
            return self._object(pointer, depth) if letter == "{" else self._list(pointer, depth)
        if letter == '"':
            return self._string()
        if letter == "-" or letter.isdecimal():
            return self._number()
        if (word := WORD.match(self.text, self.at)) and word.group() in CONSTANTS:
            self.at = word.end()
            return CONSTANTS[word.group()]
        raise _Wrong(self.at, self._odd() or _("A value is missing here."))

    def _object(self, pointer: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        start, comma = self.at, -1
        self._step()
        while self._letter() != "}":
            if found and comma < 0:
                raise _Wrong(self.at, self._ended(start, "}") or self._odd() or _("A comma is missing before this."))
            key_at = self.at
            key = self._key(start)
            if len(key) > LONGEST_NAME:
                raise _Wrong(key_at, _("This name is too long."))
            if key in found:
                raise _Wrong(key_at, _("“%(key)s” stands here twice.") % {"key": key[:80]})
            place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            self.places[place] = key_at
            if self._letter() != ":":
                raise _Wrong(self.at, self._odd() or _("A colon is missing after “%(key)s”.") % {"key": key[:80]})
            self._step()
            found[key] = self._value(place, depth + 1)
            comma = self._comma()
        self._no_comma_at_end(comma)
        return found

    def _list(self, pointer: str, depth: int) -> list[Any]:
        found: list[Any] = []
        start, comma = self.at, -1
        self._step()
        while self._letter() != "]":
            if found and comma < 0:
                raise _Wrong(self.at, self._ended(start, "]") or self._odd() or _("A comma is missing before this."))
            if ended := self._ended(start, "]"):
                raise _Wrong(self.at, ended)
            found.append(self._value(f"{pointer}/{len(found)}", depth + 1))
            comma = self._comma()
        self._no_comma_at_end(comma)
        return found

    def _key(self, start: int) -> str:
        if self._letter() == '"':
            key = self._string()
            self._space()
            return key
        if self._letter() == ",":
            raise _Wrong(self.at, _("There is a comma too many here."))
        odd = self._ended(start, "}") or self._odd()
        raise _Wrong(self.at, odd or _("A name in double quotes is missing here."))

    def _comma(self) -> int:
        """Go past a comma; where it stands, -1 without one."""
        self._space()
        if self._letter() != ",":
            return -1
        at = self.at
        self._step()
        return at

    def _no_comma_at_end(self, comma: int) -> None:
        """Go past the closing bracket."""
        if comma >= 0:
            raise _Wrong(comma, _("There must be no comma after the last entry."))
        self.at += 1

    def _string(self) -> str:
        found = STRING.match(self.text, self.at)
        if not found:
            raise self._bad_string()
        value = str(json.loads(found.group()))
        if SURROGATE.search(value):
            raise _Wrong(self.at, _("This text holds half of a character (\\ud800 to \\udfff)."))
        self.at = found.end()
        return value

    def _bad_string(self) -> _Wrong:
        """Where a text between quotes goes wrong."""
        at = self.at + 1
        while at < len(self.text) and self.text[at] != '"':
            if self.text[at] < " ":
                is_end = self.text[at] in "\r\n"
                return _Wrong(at, _("The closing quote is missing.") if is_end else _("Write a tab as \\t."))
            if self.text[at] == "\\":
                if not re.compile(r'["\\/bfnrt]|u[0-9a-fA-F]{4}').match(self.text, at + 1):
                    return _Wrong(at, _("A backslash in a text is written twice: \\\\."))
                at += 1
            at += 1
        return _Wrong(self.at, _("The closing quote is missing."))

    def _number(self) -> Any:
        found = NUMBER.match(self.text, self.at)
        if not found:
            if self.text.startswith("-Infinity", self.at):
                raise _Wrong(self.at, self._odd())
            raise _Wrong(self.at, _("This is no number in JSON; write for example 5, 0.5 or 1e-3."))
        try:
            value = float(found.group()) if found.group(1) or found.group(2) else int(found.group())
        except ValueError:  # of more digits than Python reads
            value = math.inf
        if isinstance(value, float) and not math.isfinite(value):
            raise _Wrong(self.at, _("This number is too large."))
        self.at = found.end()
        return value

    def _odd(self) -> str:
        """What people write that JSON does not know; "" where it is none of that."""
        rest = self.text[self.at : self.at + 12]
        if rest.startswith(("//", "/*", "#")):
            return _("JSON has no comments; remove this.")
        if rest.startswith(("'", "“", "”", "‘", "’", "`")):
            return _('Texts and names stand in straight double quotes: "text".')
        if rest.startswith(("NaN", "Infinity", "-Infinity", "+Infinity", "nan", "inf")):
            return _("NaN and Infinity are no numbers in JSON.")
        if rest[:1].isspace() or rest[:1] in ("\u200b", "\ufeff"):
            return _("There is a special space here; replace it by an ordinary one.")
        if word := WORD.match(self.text, self.at):
            return self._odd_word(word.group())
        if rest[:1] in ("+", "."):
            return _("This is no number in JSON; write for example 5, 0.5 or 1e-3.")
        return ""

    @staticmethod
    def _odd_word(word: str) -> str:
        right = {"true": "true", "false": "false", "none": "null", "null": "null", "undefined": "null"}
        if word.lower() in right and word not in CONSTANTS:
            return _("Write %(right)s instead of %(word)s.") % {"right": right[word.lower()], "word": word}
        if word in CONSTANTS:
            return ""
        return _('Texts and names stand in straight double quotes: "%(word)s".') % {"word": word[:40]}

    def _ended(self, start: int, bracket: str) -> str:
        """What to say where the text ends, or the other bracket stands, before `bracket`."""
        if self.at < len(self.text) and self._letter() not in "]}":
            return ""
        line = bisect_right(_starts(self.text), start)
        text = _("%(bracket)s is missing; what it closes begins in line %(line)d.")
        return text % {"bracket": bracket, "line": line}

    def _letter(self) -> str:
        return self.text[self.at : self.at + 1]

    def _step(self) -> None:
        self.at += 1
        self._space()

    def _space(self) -> None:
        if found := SPACE.match(self.text, self.at):
            self.at = found.end()


def _fault(text: str, wrong: _Wrong) -> JsonFault:
    starts = _starts(text)
    line = bisect_right(starts, wrong.at)
    return JsonFault(line, wrong.at - starts[line - 1] + 1, wrong.message)


def _starts(text: str) -> list[int]:
    """Where each line begins. A line ends with \\n, \\r\\n or \\r, as an editor counts."""
    return [0, *(found.end() for found in re.finditer(r"\r\n|\n|\r", text))]
