"""The deployable model: `<model_type>.onnx`, and `<model_type>.json`, what a program needs to use it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kernels_app.contract.files import write_json

from .report import Report
from .start import Run

OPSET = 17


def write_onnx(
    run: Run, report: Report, model: nn.Module, example: torch.Tensor, outputs: list[str], *, any_batch: bool
) -> Path:
    """Trace `model` on the CPU with `example` (n, 3, height, width) and write the file by rename.

    The older exporter: 2 s instead of 6-26 s, and the newer one fails on detectors (pytorch/vision #9306).
    """
    path = run.config.output / f"{run.model.model_type}.onnx"
    temporary = path.with_name(f".{path.name}.tmp")
    axes = {name: {0: "batch"} for name in ["images", *outputs]} if any_batch else None
    with report.busy(6.0), warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (example,), str(temporary), input_names=["images"], output_names=outputs,
            dynamic_axes=axes, opset_version=OPSET, dynamo=False,
        )  # fmt: skip
    temporary.replace(path)
    return path


def run_onnx(path: Path, images: torch.Tensor) -> list[np.ndarray]:
    """The outputs of the file in onnxruntime, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return list(session.run(None, {"images": images.numpy()}))


def write_card(run: Run, classes: Sequence[str], about: dict[str, Any]) -> None:
    """`<model_type>.json`: class names by index, input, normalisation, thresholds, versions."""
    card = {
        "model_type": run.model.model_type,
        "training_type": run.model.training_type,
        "kernel": run.kernel["name"],
        "kernel_version": run.kernel["version"],
        "torch_version": torch.__version__,
        "onnx_opset": OPSET,
        "classes": list(classes),
    }
    write_json(run.config.output / f"{run.model.model_type}.json", card | about)
