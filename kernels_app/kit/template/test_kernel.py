"""The kernel, run as the portal runs it, on tiny data: `python -m pytest` in the kernel's folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import tiny  # noqa: E402

from kernels_app.contract import results  # noqa: E402
from kernels_app.contract.config import TrainingConfig  # noqa: E402
from kernels_app.contract.settings import ModelSettings  # noqa: E402

TRAINING_TYPE = "TYPE"


def run(folder: Path, operation: str, base: Path | None = None, **params: object) -> Path:
    """One run, in a folder as the portal lays it out; its `model_write_path`."""
    for name in ("out", "images", "tmp", "etc"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    tiny.make(folder / "dataset", TRAINING_TYPE, operation)
    schema = json.loads((HERE.parent / "model_schema.json").read_text(encoding="utf-8"))
    settings = schema["properties"]["training_params"]["properties"]
    usual = {name: part["default"] for name, part in settings.items()}
    ModelSettings(TRAINING_TYPE, "PARTS", usual | params).write(folder / "model.json")
    TrainingConfig(
        project_key="key", model_id="1", operation=operation, dataset_path=str(folder / "dataset"),
        temp_path=str(folder / "tmp"), etc_path=str(folder / "etc"), model_write_path=str(folder / "out"),
        image_write_path=str(folder / "images"), training_config_file=str(folder / "model.json"),
        status_file=str(folder / "status.jsonl"), base_model_path=str(base or ""),
        validation_id="" if operation == "training" else "1",
    ).write(folder / "training.json")  # fmt: skip
    argv = [sys.executable, str(HERE.parent / "train.py"), str(folder / "training.json")]
    done = subprocess.run(argv, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "_done" in (folder / "status.jsonl").read_text(encoding="utf-8")
    return folder / "out"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(tmp_path_factory.mktemp("training"), "training", epochs=2)


def test_a_training_leaves_its_results(trained: Path) -> None:
    assert results.missing(trained, "training", TRAINING_TYPE) == []
    assert (trained / "PARTS.onnx").is_file()
    assert len((trained / "save/metrics/loss.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_additional_training_begins_with_the_weights_of_the_base_model(trained: Path, tmp_path: Path) -> None:
    output = run(tmp_path, "training", base=trained, epochs=1)
    assert results.missing(output, "training", TRAINING_TYPE) == []


@pytest.mark.parametrize("operation", ["validation", "inference"])
def test_every_image_is_judged(trained: Path, tmp_path: Path, operation: str) -> None:
    output = run(tmp_path, operation, base=trained)
    assert results.missing(output, operation, TRAINING_TYPE) == []
    assert results.unusable(output, operation, TRAINING_TYPE, classes=len(tiny.CLASSES), has_inputs=True) == []
