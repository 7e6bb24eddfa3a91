"""`training.json`: how the portal tells a kernel what to do."""

from __future__ import annotations

import os
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from . import OPERATIONS, VERSION, ContractError
from .files import read_json_object, write_json


@dataclass(frozen=True)
class TrainingConfig:
    """The fields of `training.json`, under their own names. Paths are absolute; folders exist at the start."""

    project_key: str
    model_id: str
    operation: str
    dataset_path: str
    temp_path: str
    etc_path: str
    model_write_path: str
    training_config_file: str
    status_file: str
    image_write_path: str = ""
    base_model_path: str = ""
    validation_id: str = ""
    message_host: str = ""
    message_port: int = 0
    message_id: str = ""
    message_pw: str = ""
    queue_name: str = ""
    gpu_count: int = 0
    process_count: int = 1
    resume: bool = False
    training_config_version: float = VERSION
    vlad_training_config_version: float = VERSION

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise ContractError(f"operation: must be one of {', '.join(OPERATIONS)}; it is {self.operation!r}")
        if self.training_config_version != VERSION:
            raise ContractError(
                f"training_config_version: this side knows {VERSION}, not {self.training_config_version}"
            )

    def write(self, path: Path) -> None:
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path) -> TrainingConfig:
        """Read `training.json`. Raises ContractError for unknown or missing keys, wrong types, an unknown version."""
        return cls(**_checked(path, read_json_object(path), cls))

    @property
    def dataset(self) -> Path:
        return Path(self.dataset_path)

    @property
    def output(self) -> Path:
        """`model_write_path`, where all results go."""
        return Path(self.model_write_path)

    @property
    def save(self) -> Path:
        """`model_write_path/save`: checkpoints, logs and metrics."""
        return self.output / "save"

    @property
    def base_model(self) -> Path | None:
        return Path(self.base_model_path) if self.base_model_path else None


def config_path() -> Path:
    """Where this process finds `training.json`: the argument, else the environment, else the container's place."""
    given = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TRAINING_CONFIG", "/training.json")
    return Path(given)


def _checked(path: Path, found: dict[str, Any], cls: type) -> dict[str, Any]:
    known = {f.name: f for f in fields(cls)}
    if unknown := sorted(set(found) - set(known)):
        raise ContractError(f"{path.name}: unknown key {unknown[0]!r}")
    for name, field in known.items():
        if name not in found:
            raise ContractError(f"{path.name}: {name} is missing")
        if not _fits(found[name], str(field.type)):
            raise ContractError(f"{path.name}: {name} must be {field.type}; it is {found[name]!r}")
    return found


def _fits(value: Any, kind: str) -> bool:
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, str)
