"""What all trainings of a batch have in common: model type, datasets, and the settings that do not vary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from datasets_app.models import Dataset
from kernels_app import describe
from kernels_app import schema as schemas
from models_app.models import Sweep
from models_app.sweeps.table import Table
from projects_app.models import ModelType


@dataclass(frozen=True)
class Setting:
    """One that does not vary, by the title that the form gave it."""

    title: str
    name: str
    value: Any

    @property
    def text(self) -> str:
        return describe.shown(self.value)


@dataclass(frozen=True)
class Facts:
    model_type: ModelType
    train: list[Dataset]
    validation: list[Dataset]
    devices: int
    description: str
    fixed: list[Setting]


def facts_of(sweep: Sweep, table: Table) -> Facts | None:
    """Out of its first training, since one form started them all; None where all of them were deleted."""
    model = sweep.trainings.select_related("model_type").order_by("pk").first()
    if model is None:
        return None
    parts = schemas.params_schema(sweep.kernel.schema).get("properties", {})
    fixed = [
        Setting(schemas.title(schemas.resolve(parts.get(name), sweep.kernel.schema), name), name, value)
        for name, value in model.params.items()
        if name not in table.names
    ]
    return Facts(
        model_type=model.model_type,
        train=list(model.train_datasets.order_by("name")),
        validation=list(model.validation_datasets.order_by("name")),
        devices=model.devices,
        description=model.description,
        fixed=fixed,
    )
