"""What a worker does now and then: each app names what it sweeps. A chore may be run twice, or by two hosts at once."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.db import DatabaseError

log = logging.getLogger(__name__)

PAUSE = 3600.0  # seconds between two rounds of one worker
_chores: dict[str, Callable[[], None]] = {}


def register(name: str, chore: Callable[[], None]) -> None:
    _chores[name] = chore


def do_all() -> None:
    """Each of them once. One that fails keeps none of the others; raises DatabaseError where the database is away."""
    for name, chore in _chores.items():
        try:
            chore()
        except DatabaseError:
            raise
        except Exception:
            log.exception("the chore “%s” went wrong", name)
