"""Waiting for a database that does not answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connections

log = logging.getLogger(__name__)
T = TypeVar("T")
PAUSE = (0.5, 5.0)  # seconds from one try to the next: ever longer
AWAY = (OperationalError, InterfaceError)  # what the database layer raises where the database is away, full or locked


def patiently(attempt: Callable[[], T]) -> T:
    """Try until the database answers. A runner that cannot reach it keeps its kernel; connections start afresh."""
    pause = PAUSE[0]
    while True:
        try:
            return attempt()
        except AWAY as error:
            log.warning("the database does not answer: %s", error)
            connections.close_all()
            time.sleep(pause)
            pause = min(pause * 1.5, PAUSE[1])
