"""What the page sees while a run goes on: percentage, curves, log. Silent unless rank 0."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kernels_app.contract.metrics import MetricsWriter, cut_back
from kernels_app.contract.results import METRICS

from . import stop
from .start import Run

INTERVAL = 0.8  # seconds between two status messages


class Report:
    """The run is cut into stages, each a window of the percentage; within a stage progress goes from 0 to 1."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._window = (0.0, 0.0)
        self._said = 0.0  # when, by the clock
        self._highest = 0.0
        self._writers: dict[str, MetricsWriter] = {}
        self._lock = threading.Lock()

    def stage(self, text: str, end: float) -> None:
        """A stage begins where the one before ended and ends at `end` percent."""
        self._window = (self._window[1], end)
        self.run.log(text)
        self._say(self._window[0], None)

    def at(self, fraction: float, step: int | None = None) -> None:
        """How far the stage is; at most one message in INTERVAL. Raises Stopped when the run was asked to stop."""
        stop.check()
        self.training_at(fraction, step)

    def training_at(self, fraction: float, step: int | None = None) -> None:
        """As `at`, but leaves stopping to the training loop, which first writes down where it is."""
        if time.monotonic() - self._said >= INTERVAL:
            start, end = self._window
            self._say(start + (end - start) * min(fraction, 1.0), step)

    @contextmanager
    def busy(self, seconds: float) -> Iterator[None]:
        """Keeps the page moving during one call of about `seconds`: nears the stage's end, never reaches it."""
        over = threading.Event()

        def beat() -> None:
            begun = time.monotonic()
            while not over.wait(INTERVAL):
                self.training_at(1 - math.exp(-(time.monotonic() - begun) / seconds))

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def cut_back(self, last: float) -> None:
        """Drop what an earlier attempt wrote after x = `last`. Raises nothing where there are no metrics yet."""
        if self.run.rank == 0:
            cut_back(self.run.config.output / METRICS, last)

    def row(self, graph: str, columns: list[str], **values: float | None) -> None:
        """One row of `save/metrics/<graph>.csv`; the first of `columns` is the x axis."""
        if self.run.rank:
            return
        if graph not in self._writers:
            self._writers[graph] = MetricsWriter(self.run.config.output / METRICS, graph, columns)
        self._writers[graph].row(values)

    def forget(self, graph: str) -> None:
        """Begin a graph anew."""
        self._writers.pop(graph, None)
        if self.run.rank == 0:
            (self.run.config.output / METRICS / f"{graph}.csv").unlink(missing_ok=True)

    def _say(self, percentage: float, step: int | None) -> None:
        with self._lock:
            self._said = time.monotonic()
            self._highest = max(self._highest, percentage)  # a bar that goes back looks broken
            if self.run.rank == 0:
                self.run.status.progress(self._highest, step)
