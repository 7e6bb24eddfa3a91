"""The broker bridge: kernels of the original system report over RabbitMQ; what they say goes into `status.jsonl`.

Off where no broker is named. `mailbox` lends a run a queue and a user of its own and takes both back, `accounts` speaks
to RabbitMQ's management plugin, `lines` makes a line of a message, `inbox` writes each line once, `post` is the thread
that listens beside a runner's watch. Most runs have no queue: what speaks to a broker is imported where one has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from django.conf import settings

from jobs.bridge import record
from jobs.bridge.record import Away
from jobs.said import Said

__all__ = ["Away", "Listener", "close", "is_on", "lend", "listening", "sweep", "trial"]


class Listener(Protocol):
    """What reads a run's queue beside whoever watches the run."""

    def is_read(self, *, hurry: bool = False) -> bool:
        """After the kernel's end: whether nothing more is to come, or is waited for.

        `hurry`: somebody asked for the end, and waits for it.
        """

    def remarks(self) -> list[Said]:
        """What the timeline should know, each once."""


class Nobody:
    """The listener of a run that has no queue."""

    def is_read(self, *, hurry: bool = False) -> bool:
        return True

    def remarks(self) -> list[Said]:
        return []


def is_on() -> bool:
    return bool(settings.BROKER_URL)


def lend(folder: Path, called: str, *, durable: bool = True, may_declare: bool = False) -> None:
    """Make a queue for the run in `folder` and write into its `training.json` how to reach it. Raises Away."""
    from jobs.bridge import mailbox

    mailbox.lend(folder, called, durable=durable, may_declare=may_declare)


@contextmanager
def listening(folder: Path) -> Iterator[Listener]:
    """The listener of the run in `folder`, at work."""
    found = record.of(folder) if is_on() else None
    if found is None:
        yield Nobody()
        return
    from jobs.bridge.post import Post

    post = Post(folder, found)
    post.start()
    try:
        yield post
    finally:
        post.end()


def close(folder: Path) -> None:
    """Take back what the run was lent, if anything; where the broker is away, a chore does so later."""
    if record.of(folder) is None:
        return
    from jobs.bridge import mailbox

    mailbox.close(folder)


def sweep(held: Callable[[], set[int]]) -> None:
    """Take back what lost runs had. `held`: the jobs that some runner has, asked after looking what there is."""
    if not is_on():
        return
    from jobs.bridge import mailbox

    mailbox.sweep(held)


def trial() -> str:
    """What a run of the doctor is called, which no job knows of."""
    from jobs.bridge import mailbox

    return mailbox.trial()
