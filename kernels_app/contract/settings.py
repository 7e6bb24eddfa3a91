"""`model.json`: the settings of a run, as the kernel's schema describes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import TRAINING_TYPES, ContractError
from .files import read_json_object, write_json

KEYS = ("training_type", "model_type", "trainable_image_type", "training_params")


@dataclass(frozen=True)
class ModelSettings:
    """What `model.json` holds. `trainable_image_type`: suffixes of sibling images, `[]` where there is but one."""

    training_type: str
    model_type: str
    training_params: dict[str, Any] = field(default_factory=dict)
    trainable_image_type: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.training_type not in TRAINING_TYPES:
            known = ", ".join(TRAINING_TYPES)
            raise ContractError(f"training_type: must be one of {known}; it is {self.training_type!r}")
        if not isinstance(self.training_params, dict):
            raise ContractError("training_params: must be an object")

    def as_json(self) -> dict[str, Any]:
        """The document, in the contract's order of keys; no `trainable_image_type` where there is none."""
        document: dict[str, Any] = {"training_type": self.training_type, "model_type": self.model_type}
        if self.trainable_image_type:
            document["trainable_image_type"] = self.trainable_image_type
        return document | {"training_params": self.training_params}

    def write(self, path: Path) -> None:
        write_json(path, self.as_json())

    @classmethod
    def read(cls, path: Path) -> ModelSettings:
        """Read `model.json`. Raises ContractError for unknown or missing keys."""
        return cls.from_json(read_json_object(path), path.name)

    @classmethod
    def from_json(cls, found: dict[str, Any], name: str = "model.json") -> ModelSettings:
        if unknown := sorted(set(found) - set(KEYS)):
            raise ContractError(f"{name}: unknown key {unknown[0]!r}; known are {', '.join(KEYS)}")
        for key in ("training_type", "model_type", "training_params"):
            if key not in found:
                raise ContractError(f"{name}: {key} is missing")
        return cls(**found)
