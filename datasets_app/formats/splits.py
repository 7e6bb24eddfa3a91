"""Which images are for training, validation and test: the words for it, and a CSV that says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from datasets_app.formats.source import Source
from datasets_app.formats.tables import FILE_COLUMNS, cell, read_table
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
    table = read_table(path, "split_unreadable")
    file_column, split_column = table.column(FILE_COLUMNS), table.column(_SPLIT_COLUMNS)
    if file_column is None or split_column is None:
        raise FormatError(_expected(table.name, table.header), "split_columns")
    return _assign(table.name, [(cell(row, file_column), cell(row, split_column)) for row in table.rows], source)


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


def _expected(name: str, header: list[str]) -> str:
    found = ", ".join(filter(None, header))[:200] or "nothing"
    return (
        f"{name}: expected a header with a file column ({', '.join(FILE_COLUMNS)}) "
        f"and a split column ({', '.join(_SPLIT_COLUMNS)}), found {found}"
    )
