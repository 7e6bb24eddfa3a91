"""Jobs: the queue, the state and the truth of anything that takes longer than a request.

django-q2 only delivers; nothing but the methods here changes `state`. Each change is one conditional UPDATE whose row
count is the lock, and writes one JobEvent in the same transaction.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django_q.tasks import async_task

from jobs import clock, kinds, outbox, said
from jobs.metric_models import METRICS
from jobs.metric_models import IngestCursor as IngestCursor  # "as": whoever imports models finds them all here
from jobs.metric_models import MetricBucket as MetricBucket
from jobs.metric_models import MetricCurve as MetricCurve
from jobs.metric_models import MetricPoint as MetricPoint
from projects_app.models import OwnedQuerySet, Project, User


class State(models.TextChoices):
    QUEUED = "QUEUED", _("Queued")
    STARTING = "STARTING", _("Starting")
    RUNNING = "RUNNING", _("Running")
    STOPPING = "STOPPING", _("Stopping")
    FINALIZING = "FINALIZING", _("Finishing")
    SUCCEEDED = "SUCCEEDED", _("Succeeded")
    FAILED = "FAILED", _("Failed")
    CANCELLED = "CANCELLED", _("Cancelled")


HELD = (State.STARTING, State.RUNNING, State.STOPPING, State.FINALIZING)  # some runner owns it
RUNS = (State.STARTING, State.RUNNING, State.STOPPING)  # a cancel still makes a difference
TERMINAL = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Stop(models.TextChoices):
    """Why a program was told to end."""

    CANCEL = "cancel", _("cancelled")
    WALL = "wall", _("time limit")
    SILENCE = "silence", _("silence")
    DISK = "disk", _("disk quota")


def new_run_key() -> str:
    """A key that lives as long as one run: what kernels get instead of anything of value."""
    return secrets.token_urlsafe(24)


def storable(text: str) -> str:
    """`text` as every database takes it: without NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


class Fenced(Exception):
    """Somebody else owns the job now: whoever gets this leaves at once and writes nothing."""


class JobQuerySet(OwnedQuerySet["Job"]):
    def active(self) -> Self:
        return self.exclude(state__in=TERMINAL)


class Job(models.Model):
    """One piece of work. `devices`: how many GPUs or CPU slots it leases (0 for a function that needs none)."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="jobs", verbose_name=_("project"))
    kind = models.CharField(_("kind"), max_length=32)
    title = models.CharField(_("title"), max_length=300)
    args = models.JSONField(default=dict, blank=True)
    devices = models.PositiveIntegerField(_("devices"), default=0)
    priority = models.IntegerField(_("priority"), default=0)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+", verbose_name=_("started by"))
    created_at = models.DateTimeField(_("created"))
    queued_at = models.DateTimeField(_("in the queue since"))

    state = models.CharField(_("state"), max_length=12, choices=State, default=State.QUEUED, db_index=True)
    epoch = models.PositiveIntegerField(default=0, help_text=_("Fencing number: only its holder may write."))
    adoptions = models.PositiveIntegerField(default=0, help_text=_("How many runners in a row it has lost."))
    resumes = models.PositiveIntegerField(_("resumed"), default=0)
    host = models.ForeignKey("Host", models.SET_NULL, null=True, blank=True, related_name="jobs")
    lease_until = models.DateTimeField(null=True, blank=True)
    moves = models.PositiveIntegerField(default=0, help_text=_("How often it left a host that was lost."))
    handle = models.JSONField(null=True, blank=True)
    limits = models.JSONField(default=dict, blank=True, help_text=_("Where they differ from the installation's."))
    stop_reason = models.CharField(_("stopped for"), max_length=12, choices=Stop, blank=True)
    language = models.CharField(max_length=8, blank=True, help_text=_("Of whoever started it: its messages are in it."))
    run_key = models.CharField(max_length=64, default=new_run_key, editable=False)
    cancel_requested_at = models.DateTimeField(_("cancel asked"), null=True, blank=True)
    cancel_requested_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")

    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    percentage = models.FloatField(_("progress"), null=True, blank=True)
    step = models.BigIntegerField(_("step"), null=True, blank=True)
    note = models.CharField(_("doing"), max_length=300, blank=True)
    kernel_error = models.TextField(blank=True)  # the kernel's own words; final once it is there
    kernel_done = models.BooleanField(default=False)
    bad_lines = models.PositiveIntegerField(_("unreadable lines"), default=0)
    exit_code = models.IntegerField(_("exit code"), null=True, blank=True)
    peak_memory = models.BigIntegerField(_("peak memory"), null=True, blank=True)  # bytes, of the host
    message = models.TextField(_("message"), blank=True)
    remark = models.TextField(_("remark"), blank=True)
    words = models.JSONField(default=dict, blank=True)  # of those two, where they are the portal's own: `jobs.said`
    failure = models.CharField(_("failure"), max_length=32, blank=True)  # a rule of `jobs.failure_rules`
    failure_facts = models.JSONField(default=dict, blank=True)  # its "values", the "quote" and where "at" in the log
    follows = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="followers", verbose_name=_("goes on from")
    )

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["project", "-id"]), models.Index(fields=["state", "queued_at"])]
        verbose_name = _("job")
        verbose_name_plural = _("jobs")

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("jobs:detail", args=[self.project.code, self.pk])

    # --- what it is ---

    @property
    def is_active(self) -> bool:
        return self.state not in TERMINAL

    @property
    def is_cancelling(self) -> bool:
        return self.is_active and self.cancel_requested_at is not None

    @property
    def spoken(self) -> str:
        """The language of whoever started it: what is written about it is in that."""
        return self.language or settings.LANGUAGE_CODE

    @property
    def was_cancelled(self) -> bool:
        """Whether somebody asked for its end before it ended by itself."""
        return self.stop_reason == Stop.CANCEL

    @property
    def elapsed(self) -> float | None:
        """Seconds since it started, up to its end."""
        if self.started_at is None:
            return None
        return ((self.ended_at or clock.now()) - self.started_at).total_seconds()

    @property
    def remaining(self) -> float | None:
        """Seconds to go, by the pace so far; None until there is enough to judge by (3 % or 30 s)."""
        if self.state != State.RUNNING or not self.percentage or not self.elapsed:
            return None
        if self.percentage < 3 and self.elapsed < 30:
            return None
        return self.elapsed * (100 - self.percentage) / self.percentage

    @property
    def said_message(self) -> str:
        return said.load(self.words.get("message"), self.message)

    @property
    def said_remark(self) -> str:
        return said.load(self.words.get("remark"), self.remark)

    @property
    def subject(self) -> tuple[str, str] | None:
        """Name and address of the page that this job is about."""
        kind = kinds.find(self.kind)
        return kind.subject(self) if kind else None

    @property
    def half_read(self) -> list[IngestCursor]:
        """The metrics files of which not every row is a point: rows that nobody can read, or far too many."""
        return [one for one in self.cursors.filter(file__startswith=METRICS) if one.bad_rows or one.is_thinned]

    def earlier(self) -> list[Job]:
        """The jobs that it goes on from, the last one first."""
        found: list[Job] = []
        while before := (found[-1] if found else self).follows:
            found.append(before)
        return found

    def later(self) -> list[int]:
        """The jobs that go on from it, by id."""
        found: list[int] = []
        last = [self.pk]
        while last := list(Job.objects.filter(follows__in=last).values_list("pk", flat=True)):
            found += last
        return found

    # --- what may happen to it ---

    @classmethod
    def submit(cls, *, project: Project, kind: str, title: str, created_by: User | None, **fields: Any) -> Job:
        """Put a job into the queue; a worker hears of it when the transaction commits.

        Raises KeyError for a kind nobody registered.
        """
        kinds.get(kind)
        at = clock.now()
        with transaction.atomic():
            job = cls.objects.create(
                project=project,
                kind=kind,
                title=title[:300],
                created_by=created_by,
                created_at=at,
                queued_at=at,
                language=get_language() or "",
                **fields,
            )
            job.record(None, State.QUEUED, who=str(created_by or ""))
            transaction.on_commit(lambda: async_task("jobs.tasks.run", job.pk))
        return job

    def move(
        self,
        old: tuple[State, ...],
        new: State,
        *,
        who: str,
        why: str = "",
        epoch: int | None = None,
        epoch_up: bool = False,
        **fields: Any,
    ) -> bool:
        """Change the state in one conditional UPDATE; False when someone else got there first.

        `epoch` is the holder's fencing number, where a runner moves it; `epoch_up` makes a new holder. A holder whose
        commit went through though its answer was lost finds its own work done: that is no failure.
        """
        if epoch_up:
            fields["epoch"] = F("epoch") + 1
        if not fields.keys().isdisjoint(("message", "remark")):
            fields["words"] = {name: words for name, words in self.words.items() if name not in fields} | said.kept(
                fields
            )
        fields = {name: storable(said.here(v)) if isinstance(v, str) else v for name, v in fields.items()}
        mine = Job.objects.filter(pk=self.pk, state__in=old)
        if epoch is not None:
            mine = mine.filter(epoch=epoch)
        if new in TERMINAL:
            fields |= {"ended_at": clock.now(), "note": "", "lease_until": None}
        with transaction.atomic():
            before = mine.select_for_update().values_list("state", flat=True).first()
            if before is None or mine.update(state=new, **fields) != 1:
                moved = epoch is not None and Job.objects.filter(pk=self.pk, epoch=epoch, state=new).exists()
            else:
                moved = True
                self.record(State(before), new, who=who, why=why)
                if new in (*TERMINAL, State.QUEUED):
                    Lease.objects.filter(job=self).delete()
                if new in TERMINAL:
                    outbox.enqueue(self, new)
        if moved:
            self.refresh_from_db()
        return moved

    def write(self, epoch: int, **fields: Any) -> None:
        """A holder's write. Raises Fenced where the holder is not the holder any more."""
        if Job.objects.filter(pk=self.pk, epoch=epoch, state__in=HELD).update(**fields) != 1:
            raise Fenced(f"job {self.pk}, epoch {epoch}")

    def renew(self, epoch: int, **fields: Any) -> datetime | None:
        """Renew the lease together with `fields`; when a cancel was asked, or None. Raises Fenced."""
        self.write(epoch, lease_until=clock.after(settings.JOB_LEASE), **fields)
        return Job.objects.values_list("cancel_requested_at", flat=True).get(pk=self.pk)

    def record(self, old: State | None, new: State, *, who: str, why: str = "") -> None:
        words = said.kept({"why": why}).get("why")
        who, why = storable(who)[:150], storable(why)[:1000]
        JobEvent.objects.create(job=self, at=clock.now(), old=old or "", new=new, who=who, why=why, words=words)

    def request_cancel(self, by: User) -> None:
        """Ask for an end: at once while it waits, within the grace while it runs. Asking twice does no harm."""
        if self.move((State.QUEUED,), State.CANCELLED, who=str(by), why="cancelled while waiting"):
            return
        asked = Job.objects.filter(pk=self.pk, state__in=RUNS, cancel_requested_at=None)
        with transaction.atomic():  # its runner hears of it when the event is there too, and tells the rest after it
            newly = asked.update(cancel_requested_at=clock.now(), cancel_requested_by=by)
            self.refresh_from_db()
            if newly:
                self.record(State(self.state), State(self.state), who=str(by), why="cancel asked")

    def move_to_front(self, by: User) -> bool:
        """Before all that waits in its project, and before what waits elsewhere without having been moved."""
        mine = Job.objects.filter(project=self.project_id, state=State.QUEUED).exclude(pk=self.pk)
        first = mine.aggregate(most=models.Max("priority"))["most"] or 0
        return self._prefer(max(first, 0) + 1, by, "moved to the front")

    def move_back(self, by: User) -> bool:
        """To where it would be, had nobody moved it."""
        return self._prefer(0, by, "moved back to its place")

    def _prefer(self, priority: int, by: User, why: str) -> bool:
        """False where it does not wait any more, or stands there already."""
        with transaction.atomic():
            waiting = Job.objects.filter(pk=self.pk, state=State.QUEUED).exclude(priority=priority)
            if waiting.update(priority=priority) != 1:
                return False
            self.priority = priority
            self.record(State.QUEUED, State.QUEUED, who=str(by), why=why)
        return True

    def requeue(self, old: tuple[State, ...], *, epoch: int, why: str, **fields: Any) -> bool:
        """Back into the queue, after its kernel or host was lost; its devices are free again."""
        lost: dict[str, Any] = {"handle": None, "lease_until": None, "host": None, "note": "", "exit_code": None}
        lost |= {"kernel_done": False, "kernel_error": "", "percentage": None, "adoptions": 0, "stop_reason": ""}
        lost |= {"resumes": F("resumes") + 1} | fields
        return self.move(old, State.QUEUED, epoch=epoch, who="worker", why=why, **lost)


class JobEvent(models.Model):
    """One change of a job's state, or something asked of it. Only ever added."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="events")
    at = models.DateTimeField()
    old = models.CharField(max_length=12, choices=State, blank=True)
    new = models.CharField(max_length=12, choices=State)
    who = models.CharField(max_length=150, blank=True)
    why = models.CharField(max_length=1000, blank=True)
    words = models.JSONField(null=True, blank=True)  # of `why`, where it is the portal's own: `jobs.said`

    class Meta:
        ordering = ["pk"]
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return f"{self.old} → {self.new}"

    @property
    def said(self) -> str:
        return said.load(self.words, self.why)


class DeviceKind(models.TextChoices):
    GPU = "gpu", _("GPU")
    CPU = "cpu", _("CPU slot")


class Host(models.Model):
    """A machine that runs jobs, as its worker last described it."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    boot_id = models.CharField(max_length=64, blank=True)
    device_kind = models.CharField(_("devices are"), max_length=3, choices=DeviceKind, default=DeviceKind.CPU)
    devices = models.PositiveIntegerField(_("devices"), default=1)
    device_names = models.JSONField(_("device names"), default=list, blank=True)
    cores = models.PositiveIntegerField(_("CPU cores"), default=1)
    free_bytes = models.PositiveBigIntegerField(_("free disk"), default=0)
    memory_bytes = models.PositiveBigIntegerField(_("memory"), default=0)  # 0: not said yet
    seen_at = models.DateTimeField(_("last seen"))
    sandbox = models.CharField(_("isolation"), max_length=16, blank=True, help_text=_("What encloses its kernels."))
    is_stale = models.BooleanField(
        _("was given up"),
        default=False,
        help_text=_("Its jobs went elsewhere while it was away: it gets none until nothing of theirs runs on it."),
    )
    canary_at = models.DateTimeField(_("task queue last proven alive"), null=True, blank=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("host")
        verbose_name_plural = _("hosts")

    def __str__(self) -> str:
        return self.name

    @property
    def is_alive(self) -> bool:
        return (clock.now() - self.seen_at).total_seconds() < max(15.0, 5 * settings.JOB_TICK)


class Lease(models.Model):
    """One device of one host, held by one job. The unique pair is what makes sure of it."""

    host = models.ForeignKey(Host, models.CASCADE, related_name="leases")
    index = models.PositiveIntegerField(_("device"))
    job = models.ForeignKey(Job, models.PROTECT, related_name="leases")  # nothing is deleted that holds a device

    class Meta:
        ordering = ["host", "index"]
        constraints = [models.UniqueConstraint(fields=["host", "index"], name="one_job_a_device")]
        verbose_name = _("lease")
        verbose_name_plural = _("leases")

    def __str__(self) -> str:
        return f"{self.host}:{self.index}"
