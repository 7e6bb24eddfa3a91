"""The kernel's program: `python train.py training.json`. It reads files, writes files, and its exit code counts.

What is of one training type alone stands in `task.py`: network, samples, loss, results.
"""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import task
import torch
from pictures import batches

from kernels_app.contract import ContractError
from kernels_app.contract.config import TrainingConfig, config_path
from kernels_app.contract.data import read_labels
from kernels_app.contract.metrics import MetricsWriter, cut_back
from kernels_app.contract.results import CHECKPOINT, METRICS, RESUME
from kernels_app.contract.settings import ModelSettings
from kernels_app.contract.status import StatusWriter


class Stopped(Exception):
    """Somebody cancelled the run."""


class Refused(Exception):
    """It cannot be done; the message is a sentence for the user."""


def main() -> int:
    config = TrainingConfig.read(config_path())
    settings = ModelSettings.read(Path(config.training_config_file))
    status = StatusWriter(config)
    try:
        (train if config.operation == "training" else judge)(config, settings, status)
    except Stopped:
        return 143  # no "done", no error: the portal goes on from save/resume.pth
    except (Refused, ContractError) as error:
        status.error(str(error))
        return 1
    except Exception:
        traceback.print_exc()  # the portal shows the last line of it
        return 1
    status.done()
    return 0


def train(config: TrainingConfig, settings: ModelSettings, status: StatusWriter) -> None:
    params, labels, device = settings.training_params, read_labels(config.dataset), device_of(config)
    samples, held = task.samples(config.dataset, "train"), task.samples(config.dataset, "validation")
    if not samples or not held:
        raise Refused("There are no labelled images to train or to validate with.")
    torch.manual_seed(params["seed"])
    network = task.network(len(labels)).to(device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=params["learning_rate"])
    first, best = 1, float("inf")
    if config.resume:  # this very run was interrupted: go on from its last state, and cut the graphs back to it
        state = load(config.output / RESUME)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        first, best = state["epoch"] + 1, state["best"]
        cut_back(config.output / METRICS, state["epoch"])
    elif config.base_model:  # additional training: begin with the weights of this model
        take_weights(network, load(config.base_model / CHECKPOINT), labels)

    stop_when_told()
    graph = MetricsWriter(config.output / METRICS, "loss", ["epoch", "train_loss", "val_loss"])
    for epoch in range(first, params["epochs"] + 1):
        train_loss = one_epoch(network, samples, labels, params["batch_size"], device, optimizer)
        val_loss = one_epoch(network, held, labels, params["batch_size"], device)
        graph.row({"epoch": epoch, "train_loss": train_loss, "val_loss": val_loss})
        print(f"epoch {epoch}: train_loss {train_loss:.4f}, val_loss {val_loss:.4f}", flush=True)
        if val_loss < best or not (config.output / CHECKPOINT).exists():
            best = val_loss
            save(config.output / CHECKPOINT, {"network": network.state_dict(), "labels": labels})
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch, "best": best}
        save(config.output / RESUME, state)
        status.progress(100 * epoch / params["epochs"], epoch)

    network.load_state_dict(load(config.output / CHECKPOINT)["network"])
    export(network, config.output / f"{settings.model_type}.onnx", device)


def judge(config: TrainingConfig, settings: ModelSettings, status: StatusWriter) -> None:
    """Validation: compare with the labels. Inference: label new images."""
    if not config.base_model or not (config.base_model / CHECKPOINT).exists():
        raise Refused("This model has no checkpoint of this kernel.")
    device, trained = device_of(config), load(config.base_model / CHECKPOINT)
    network = task.network(len(trained["labels"])).to(device)
    network.load_state_dict(trained["network"])
    network.eval()
    is_validation = config.operation == "validation"
    samples = task.samples(config.dataset, "validation") if is_validation else task.inputs(config.dataset)
    with torch.no_grad():
        task.write_results(
            network, samples, trained["labels"], read_labels(config.dataset), config.output, device,
            is_validation=is_validation,
        )  # fmt: skip


def one_epoch(
    network: torch.nn.Module, samples: list[Any], labels: list[str], size: int, device: str,
    optimizer: torch.optim.Optimizer | None = None,
) -> float:  # fmt: skip
    """The mean loss over all samples; they are learnt from where there is an optimizer."""
    total = 0.0
    network.train(optimizer is not None)
    with torch.set_grad_enabled(optimizer is not None):
        for images, targets, count in batches(samples, task.example, labels, size, device, optimizer is not None):
            loss = task.loss(network(images), targets)
            total += float(loss) * count
            if optimizer:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    if total != total:
        raise Refused("The loss is no number any more. Try a smaller learning rate.")
    return total / len(samples)


def device_of(config: TrainingConfig) -> str:
    return "cuda" if config.gpu_count else "cpu"


def stop_when_told() -> None:
    """SIGTERM ends the run at the next line of Python; the last state is on the disk."""

    def stop(number: int, frame: object) -> None:
        raise Stopped

    signal.signal(signal.SIGTERM, stop)


def save(path: Path, state: dict[str, Any]) -> None:
    """To a temporary name, then renamed: whoever reads sees all of it or the last one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    torch.save(state, draft)
    draft.replace(path)


def load(path: Path) -> dict[str, Any]:
    """Weights and numbers alone, never code."""
    found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return found


def take_weights(network: torch.nn.Module, trained: dict[str, Any], labels: list[str]) -> None:
    """All weights of a model of the same classes; of another one those that have the same shape."""
    own = network.state_dict()
    fits = {name: value for name, value in trained["network"].items() if own[name].shape == value.shape}
    network.load_state_dict(own | fits)
    if trained["labels"] != labels:
        print(f"The base model knows other classes: {len(own) - len(fits)} tensors start anew.", flush=True)


def export(network: torch.nn.Module, path: Path, device: str) -> None:
    """The file that other programs use, named after the model type."""
    picture = torch.zeros(1, 3, task.SIZE, task.SIZE, device=device)
    torch.onnx.export(network.eval(), (picture,), path, input_names=["image"], output_names=["output"], dynamo=False)


if __name__ == "__main__":
    sys.exit(main())
