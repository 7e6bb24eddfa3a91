"""Status messages: one JSON object a line, appended to `status_file`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import TrainingConfig

LINE_LIMIT = 64 * 1024  # bytes; a longer line is no status message


@dataclass(frozen=True)
class StatusMessage:
    """What one line said. `phase`: ing, done or error; `percentage` 0..100; `step` counts as the kernel counts."""

    phase: str
    percentage: float | None = None
    step: int | None = None
    message: str = ""


class StatusWriter:
    """The kernel's side: says how far it is. Each call appends one whole line."""

    def __init__(self, config: TrainingConfig) -> None:
        self._path = Path(config.status_file)
        self._name = "training" if config.operation == "training" else "validation"
        self._about: dict[str, Any] = {
            "cmd": f"{self._name}_status",
            "project_key": config.project_key,
            "model_id": config.model_id,
        }
        if config.validation_id:
            self._about["validation_id"] = config.validation_id

    def progress(self, percentage: float, step: int | None = None) -> None:
        """`percentage` 0..100 of the whole run, `step` as the kernel counts (an epoch, say)."""
        at: dict[str, Any] = {"percentage": round(min(max(percentage, 0.0), 100.0), 2)}
        self._append("ing", at if step is None else at | {"step": step})

    def done(self) -> None:
        self._append("done", {})

    def error(self, message: str) -> None:
        """`message` is a sentence for the user. It is final: whatever comes later changes nothing."""
        self._append("error", {"message": message})

    def _append(self, phase: str, rest: dict[str, Any]) -> None:
        line = json.dumps(self._about | {"status": f"{self._name}_{phase}"} | rest, ensure_ascii=False)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def parse(line: bytes, project_key: str) -> StatusMessage | None:
    """The portal's side: what a line says, or None where it is no message of the run that has this key."""
    if len(line) > LINE_LIMIT:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("project_key") != project_key:
        return None
    name, _, phase = str(found.get("status", "")).rpartition("_")
    if name not in ("training", "validation") or phase not in ("ing", "done", "error"):
        return None
    step = _number(found.get("step"))
    percentage = _number(found.get("percentage"))
    return StatusMessage(
        phase=phase,
        percentage=None if percentage is None else min(max(percentage, 0.0), 100.0),
        step=None if step is None or not 0 <= step < 2**53 else int(step),
        message=str(found.get("message", ""))[:4096] if phase == "error" else "",
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
