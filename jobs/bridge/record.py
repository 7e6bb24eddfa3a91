"""What a run was lent, in a file of its folder: written before it is made, so that whoever comes after finds it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

NAME, JOURNAL = ".broker.json", ".broker-journal.json"  # hidden, so that no sandbox shows them


class Away(Exception):
    """The broker, or its management plugin, does not answer or refuses; the message says what it said."""


@dataclass(frozen=True)
class Mailbox:
    """`is_own`: the user was made for this run alone."""

    queue: str
    user: str
    password: str
    is_own: bool
    durable: bool


def of(folder: Path) -> Mailbox | None:
    """What the run in `folder` was lent and has not given back."""
    try:
        return Mailbox(**json.loads((folder / NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def keep(folder: Path, mailbox: Mailbox) -> None:
    """For the portal's eyes alone."""
    draft = folder / f"{NAME}.{os.getpid()}"
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(asdict(mailbox), file)
    draft.replace(folder / NAME)


def forget(folder: Path) -> None:
    for name in (NAME, JOURNAL):
        (folder / name).unlink(missing_ok=True)
