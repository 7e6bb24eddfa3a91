"""How long a training will take: by the images, epochs and pixels of those before."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings

from models_app.orders import TrainOrder
from models_app.preflight import earlier
from models_app.preflight.spans import Span, around, line

POWERS = {"epochs": 1, "image_size": 2}  # how the work grows with a setting


@dataclass(frozen=True)
class Run:
    """An earlier training of this kernel. `share`: its work as a part of what this order asks for."""

    seconds: float
    share: float


def runs(order: TrainOrder, images: int, past: Sequence[dict[str, Any]], kind: str) -> list[Run]:
    """Those on as many devices of the same kind, never interrupted, whose work can be compared."""
    found: list[Run] = []
    if not images or not earlier.is_said(order, POWERS):
        return found
    for row in past:
        timed = row["job__started_at"] and row["job__ended_at"] and not row["job__resumes"]
        if not timed or not earlier.is_alike(row, order, kind):
            continue
        seconds = (row["job__ended_at"] - row["job__started_at"]).total_seconds()
        share = earlier.share(earlier.settings_of(row), order.params, POWERS)
        share = share and share * _images(row["snapshot__manifest"]) / images
        if seconds > 0 and share:
            found.append(Run(seconds, share))
    return found


def time(runs: Sequence[Run]) -> Span | None:
    """Along a line through the runs where they differ enough to tell the start-up from the work, else in proportion.

    As wide as the runs lie around it.
    """
    if not runs:
        return None
    shares, seconds = [run.share for run in runs], [run.seconds for run in runs]
    slope, start = line(shares, seconds) or statistics.linear_regression(
        [0.0, *shares], [0.0, *seconds], proportional=True
    )
    return Span(*around(slope, start, shares, seconds))


def total(spans: Sequence[Span]) -> Span:
    return Span(sum(span.low for span in spans), sum(span.high for span in spans))


@lru_cache(maxsize=256)
def _images_in(manifest: Path) -> int:
    """Training images that the run saw labelled; a manifest never changes.

    Counted as bytes, since reading 20,000 images as JSON takes half a second: a manifest has sorted keys and no spaces,
    inside a string the quotes would be escaped, and only these keys have a list.
    """
    try:
        text = manifest.read_bytes()
    except OSError:
        return 0
    return text.count(b'"labels":[', text.find(b'"train":['), text.find(b'"validation":['))


def _images(sha256: str | None) -> int:
    return _images_in(settings.TRAINPORTAL_HOME / "blobs" / sha256[:2] / sha256) if sha256 else 0
