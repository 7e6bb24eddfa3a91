"""`save/checkpoint.pth` (the best, to use) and `save/resume.pth` (the last, to go on from): whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from kernels_app.contract.results import CHECKPOINT, RESUME

from .start import Refusal, Run
from .weights import LITE0

FORMAT = 1


def save(path: Path, state: dict[str, Any]) -> None:
    """Write to a temporary name, sync, rename. Plain containers and tensors only, so that reading needs no pickle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def save_best(run: Run, state: dict[str, Any]) -> None:
    """The state that validation and additional training start from; from rank 0 only."""
    if run.rank == 0:
        about = {"format": FORMAT, "kernel": run.kernel["name"], "kernel_version": run.kernel["version"]}
        save(run.config.output / CHECKPOINT, about | state)


def save_last(run: Run, state: dict[str, Any]) -> None:
    if run.rank == 0:
        save(run.config.output / RESUME, state | {"rng": torch.get_rng_state()})


def load_last(run: Run) -> dict[str, Any] | None:
    """The state to go on from, its random numbers set; None for a run that starts anew."""
    path = run.config.output / RESUME
    if not run.config.resume or not path.is_file():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    torch.set_rng_state(state["rng"])
    return state


def load_own_best(run: Run) -> dict[str, Any]:
    return _load(run, run.config.output / CHECKPOINT)


def load_base(run: Run) -> dict[str, Any] | None:
    """The checkpoint of the base model (or of the model to validate), None where the run has none."""
    base = run.config.base_model
    return None if base is None else _load(run, base / CHECKPOINT)


def architecture_of(run: Run, base: dict[str, Any] | None, wanted: str) -> str:
    """What to build: as the base model is, where there is one."""
    if base is None:
        return wanted
    if base["architecture"] != wanted:
        run.log(f"The base model is a {base['architecture']}: training goes on with that, not with {wanted}.")
    return str(base["architecture"])


def load_asked(run: Run) -> dict[str, Any]:
    """The checkpoint of the model to validate. Raises Refusal where there is none."""
    state = load_base(run)
    if state is None:
        raise Refusal("No model was given to work with; please choose a trained model.")
    return state


def _load(run: Run, path: Path) -> dict[str, Any]:
    name = run.kernel["name"]
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise Refusal("The base model has no checkpoint (save/checkpoint.pth); please choose another model.") from error
    except Exception as error:  # a foreign or torn file fails in many ways
        raise Refusal(f"The base model's checkpoint cannot be read by the kernel '{name}' ({error}).") from error
    if not isinstance(state, dict) or state.get("kernel") != name or state.get("format") != FORMAT:
        raise Refusal(f"The base model was not trained with the kernel '{name}'; please choose one that was.")
    return {"architecture": LITE0} | state  # version 1.0.0 had but one
