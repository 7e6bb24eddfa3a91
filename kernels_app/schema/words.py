"""Values and rules in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from projects_app.korean import fluent

Label = Callable[[Sequence[Any]], str]  # what the reader knows a path in `model.json` by
WIDTH = 80  # characters of a value that a sentence quotes


@dataclass(frozen=True)
class Problem:
    """What is wrong with a value. `name`: the parameter, dotted ("" for the document itself); `keyword`: whose rule."""

    pointer: str
    name: str
    message: str
    keyword: str = field(default="", compare=False)


def about(name: str, text: str) -> str:
    """What is wrong with what the reader knows by this name: "Learning rate must be at most 1; you gave 5." """
    return fluent(_("%(name)s %(sentence)s.") % {"name": name, "sentence": text})


def shown(value: Any) -> str:
    """A value as a sentence quotes it."""
    if value is None:
        return _("nothing (null)")
    if isinstance(value, str):
        return f"“{_cut(_clean(value))}”"
    try:
        return _cut(_clean(json.dumps(value, ensure_ascii=False)))
    except (ValueError, RecursionError):  # a number of thousands of digits, lists without end
        return "…"


def listed(values: list[Any]) -> str:
    return ", ".join(shown(value) for value in values)


def kinds(names: Any) -> str:
    """ "a whole number or nothing (null)", out of what `type` says."""
    words = {
        "integer": _("a whole number"), "number": _("a number"), "string": _("a text"), "boolean": _("yes or no"),
        "array": _("a list"), "object": _("an object"), "null": _("nothing (null)"),
    }  # fmt: skip
    found = [names] if isinstance(names, str) else names
    return _(" or ").join(words.get(kind, str(kind)) for kind in found)


def form(part: dict[str, Any]) -> str:
    """What a (resolved) schema allows, in a few words; "" where there are none for it."""
    if "const" in part:
        return shown(part["const"])
    if isinstance(part.get("enum"), list):
        return listed(part["enum"])
    if "type" not in part:
        return ""
    limits = ", ".join(_limits(part))
    return f"{kinds(part['type'])} ({limits})" if limits else kinds(part["type"])


def _limits(part: dict[str, Any]) -> Iterator[str]:
    texts = {
        "minimum": _("at least %(n)s"),
        "exclusiveMinimum": _("more than %(n)s"),
        "maximum": _("at most %(n)s"),
        "exclusiveMaximum": _("less than %(n)s"),
    }
    for keyword, text in texts.items():
        if keyword in part:
            yield text % {"n": shown(part[keyword])}


def sentence(keyword: str | None, limit: Any, given: Any) -> str:
    """What is allowed and what was given, for one broken rule."""
    values = {"limit": _limit(keyword, limit), "given": shown(given)}
    if keyword in COUNTED and isinstance(limit, int | float):
        return _counted(keyword, int(limit)) % values
    return _sentences().get(keyword, _("is not allowed here; you gave %(given)s")) % values


def _sentences() -> dict[str | None, str]:
    return {
        None: _("cannot be set here; you gave %(given)s"),
        "minimum": _("must be at least %(limit)s; you gave %(given)s"),
        "exclusiveMinimum": _("must be more than %(limit)s; you gave %(given)s"),
        "maximum": _("must be at most %(limit)s; you gave %(given)s"),
        "exclusiveMaximum": _("must be less than %(limit)s; you gave %(given)s"),
        "multipleOf": _("must be a multiple of %(limit)s; you gave %(given)s"),
        "enum": _("must be one of %(limit)s; you gave %(given)s"),
        "const": _("must be %(limit)s; you gave %(given)s"),
        "type": _("must be %(limit)s; you gave %(given)s"),
        "pattern": _("must match the pattern %(limit)s; you gave %(given)s"),
        "uniqueItems": _("must not hold the same value twice; you gave %(given)s"),
        "contains": _("lacks an entry that the kernel asks for; you gave %(given)s"),
        "items": _("has more entries than are allowed; you gave %(given)s"),
        "unevaluatedItems": _("has more entries than are allowed; you gave %(given)s"),
    }


COUNTED = (
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "minContains", "maxContains",
)  # fmt: skip


def _counted(keyword: str | None, n: int) -> str:
    n = min(n, 2**31)  # gettext's plural rules take machine numbers
    if keyword == "minLength":
        return ngettext(
            "must have at least %(limit)s character; you gave %(given)s",
            "must have at least %(limit)s characters; you gave %(given)s",
            n,
        )
    if keyword == "maxLength":
        return ngettext(
            "must have at most %(limit)s character; you gave %(given)s",
            "must have at most %(limit)s characters; you gave %(given)s",
            n,
        )
    if keyword in ("minItems", "minProperties"):
        return ngettext(
            "must have at least %(limit)s entry; you gave %(given)s",
            "must have at least %(limit)s entries; you gave %(given)s",
            n,
        )
    if keyword in ("maxItems", "maxProperties"):
        return ngettext(
            "must have at most %(limit)s entry; you gave %(given)s",
            "must have at most %(limit)s entries; you gave %(given)s",
            n,
        )
    if keyword == "minContains":
        return ngettext(
            "needs at least %(limit)s entry of a certain kind; you gave %(given)s",
            "needs at least %(limit)s entries of a certain kind; you gave %(given)s",
            n,
        )
    return ngettext(
        "may have at most %(limit)s entry of a certain kind; you gave %(given)s",
        "may have at most %(limit)s entries of a certain kind; you gave %(given)s",
        n,
    )


def _limit(keyword: str | None, value: Any) -> str:
    if keyword == "type":
        return kinds(value)
    return listed(value) if keyword == "enum" else shown(value)


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}…"


def _clean(text: str) -> str:
    """Halves of characters spelled out: no page can hold them."""
    return text.encode("utf-8", "backslashreplace").decode()
