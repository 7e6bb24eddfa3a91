"""Fake kernels: real programs, started as any kernel is, that behave as their settings say.

    kernel = fake_kernels.register()                      # CL; training_type="OD" for the other
    params = fake_kernels.params(behaviour="exit3")       # the schema's defaults, and this

`behaviour` says how a training goes, `judging` how a validation does; `kernels_app/kit/template/fake.py` is the
program,
and what each of them means. Without a `pause` a run takes a fraction of a second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kernels_app import registry, schema
from kernels_app.kit import writing
from kernels_app.models import Kernel

PROGRAM = writing.TEMPLATE / "fake.py"
NAME = "fake-{type}"

TRAININGS = (
    "good",  # rows, checkpoint, done
    "slow",  # a row every 0.2 s until SIGTERM; then saves and exits 0
    "ignores_term",  # as slow, but only SIGKILL ends it
    "stops_badly",  # as slow, but exits 7 on SIGTERM
    "hangs",  # writes nothing, ends on SIGTERM
    "nothing",  # exits 0 at once and leaves nothing
    "exit3", "error", "error_then_done", "no_done", "done_then_crash", "traceback", "failure_file", "killed",
    "no_checkpoint", "bad_lines", "leaves_children",
    "recovers",  # killed; goes on and ends well when it is resumed
    "prints",  # writes `message` into its log and exits 1
)  # fmt: skip
JUDGINGS = (
    "good", "exit3", "error", "bad_lines", "foreign_image", "no_detections", "more_tables", "old_summary",
    "binary_summary",
)  # fmt: skip

PROPERTIES: dict[str, dict[str, Any]] = {
    "behaviour": {"title": "Behaviour", "type": "string", "enum": list(TRAININGS), "default": "good"},
    "judging": {"type": "string", "enum": list(JUDGINGS), "default": "good", "x-advanced": True},
    "rows": {"title": "Rows", "type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 3},
    "lr": {
        "title": "Learning rate", "description": "How fast it would learn.", "type": "number", "exclusiveMinimum": 0,
        "maximum": 1, "default": 0.01, "x-log": True, "x-ko": {"title": "학습률"},
    },
    "pause": {"type": "number", "minimum": 0, "maximum": 60, "default": 0, "x-unit": "s", "x-advanced": True},
    "wrong": {"type": "integer", "minimum": 0, "default": 1, "x-advanced": True},
    "flip": {"title": "Flip", "type": "boolean", "default": True, "x-advanced": True},
    "message": {"type": "string", "maxLength": 500, "x-advanced": True},
}  # fmt: skip


def make_schema(training_type: str = "CL", **more: Any) -> dict[str, Any]:
    """A small `model_schema.json`; `more` goes into its `properties` (`supported_gpu_count={"maximum": 4}`)."""
    section = {
        "type": "object", "additionalProperties": False, "required": ["behaviour", "rows", "lr"],
        "properties": PROPERTIES,
    }  # fmt: skip
    return {
        "type": "object",
        "required": ["training_type", "model_type", "training_params"],
        "additionalProperties": False,
        "properties": {
            "training_type": {"const": training_type}, "model_type": {"type": "string"}, "training_params": section,
        } | more,
        "x-metrics": [
            {"file": "accuracy.csv", "column": "accuracy", "goal": "max", "primary": True},
            {"file": "loss.csv", "column": "val_loss", "goal": "min"},
        ],
    }  # fmt: skip


def files(training_type: str = "CL", *, name: str = "", version: str = "1", **more: Any) -> dict[str, bytes]:
    """The package: name in it -> bytes. `more` as for `make_schema`."""
    about = {"name": name or NAME.format(type=training_type.lower()), "version": version, "description": "A fake."}
    toml = "".join(f"{key} = {json.dumps(value)}\n" for key, value in about.items())
    return {
        "kernel.toml": toml.encode(),
        "model_schema.json": json.dumps(make_schema(training_type, **more)).encode(),
        "train.py": PROGRAM.read_bytes(),
    }


def register(training_type: str = "CL", *, is_on: bool = True, **more: Any) -> Kernel:
    """Register it; `is_on`: as one that comes with the portal and is therefore on in every project."""
    return registry.register(files(training_type, **more), is_bundled=is_on)


def params(**changed: Any) -> dict[str, Any]:
    """Settings that satisfy the schema: its defaults, and what is changed."""
    return schema.defaults(make_schema()) | changed


def seen(output: Path) -> dict[str, Any]:
    """What the program says it was given. `output`: `model_write_path`, or the model's folder after the end."""
    return json.loads((output / "seen.json").read_text(encoding="utf-8"))
