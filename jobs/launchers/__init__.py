"""Launchers: start, poll, stop, what it took, and a JSON handle that another process can go on with."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from jobs.kinds import Launch
from jobs.launchers.errors import Lost

from . import local, shim

Handle = dict[str, Any]
LOCK = shim.LOCK
KILL_MARGIN = 5.0  # seconds after the grace, for a shim that does its work


class Launcher(Protocol):
    """What runs a program so that it outlives whoever started it."""

    NAME: str

    def find(self, folder: Path, attempt: int | None = None) -> Handle | None:
        """The handle of what was started in `folder` for this attempt (None: for any), alive or ended, if anything."""

    def start(self, launch: Launch, *, attempt: int, grace: float, log_limit: int = 0, host: str = "") -> Handle:
        """Start it. Raises LaunchFailed, also where a program of an earlier attempt still lives.

        `log_limit`: bytes that its log may take, 0 for as many as it likes; `host`: on which of the portal's hosts.
        """

    def poll(self, handle: Handle) -> int | None:
        """None while any process of it lives, then the exit code (-n: killed by signal n). Raises Lost."""

    def age(self, handle: Handle) -> float | None:
        """Seconds since it was started, by a clock that nobody can set; None where it is gone."""

    def peak_memory(self, handle: Handle) -> int | None:
        """Once it has ended: the most memory that its processes had together, in bytes. None where nobody knows."""

    def stop(self, handle: Handle) -> None:
        """SIGTERM now, SIGKILL to whatever is left after the grace. Does not wait; safe to call twice."""

    def kill(self, handle: Handle) -> None:
        """SIGKILL to everything of it, now: for when `stop` has not helped. Does not wait; safe to call twice."""


_launchers: dict[str, Launcher] = {module.NAME: module for module in (local,)}


def get(name: str) -> Launcher:
    return _launchers[name]


def of(handle: Handle | None) -> Launcher:
    """The launcher that a handle is of, or the one that will make it."""
    return get((handle or {}).get("launcher", local.NAME))


def lives(handle: Handle | None) -> bool:
    """Whether any process of it does."""
    try:
        return bool(handle) and of(handle).poll(handle or {}) is None
    except Lost:
        return False


def put_down(folder: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    """End what was started in `folder`, and wait for it: no device is given back under a living kernel."""
    since = time.monotonic()
    while lives(handle := local.find(folder)):
        launcher = of(handle)
        late = time.monotonic() - since > settings.JOB_GRACE + KILL_MARGIN
        (launcher.kill if late else launcher.stop)(handle or {})
        meanwhile()
        time.sleep(settings.JOB_POLL)
