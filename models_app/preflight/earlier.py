"""Earlier trainings of a kernel, and how their settings compare with those of an order."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from jobs.models import State
from kernels_app import schema
from models_app.models import Origin, TrainedModel
from models_app.orders import TrainOrder

RUNS = 20  # how far back a look goes
MOST = 10**6  # a setting beyond this is a slip of the finger: nothing is reckoned with it


def past(order: TrainOrder) -> list[dict[str, Any]]:
    """The last trainings of this kernel that succeeded, of this version where it has some; newest first."""
    models = TrainedModel.objects.filter(kernel__name=order.kernel.name, job__state=State.SUCCEEDED)
    models = models.exclude(origin=Origin.IMPORT)  # nobody trained these here
    rows = models.order_by(F("job__ended_at").desc(nulls_last=True)).values(
        *("kernel", "size", "settings", "snapshot__manifest", "job__peak_memory"),
        *("job__devices", "job__resumes", "job__started_at", "job__ended_at", "job__host__device_kind"),
    )[:RUNS]
    found = list(rows)
    return [row for row in found if row["kernel"] == order.kernel.pk] or found


def is_alike(row: dict[str, Any], order: TrainOrder, kind: str) -> bool:
    """Whether it ran on as many devices of the same kind."""
    return row["job__devices"] == order.devices and row["job__host__device_kind"] == kind


def settings_of(row: dict[str, Any]) -> dict[str, Any]:
    found = row["settings"].get("training_params") if isinstance(row["settings"], dict) else None
    return found if isinstance(found, dict) else {}


def is_said(order: TrainOrder, powers: dict[str, int]) -> bool:
    """Whether the settings say how much work it is: none of these is missing or still being typed."""
    required = schema.params_schema(order.kernel.schema).get("required", [])
    return all(
        number(order.params[name]) is not None if name in order.params else name not in required for name in powers
    )


def share(before: dict[str, Any], params: dict[str, Any], powers: dict[str, int]) -> float | None:
    """How much of these settings an earlier training had, each to its power. None where that cannot be told.

    A kernel names its settings as it likes; those that are not there count as the same.
    """
    found = 1.0
    for name, power in powers.items():
        if name in before and name in params:
            was, now = number(before[name]), number(params[name])
            if was is None or now is None:
                return None
            found *= (max(1.0, was) / max(1.0, now)) ** power
    return found


def number(value: Any) -> float | None:
    """A setting that can be reckoned with; None for what somebody has not finished typing."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= MOST else None
