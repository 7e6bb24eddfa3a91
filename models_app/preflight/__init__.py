"""What a training will take: time and memory by what this kernel took before, disk, and its place in the queue.

What no run recorded is not guessed at: what a kernel needs cannot be told from its settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from datasets_app.checks import SetFacts
from datasets_app.models import labelled_images
from datasets_app.remarks import Remark
from jobs.models import Host
from models_app.orders import TrainOrder
from models_app.preflight import duration, earlier, memory, room
from models_app.preflight.memory import Memory
from models_app.preflight.room import Disk, Place
from models_app.preflight.spans import Size, Span

__all__ = ["Disk", "Estimates", "Memory", "Place", "Size", "Span", "look"]


@dataclass(frozen=True)
class Estimates:
    """`time` of one training and `total` of all of a batch are None without `runs`, earlier ones to judge from.

    `together`: how many of the batch run side by side on the devices that exist. `no_time`, `no_memory`: a sentence on
    why they cannot be said.
    """

    time: Span | None
    work: Span | None
    total: Span | None
    runs: int
    trainings: int
    together: int
    memory: Memory
    disk: Disk
    place: Place
    no_time: str = ""
    no_memory: str = ""
    remarks: list[Remark] = field(default_factory=list)


def look(
    order: TrainOrder,
    facts: SetFacts | None,
    *,
    trainings: int = 1,
    variants: Sequence[dict[str, Any]] = (),
    keep_best: int | None = None,
    is_read: bool = True,
) -> Estimates:
    """What `trainings` runs of this order will take: four statements, and two where `facts` were not counted.

    `variants`: the settings of each of them, where they differ; `keep_best`: how many checkpoints stay; `is_read`: the
    settings could be read at all."""
    devices, trainings = max(1, order.devices), max(1, trainings)
    known = list(Host.objects.all())
    hosts = [host for host in known if host.is_alive]
    learnt, judged = _sizes(order, facts)
    past = earlier.past(order)
    like = past if is_read else []
    kind = room.kind(hosts or known)
    runs = duration.runs(order, learnt, like, kind)
    time = duration.time(runs)
    together = min(trainings, max(1, sum(host.devices // devices for host in hosts)))
    work = time.times(trainings) if time else None
    if time and variants:
        each = [duration.time(duration.runs(replace(order, params=params), learnt, like, kind)) for params in variants]
        work = duration.total([span for span in each if span]) if all(each) else None
    total = work.times(1 / together) if work and variants else time.times(ceil(trainings / together)) if time else None
    kept = room.kept(max((row["size"] for row in past), default=0), trainings, together, keep_best)
    decoded = room.decoded(order.params, learnt + judged) * together
    disk = Disk(kept.stay, kept.go + decoded, room.free(devices, hosts))
    place = room.place(order.project, devices, hosts)
    needs = memory.look(order, like, kind, hosts, trainings=trainings, variants=variants)
    return Estimates(
        time, work, total, len(runs), trainings, together, needs, disk, place,
        no_time=_why_not(order, past, duration.POWERS, is_read) if learnt else _("Choose labelled datasets first."),
        no_memory=_why_not(order, [row for row in past if row["job__peak_memory"]], memory.POWERS, is_read),
        remarks=_remarks(disk, place) + needs.remarks,
    )  # fmt: skip


def _why_not(order: TrainOrder, past: Sequence[dict[str, Any]], powers: dict[str, int], is_read: bool) -> str:
    """Why nothing can be told from `past`, where nothing can."""
    if not past:
        return _("No earlier training of this kernel to judge from.")
    if not is_read or not earlier.is_said(order, powers):
        return _("This can be said once the settings are right.")
    return _("No earlier training of this kernel is like this one.")


def _sizes(order: TrainOrder, facts: SetFacts | None) -> tuple[int, int]:
    """Labelled images to train and to validate with; counted here where nobody did, as while a setting is typed."""
    if facts:
        return facts.train.labelled, facts.validation.labelled
    sets = (order.train, order.validation)
    learnt, judged = (labelled_images(some, order.model_type).count() if some else 0 for some in sets)
    return learnt, judged


def _remarks(disk: Disk, place: Place) -> list[Remark]:
    found = []
    if not place.has_worker:
        text = _("No worker is running: the training will wait in the queue. Start one (manage.py worker).")
        found.append(Remark("warning", text))
    if disk.free is not None and disk.need > disk.free:
        text = _("This may take %(need)s of disk, and %(free)s is free. Delete models or datasets that nobody needs.")
        numbers = {"need": filesizeformat(disk.need), "free": filesizeformat(disk.free)}
        found.append(Remark("warning", text % numbers))
    return found
