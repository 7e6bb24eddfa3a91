"""The tags and filters that every template has (a builtin library, see docs/front-end.md)."""

import datetime as dt
import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from django import forms, template
from django.core.paginator import Page
from django.template.defaultfilters import stringfilter
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from projects_app import korean
from projects_app.models import Colour

register = template.Library()
NOTHING = "—"
MINUTE, HOUR, DAY = 60, 3600, 86400


# --- icons and states -----------------------------------------------------------------------------------------------
class Look(NamedTuple):
    """How a state shows: tone (a CSS class `state-<tone>`), icon and word."""

    tone: str
    icon: str
    word: str | Promise


LOOKS = {
    "QUEUED": Look("queued", "clock", gettext_lazy("Queued")),
    "STARTING": Look("running", "loader-2", gettext_lazy("Starting")),
    "RUNNING": Look("running", "player-play", gettext_lazy("Running")),
    "STOPPING": Look("running", "player-stop", gettext_lazy("Stopping")),
    "CANCELLING": Look("running", "player-stop", gettext_lazy("Cancelling")),
    "FINALIZING": Look("running", "loader-2", gettext_lazy("Saving results")),
    "SUCCEEDED": Look("succeeded", "circle-check", gettext_lazy("Succeeded")),
    "FAILED": Look("failed", "circle-x", gettext_lazy("Failed")),
    "CANCELLED": Look("cancelled", "ban", gettext_lazy("Cancelled")),
    "ATTENTION": Look("attention", "alert-triangle", gettext_lazy("Needs attention")),
}


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """One icon of the sprite, for the eye only: the words stand beside it."""
    href = f"{static('vendor/icons.svg')}#{name}"
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}"></use></svg>', extra, href)


@register.filter
def colour_number(colour: str) -> int:
    """The class of a chosen colour is `label-` and this number."""
    return Colour(colour).number


@register.filter
def colour_word(colour: str) -> str:
    return str(Colour(colour).label)


@register.filter
def state_look(state: object) -> Look:
    """The look of a state; one that is not known shows grey under its own name."""
    name = str(state)
    return LOOKS.get(name.upper()) or Look("queued", "info-circle", name)


@register.filter
def shown_state(job: Any) -> str:
    """The state that a job's badge shows: who cancelled it sees that at once, whatever its program still does."""
    return "CANCELLING" if job.is_cancelling else str(job.state)


@register.filter(is_safe=True)
@stringfilter
def fluent(text: str) -> str:
    """A sentence with one form of each Korean particle."""
    return korean.fluent(text)


# --- times ----------------------------------------------------------------------------------------------------------
# %(n)s is put in by Python here and by static/js/time.js in the page; abbreviated, so that no plural forms are needed
PAST = {
    "min": gettext_noop("%(n)s min ago"),
    "hour": gettext_noop("%(n)s h ago"),
    "day": gettext_noop("%(n)s d ago"),
}
FUTURE = {
    "min": gettext_noop("in %(n)s min"),
    "hour": gettext_noop("in %(n)s h"),
    "day": gettext_noop("in %(n)s d"),
}
UNITS = {"min": MINUTE, "hour": HOUR, "day": DAY}
RELATIVE_DAYS = 30  # further away than this the date itself says more


def unit_of(seconds: float) -> str:
    return "min" if seconds < HOUR else "hour" if seconds < DAY else "day"


@register.filter
def ago(moment: dt.datetime | None) -> str:
    """How long ago: "just now", "3 min ago", "in 2 h", or the date where that is more than a month away."""
    if not moment:
        return NOTHING
    seconds = (timezone.now() - moment).total_seconds()
    distance = abs(seconds)
    if distance < MINUTE:
        return _("just now")
    if distance >= RELATIVE_DAYS * DAY:
        return formats.date_format(timezone.localtime(moment), "DATE_FORMAT")
    unit = unit_of(distance)
    return _((PAST if seconds > 0 else FUTURE)[unit]) % {"n": int(distance // UNITS[unit])}


@register.simple_tag
def when(moment: dt.datetime | None) -> str:
    """A `<time>`: relative, the exact one on hover; static/js/time.js keeps it fresh, in the reader's zone."""
    if not moment:
        return NOTHING
    local = timezone.localtime(moment)
    exact = f"{formats.date_format(local, 'DATETIME_FORMAT')} {local.tzname()}"
    return format_html(
        '<time datetime="{}" title="{}" data-when>{}</time>', moment.isoformat(timespec="seconds"), exact, ago(moment)
    )


@register.simple_tag
def time_words() -> SafeString:
    """The words of `ago` as data attributes, with `{n}` for the number, for static/js/time.js."""
    words = {"now": _("just now")}
    words |= {f"past-{unit}": _(text) % {"n": "{n}"} for unit, text in PAST.items()}
    words |= {f"future-{unit}": _(text) % {"n": "{n}"} for unit, text in FUTURE.items()}
    return format_html_join("", ' data-{}="{}"', words.items())


@register.filter
def duration(value: float | dt.timedelta | None) -> str:
    """Seconds in words, the two largest units: "48 s", "3 min 5 s", "1 h 12 min", "2 d 4 h"."""
    if value is None:
        return NOTHING
    seconds = value.total_seconds() if isinstance(value, dt.timedelta) else float(value)
    if not math.isfinite(seconds):
        return NOTHING
    if 0 < seconds < 1:
        return _("under 1 s")
    minutes, second = divmod(max(0, round(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    counts = [
        (day, _("%(n)s d")),
        (hour, _("%(n)s h")),
        (minute, _("%(n)s min")),
        (second, _("%(n)s s")),
    ]
    first = next((i for i, (n, _text) in enumerate(counts) if n), 3)
    return " ".join(text % {"n": n} for n, text in counts[first : first + 2] if n) or _("%(n)s s") % {"n": 0}


# --- numbers and values ---------------------------------------------------------------------------------------------
@register.filter
def num3(value: Any) -> str:
    """Three significant digits for a measured number (0.923, 12.3, 1,230, 1.2e-05); a whole `int` is a count: exact."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    if math.isnan(number):
        return NOTHING
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if 1000 <= abs(rounded) < 1e15 else f"{number:.3g}"


@register.filter
def jsonpretty(value: Any) -> str:
    """JSON with an indent of two, Korean as Korean; the template escapes it."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


# --- forms and pages ------------------------------------------------------------------------------------------------
def widget_class(own: forms.Widget) -> str:
    """Tabler's class for a widget."""
    if isinstance(own, forms.CheckboxInput):
        return "form-check-input"
    return "form-select" if isinstance(own, forms.Select) else "form-control"


@register.filter
def is_checkbox(field: forms.BoundField) -> bool:
    return isinstance(field.field.widget, forms.CheckboxInput)


def choice_list(field: forms.BoundField) -> SafeString:
    """Radio buttons or check boxes, one a line; Django's own list puts the class on its frame too."""
    options = []
    for option in field.subwidgets:
        option.data["attrs"]["class"] = "form-check-input"
        options.append((option.tag(), option.choice_label))
    line = '<label class="form-check">{}<span class="form-check-label">{}</span></label>'
    return format_html('<div id="{}">{}</div>', field.auto_id, format_html_join("", line, options))


@register.simple_tag
def widget(field: forms.BoundField) -> SafeString:
    """The field's input with Tabler's classes on top of its own."""
    own = field.field.widget
    if isinstance(own, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return choice_list(field)
    classes = [own.attrs.get("class", ""), widget_class(own), "is-invalid" if field.errors else ""]
    return field.as_widget(attrs={"class": " ".join(filter(None, classes))})


@register.filter
def elided(page: Page) -> Iterable[int | str]:
    """The page numbers to show around the current one, "…" between."""
    return page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1)


@register.filter
def page_sizes(sizes: str | None) -> list[int]:
    """The page sizes to offer, from "20,50,100"."""
    return [int(size) for size in (sizes or "20,50,100").split(",")]


@register.filter
def words(text: str) -> list[str]:
    """For loops over a few names."""
    return text.split()


@register.filter
def lookup(found: Any, key: Any) -> Any:
    """`found[key]` of a dictionary, None where it is not there."""
    return found.get(key) if hasattr(found, "get") else None
