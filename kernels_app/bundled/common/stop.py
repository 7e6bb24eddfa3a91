"""SIGTERM: the handler only sets a flag; the program looks at it between two steps."""

from __future__ import annotations

import signal
from types import FrameType

EXIT_CODE = 128 + signal.SIGTERM  # 143: neither success nor an error of the kernel's own

_asked = False


class Stopped(Exception):
    """The run was asked to stop and has put down what it had."""


def listen() -> None:
    signal.signal(signal.SIGTERM, _ask)


def asked() -> bool:
    return _asked


def check() -> None:
    """Raises Stopped when asked to: for work that leaves nothing to go on from."""
    if _asked:
        raise Stopped


def _ask(signum: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
