"""Jobs in the reader's words: kinds, verbs, what the events say (`{% load job_words %}`)."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.listing import KINDS

register = template.Library()

CANCEL = {
    "training": gettext_lazy("Cancel training"),
    "validation": gettext_lazy("Cancel validation"),
    "import_dataset": gettext_lazy("Cancel import"),
}
# what the engine writes into events and rows is kept in English; these are its fixed sentences
SENTENCES: dict[str, str | Promise] = {
    "cancel asked": gettext_lazy("Cancelling was asked for"),
    "cancelled while waiting": gettext_lazy("Cancelled while it waited"),
    "cancelled": gettext_lazy("Cancelled"),
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
    """An event's reason; a program's own words stay as they are."""
    return str(SENTENCES.get(why, why))


@register.filter
def actor(who: str) -> str:
    """Who did it: a person by name, the portal's own parts in words."""
    if who.startswith(ON_HOST):
        return _("the worker on %(host)s") % {"host": who.removeprefix(ON_HOST)}
    return str(ACTORS.get(who, who))


@register.filter
def place(pk: int, places: dict[int, int]) -> int | None:
    """How many jobs stand before the one with this id; None where it does not wait."""
    return places.get(pk)


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
