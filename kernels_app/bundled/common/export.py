"""The deployable model: `<model_type>.onnx`, and `<model_type>.json`, what a program needs to use it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from kernels_app.contract.files import write_atomically, write_json

from .report import Report
from .start import Refusal, Run

OPSET = 17
PREDICT = Path(__file__).with_name("predict.py")  # goes with every exported model


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


def confirm(run: Run, path: Path, difference: float, limit: float, what: str) -> None:
    """Say how far the file is from torch (`what`: on which images, in which unit); beyond `limit` it is no success."""
    run.log(f"{path.name}: the largest difference to torch on {what} is {difference:.2e}")
    if not difference <= limit:
        path.unlink()
        raise Refusal(
            f"The exported file answers otherwise than the trained model (by {difference:.2e}, at most {limit:g} is "
            "right). The weights are kept; please report this to whoever maintains the kernel."
        )


def write_card(run: Run, classes: Sequence[str], about: dict[str, Any]) -> None:
    """`<model_type>.json`: class names by index, input, normalisation, thresholds, versions; and `predict.py`."""
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
    write_atomically(run.config.output / PREDICT.name, PREDICT.read_text(encoding="utf-8"))


def about_input(
    side: int, mean: Sequence[float], std: Sequence[float], *, batch: int | str = "batch"
) -> dict[str, Any]:
    """The part of the card about images: (pixel / 255 - mean) / std."""
    return {
        "input": {"name": "images", "shape": [batch, 3, side, side], "layout": "NCHW", "colour": "RGB"},
        "normalisation": {"scale": 1 / 255, "mean": list(mean), "std": list(std)},
    }


def about_resize(side: int, *, is_squashed: bool) -> dict[str, Any]:
    """To a square of `side` whatever the shape, or the longer side to `side` and the rest filled."""
    how = {"mode": "squash"} if is_squashed else {"mode": "longest side", "pad": "0 after normalisation, right, bottom"}
    return {"resize": how | {"interpolation": "bilinear, antialiased", "width": side, "height": side}}
