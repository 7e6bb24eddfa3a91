"""Launchers: start, poll, stop, what it took, and a JSON handle that another process can go on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from jobs.kinds import Launch

from . import local

Handle = dict[str, Any]


class Launcher(Protocol):
    """What runs a program so that it outlives whoever started it."""

    NAME: str

    def find(self, folder: Path, attempt: int) -> Handle | None:
        """The handle of what was started in `folder` for this attempt, alive or ended; None where nothing was."""

    def start(self, launch: Launch, *, attempt: int, grace: float) -> Handle:
        """Start it. Raises LaunchFailed, also where a program of an earlier attempt still lives."""

    def poll(self, handle: Handle) -> int | None:
        """None while any process of it lives, then the exit code (-n: killed by signal n). Raises Lost."""

    def peak_memory(self, handle: Handle) -> int | None:
        """Once it has ended: the most memory that its processes had together, in bytes. None where nobody knows."""

    def stop(self, handle: Handle) -> None:
        """SIGTERM now, SIGKILL to whatever is left after the grace. Does not wait; safe to call twice."""

    def kill(self, handle: Handle) -> None:
        """SIGKILL to everything of it, now: for when `stop` has not helped. Does not wait; safe to call twice."""


_launchers: dict[str, Launcher] = {module.NAME: module for module in (local,)}


def get(name: str) -> Launcher:
    return _launchers[name]
