"""What a training will take: time by what this kernel took before, disk, and its place in the queue.

Memory is left out: no run records how much it used, and what a kernel needs cannot be told from its settings.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import ceil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import F
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from datasets_app.checks import SetFacts
from datasets_app.models import labelled_images
from datasets_app.remarks import Remark
from jobs import clock
from jobs.models import HELD, DeviceKind, Host, Job, Lease, State
from models_app.models import TrainedModel
from models_app.orders import TrainOrder

RUNS = 20  # how far back a look goes
MOST = 10**6  # a setting beyond this is a slip of the finger: nothing is reckoned with it
MB = 2**20


@dataclass(frozen=True)
class Span:
    """Seconds, from the quickest to the slowest of what came before."""

    low: float
    high: float

    def times(self, factor: float) -> Span:
        return Span(self.low * factor, self.high * factor)

    @property
    def is_wide(self) -> bool:
        """Whether both ends are worth saying."""
        return self.high > 1.3 * self.low and self.least < self.most

    @property
    def middle(self) -> float:
        return _rounded((self.low + self.high) / 2)

    @property
    def least(self) -> float:
        return _rounded(self.low)

    @property
    def most(self) -> float:
        return _rounded(self.high)


@dataclass(frozen=True)
class Disk:
    """Bytes: what will be kept, what is used only while it runs, what is free where it can run (None: no worker)."""

    results: int
    temporary: int
    free: int | None

    @property
    def need(self) -> int:
        return self.results + self.temporary


@dataclass(frozen=True)
class Place:
    """Its place in the queue, were it started now."""

    waiting: int = 0
    running: int = 0
    at_once: bool = False
    has_worker: bool = True

    @property
    def ahead(self) -> int:
        return self.waiting + self.running


@dataclass(frozen=True)
class Estimates:
    """`time` of one training and `total` of all of a batch are None without `runs`, earlier ones to judge from.

    `together`: how many of the batch run side by side on the devices that exist.
    """

    time: Span | None
    work: Span | None
    total: Span | None
    runs: int
    trainings: int
    together: int
    disk: Disk
    place: Place
    has_data: bool
    remarks: list[Remark] = field(default_factory=list)


@dataclass(frozen=True)
class _Run:
    """An earlier training of this kernel. `share`: its work as a part of what this order asks for."""

    seconds: float
    share: float


def look(
    order: TrainOrder, facts: SetFacts | None, *, trainings: int = 1, variants: Sequence[dict[str, Any]] = ()
) -> Estimates:
    """What `trainings` runs of this order will take: four statements, and two where `facts` were not counted.

    `variants`: the settings of each of them, where they differ."""
    devices, trainings = max(1, order.devices), max(1, trainings)
    known = list(Host.objects.all())
    hosts = [host for host in known if host.is_alive]
    learnt, judged = _sizes(order, facts)
    past = _past(order)
    kind = _kind(hosts or known)
    runs = _runs(order, learnt, past, kind)
    time = _time(runs)
    together = min(trainings, max(1, sum(host.devices // devices for host in hosts)))
    work = time.times(trainings) if time else None
    if time and variants:
        each = [_time(_runs(replace(order, params=params), learnt, past, kind)) for params in variants]
        work = _sum([span for span in each if span]) if all(each) else None
    total = work.times(1 / together) if work and variants else time.times(ceil(trainings / together)) if time else None
    results = max((row["size"] for row in past), default=0) * trainings
    disk = Disk(results, _decoded(order.params, learnt + judged) * together, _free(devices, hosts))
    place = _place(devices, hosts)
    return Estimates(time, work, total, len(runs), trainings, together, disk, place, learnt > 0, _remarks(disk, place))


def _sum(spans: Sequence[Span]) -> Span:
    return Span(sum(span.low for span in spans), sum(span.high for span in spans))


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


# --- time -------------------------------------------------------------------------------------------------------------


def _past(order: TrainOrder) -> list[dict[str, Any]]:
    """The last trainings of this kernel that succeeded, of this version where it has some; newest first."""
    models = TrainedModel.objects.filter(kernel__name=order.kernel.name, job__state=State.SUCCEEDED)
    rows = models.order_by(F("job__ended_at").desc(nulls_last=True)).values(
        *("kernel", "size", "settings", "snapshot__manifest"),
        *("job__devices", "job__resumes", "job__started_at", "job__ended_at", "job__host__device_kind"),
    )[:RUNS]
    found = list(rows)
    return [row for row in found if row["kernel"] == order.kernel.pk] or found


def _runs(order: TrainOrder, images: int, past: Sequence[dict[str, Any]], kind: str) -> list[_Run]:
    """Those on as many devices of the same kind, never interrupted, whose work can be compared."""
    found: list[_Run] = []
    if not images:
        return found
    for row in past:
        alike = row["job__devices"] == order.devices and row["job__host__device_kind"] == kind
        if not alike or row["job__resumes"] or not (row["job__started_at"] and row["job__ended_at"]):
            continue
        seconds = (row["job__ended_at"] - row["job__started_at"]).total_seconds()
        share = _share(_images(row["snapshot__manifest"]), row["settings"], images, order.params)
        if seconds > 0 and share:
            found.append(_Run(seconds, share))
    return found


def _share(past_images: int, past_settings: Any, images: int, params: dict[str, Any]) -> float | None:
    """How much of the work of this order an earlier one was: images, epochs, pixels. None where that cannot be told.

    A kernel names its settings as it likes; those that are not there count as the same.
    """
    before = past_settings.get("training_params") if isinstance(past_settings, dict) else None
    share = past_images / images
    for name, power in (("epochs", 1), ("image_size", 2)):
        if isinstance(before, dict) and name in before and name in params:
            was, now = _number(before[name]), _number(params[name])
            if was is None or now is None:
                return None
            share *= (max(1.0, was) / max(1.0, now)) ** power
    return share


def _time(runs: Sequence[_Run]) -> Span | None:
    """Along a line through the runs where they differ enough to tell the start-up from the work, else in proportion.

    As wide as the runs lie around it.
    """
    if not runs:
        return None
    shares, seconds = [run.share for run in runs], [run.seconds for run in runs]
    slope, start = 0.0, -1.0
    if max(shares) > 2 * min(shares):
        slope, start = statistics.linear_regression(shares, seconds)
    if slope <= 0 or start < 0:
        slope, start = statistics.linear_regression([0.0, *shares], [0.0, *seconds], proportional=True)
    off = [run.seconds / (start + slope * run.share) for run in runs]
    return Span((start + slope) * min(off), (start + slope) * max(off))


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


def _number(value: Any) -> float | None:
    """A setting that can be reckoned with; None for what somebody has not finished typing."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= MOST else None


def _rounded(seconds: float) -> float:
    """No more exact than it is: 5 s, minutes, 10 minutes, hours."""
    step = 5 if seconds < 90 else 60 if seconds < 3600 else 600 if seconds < 86400 else 3600
    return max(step, round(seconds / step) * step)


# --- disk and queue ---------------------------------------------------------------------------------------------------


def _kind(hosts: Sequence[Host]) -> str:
    """The devices that it will run on."""
    return DeviceKind.GPU if any(host.device_kind == DeviceKind.GPU for host in hosts) else DeviceKind.CPU


def _free(devices: int, hosts: Sequence[Host]) -> int | None:
    """Bytes, where most are of the hosts that have the devices."""
    return max((host.free_bytes for host in hosts if host.devices >= devices), default=None)


def _decoded(params: dict[str, Any], images: int) -> int:
    """Bytes of the images that a kernel with the setting `cache_mb` keeps decoded while it runs, at most.

    The images themselves take no room: a run sees second names of the kept files.
    """
    budget = MB * (_number(params.get("cache_mb")) or 0)
    side = _number(params.get("image_size"))
    return int(budget if side is None else min(budget, images * side * side * 3))


def _place(devices: int, hosts: Sequence[Host]) -> Place:
    """Who is before a job for so many devices; one for fewer than the others want may start before them."""
    if not hosts:
        waiting = Job.objects.filter(state=State.QUEUED, devices__gt=0, priority__gte=0).count()
        return Place(waiting, has_worker=False)
    held: dict[int, int] = {}
    for host in Lease.objects.values_list("host", flat=True):
        held[host] = held.get(host, 0) + 1
    free = max(host.devices - held.get(host.pk, 0) for host in hosts)
    jobs = Job.objects.filter(state__in=(State.QUEUED, *HELD), devices__gt=0)
    rows = list(jobs.values_list("state", "priority", "devices", "queued_at"))
    queued = [row for row in rows if row[0] == State.QUEUED]
    before = [(wants, since) for _state, priority, wants, since in queued if priority >= 0]
    latest = clock.after(-settings.JOB_PATIENCE)
    blocked = any(wants <= free or since < latest for wants, since in before)
    if free >= devices and not blocked:
        return Place(at_once=True)
    return Place(len(before), len(rows) - len(queued))
