"""Python's search for cycles, rarer while a large set is read: it walks through every record again and again."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_RARE = 100_000  # new objects between two searches; Python's own is 700

_lock = threading.Lock()
_inside = 0
_usual = gc.get_threshold()


@contextmanager
def rarely_collected() -> Iterator[None]:
    """Records hold no cycles. As long as one thread is in here; what others leave is found a little later."""
    global _inside, _usual
    with _lock:
        if not _inside:
            _usual = gc.get_threshold()
            gc.set_threshold(_RARE, 50, 1000)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                gc.set_threshold(*_usual)
