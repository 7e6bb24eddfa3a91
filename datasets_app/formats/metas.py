"""What a table says of images beside their labels: a column for the file, each other column a fact."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from datasets_app.formats.source import Source
from datasets_app.formats.tables import FILE_COLUMNS, Table, cell, read_table
from datasets_app.records import FormatError, Problem
from kernels_app.contract.files import is_text

CATEGORY_COLUMNS = ("data_category", "category")  # what an image shows: FRONT, SIDE
NAMES = ("meta/meta.csv", "meta.csv")  # where it lies in an archive
_MAX_COLUMNS, _MAX_LENGTH = 100, 1000


@dataclass(frozen=True)
class Metas:
    """What a file of meta data says."""

    by_image: dict[str, dict[str, str]]
    problems: tuple[Problem, ...] = ()
    columns: tuple[str, ...] = ()  # without that of the file
    rows: int = 0


def read_metas(path: Path, source: Source) -> Metas:
    """The first row of an image counts; raises FormatError."""
    table = read_table(path, "meta_unreadable")
    file_column = table.column(FILE_COLUMNS)
    facts = [(n, name) for n, name in enumerate(table.header) if name and n != file_column and is_text(name)]
    if file_column is None or not facts:
        raise FormatError(
            f"{path.name}: expected a header with a file column ({', '.join(FILE_COLUMNS)}) and others, "
            f"found {', '.join(table.header)[:200] or 'nothing'}",
            "meta_columns",
        )
    found = _assign(table, file_column, facts[:_MAX_COLUMNS], source)
    rows = sum(any(part.strip() for part in row) for row in table.rows)
    return replace(found, columns=tuple(dict.fromkeys(name for _n, name in facts[:_MAX_COLUMNS])), rows=rows)


def _assign(table: Table, file_column: int, facts: list[tuple[int, str]], source: Source) -> Metas:
    found: dict[str, dict[str, str]] = {}
    problems = []
    for line, row in enumerate(table.rows, 2):
        if not any(part.strip() for part in row):
            continue
        named = source.lookup(cell(row, file_column))
        values = {name: cell(row, n) for n, name in facts if cell(row, n)}
        if not named.image:
            code = "ambiguous_name" if named.candidates else "image_missing"
            problems.append(Problem(table.name, code, f"line {line}: {cell(row, file_column)[:200]}"))
        elif not all(is_text(value) and len(value) <= _MAX_LENGTH for value in values.values()):
            problems.append(Problem(table.name, "bad_meta", f"line {line}"))
        elif found.setdefault(named.image, values) is not values:
            problems.append(Problem(table.name, "two_metas", f"line {line}: {named.image}"))
    return Metas(found, tuple(problems))
