"""Sending what lies in the outbox: what a message says, by which way it goes, and when it is tried again."""

from __future__ import annotations

import json
import logging
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from jobs import clock, diagnosis, outbox, said, webhooks
from jobs.models import Job, State
from jobs.outbox import Channel, Delivery, Sending, Subscription
from jobs.said import Said
from projects_app.korean import fluent
from projects_app.models import Project

log = logging.getLogger(__name__)
BUDGET = 20.0  # seconds of one task: the task queue has other things to deliver
NOUNS = {
    State.SUCCEEDED.value: gettext_noop("“%(job)s” succeeded"),
    State.FAILED.value: gettext_noop("“%(job)s” failed"),
    State.CANCELLED.value: gettext_noop("“%(job)s” was cancelled"),
    outbox.TEST: gettext_noop("A test: notifications arrive here"),
}


def deliver() -> int:
    """Send what is due, one after the other, for some seconds; how many were tried."""
    until, tried = time.monotonic() + BUDGET, 0
    while time.monotonic() < until and (delivery := outbox.claim_due()):
        send(delivery)
        tried += 1
    outbox.forget_old()
    return tried


def test(subscription: Subscription) -> Delivery:
    """Send one message right now, once."""
    at = clock.now()
    delivery = Delivery.objects.create(
        subscription=subscription,
        event=outbox.TEST,
        created_at=at,
        next_at=at + timedelta(days=1),  # nobody else is to send it
        attempts=settings.NOTIFY_ATTEMPTS,
    )
    send(delivery)
    return delivery


def send(delivery: Delivery) -> None:
    """One try. Whatever goes wrong is kept with the delivery, and never raised."""
    try:
        if reason := _why_not(delivery):
            delivery.end(Sending.DROPPED, error=reason)
            return
        if not delivery.body:
            delivery.body = message(delivery)
            Delivery.objects.filter(pk=delivery.pk).update(body=delivery.body)
        _SENDERS[Channel(delivery.subscription.channel)](delivery)
    except webhooks.Refused as error:
        delivery.end(Sending.GAVE_UP, error=error.args[0])
    except webhooks.Failed as error:
        delivery.put_off(error.args[0], error.answer)
    except Exception as error:
        log.exception("delivery %s", delivery.pk)
        text = Said(gettext_noop("It could not be sent: %(why)s"), why=f"{type(error).__name__}: {error}"[:200])
        delivery.put_off(text)


def _why_not(delivery: Delivery) -> str:
    """Why it is not to be sent any more; empty where it is."""
    one = delivery.subscription
    if delivery.job is None and delivery.event != outbox.TEST:
        return Said(gettext_noop("The job was deleted meanwhile."))
    if not one.is_on and delivery.event != outbox.TEST:
        return Said(gettext_noop("It was switched off meanwhile."))
    if not one.user.is_active or not Project.objects.visible_to(one.user).filter(pk=one.project_id).exists():
        return Said(gettext_noop("Its user may not see the project any more."))
    return ""


# --- what it says ----------------------------------------------------------------------------------------------------


def message(delivery: Delivery) -> dict[str, Any]:
    """The body of a webhook, which the e-mail is made of too; in the language of its user."""
    one = delivery.subscription
    with translation.override(one.user.language or settings.LANGUAGE_CODE):
        title = delivery.job.title if delivery.job else ""
        text = fluent(_(NOUNS[delivery.event]) % {"job": " ".join(title.split())})
        found: dict[str, Any] = {
            "id": str(delivery.pk),
            "event": event_name(delivery.event),
            "text": text,
            "project": {"code": one.project.code, "name": one.project.name},
        }
        return found if delivery.job is None else found | {"job": _about(delivery.job)}


def event_name(event: str) -> str:
    return outbox.TEST if event == outbox.TEST else f"job.{event.lower()}"


def _about(job: Job) -> dict[str, Any]:
    subject = job.subject
    told = diagnosis.told(job) if job.state == State.FAILED else None
    why = {"failure": job.failure, "reason": told.sentence, "advice": told.advice, "quote": told.quote} if told else {}
    return {
        "number": job.pk,
        "title": job.title,
        "kind": job.kind,
        "state": job.state,
        "subject": subject[0] if subject else "",
        "started_by": str(job.created_by or ""),
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "ended_at": _time(job.ended_at),
        "seconds": job.elapsed,
        "remark": said.here(job.said_remark),
        "url": address(subject[1] if subject else job.get_absolute_url()),
    } | why


def address(path: str) -> str:
    """The whole address of a page, where the installation says what it is called; else the path."""
    return f"{settings.TRAINPORTAL_URL.rstrip('/')}{path}"


def _time(at: Any) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


# --- by which way ----------------------------------------------------------------------------------------------------


def _by_webhook(delivery: Delivery) -> None:
    body = json.dumps(delivery.body, ensure_ascii=False, sort_keys=True).encode()  # the same bytes at each try
    one = delivery.subscription
    headers = webhooks.headers(one, str(delivery.pk), event_name(delivery.event), body)
    answer = webhooks.post(one.url, body, headers)
    delivery.end(Sending.DELIVERED, answer=answer)


def _by_email(delivery: Delivery) -> None:
    one = delivery.subscription
    if not has_mail():
        raise webhooks.Refused(Said(gettext_noop("This portal has no mail server. An administrator sets one up.")))
    if not one.user.email:
        raise webhooks.Refused(Said(gettext_noop("Its user has no e-mail address.")))
    with translation.override(one.user.language or settings.LANGUAGE_CODE):
        page = address(reverse("jobs:notices", args=[one.project.code]))
        text = render_to_string("jobs/notice.txt", {"said": delivery.body, "page": page})
    mail = EmailMessage(
        subject=f"[{one.project.code}] {delivery.body['text']}"[:250],
        body=text,
        to=[one.user.email],
        headers={"Message-ID": f"<{delivery.pk}@trainportal>", "X-Trainportal-Delivery": str(delivery.pk)},
    )
    mail.send()
    delivery.end(Sending.DELIVERED)


def has_mail() -> bool:
    """Whether an administrator named a mail server."""
    return not settings.EMAIL_BACKEND.endswith("dummy.EmailBackend")


_SENDERS = {Channel.WEBHOOK: _by_webhook, Channel.EMAIL: _by_email}
