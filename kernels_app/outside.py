"""Programs that an import runs beside itself, such as pip: in a session of their own, with a time limit, to a log."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

LOOK = 0.2  # seconds
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "ssl_cert_file")


def proxies() -> dict[str, str]:
    """How such a program reaches the network here, in whatever case an administrator says it. No kernel gets it."""
    return {name: value for name, value in os.environ.items() if name.lower() in PROXIES}


@contextmanager
def alone(lock: Path, tick: Callable[[], None]) -> Iterator[None]:
    """Nobody else does what `lock` stands for meanwhile; `tick` is called while somebody does, and what it raises ends
    the wait."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                tick()
                time.sleep(LOOK)
        yield


def run(
    argv: list[str], log: Path, environment: Mapping[str, str], tick: Callable[[], None], *, minutes: float
) -> int | None:
    """Its exit code; None where it took too long. `tick` is called all the while, and what it raises ends it.

    Raises OSError where it cannot be started.
    """
    until = time.monotonic() + 60 * minutes
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
        )
        try:
            while process.poll() is None:
                tick()
                if time.monotonic() > until:
                    return None
                time.sleep(LOOK)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return process.returncode
