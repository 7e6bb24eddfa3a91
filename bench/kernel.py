"""The bench's own kernel: registered as any package is, tiny, and exact about its own times."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kernels_app import registry
from kernels_app.models import Kernel

PROGRAM = Path(__file__).with_name("kernel_train.py")
NAME = "bench-kernel"

PROPERTIES: dict[str, dict[str, Any]] = {
    "steps": {"type": "integer", "minimum": 1, "maximum": 100_000, "default": 1},
    "work": {"title": "Matrix products a step", "type": "integer", "minimum": 0, "default": 0},
    "pause": {"title": "Pause a step, on average", "type": "number", "minimum": 0, "default": 0, "x-unit": "s"},
}


def register() -> Kernel:
    """As one that comes with the portal, and is therefore on in every project."""
    return registry.register(_files(), is_bundled=True)


def _files() -> dict[str, bytes]:
    params = {"type": "object", "additionalProperties": False, "required": list(PROPERTIES), "properties": PROPERTIES}
    schema = {
        "type": "object",
        "required": ["training_type", "model_type", "training_params"],
        "additionalProperties": False,
        "properties": {
            "training_type": {"const": "CL"},
            "model_type": {"type": "string"},
            "training_params": params,
        },
    }
    return {
        "kernel.toml": f'name = "{NAME}"\nversion = "1"\ndescription = "Measures the portal."\n'.encode(),
        "model_schema.json": json.dumps(schema).encode(),
        "train.py": PROGRAM.read_bytes(),
    }
