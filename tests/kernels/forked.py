"""Runs of a kernel out of a process that has torch imported already: an import costs more than most of the runs here.

Each is a process of its own that runs the packed program from its first line, with no module of this repository loaded.
What a command line and torchrun do is tested by the runs that go by them.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import socket
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from subprocess import TimeoutExpired

REPOSITORY = Path(__file__).resolve().parents[2]
PRELOADED = ["torch", "torchvision", "timm", "onnx", "onnxruntime", "segmentation_models_pytorch", __name__]


class Ranks:
    """The processes of one run, as of `subprocess.Popen` what is needed here."""

    def __init__(self, argv: list[str], folder: Path, environment: dict[str, str], ranks: int) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        port = _free_port()
        kept = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = environment["OMP_NUM_THREADS"]  # read when the first one imports torch
        self._processes: list[ForkServerProcess] = []
        try:
            for rank in range(ranks):
                own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks}
                own |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port} if ranks > 1 else {}
                joined = {name: str(value) for name, value in own.items()}
                process = context.Process(target=_run, args=(argv, str(folder), environment | joined))
                process.start()
                self._processes.append(process)
        finally:
            os.environ.pop("OMP_NUM_THREADS")
            if kept is not None:
                os.environ["OMP_NUM_THREADS"] = kept

    def wait(self, timeout: float) -> int:
        """The first exit code that is not 0, or 0. Negative: the signal that ended it."""
        for process in self._processes:
            process.join(timeout)
            if process.exitcode is None:
                raise TimeoutExpired(process.name, timeout)
        return next((process.exitcode for process in self._processes if process.exitcode), 0)

    def send_signal(self, number: int) -> None:
        for process in self._processes:
            if process.is_alive() and process.pid:
                os.kill(process.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(argv: list[str], folder: str, environment: dict[str, str]) -> None:
    log = os.open(f"{folder}/log.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name, module in list(sys.modules.items()):
        if (
            str(getattr(module, "__file__", None) or "").startswith(f"{REPOSITORY}/")
            and "/.venv/" not in module.__file__
        ):
            del sys.modules[name]
    sys.path[:] = [str(Path(argv[0]).parent), *(path for path in sys.path if path not in ("", str(REPOSITORY)))]
    sys.argv = argv
    runpy.run_path(argv[0], run_name="__main__")


def _is_ours(file: str) -> bool:
    return file.startswith(f"{REPOSITORY}/") and "site-packages" not in file


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
