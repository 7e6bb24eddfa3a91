"""What a waiting job waits for, in words: one look at the line and the hosts, for one job or for a page of them."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs import clock, line, queue
from jobs.models import HELD, DeviceKind, Host, Job, Lease, State
from projects_app.korean import fluent


class Queue:
    """The queue as it stands. Asks the database only for what a page shows of it."""

    @cached_property
    def places(self) -> dict[int, line.Place]:
        return {place.pk: place for place in line.places()}

    @cached_property
    def hosts(self) -> list[Host]:
        return list(Host.objects.all())

    @cached_property
    def alive(self) -> list[Host]:
        return [host for host in self.hosts if host.is_alive]

    @cached_property
    def ready(self) -> list[Host]:
        """Those that live and have disk enough for a start."""
        return [host for host in self.alive if not queue.is_short_of_disk(host)]

    @cached_property
    def free(self) -> dict[int, int]:
        """By host that lives and takes jobs how many devices nobody holds; 0 where it takes none now."""
        held = Counter(Lease.objects.order_by().values_list("host", flat=True))
        return {host.pk: max(0, host.devices - held[host.pk]) if _takes_jobs(host) else 0 for host in self.alive}

    @cached_property
    def functions(self) -> Counter[int | None]:
        """By host how many jobs without a device run there."""
        running = Job.objects.filter(state__in=HELD, devices=0, host__isnull=False)
        return Counter(running.order_by().values_list("host", flat=True))

    def place(self, job: Job) -> line.Place | None:
        return self.places.get(job.pk) if job.state == State.QUEUED else None

    def is_stuck(self, job: Job) -> bool:
        """Whether nothing happens until somebody does something."""
        return not self.ready or job.devices > max(host.devices for host in self.alive)

    def reason(self, job: Job) -> str:
        """Why it does not run yet, a sentence or two."""
        return fluent(self._reason(job))

    def _reason(self, job: Job) -> str:
        if not self.alive:
            return _("No worker is running, so nothing starts.")
        if not self.ready:
            return self._no_disk()
        if not job.devices:
            return self._of_a_function(job)
        if job.devices > max(host.devices for host in self.alive):
            return self._too_many(job)
        roomiest = max(self.ready, key=lambda host: (self.free[host.pk], host.name))
        free = self.free[roomiest.pk]
        if job.devices > free:
            return self._too_few(job, free, roomiest)
        if blocker := self._blocker(job):
            return self._kept_free(job, blocker)
        return _("It starts in a moment, by itself.")

    def _no_disk(self) -> str:
        """Nothing starts anywhere; the machine with the most room is named."""
        host = max(self.alive, key=lambda one: one.free_bytes)
        text = _(
            "It waits for disk: %(free)s are free on %(host)s, and nothing starts below %(floor)s. "
            "Delete models or datasets that nobody needs; then it starts by itself."
        )
        floor = filesizeformat(settings.JOB_DISK_FLOOR)
        return text % {"free": filesizeformat(host.free_bytes), "host": host.name, "floor": floor}

    def _of_a_function(self, job: Job) -> str:
        limit = settings.JOB_FUNCTIONS
        if any(self.functions[host.pk] < limit for host in self.ready):
            return _("It starts in a moment, by itself.")
        text = ngettext(
            "%(n)d import or the like runs at a time on a machine. It starts by itself.",
            "%(n)d imports and the like run at a time on a machine. It starts by itself.",
            limit,
        )
        return text % {"n": limit}

    def _too_many(self, job: Job) -> str:
        """None that lives has so many; perhaps one that is silent does."""
        wanted = self._devices(job.devices)
        silent = [host.name for host in self.hosts if host.devices >= job.devices]
        if silent:
            text = _("It needs %(devices)s. Only %(hosts)s has so many, and says nothing: start its worker again.")
            return text % {"devices": wanted, "hosts": ", ".join(silent)}
        most = max(host.devices for host in self.alive)
        text = _(
            "It needs %(devices)s, and no machine has more than %(most)d: it cannot start. Cancel it, ask for fewer."
        )
        return text % {"devices": wanted, "most": most}

    def _too_few(self, job: Job, free: int, host: Host) -> str:
        if len(self.alive) == 1:
            text = _("It needs %(devices)s, %(free)d free now. It starts by itself.")
        else:
            text = _("It needs %(devices)s on one machine, at most %(free)d free now (%(host)s). It starts by itself.")
        return text % {"devices": self._devices(job.devices), "free": free, "host": host.name}

    def _kept_free(self, job: Job, blocker: line.Place) -> str:
        """Another job's devices; its name only within the project."""
        if blocker.project != job.project_id:
            return _("The free devices are kept for a job of another project that has waited for long.")
        title = Job.objects.filter(pk=blocker.pk).values_list("title", flat=True).first()
        return _("The free devices are kept for “%(job)s”, which has waited for long.") % {"job": title}

    def _blocker(self, job: Job) -> line.Place | None:
        """The job before it that has waited so long that free devices are kept for it, on every host that has room."""
        place = self.place(job)
        if place is None:
            return None
        found: line.Place | None = None
        now = clock.now()
        for host in self.ready:
            if self.free[host.pk] < job.devices:
                continue
            before = (one for one in self.places.values() if one.needs_devices and one.ahead < place.ahead)
            found = next((one for one in before if queue.waits_too_long(one, host, now)), None)
            if found is None:
                return None
        return found

    def _devices(self, n: int) -> str:
        """ "2 GPUs", or what is counted on hosts without one."""
        if any(host.device_kind == DeviceKind.GPU for host in self.hosts):
            return ngettext("%(n)d GPU", "%(n)d GPUs", n) % {"n": n}
        return ngettext("%(n)d CPU slot", "%(n)d CPU slots", n) % {"n": n}


def _takes_jobs(host: Host) -> bool:
    """Not while its disk is nearly full, nor after it was lost, before what may still run there is gone."""
    return not (host.is_stale or queue.is_short_of_disk(host))
