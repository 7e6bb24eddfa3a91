"""The first second of a run: what the portal asked for, and a sign of life before torch is imported. Stdlib only."""

from __future__ import annotations

import json
import os
import sys
import tomllib
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels_app.contract import ContractError
from kernels_app.contract.config import TrainingConfig, config_path
from kernels_app.contract.settings import ModelSettings
from kernels_app.contract.status import StatusWriter

from . import stop


class Refusal(Exception):
    """The run cannot be done; the text is a sentence for the user: what is wrong, and what helps."""


@dataclass(frozen=True)
class Run:
    """What this process was started for. `rank` 0 speaks for all `world` ranks."""

    config: TrainingConfig
    model: ModelSettings
    folder: Path  # of the kernel: train.py, model_schema.json, kernel.toml
    status: StatusWriter
    rank: int
    world: int
    local_rank: int

    @property
    def kernel(self) -> dict[str, Any]:
        """`kernel.toml`: name, version, description."""
        return tomllib.loads((self.folder / "kernel.toml").read_text(encoding="utf-8"))

    def params(self) -> dict[str, Any]:
        """`training_params`, with the schema's defaults where nothing is given."""
        schema = json.loads((self.folder / "model_schema.json").read_text(encoding="utf-8"))
        known = schema["properties"]["training_params"]["properties"]
        defaults = {name: about["default"] for name, about in known.items() if "default" in about}
        if unknown := sorted(set(self.model.training_params) - set(known)):
            raise Refusal(f"The setting '{unknown[0]}' is not known to this kernel; please take it out.")
        return defaults | self.model.training_params

    def log(self, text: str) -> None:
        """One line of the log, from rank 0 only."""
        if self.rank == 0:
            print(text, flush=True)


def announce(script: str) -> Run:
    """Read `training.json`, listen for SIGTERM and say 0 %: the page reacts at once, torch takes seconds to import."""
    config = TrainingConfig.read(config_path())
    rank, world, local = (int(os.environ.get(name, default)) for name, default in _TORCHRUN)
    model = ModelSettings.read(Path(config.training_config_file))
    run = Run(config, model, Path(script).resolve().parent, StatusWriter(config), rank, world, local)
    stop.listen()
    if rank == 0:
        run.status.progress(0)
        for torn in config.output.rglob(".*.tmp"):  # of an attempt that was killed while it wrote
            torn.unlink()
    about = run.kernel
    run.log(f"{about['name']} {about['version']}: {config.operation} of {model.model_type}, {world} process(es)")
    return run


def finish(run: Run, work: Callable[[Run], None]) -> None:
    """Do the work and end the process as the contract says: done, an error with a sentence, or stopped (143)."""
    try:
        work(run)
    except stop.Stopped:
        print("Stopped, as asked.", flush=True)
        _leave(stop.EXIT_CODE)
    except (Refusal, ContractError) as error:
        _fail(run, str(error))
    except Exception as error:
        traceback.print_exc()
        if not _out_of_memory(error):
            _leave(1)
        _fail(run, "The memory is not enough for these settings. A smaller batch size or image size helps.")
    if run.rank == 0:
        run.status.done()
    run.log("Done.")


def _fail(run: Run, sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
    run.status.error(sentence)
    _leave(1)


def _leave(code: int) -> None:
    """Exit at once: other ranks and threads may be waiting for us in a collective that will never come."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _out_of_memory(error: Exception) -> bool:
    """torch.OutOfMemoryError on a GPU; a plain RuntimeError on a CPU."""
    text = str(error)
    known = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")
    return isinstance(error, MemoryError) or any(words in text for words in known)


_TORCHRUN = (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
