"""What the page of a report shows, out of its figures: key numbers, the matrix as a table, a row a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from models_app.models import Validation
from models_app.reports import advice, choosing, parts
from models_app.reports.advice import Advice
from models_app.reports.choosing import Choice
from models_app.reports.counts import NOTHING, Matrix
from projects_app.models import TrainingType

KEY = {  # the names of the figures, in their order
    TrainingType.CL: ("accuracy", "macro_f1"),
    TrainingType.RC: ("accuracy", "macro_f1"),
    TrainingType.OD: ("mAP50", "mAP"),
    TrainingType.SEG: ("IoU", "mIoU"),
}
NEAR = 0.0015  # how much a kernel's figure may differ, for it rounds
NEAR_PIXELS = 0.01  # of masks: a polygon is not quite the mask that it was made of
WIDE = 14  # classes from which on a matrix is drawn narrow


@dataclass(frozen=True)
class Number:
    """A key number. `n`: out of how much. `kernel`: what the kernel says of it, where that differs."""

    name: str
    value: float | int | None
    n: str = ""
    kernel: float | None = None


@dataclass(frozen=True)
class MatrixCell:
    """`share`: of its row, 0..1; `step`: how dark it is drawn, 0..10."""

    predicted: str
    count: int
    share: float
    step: int
    is_right: bool


@dataclass(frozen=True)
class MatrixRow:
    truth: str
    total: int
    cells: list[MatrixCell]


@dataclass
class MatrixTable:
    """`unit`: counts or percent of the row. Without the diagonal the darkest cell is the worst confusion."""

    columns: list[str]
    rows: list[MatrixRow]
    as_percent: bool
    hides_diagonal: bool

    @property
    def is_wide(self) -> bool:
        return len(self.columns) > WIDE


@dataclass
class ReportPage:
    """Everything above the images."""

    validation: Validation
    choice: Choice
    matrix: Matrix
    verdict: str = ""
    numbers: list[Number] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)
    table: MatrixTable | None = None


def of(validation: Validation, choice: Choice, *, as_percent: bool = False, hides_diagonal: bool = False) -> ReportPage:
    matrix = choosing.matrix(validation, choice)
    page = ReportPage(validation, choice, matrix)
    page.verdict = advice.verdict(validation, matrix, choice)
    page.advice = advice.advice(validation, matrix, choice)
    page.numbers = list(_numbers(validation, matrix, choice))
    if validation.compares and matrix.cells:
        page.table = table(validation, matrix, as_percent=as_percent, hides_diagonal=hides_diagonal)
    return page


# --- numbers ---------------------------------------------------------------------------------------------------------


def _numbers(validation: Validation, matrix: Matrix, choice: Choice) -> Iterator[Number]:
    figures = validation.figures
    if not figures or not validation.compares:
        return
    is_rc, is_cl = (validation.training_type == kind for kind in (TrainingType.RC, TrainingType.CL))
    unit = _("n = %(n)s images") if is_cl else _("n = %(n)s regions") if is_rc else _("n = %(n)s objects")
    n = unit % {"n": f"{figures.get('n', 0):,}"}
    if validation.training_type == TrainingType.SEG:
        n = _("pixels of %(n)s images") % {"n": f"{figures.get('images', 0):,}"}
    for name in KEY[validation.training_type]:
        if name in figures:
            yield Number(name, figures[name], n, differing(validation, name))
    if validation.finds_shapes:
        yield from _of_objects(validation, matrix, choice)


def _of_objects(validation: Validation, matrix: Matrix, choice: Choice) -> Iterator[Number]:
    """Precision and recall at the score that is looked at."""
    right, said, there = matrix.right, matrix.predictions, matrix.objects
    is_usual = choosing.is_usual(validation, choice)
    is_od = validation.training_type == TrainingType.OD
    for name, kernels, share, whole, text in (
        (_("precision"), "PREC", right, said, _("n = %(n)s finds")),
        (_("recall"), "RECL", right, there, _("n = %(n)s objects")),
    ):
        other = differing(validation, kernels) if is_usual and is_od else None
        yield Number(name, share / whole if whole else None, text % {"n": f"{whole:,}"}, other)


def differing(validation: Validation, name: str) -> float | None:
    """The kernel's figure, where it is another than the portal's."""
    own, kernels = (parts.between(some.get(name), -1e12, 1e12) for some in (validation.figures, validation.summary))
    if own is None or kernels is None:
        return None
    is_pixels = validation.training_type == TrainingType.SEG and name in ("IoU", "mIoU", "PREC", "RECL")
    if is_pixels and name in ("PREC", "RECL") and "TP" in validation.summary:
        return None  # of objects, while ours are of pixels
    is_count = name in ("GT", "TP", "FP", "FN")
    limit = 0.5 if is_count else NEAR_PIXELS if is_pixels else NEAR
    return kernels if abs(own - kernels) > limit else None


def all_differing(validation: Validation) -> list[tuple[str, float, float]]:
    """Name, the portal's figure, the kernel's: every figure in which the two differ."""
    key = KEY[TrainingType(validation.model.model_type.training_type)]  # first; a database keeps no order of the rest
    rest = sorted(set(validation.summary) - {*key, "ref_IoU", "min_score"})
    names = [name for name in (*key, *rest) if name in validation.summary]
    found = ((name, validation.figures.get(name), differing(validation, name)) for name in names)
    return [(name, own, kernels) for name, own, kernels in found if own is not None and kernels is not None]


# --- the matrix ------------------------------------------------------------------------------------------------------


def table(validation: Validation, matrix: Matrix, *, as_percent: bool, hides_diagonal: bool) -> MatrixTable:
    """A row a true class; for what is found also one of nothing, and a column of what was not found."""
    around = [NOTHING] if validation.finds_shapes else []
    codes = [*matrix.classes, *around]
    sums = matrix.of_truth()
    shown = {
        cell: n for cell, n in matrix.cells.items() if not (hides_diagonal and cell[0] == cell[1]) and cell[0] in codes
    }
    darkest = max((n / max(1, sums[truth]) if as_percent else n for (truth, _said), n in shown.items()), default=1) or 1
    rows = []
    for truth in codes:
        cells = []
        for said in codes:
            n, whole = shown.get((truth, said), 0), sums[truth]
            share = n / whole if whole else 0.0
            depth = (share if as_percent else n) / darkest
            step = max(1, round(10 * depth)) if n else 0
            cells.append(MatrixCell(said, n, share, step, truth == said))
        rows.append(MatrixRow(truth, sums[truth], cells))
    return MatrixTable(codes, rows, as_percent, hides_diagonal)


def class_rows(validation: Validation, matrix: Matrix) -> list[dict[str, Any]]:
    """A row a class: how many, precision, recall, F1, and what the type's own figure is of it."""
    there, said = matrix.of_truth(), matrix.of_prediction()
    own = {row["label"]: row for row in validation.figures.get("classes", [])}
    rows = []
    for code in matrix.classes:
        if not there[code] and not said[code]:
            continue
        right, both = matrix.cells[code, code], there[code] + said[code]
        rows.append({
            "label": code,
            "n": there[code],
            "precision": right / said[code] if said[code] else None,
            "recall": right / there[code] if there[code] else None,
            "f1": 2 * right / both,
            "missed": there[code] - right,
            "false": said[code] - right,
            "own": own.get(code, {}),
        })  # fmt: skip
    return rows
