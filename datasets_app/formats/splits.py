"""Which images are for training, validation and test: the words for it, and a CSV that says it."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from datasets_app.formats.safe_files import UnreadableFile, read_bytes
from datasets_app.formats.source import Source
from datasets_app.records import FormatError, Problem

SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
_FILE_COLUMNS = ("file", "filename", "file_name", "image", "path")
_SPLIT_COLUMNS = ("split", "set", "subset")
_WORD = re.compile(rf"(?<![a-z])({'|'.join(sorted(SPLIT_WORDS, key=len, reverse=True))})(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True)
class Splits:
    """What a split file says."""

    by_image: dict[str, str]  # image path -> "train", "val" or "test"
    problems: tuple[Problem, ...] = ()


def split_of(word: str) -> str:
    """ "train", "val", "test", or "" for anything else."""
    return SPLIT_WORDS.get(word.strip().lower(), "")


def split_in(path: str) -> str:
    """The split that a file's name or folder speaks of ("instances_train2017.json", "test/x.json"), or ""."""
    *folders, name = path.split("/")
    found = {split_of(word) for word in _WORD.findall(name)}
    if len(found) == 1:
        return found.pop()
    return next(filter(None, map(split_of, reversed(folders))), "")


def read_splits(path: Path, source: Source) -> Splits:
    """Read a CSV with a column for the file and one for the split; raises FormatError."""
    reader = csv.reader(io.StringIO(_read(path)), delimiter=_delimiter(path))
    try:
        rows = list(reader)
    except csv.Error as error:
        raise FormatError(f"{path.name}: line {reader.line_num}: no CSV ({error})", "split_unreadable") from None
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    file_column, split_column = _column(header, _FILE_COLUMNS), _column(header, _SPLIT_COLUMNS)
    if file_column is None or split_column is None:
        raise FormatError(_expected(path.name, header), "split_columns")
    return _assign(path.name, [(_cell(row, file_column), _cell(row, split_column)) for row in rows[1:]], source)


def _assign(name: str, rows: list[tuple[str, str]], source: Source) -> Splits:
    by_image: dict[str, str] = {}
    problems = []
    for line, (file, word) in enumerate(rows, 2):
        if not file and not word:
            continue
        found, split = source.lookup(file), split_of(word)
        if not split:
            problems.append(Problem(name, "unknown_split", f"line {line}: {word!r}"))
        elif not found.image:
            code = "ambiguous_name" if found.candidates else "image_missing"
            problems.append(Problem(name, code, f"line {line}: {file}"))
        elif by_image.setdefault(found.image, split) != split:
            problems.append(Problem(name, "two_splits", f"line {line}: {file}"))
    return Splits(by_image, tuple(problems))


def _read(path: Path) -> str:
    """UTF-8, UTF-16 where it says so, else what a Korean Excel writes (cp949); raises FormatError."""
    try:
        data = read_bytes(path)
    except UnreadableFile as error:
        raise FormatError(f"{path.name}: {error}", "split_unreadable") from None
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp949"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FormatError(f"{path.name}: the text is not UTF-8", "split_unreadable")


def _delimiter(path: Path) -> str:
    """The one that the header uses most; Excel writes semicolons in some countries."""
    header = _read(path).split("\n", 1)[0]
    return max(",;\t", key=header.count)


def _column(header: list[str], names: tuple[str, ...]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _cell(row: list[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _expected(name: str, header: list[str]) -> str:
    found = ", ".join(filter(None, header))[:200] or "nothing"
    return (
        f"{name}: expected a header with a file column ({', '.join(_FILE_COLUMNS)}) "
        f"and a split column ({', '.join(_SPLIT_COLUMNS)}), found {found}"
    )
