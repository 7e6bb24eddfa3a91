"""How much memory of the machine a training will take, by what those before had at most (`Job.peak_memory`).

What grows with the work is what a batch holds: images × pixels, so batch size × image size². The rest (libraries,
weights) stays. Where earlier trainings differ enough, a line through them tells the two apart. Where they do not, all
above what a small network takes beside its batches is taken to grow on a CPU: of a large network that says too much
rather than too little. On a GPU a batch's layers lie in the GPU's own memory, which no run records: there the machine's
memory counts as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from datasets_app.remarks import Remark
from jobs.models import DeviceKind, Host
from models_app.orders import TrainOrder
from models_app.preflight import earlier
from models_app.preflight.spans import Size, around, line

BASE = 600 * 2**20  # bytes: the bundled classifier's start on the line through five runs; its imports alone take 368 MB
POWERS = {"batch_size": 1, "image_size": 2}


@dataclass(frozen=True)
class Memory:
    """Bytes of one training: `span`, None without `runs` to judge from; of a batch from its least to its most.

    `host`: the machine on which the `together` that run there at a time fill most of its `total` bytes; None where no
    worker said how much it has.
    """

    span: Size | None = None
    runs: int = 0
    together: int = 1
    host: str = ""
    total: int | None = None
    on_gpu: bool = False

    @property
    def need(self) -> float:
        """Of those that run on one machine at a time, at most."""
        return self.span.most * self.together if self.span else 0.0

    @property
    def remarks(self) -> list[Remark]:
        if self.total is None or self.need <= self.total:
            return []
        text = _("This may take %(need)s of memory, and %(host)s has %(total)s. Smaller batches or images need less.")
        if self.together > 1:
            text = _(
                "%(n)d trainings at a time may take %(need)s of memory, and %(host)s has %(total)s. "
                "Smaller batches or images need less."
            )
        sizes = {"need": filesizeformat(self.need), "total": filesizeformat(self.total)}
        return [Remark("warning", text % {"n": self.together, "host": self.host, **sizes})]


def look(
    order: TrainOrder,
    past: Sequence[dict[str, Any]],
    kind: str,
    hosts: Sequence[Host],
    *,
    trainings: int = 1,
    variants: Sequence[dict[str, Any]] = (),
) -> Memory:
    """`variants`: the settings of each training of a batch, where they differ."""
    orders = [replace(order, params=params) for params in variants] or [order]
    runs = [_runs(one, past, kind) for one in orders]
    spans = [_size(some, kind) for some in runs]
    known = [span for span in spans if span]
    span = Size(min(one.low for one in known), max(one.high for one in known)) if len(known) == len(spans) else None
    found = Memory(span, len(runs[0]), on_gpu=kind == DeviceKind.GPU)
    devices = max(1, order.devices)
    able = [host for host in hosts if host.devices >= devices and host.device_kind == kind and host.memory_bytes]
    if not able:
        return found
    beside = {host: min(trainings, host.devices // devices) for host in able}
    tight = max(able, key=lambda host: beside[host] / host.memory_bytes)
    return replace(found, together=beside[tight], host=tight.name, total=tight.memory_bytes)


def _runs(order: TrainOrder, past: Sequence[dict[str, Any]], kind: str) -> list[tuple[float, int]]:
    """(share, bytes): a share is batch × pixels as a part of this order's. Those with the same words where there are
    some: a backbone, a precision."""
    found, same = [], []
    if not earlier.is_said(order, POWERS):
        return []
    for row in past:
        before = earlier.settings_of(row)
        share = earlier.share(before, order.params, POWERS)
        if not share or not row["job__peak_memory"] or not earlier.is_alike(row, order, kind):
            continue
        found.append((share, row["job__peak_memory"]))
        if all(before.get(name, value) == value for name, value in order.params.items() if isinstance(value, str)):
            same.append(found[-1])
    return same or found


def _size(runs: Sequence[tuple[float, int]], kind: str) -> Size | None:
    if not runs:
        return None
    shares, sizes = [share for share, _size in runs], [float(size) for _share, size in runs]
    if through := line(shares, sizes):
        return Size(*around(*through, shares, sizes))
    if kind != DeviceKind.GPU:
        sizes = [_grown(size, share) for share, size in zip(shares, sizes, strict=True)]
    return Size(min(sizes), max(sizes))


def _grown(size: float, share: float) -> float:
    base = min(size, BASE)
    return base + (size - base) / share
