"""What an operation leaves below `model_write_path`, read and written.

A file that is not as it should be is named with its line and reason; the rest is kept.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TextIO

from . import ContractError
from .data import ShapeSample, read_shapes
from .files import check_size, is_text, read_json, write_atomically, write_json
from .metrics import number

CHECKPOINT = Path("save/checkpoint.pth")  # the best state: for additional training and validation
RESUME = Path("save/resume.pth")  # the last full state: for going on
METRICS = Path("save/metrics")
LOGS = Path("save/logs")
FAILURE = Path("failure")
FAILURE_LIMIT = 4096  # bytes
TABLE_LIMIT = 1024**3  # bytes of a CSV
LINE_LIMIT = 1024**2  # characters of a line of one
SUMMARY_NAMES = ("summary.csv", "summay.csv")  # the original system's spelling is read too


@dataclass(frozen=True)
class Detection:
    """One row of `detections.csv`. `truth` is None in inference. RC has a box: x, y, width, height in pixels.

    `line`: where it was read.
    """

    filename: str
    truth: int | None
    predicted: int
    probabilities: tuple[float, ...]
    box: tuple[float, float, float, float] | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Produced:
    """One image that `preprocessing` made: the path of what it was made from, and its own."""

    source: str
    path: str


@dataclass(frozen=True)
class Fault:
    """A file, or a line of it, that could not be read."""

    file: str
    reason: str


def write_summary(output: Path, values: Iterable[tuple[str, float | str]]) -> None:
    """`summary.csv`: rows `name,value`, no header."""
    _write_csv(output / "summary.csv", [[name, value] for name, value in values])


def read_summary(output: Path) -> dict[str, float | str]:
    """The summary by name; numbers where they are numbers. Empty where there is no summary."""
    found = next((output / name for name in SUMMARY_NAMES if (output / name).is_file()), None)
    if found is None:
        return {}
    return {row[0].strip(): _value(row[1]) for row in read_table(found) if len(row) >= 2 and row[0].strip()}


def write_confusion(output: Path, names: Sequence[str], matrix: Sequence[Sequence[int]]) -> None:
    """`confusion.csv`: header `0,1,…,name`, a row a true class, counts of what was predicted, then its name."""
    header = [*(str(n) for n in range(len(names))), "name"]
    rows = [[*row, name] for row, name in zip(matrix, names, strict=True)]
    _write_csv(output / "confusion.csv", [header, *rows])


def write_detections(output: Path, detections: Sequence[Detection], *, classes: int) -> None:
    """`detections.csv` of CL (`classes` = number of categories) or RC (2, and a box in each row)."""
    has_box = bool(detections) and detections[0].box is not None
    header = ["filename", "y", "y_pred", *(f"p{n}" for n in range(classes)), *(("x", "y", "w", "h") if has_box else ())]
    _write_csv(output / "detections.csv", [header, *(_detection_row(d) for d in detections)])


def read_detections(path: Path, *, classes: int, has_box: bool) -> tuple[list[Detection], list[Fault]]:
    """Rows of `detections.csv`, read by position, and the lines that are none."""
    found: list[Detection] = []
    faults: list[Fault] = []
    for line, row in islice(_lines(path), 1, None):
        try:
            found.append(_detection(row, classes, has_box, line))
        except (ValueError, IndexError) as error:
            faults.append(Fault(path.name, f"line {line}: {error}"))
    return found, faults


def read_annotations(output: Path) -> tuple[list[ShapeSample], list[Fault]]:
    """`annotations/<image id>.json` of OD and SEG, and the files that cannot be read."""
    found: list[ShapeSample] = []
    faults: list[Fault] = []
    for path in sorted((output / "annotations").glob("*.json")):
        try:
            found.append(read_shapes(path))
        except ContractError as error:
            faults.append(Fault(path.name, str(error)))
    return found, faults


def write_produced(output: Path, produced: Iterable[Produced]) -> None:
    """`files.txt` of preprocessing: a JSON array of `{"src", "dst"}`."""
    write_json(output / "files.txt", [{"src": one.source, "dst": one.path} for one in produced])


def read_produced(output: Path) -> tuple[list[Produced], list[Fault]]:
    """The images that `files.txt` names, and its entries that are none. Raises ContractError where it is no array."""
    entries = read_json(output / "files.txt")
    if not isinstance(entries, list):
        raise ContractError(f"files.txt: expected a JSON array, found {type(entries).__name__}")
    found: list[Produced] = []
    faults: list[Fault] = []
    for n, entry in enumerate(entries):
        paths = (entry.get("src"), entry.get("dst")) if isinstance(entry, dict) else (None, None)
        if all(isinstance(path, str) and is_text(path) for path in paths) and paths[1]:
            found.append(Produced(*map(str, paths)))
        else:
            faults.append(Fault("files.txt", f'entry {n}: {{"src": "…", "dst": "…"}} is needed'))
    return found, faults


def read_table(path: Path, limit: int = 200_000) -> list[list[str]]:
    """At most `limit` rows of a CSV; spaces after commas are allowed. Raises ContractError where it is no text."""
    return [row for _line, row in islice(_lines(path), limit)]


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, each with its line, counted as an editor counts. Raises ContractError."""
    try:
        check_size(path, TABLE_LIMIT)
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(_bounded(file, path.name), skipinitialspace=True)
            for row in reader:
                if any("\0" in cell for cell in row):
                    raise ContractError(f"{path.name}: cannot be read as CSV (it holds NUL bytes)")
                if row:
                    yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ContractError(f"{path.name}: cannot be read as CSV ({error})") from error


def _bounded(file: TextIO, name: str) -> Iterator[str]:
    """Its lines, none of them endless. Raises ContractError."""
    while line := file.readline(LINE_LIMIT):
        if len(line) == LINE_LIMIT:
            raise ContractError(f"{name}: cannot be read as CSV (it has a line of more than {LINE_LIMIT:,} characters)")
        yield line


def report_tables(output: Path) -> list[Path]:
    """Every CSV at the root: `summary` and `confusion` first, then by name."""
    first = {"summary.csv": 0, "summay.csv": 0, "confusion.csv": 1}
    return sorted(output.glob("*.csv"), key=lambda path: (first.get(path.name, 2), path.name))


def missing(output: Path, operation: str, training_type: str) -> list[str]:
    """What the operation owes and did not leave, by name: empty when the results are complete."""
    return [name for name in _owed(operation, training_type) if not _is_there(output, name)]


def unusable(output: Path, operation: str, training_type: str, *, classes: int, has_inputs: bool) -> list[Fault]:
    """What the operation owes and left in a form that says nothing: no text, or not one row or file to be read.

    A line that is wrong among good ones is none of these. Without inputs there need be no row.
    """
    found = []
    for name in _owed(operation, training_type):
        try:
            reason = _READINGS[name](output, classes, training_type == "RC") if name in _READINGS else ""
        except ContractError as error:
            found.append(Fault(name, str(error).removeprefix(f"{name}: ")))
        else:
            found += [Fault(name, reason)] if reason and has_inputs else []
    return found


def _read_detections(output: Path, classes: int, has_box: bool) -> str:
    rows, faults = read_detections(output / "detections.csv", classes=2 if has_box else classes, has_box=has_box)
    return "" if rows else _nothing("row", faults)


def _read_confusion(output: Path, classes: int, has_box: bool) -> str:
    rows = read_table(output / "confusion.csv")[1:]
    return "" if any(_is_count(row[0]) for row in rows) else _nothing("row", [])


def _read_summary(output: Path, classes: int, has_box: bool) -> str:
    return "" if read_summary(output) else _nothing("row", [])


def _read_annotations(output: Path, classes: int, has_box: bool) -> str:
    samples, faults = read_annotations(output)
    return "" if samples else _nothing("file", faults)


def _read_files(output: Path, classes: int, has_box: bool) -> str:
    produced, faults = read_produced(output)
    return "" if produced else _nothing("entry", faults)


_READINGS = {
    "detections.csv": _read_detections,
    "confusion.csv": _read_confusion,
    "summary.csv": _read_summary,
    "annotations": _read_annotations,
    "files.txt": _read_files,
}


def _nothing(what: str, faults: list[Fault]) -> str:
    return f"no {what} can be read" + (f" ({faults[0].reason})" if faults else "")


def _is_count(cell: str) -> bool:
    try:
        return number(cell) is not None
    except ValueError:
        return False


def _owed(operation: str, training_type: str) -> list[str]:
    if operation == "training":
        return ["save/checkpoint.pth"]
    if operation == "preprocessing":
        return ["files.txt"]
    if training_type in ("CL", "RC"):
        return ["detections.csv", "confusion.csv"] if operation == "validation" else ["detections.csv"]
    return ["annotations", "summary.csv"] if operation == "validation" else ["annotations"]


def _is_there(output: Path, name: str) -> bool:
    if name == "summary.csv":
        return any((output / n).is_file() for n in SUMMARY_NAMES)
    path = output / name
    return path.is_dir() if name == "annotations" else path.is_file() and path.stat().st_size > 0


def _detection_row(d: Detection) -> list[object]:
    truth = "" if d.truth is None else d.truth
    return [d.filename, truth, d.predicted, *(f"{p:.6f}" for p in d.probabilities), *(f"{v:.10g}" for v in d.box or ())]


def _detection(row: list[str], classes: int, has_box: bool, line: int) -> Detection:
    owed = 3 + classes + (4 if has_box else 0)
    if len(row) < owed:
        raise ValueError(f"{len(row)} columns instead of {owed}")
    truth, predicted = number(row[1]), number(row[2])
    if predicted is None or not 0 <= predicted < classes or not (truth is None or 0 <= truth < classes):
        raise ValueError(f"y and y_pred must be class indices from 0 to {classes - 1}")
    box = tuple(_finite(cell) for cell in row[-4:]) if has_box else None
    probabilities = tuple(_finite(cell) for cell in row[3 : 3 + classes])
    return Detection(row[0], None if truth is None else int(truth), int(predicted), probabilities, box, line)  # type: ignore[arg-type]


def _finite(cell: str) -> float:
    value = number(cell)
    if value is None:
        raise ValueError(f"{cell!r} is no finite number")
    return value


def _value(cell: str) -> float | str:
    try:
        found = number(cell)
    except ValueError:
        return cell.strip()
    return cell.strip() if found is None else found


def _write_csv(path: Path, rows: Iterable[Iterable[object]]) -> None:
    lines: list[str] = []
    writer = csv.writer(_Lines(lines), lineterminator="\n")
    writer.writerows(rows)
    write_atomically(path, "".join(lines))


class _Lines:
    """Lets csv.writer write into a list."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> None:
        self._lines.append(text)
