"""How long things have been as they are, by this process's own clock: one that nobody sets, unlike those of rows."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable


class Watch:
    """Remembers what it was shown. What it has not been shown for a while it begins to watch anew, so that a time in
    which nobody could look (a database that was away) proves nothing."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[Hashable, float, float]] = {}  # value, since when, last shown
        self.ended: set[int] = set()  # jobs whose runner was stuck and was ended for it

    def unchanged(self, key: Hashable, value: Hashable, *, gap: float = math.inf) -> float:
        """Seconds that `key` has been shown with this value, without a pause longer than `gap`."""
        now = time.monotonic()
        before, since, last = self._seen.get(key, (None, now, now))
        if before != value or now - last > gap:
            since = now
        self._seen[key] = (value, since, now)
        return now - since
