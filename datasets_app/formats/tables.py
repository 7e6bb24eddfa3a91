"""Tables that people keep in a spreadsheet: CSV in the encodings and with the separators that those write."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from datasets_app.formats.safe_files import UnreadableFile, read_bytes
from datasets_app.records import FormatError

FILE_COLUMNS = ("file", "filename", "file_name", "image", "path")


FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would compute begins so


@dataclass(frozen=True)
class Table:
    """`header` in small letters; `rows` begin with line 2 of the file."""

    name: str
    header: list[str]
    rows: list[list[str]]

    def column(self, names: tuple[str, ...]) -> int | None:
        """The number of the first of these columns that is there."""
        return next((self.header.index(name) for name in names if name in self.header), None)


def read_table(path: Path, code: str) -> Table:
    """Raises FormatError with this `code`."""
    text = _read(path, code)
    reader = csv.reader(io.StringIO(text), delimiter=_delimiter(text))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise FormatError(f"{path.name}: line {reader.line_num}: no CSV ({error})", code) from None
    return Table(path.name, [cell.strip().lower() for cell in rows[0]] if rows else [], rows[1:])


def cell(row: list[str], column: int) -> str:
    """Without the quote that keeps a spreadsheet from computing what stands there."""
    text = row[column].strip() if column < len(row) else ""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULAS) else text


def _read(path: Path, code: str) -> str:
    """UTF-8, UTF-16 where it says so, else what a Korean Excel writes (cp949); raises FormatError."""
    try:
        data = read_bytes(path)
    except UnreadableFile as error:
        raise FormatError(f"{path.name}: {error}", code) from None
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp949"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FormatError(f"{path.name}: the text is not UTF-8", code)


def _delimiter(text: str) -> str:
    """The one that the header uses most; Excel writes semicolons in some countries."""
    return max(",;\t", key=text.split("\n", 1)[0].count)
