"""Who wants to hear of which end of a job, and what is on its way to them.

A delivery is a row, written in the transaction that ends the job: so none is lost and none is doubled, whatever dies
when. It goes out at least once, always with the same id; sending it is nobody's business who runs a job.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django_q.tasks import async_task

from jobs import clock, said
from projects_app.models import Project, User

if TYPE_CHECKING:
    from jobs.models import Job

LONGEST_PAUSE = 6 * 3600.0  # seconds between two tries, at most
KEPT_DAYS = 30  # of deliveries that ended
TEST = "test"  # an event that is none


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    WEBHOOK = "webhook", _("Webhook")


class Events(models.TextChoices):
    FAILED = "failed", _("When a job fails")
    ENDED = "ended", _("When a job ends, however it does")


def new_nonce() -> str:
    return secrets.token_hex(16)


class Subscription(models.Model):
    """One way by which one person hears of one project. The webhook's secret follows from `nonce`: `jobs.webhooks`."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="+", verbose_name=_("project"))
    user = models.ForeignKey(User, models.CASCADE, related_name="+", verbose_name=_("user"))
    channel = models.CharField(_("how"), max_length=8, choices=Channel)
    events = models.CharField(_("when"), max_length=8, choices=Events, default=Events.ENDED)
    only_mine = models.BooleanField(_("only jobs that I started"), default=True)
    url = models.CharField(_("address"), max_length=500, blank=True)
    nonce = models.CharField(max_length=32, default=new_nonce, editable=False)
    is_on = models.BooleanField(_("switched on"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        indexes = [models.Index(fields=["project", "is_on"])]
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")

    def __str__(self) -> str:
        return f"{self.user}: {self.get_channel_display()}"


class Sending(models.TextChoices):
    WAITING = "WAITING", _("On its way")
    DELIVERED = "DELIVERED", _("Delivered")
    GAVE_UP = "GAVE_UP", _("Given up")
    DROPPED = "DROPPED", _("Not sent")


class Delivery(models.Model):
    """One message to one subscription. `body`: what is sent, made at the first try and the same at every other."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subscription = models.ForeignKey(Subscription, models.CASCADE, related_name="deliveries")
    job = models.ForeignKey("jobs.Job", models.SET_NULL, null=True, blank=True, related_name="+")
    event = models.CharField(_("event"), max_length=12)  # the job's last state, or TEST
    state = models.CharField(_("state"), max_length=10, choices=Sending, default=Sending.WAITING)
    body = models.JSONField(default=dict, blank=True)
    attempts = models.PositiveIntegerField(_("tries"), default=0)
    next_at = models.DateTimeField(_("next try"))
    answer = models.PositiveIntegerField(_("answer"), null=True, blank=True)  # HTTP status of the last try
    error = models.CharField(_("error"), max_length=500, blank=True)
    words = models.JSONField(null=True, blank=True)  # of `error`: `jobs.said`
    created_at = models.DateTimeField(_("created"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "pk"]
        indexes = [models.Index(fields=["state", "next_at"]), models.Index(fields=["subscription", "-created_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "job", "event"], condition=Q(job__isnull=False), name="one_delivery_an_event"
            )
        ]
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")

    def __str__(self) -> str:
        return f"{self.event}: {self.state}"

    @property
    def said_error(self) -> str:
        return said.load(self.words, self.error)

    def end(self, state: Sending, *, error: str = "", answer: int | None = None) -> None:
        self._save(state=state, ended_at=clock.now(), error=error, answer=answer)

    def put_off(self, error: str, answer: int | None = None) -> None:
        """Try again later, or give up; what else waits for the same address waits as long."""
        if self.attempts >= settings.NOTIFY_ATTEMPTS:
            self.end(Sending.GAVE_UP, error=error, answer=answer)
            return
        later = clock.after(pause(self.attempts))
        self._save(next_at=later, error=error, answer=answer)
        others = Delivery.objects.filter(subscription=self.subscription_id, state=Sending.WAITING, next_at__lt=later)
        others.update(next_at=later)

    def _save(self, *, error: str, **fields: object) -> None:
        words = said.kept({"error": error}).get("error")
        mine = Delivery.objects.filter(pk=self.pk, state=Sending.WAITING)
        mine.update(error=str(error)[:500], words=words, **fields)
        self.refresh_from_db()


def pause(attempts: int) -> float:
    """Seconds until the next try: four times as long each time."""
    return float(min(settings.NOTIFY_BACKOFF * 4 ** max(0, attempts - 1), LONGEST_PAUSE))


def enqueue(job: Job, state: str) -> None:
    """Write down who hears of this end; inside the transaction that ends the job."""
    wanted = Subscription.objects.filter(project=job.project_id, is_on=True)
    wanted = wanted.filter(Q(only_mine=False) | Q(user=job.created_by_id))
    if state != "FAILED":
        wanted = wanted.exclude(events=Events.FAILED)
    at = clock.now()
    rows = [Delivery(subscription=one, job=job, event=state, next_at=at, created_at=at) for one in wanted]
    if rows:
        Delivery.objects.bulk_create(rows, ignore_conflicts=True)
        nudge()


def nudge() -> None:
    """Have the task queue send what is due, once the transaction is through. What it fails to hear the tick repeats."""
    transaction.on_commit(lambda: async_task("jobs.tasks.deliver"), robust=True)


def is_any_due() -> bool:
    return Delivery.objects.filter(state=Sending.WAITING, next_at__lte=clock.now()).exists()


def claim_due() -> Delivery | None:
    """The next delivery that is due, for whoever asks first: until it may be tried again nobody else gets it."""
    due = Delivery.objects.filter(state=Sending.WAITING, next_at__lte=clock.now()).order_by("next_at")
    for found in due.select_related("subscription__user", "subscription__project")[:20]:
        mine = Delivery.objects.filter(pk=found.pk, state=Sending.WAITING, next_at=found.next_at)
        later = clock.after(max(pause(found.attempts + 1), 2 * settings.NOTIFY_TIMEOUT + 5))
        if mine.update(attempts=F("attempts") + 1, next_at=later) == 1:
            found.refresh_from_db(fields=["attempts", "next_at"])
            return found
    return None


def forget_old() -> None:
    old = clock.now() - timedelta(days=KEPT_DAYS)
    Delivery.objects.exclude(state=Sending.WAITING).filter(created_at__lt=old).delete()
