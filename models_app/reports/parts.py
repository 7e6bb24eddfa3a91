"""What a report is made of, before it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from datasets_app.rows import Row
from kernels_app.contract.results import Fault
from models_app.models import FoundObject, Prediction, TruthObject

NEARLY = 0.999  # so that what orders among equals never makes one more


@dataclass
class Report:
    """Rows, and the figures computed from them. `unanswered`: images of which the kernel said nothing."""

    predictions: list[Prediction] = field(default_factory=list)
    truth: list[TruthObject] = field(default_factory=list)
    found: list[FoundObject] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    unanswered: list[Row] = field(default_factory=list)


def between(value: object, low: float, high: float) -> float | None:
    """The number where it is one within these limits."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and low <= value <= high else None  # type: ignore[arg-type, operator]


def asked_score(summary: Mapping[str, Any]) -> float | None:
    """The score from which on the kernel itself counted."""
    return between(summary.get("min_score"), 0, 1)


def ref_iou(summary: Mapping[str, Any]) -> float:
    """The IoU at which an object counts as found."""
    return between(summary.get("ref_IoU"), 0.01, 1) or 0.5
