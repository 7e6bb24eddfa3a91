"""A large JSON object, read item by item: of a data set of millions of labels no tool needs all at once.

Each value is parsed by Python's own parser, so that what is JSON does not depend on the size of the file. (ijson, which
reads any JSON so, goes through the file once for each list: 1.9 s for what takes 0.5 s here.)
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from datasets_app.formats.safe_files import UnreadableFile, refuse_constant

MAX_BYTES = 2**30  # of the file
MAX_KEPT = 200 * 2**20  # characters of one value, and of all that is kept beside the lists: for it there must be memory
_MEMBER = 100  # what a member takes beside its characters
_CHUNK = 2**20  # bytes read at a time
_TAIL = 2**14  # characters at the window's end
_BETWEEN_OBJECTS = re.compile(r"\}[ \t\n\r]*,(?=[ \t\n\r]*\{)")
_LONGEST_SIGN = 16  # characters of what means something only as a whole: `-Infinity`, two escapes for one character
_BLANK = re.compile(r"[ \t\n\r]*")
_BETWEEN = re.compile(r"[ \t\n\r]*([,\]}:])[ \t\n\r]*(?=[^ \t\n\r])")  # what follows is seen, so the blanks have ended

Take = Callable[[list[Any]], None]


def read_object(path: Path, lists: Mapping[str, Take]) -> dict[str, Any] | None:
    """The members of the object in a file. Of the `lists`, the items go to the function, some at a time, and an empty
    list is left. None where it holds something other than an object. Raises UnreadableFile, maybe after some items."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableFile(f"larger than {MAX_BYTES / 2**20:g} MB")
        with path.open("rb") as file:
            return _Window(file).object(lists)
    except OSError as error:
        raise UnreadableFile(error.strerror or "cannot be opened") from None


class _Window:
    """The part of the file that was read and not yet used."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._text, self._at = file, "", 0
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._line, self._gone = 1, 0  # in which the window begins, and the characters before it
        self._is_new = True  # the window, to `_many`
        self._decoder = json.JSONDecoder(parse_constant=refuse_constant)

    def object(self, lists: Mapping[str, Take]) -> dict[str, Any] | None:
        if self._sign() != "{":
            return None
        found: dict[str, Any] = {}
        kept = 0
        for key in self._keys():
            if key in lists and key in found:
                self._fail(f"{key!r} comes twice")
            if key in lists and self._sign() == "[":
                found[key] = []
                for some in self._items():
                    lists[key](some)
            else:
                began = self._gone + self._at
                found[key] = self._value()
                kept += self._gone + self._at - began + len(key) + _MEMBER
            if kept > MAX_KEPT:
                self._refuse(f"what stands beside the lists is larger than {MAX_KEPT / 2**20:g} MB")
        if self._sign():
            self._fail("Extra data")
        return found

    def _keys(self) -> Iterator[str]:
        """Of the object that begins here; whoever gets one takes its value before the next."""
        self._at += 1
        if self._sign() == "}":
            self._at += 1
            return
        sign = ","
        while sign == ",":
            if self._sign() != '"':
                self._fail("Expecting property name enclosed in double quotes")
            key: str = self._value()
            if self._between() != ":":
                self._fail("Expecting ':' delimiter")
            yield key
            sign = self._between()
        if sign != "}":
            self._fail("Expecting ',' delimiter")

    def _items(self) -> Iterator[list[Any]]:
        self._at += 1
        if self._sign() == "]":
            self._at += 1
            return
        sign = ","
        while sign == ",":
            yield self._many() or [self._value()]
            sign = self._between()
        if sign != "]":
            self._fail("Expecting ',' delimiter")

    def _many(self) -> list[Any]:
        """The objects of a list up to the last one that ends in the window, where a look at its end finds that: what
        parses as a list by itself is a part of the list."""
        tail = max(self._at, len(self._text) - _TAIL)
        ends = [found.start() + 1 for found in _BETWEEN_OBJECTS.finditer(self._text, tail)] if self._is_new else []
        self._is_new = False  # a second look would find the same
        if not ends:
            return []
        try:
            found: list[Any] = self._decoder.decode(f"[{self._text[self._at : ends[-1]]}]")
        except (ValueError, RecursionError):  # it ends inside of something, or something is wrong: one by one then
            return []
        self._at = ends[-1]
        return found

    def _value(self) -> Any:
        """What stands here, once the window holds all of it."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                fault, place = error.msg, error.pos
            except RecursionError:
                raise UnreadableFile("nested too deeply") from None
            except ValueError as error:  # NaN, or a number of thousands of digits
                raise UnreadableFile(str(error)) from None
            else:
                if end + _LONGEST_SIGN < len(self._text) or not self._more():  # of `1.5` we may have seen `1` or `1.`
                    self._at = end
                    return value
                continue
            is_cut = fault.startswith("Unterminated") or place > len(self._text) - _LONGEST_SIGN
            if not is_cut or not self._more():
                self._fail(fault, place)

    def _between(self) -> str:
        """The sign between two values, and on to what follows; "" at the end."""
        if found := _BETWEEN.match(self._text, self._at):
            self._at = found.end()
            return found[1]
        sign = self._sign()
        self._at += 1
        self._sign()
        return sign

    def _sign(self) -> str:
        """The next one that is not blank; "" at the end."""
        while True:
            found = _BLANK.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, as much again as is unused, so that a long value is not tried often. False at the end."""
        unused = len(self._text) - self._at
        if unused > MAX_KEPT:
            self._refuse(f"one value is larger than {MAX_KEPT / 2**20:g} MB")
        data = self._file.read(max(_CHUNK, unused))
        try:
            piece = self._decode(data, final=not data)
        except UnicodeDecodeError as error:
            line = self._line_of(len(self._text)) + error.object.count(b"\n", 0, error.start)
            raise UnreadableFile(f"line {line}: the text is not UTF-8") from None
        if data:
            self._line, self._gone = self._line_of(self._at), self._gone + self._at
            self._text, self._at, self._is_new = self._text[self._at :] + piece, 0, True
        return bool(data)

    def _line_of(self, place: int) -> int:
        return self._line + self._text.count("\n", 0, place)

    def _fail(self, fault: str, place: int | None = None) -> NoReturn:
        self._refuse(f"no JSON ({fault})", place)

    def _refuse(self, why: str, place: int | None = None) -> NoReturn:
        raise UnreadableFile(f"line {self._line_of(self._at if place is None else place)}: {why}")
