"""Kinds of jobs: each registers in one line, from the app that knows what it does.

A *program* kind says what to start and what to make of its results; a *function* kind runs inside the runner itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jobs.models import Job

# percentage 0..100 and a short sentence; raises Cancelled when somebody asked for an end
Progress = Callable[[float, str], None]


class JobError(Exception):
    """Why a job cannot go on, in words for its user: a Said, so that each reader gets it in their language."""

    @property
    def said(self) -> str:
        return self.args[0] if self.args and isinstance(self.args[0], str) else str(self)


class Cancelled(Exception):
    """Somebody asked the job to stop; a function kind lets it pass through."""


@dataclass(frozen=True)
class Launch:
    """What a launcher starts. `folder`: the run folder; `output`: the `model_write_path` that the ingest watches.

    `readable`: what it reads beside its run folder; `gpus`: the device files that it may open, and the names of its
    GPUs that hold wherever it sees no others; `to_broker`: it has to reach the broker, and nothing else. For a
    launcher that encloses it.

    `image`: of a kernel that is a container; `argv` is then what comes after the image's own command, mostly nothing.
    """

    argv: list[str]
    environment: dict[str, str]
    folder: Path
    output: Path
    project_key: str = field(repr=False)
    readable: tuple[Path, ...] = ()
    gpus: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    image: str = ""
    to_broker: bool = False


@dataclass(frozen=True)
class Repair:
    """What a reader may do about a job that failed: `label` on a button, `url` behind it, `text` beside it.

    `posts`: it does something at once, else it leads to a page."""

    label: str
    url: str
    text: str = ""
    icon: str = "player-play"
    posts: bool = False


class FunctionKind(Protocol):
    """Runs in the runner process. May be run again from its start, so what it writes is all or nothing.

    One that writes a log while it runs has an attribute `has_log`: its page shows it from the start.
    """

    name: str

    def run(self, job: Job, progress: Progress) -> None:
        """Do it. Raises JobError with a sentence for the user; any other exception is shown as unexpected."""

    def subject(self, job: Job) -> tuple[str, str] | None:
        """Name and address of the page that this job is about."""


class ProgramKind(Protocol):
    """Runs as a program of its own, which outlives the runner."""

    name: str

    def prepare(self, job: Job, folder: Path, *, resume: bool) -> Launch:
        """Write all that the program reads below `folder` and say how it starts.

        Raises JobError, and Cancelled where it takes long and finds that out on its way.
        """

    def check(self, job: Job, folder: Path) -> list[str]:
        """What the results lack, a sentence each: empty when they are complete and readable."""

    def finish(self, job: Job, folder: Path) -> None:
        """Keep the results. Called again after a crash, so it must not mind finding its own work."""

    def keep_partial(self, job: Job, folder: Path) -> None:
        """Keep what a failed or cancelled run left behind (its last checkpoint, metrics, log)."""

    def subject(self, job: Job) -> tuple[str, str] | None:
        """Name and address of the page that this job is about."""


Kind = FunctionKind | ProgramKind
_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    _kinds[kind.name] = kind


def get(name: str) -> Kind:
    """Raises KeyError for a kind that nobody registered."""
    return _kinds[name]


def find(name: str) -> Kind | None:
    """The kind, or None for one that an older or newer version of the portal knew."""
    return _kinds.get(name)


def is_function(kind: Kind) -> bool:
    return hasattr(kind, "run")


def repairs(job: Job, names: Iterable[str]) -> list[Repair]:
    """Those of the named repairs that the kind of the job can offer for it, in this order."""
    offer = getattr(find(job.kind), "repair", None)
    found = [offer(job, name) for name in names] if offer else []
    return [repair for repair in found if repair]
