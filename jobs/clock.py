"""The one place that time comes from, so that a test can shift it."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """The database's time, where it has a clock of its own: hosts may disagree, the database is one."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            found: datetime = cursor.fetchone()[0]
            return found
    return timezone.now()


def after(seconds: float) -> datetime:
    """`seconds` from now."""
    return now() + timedelta(seconds=seconds)
