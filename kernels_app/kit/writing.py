"""Writes a new kernel: a program that works, for somebody to make their own."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from kernels_app.bundled import packing

HERE = Path(__file__).resolve().parent
TEMPLATE = HERE / "template"
CONTRACT = HERE.parent / "contract"
TINY = HERE.parent / "doctor" / "tiny.py"
PARAMS: dict[str, dict[str, Any]] = {
    "epochs": {
        "title": "Epochs", "description": "How often each image is seen.", "type": "integer", "minimum": 1,
        "maximum": 10000, "default": 20, "x-ko": {"title": "에포크", "description": "각 이미지를 보는 횟수입니다."},
    },
    "batch_size": {
        "title": "Batch size", "description": "Images learnt from at a time.", "type": "integer", "minimum": 1,
        "maximum": 1024, "default": 8,
        "x-ko": {"title": "배치 크기", "description": "한 번에 학습하는 이미지 수입니다."},
    },
    "learning_rate": {
        "title": "Learning rate", "description": "How large a step is.", "type": "number", "exclusiveMinimum": 0,
        "maximum": 1, "default": 0.003, "x-log": True,
        "x-ko": {"title": "학습률", "description": "한 걸음의 크기입니다."},
    },
    "seed": {
        "title": "Seed", "description": "The same seed and data give the same model.", "type": "integer", "minimum": 0,
        "maximum": 2**31 - 1, "default": 0, "x-advanced": True,
        "x-ko": {"title": "시드", "description": "시드와 데이터가 같으면 같은 모델이 나옵니다."},
    },
}  # fmt: skip


def files(name: str, training_type: str) -> dict[str, bytes]:
    """Every file of a new kernel by its path in the package."""
    task, tests = TEMPLATE / f"{training_type.lower()}.py", TEMPLATE / "test_kernel.py"
    programs = {
        "train.py": TEMPLATE / "train.py",
        "pictures.py": TEMPLATE / "pictures.py",
        "task.py": task,
        "tests/test_kernel.py": tests,
        "tests/tiny.py": TINY,
    } | {f"contract/{path.name}": path for path in sorted(CONTRACT.glob("*.py"))}
    texts = {place: stand_alone(path.read_text(encoding="utf-8")) for place, path in programs.items()}
    texts["tests/test_kernel.py"] = texts["tests/test_kernel.py"].replace('"TYPE"', f'"{training_type}"')
    dockerfile = (TEMPLATE / "Dockerfile").read_text(encoding="utf-8")
    texts["Dockerfile"] = dockerfile.replace("TORCH", metadata.version("torch").partition("+")[0])
    texts["model_schema.json"] = json.dumps(_schema(training_type), ensure_ascii=False, indent=2) + "\n"
    texts["kernel.toml"] = _about(name, training_type)
    return {place: text.encode() for place, text in sorted(texts.items())}


def write(found: dict[str, bytes], folder: Path) -> None:
    """These files. Raises FileExistsError where there is something already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(folder)
    packing.write_package(found, folder)


def stand_alone(text: str) -> str:
    """The contract comes along in a folder of its own, so that the kernel runs anywhere."""
    return text.replace("kernels_app.contract", "contract")


def _schema(training_type: str) -> dict[str, Any]:
    params = {
        "type": "object",
        "additionalProperties": False,
        "required": list(PARAMS),
        "properties": PARAMS,
    }
    metrics = [{"file": "loss.csv", "column": "val_loss", "goal": "min", "primary": True}]
    return schema_of(training_type, params, {"epochs": True, "batch_size": True, "learning_rate": True}, metrics)


def schema_of(
    training_type: str, params: dict[str, Any], batchable: dict[str, bool], metrics: list[dict[str, Any]]
) -> dict[str, Any]:
    """`model_schema.json` around these settings."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["training_type", "model_type", "training_params"],
        "properties": {
            "training_type": {"const": training_type},
            "model_type": {"type": "string"},
            "training_params": params,
            "supported_operations": {"const": "training, validation, inference"},
            "batchable_params": {"properties": batchable},
        },
        "x-metrics": metrics,
    }


def _about(name: str, training_type: str) -> str:
    lines = [
        f"name = {json.dumps(name)}",
        'version = "0.1.0"',
        f'description = "A kernel of our own ({training_type})."',
        "",
        "[doctor]  # how it is tried on tiny data: quickly, but long enough to be stopped in its middle",
        "params = { epochs = 40 }",
    ]
    return "\n".join(lines) + "\n"
