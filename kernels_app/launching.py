"""How a packaged kernel is started: its command line, its environment, what it may read."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs import hosts
from jobs.kinds import Launch
from kernels_app import environments

USUAL = "python train.py"
CONFIG = "{config}"  # in a command: where the path of training.json goes; else it comes last
IN_CONTAINER = ("LANG", "TZ", "TMPDIR", "OMP_NUM_THREADS", "PYTHONUNBUFFERED")  # the rest is the image's own
PARTS = {"config": "training.json", "output": "out", "temporary": "tmp"}  # of a run folder


def about(folder: Path) -> dict[str, Any]:
    """`kernel.toml` of an unpacked kernel; {} where there is none that can be read."""
    try:
        return _read((folder / "kernel.toml").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}


def _read(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError:
        return {}


def reports_over_broker(folder: Path) -> bool:
    """Whether its kernel.toml has a [broker], as that of a kernel of the original system does."""
    return "broker" in about(folder)


def is_whole(folder: Path) -> bool:
    """Whether the file that is started is there."""
    return program(folder) is not None


def starts_one_of(names: Iterable[str], text: bytes) -> bool:
    """The same for a package that is not unpacked: the names of its files, and its kernel.toml."""
    return not set(_split(_read(text.decode("utf-8-sig", "replace")))).isdisjoint(names)


def is_contained(text: bytes) -> bool:
    """Whether a kernel.toml says that it runs in a container."""
    said = _read(text.decode("utf-8-sig", "replace"))
    return said.get("runs_in") == "container" or said.get("type") == "base"


def program(folder: Path) -> Path | None:
    """The file of the package that the command starts."""
    words = _words(folder)
    return next((folder / word for word in words if (folder / word).is_file()), None)


def argv(folder: Path, config: Path, *, ranks: int = 1) -> list[str]:
    """The command line; as ranks of torchrun where there are several and it is Python that runs."""
    words = [str(folder / word) if (folder / word).is_file() else word for word in _words(folder)]
    if words[0] in ("python", "python3"):
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"] if ranks > 1 else []
        words[:1] = [environments.python_of(folder), *torchrun]
    if not any(CONFIG in word for word in words):
        words.append(CONFIG)
    return [word.replace(CONFIG, str(config)) for word in words]


def launch(
    kernel: Path,
    run: Path,
    *,
    key: str,
    devices: Sequence[int] = (),
    ranks: int = 1,
    readable: Sequence[Path] = (),
    image: str = "",
) -> Launch:
    """A kernel in the run folder `run`. `devices`: the leased ones; `readable`: what else it reads; `image`: of a
    container."""
    if image:
        return _contained(kernel, run, image, key=key, devices=devices, readable=readable)
    config, temporary = run / PARTS["config"], run / PARTS["temporary"]
    environment = hosts.environment(list(devices), temporary)
    environment["TRAINING_CONFIG"] = str(config)
    if ranks > 1:
        environment["OMP_NUM_THREADS"] = str(max(1, int(environment["OMP_NUM_THREADS"]) // ranks))
    weights, own = settings.TRAINPORTAL_WEIGHTS_DIR, environments.folder_of(kernel)
    if weights:
        environment["TRAINPORTAL_WEIGHTS_DIR"] = weights
    return Launch(
        argv=argv(kernel, config, ranks=ranks),
        environment=environment,
        folder=run,
        output=run / PARTS["output"],
        project_key=key,
        readable=(kernel, *readable, *([Path(weights)] if weights else []), *([own] if own else [])),
        gpus=hosts.gpu_files(list(devices)),
        to_broker=reports_over_broker(kernel),
    )


def _contained(
    kernel: Path, run: Path, image: str, *, key: str, devices: Sequence[int], readable: Sequence[Path]
) -> Launch:
    """The image's own command, unless kernel.toml has one: then that comes after its entry point."""
    config, weights, said = run / PARTS["config"], settings.TRAINPORTAL_WEIGHTS_DIR, about(kernel)
    usual = hosts.environment(list(devices), run / PARTS["temporary"])
    environment = {name: usual[name] for name in IN_CONTAINER if name in usual} | {"TRAINING_CONFIG": str(config)}
    environment |= {"TRAINPORTAL_WEIGHTS_DIR": weights} if weights else {}
    words = _split(said) if "command" in said else []
    return Launch(
        argv=[word.replace(CONFIG, str(config)) for word in words],
        environment=environment,
        folder=run,
        output=run / PARTS["output"],
        project_key=key,
        readable=(*readable, *([Path(weights)] if weights else [])),
        gpus=hosts.gpu_files(list(devices)),
        image=image,
        to_broker=reports_over_broker(kernel),
    )


def _words(folder: Path) -> list[str]:
    """The command of kernel.toml, word by word; the usual one where it has none that can be read."""
    return _split(about(folder))


def _split(about: dict[str, Any]) -> list[str]:
    found = about.get("command", USUAL)
    try:
        return shlex.split(found) or shlex.split(USUAL)
    except (ValueError, AttributeError, TypeError):
        return shlex.split(USUAL)
