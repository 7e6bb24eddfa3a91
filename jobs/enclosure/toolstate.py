"""What docker or podman say of a container; no state is made up where they do not say one. Stdlib only."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.enclosure.processes import birth_of

FORMAT = "{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.Pid}}"
ENDED = ("exited", "stopped")  # states in which an exit code is one


@dataclass(frozen=True)
class ToolState:
    """`is_running`: None where the tool does not say. `code`: -n of one that signal n killed; None of one that did not
    end by itself, as podman calls one `created` after a power cut. `is_absent`: there is none by that name. `is_stale`:
    podman believes that it runs, since its monitor was killed too, and it does not."""

    is_running: bool | None
    code: int | None = None
    is_absent: bool = False
    is_stale: bool = False


def ask(argv: Sequence[str], environment: Mapping[str, str], limit: float) -> subprocess.CompletedProcess[str] | None:
    """One word with the tool; None where it does not answer."""
    try:
        return subprocess.run(
            argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=limit, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None


def state(running: Sequence[str], environment: Mapping[str, str], limit: float) -> ToolState:
    """`running`: the tool's words that ask whether it runs; of these the format is replaced."""
    done = ask([*running[:-2], FORMAT, running[-1]], environment, limit)
    if done is None:
        return ToolState(None)
    if done.returncode:
        return ToolState(False, is_absent=True) if is_absent(done) else ToolState(None)
    said = done.stdout.split()
    if len(said) != len(FORMAT.split()):
        return ToolState(False)
    status, runs, code, pid = said[0], said[1], int(said[2]), int(said[3])
    if runs == "true":
        lives = "docker" in Path(running[0]).name or bool(birth_of(pid))
        return ToolState(lives, is_stale=not lives)
    return ToolState(False, as_signal(code) if status in ENDED else None)


def is_absent(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether the tool failed because it has no such container, and for no other reason."""
    return any(words in done.stderr.lower() for words in ("no such container", "no such object"))


def as_signal(code: int) -> int:
    """128 + n is said of a program that signal n killed."""
    return 128 - code if code - 128 in signal.valid_signals() else code
