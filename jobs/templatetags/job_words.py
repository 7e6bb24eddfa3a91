"""Jobs in the reader's words: kinds, verbs, what the events say (`{% load job_words %}`)."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs import diagnosis, listing, said
from jobs.line import Place
from jobs.listing import KINDS
from jobs.models import Job, JobEvent, State
from jobs.waiting import Queue

register = template.Library()

CANCEL = {
    "training": gettext_lazy("Cancel training"),
    "validation": gettext_lazy("Cancel validation"),
    "import_dataset": gettext_lazy("Cancel import"),
    "import_model": gettext_lazy("Cancel import"),
    "import_kernel": gettext_lazy("Cancel import"),
    "export_dataset": gettext_lazy("Cancel export"),
    "export_snapshot": gettext_lazy("Cancel export"),
    "restore_snapshot": gettext_lazy("Cancel restoration"),
    "export_model": gettext_lazy("Cancel export"),
}
# what the engine says of itself is short; these say more to a reader
SENTENCES: dict[str, str | Promise] = {
    "cancel asked": gettext_lazy("Cancelling was asked for"),
    "cancelled while waiting": gettext_lazy("Cancelled while it waited"),
    "cancelled": gettext_lazy("Cancelled"),
    "moved to the front": gettext_lazy("Moved to the front of the queue"),
    "moved back to its place": gettext_lazy("Moved back to its place in the queue"),
    "its runner was gone: a new one": gettext_lazy("Its supervisor was gone; a new one took over"),
    "its runner was stuck: a new one": gettext_lazy("Its supervisor was stuck; a new one took over"),
    "the machine was restarted": gettext_lazy("The machine was restarted"),
}
ACTORS: dict[str, str | Promise] = {"runner": gettext_lazy("the supervisor"), "worker": gettext_lazy("a worker")}
ON_HOST = "worker on "


@register.filter
def kind_word(kind: str) -> str:
    """What a kind of job is called; one that is not known under its own name."""
    return str(KINDS.get(kind, kind.replace("_", " ")))


@register.filter
def cancel_verb(kind: str) -> str:
    """The button that ends a job of this kind."""
    return str(CANCEL.get(kind) or _("Cancel job"))


@register.filter
def sentence(why: str) -> str:
    """An event's reason in the reader's language; a program's own words stay as they are."""
    return str(SENTENCES[why]) if why in SENTENCES else said.here(why)


@register.filter
def here(text: str) -> str:
    """A sentence of the portal's own in the reader's language, anything else as it is."""
    return said.here(text)


@register.filter
def happened(event: JobEvent, job: Job) -> str:
    """What an event of the job says; its failure in the words of the rule that fits, not as the program said it."""
    return diagnosis.sentence(job) if event.new == State.FAILED and job.failure else sentence(event.said)


@register.filter
def actor(who: str) -> str:
    """Who did it: a person by name, the portal's own parts in words."""
    if who.startswith(ON_HOST):
        return _("the worker on %(host)s") % {"host": who.removeprefix(ON_HOST)}
    return str(ACTORS.get(who, who))


@register.filter
def group_of(job: Job) -> str:
    """ "running", "waiting" or "ended"."""
    return listing.group(job)


@register.filter
def short_failure(job: Job) -> str:
    """Why it failed, where a rule knows more than "it said so"."""
    return diagnosis.sentence(job) if job.failure and job.failure != diagnosis.SAID else ""


@register.filter
def place_of(queue: Queue, job: Job) -> Place | None:
    """Where the job stands in the line; None where it does not wait any more."""
    return queue.place(job)


@register.filter
def reason_for(queue: Queue, job: Job) -> str:
    """What the job waits for."""
    return queue.reason(job)


@register.filter
def is_stuck(queue: Queue, job: Job) -> bool:
    """Whether it waits until somebody does something."""
    return queue.is_stuck(job)


@register.filter
def about_left(seconds: float | None) -> str:
    """An estimate as coarse as it is sure: "about 12 min left"."""
    if seconds is None:
        return ""
    minutes = round(seconds / 60)
    if minutes < 1:
        return _("less than a minute left")
    if minutes < 60:
        return _("about %(n)s min left") % {"n": minutes}
    hours, rest = divmod(5 * round(minutes / 5), 60)
    if not rest:
        return _("about %(n)s h left") % {"n": hours}
    return _("about %(hours)s h %(minutes)s min left") % {"hours": hours, "minutes": rest}
