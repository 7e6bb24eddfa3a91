"""The settings as a page shows them, in the language of the request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from kernels_app import describe
from kernels_app import schema as schemas
from kernels_app.fields import names, texts
from kernels_app.fields.growing import SCALARS, tree
from kernels_app.fields.names import Lists, last
from kernels_app.fields.reading import at, default_of, extras_of, read_node, read_section
from kernels_app.fields.shape import Choice, Layout, Node, Section
from kernels_app.fields.texts import ABSENT, Unreadable, same
from kernels_app.fields.writing import filled


@dataclass(frozen=True)
class Field:
    """One setting as the form shows it. Empty `text` with mode "": absent. `applies`: False for what was typed and
    does not count with the other settings as they are. `low`, `high`, `step`: for the attributes of a number's input.
    """

    path: tuple[str, ...]
    name: str  # dotted, for people
    html_name: str
    mode_name: str
    kind: str  # integer number string boolean enum const array json group
    mode: str  # "" natural, "null", "json"
    title: str
    description: str
    hint: str
    unit: str
    text: str
    default: str | None
    required: bool
    nullable: bool
    advanced: bool
    log: bool
    applies: bool
    choices: tuple[tuple[str, str], ...]  # text, label
    low: float | None
    high: float | None
    step: str  # "1", "0.5", "any"; "" where it is no number
    item_kind: str
    children: tuple[Field, ...]
    origin: str | None
    is_changed: bool  # from the default
    differs: bool  # from the origin

    @property
    def is_offered(self) -> bool:
        """Whether what stands in it is one of its choices; else a select must offer it too, or it would be lost."""
        words = ("true", "false") if self.kind == "boolean" else tuple(text for text, _label in self.choices)
        return not self.text or self.text in words

    @property
    def pointer(self) -> str:
        """Where it stands in `model.json`."""
        return names.pointer_of(self.path)

    def covers(self, pointer: str) -> bool:
        """Whether a problem at this pointer belongs to this field: the setting itself, or what has no input in it."""
        if any(child.covers(pointer) for child in self.children):
            return False
        return pointer == self.pointer or pointer.startswith(f"{self.pointer}/")


def fields(schema: dict[str, Any], data: Any, origin: Mapping[str, Any] | None = None) -> list[Field]:
    """The fields in the schema's order, with what was typed as it was typed. `origin`: settings to compare with."""
    section = tree(schema)
    lists = filled(section, names.lists_of(data))
    return list(_fields(section, lists, extras_of(lists)[0], origin))


def _fields(section: Section, lists: Lists, extra: Mapping[str, Any], origin: Any) -> Iterator[Field]:
    reading = read_section(section, lists, extra)
    for name, node in section.nodes.items():
        if name in reading.layout.live:
            yield _field(node, lists, reading.layout, origin, True)
        elif (value := _value(node, lists)) is not ABSENT and not same(value, default_of(node, node.part)):
            yield _field(node, lists, reading.layout, origin, False)


def _field(node: Node, lists: Lists, layout: Layout, origin: Any, applies: bool) -> Field:
    part = layout.parts.get(node.name, node.part) if applies else node.part
    told = _told(node, get_language()) if part is node.part else _tell(node, part)
    mode, text = last(lists, names.mode_name(node.path)), last(lists, names.html_name(node.path))
    mode = mode if mode in (texts.NULL, texts.JSON) else texts.NATURAL
    children: tuple[Field, ...] = ()
    if node.section and mode == texts.NATURAL:
        children = tuple(_fields(node.section, lists, {}, origin))
    value, default = _value(node, lists), default_of(node, part)
    before = ABSENT if origin is None else at(origin, node.path)
    return Field(
        path=node.path,
        name=".".join(node.path),
        html_name=names.html_name(node.path),
        mode_name=names.mode_name(node.path),
        mode=mode,
        text=text,
        required=node.name in layout.required,
        nullable=node.nullable,
        applies=applies,
        item_kind=node.item_kind,
        children=children,
        origin=None if before is ABSENT else _shown(node, before),
        is_changed=any(child.is_changed for child in children) if children else not same(value, default),
        differs=origin is not None and not same(value, before),
        **told,
    )


@lru_cache(maxsize=8192)
def _told(node: Node, language: str | None) -> dict[str, Any]:
    """What a field says whatever was typed; made once for each language, because it takes most of the time."""
    return _tell(node, node.part)


def _tell(node: Node, part: Mapping[str, Any]) -> dict[str, Any]:
    """What a field says of its schema. `part`: as it counts now."""
    default, choices = default_of(node, part), _choices(node, part)
    low, high, step = _bounds(node.kind, part)
    return {
        "kind": "enum" if choices and node.kind in ("integer", "number", "string") else node.kind,
        "title": schemas.title(dict(part), node.name),
        "description": schemas.description(dict(part)),
        "hint": _hint(node, part, default),
        "unit": schemas.unit(dict(part)),
        "default": None if default is ABSENT else _shown(node, default),
        "advanced": bool(part.get("x-advanced", False)),
        "log": bool(part.get("x-log", False)),
        "choices": choices,
        "low": low,
        "high": high,
        "step": step,
    }


def _value(node: Node, lists: Lists) -> Any:
    """The value of an input; None of them for what cannot be read."""
    try:
        return read_node(node, lists)[0]
    except Unreadable:
        return _UNREADABLE


_UNREADABLE = object()  # the same as nothing else


def _shown(node: Node, value: Any) -> str:
    """A default or an origin as text."""
    text, mode = texts.write(node, value)
    return "null" if mode == texts.NULL else text


def _choices(node: Node, part: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """What can be chosen now: a rule may have narrowed it."""
    if node.kind == "boolean":
        return ("true", _("Yes")), ("false", _("No"))
    narrowed = part.get("enum", [part["const"]] if "const" in part else None)
    if node.choices:
        found = [one for one in node.choices if not isinstance(narrowed, list) or _is_in(one.value, narrowed)]
        return tuple((one.text, _label(one)) for one in found)
    if node.kind not in SCALARS or not isinstance(narrowed, list):
        return ()
    written = [texts.write(node, value) for value in narrowed if value is not None]
    return tuple((text, text) for text, mode in written) if not any(mode for _text, mode in written) else ()


def _is_in(value: Any, values: list[Any]) -> bool:
    return any(same(value, other) for other in values)


def _label(choice: Choice) -> str:
    return schemas.title(dict(choice.part), "") or texts.plain(choice.value) or choice.text


def _bounds(kind: str, part: Mapping[str, Any]) -> tuple[float | None, float | None, str]:
    """The bounds that an input can say; exclusive ones only of whole numbers."""
    if kind not in ("integer", "number"):
        return None, None, ""
    low, high = _number(part, "minimum"), _number(part, "maximum")
    if kind == "integer":
        above, below = _number(part, "exclusiveMinimum"), _number(part, "exclusiveMaximum")
        if above is not None and float(above).is_integer():
            low = above + 1 if low is None else max(low, above + 1)
        if below is not None and float(below).is_integer():
            high = below - 1 if high is None else min(high, below - 1)
    step = _number(part, "multipleOf")
    if step is not None and (low is None or not low):  # an input counts its steps from its lowest value
        return low, high, str(step)
    return low, high, "1" if kind == "integer" and step is None and (low is None or float(low).is_integer()) else "any"


def _number(part: Mapping[str, Any], keyword: str) -> Any:
    value = part.get(keyword)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300 else None


def _hint(node: Node, part: Mapping[str, Any], default: Any) -> str:
    """What is allowed and the default, in one short line."""
    said = [] if node.choices or "enum" in part else [describe.limits(dict(part))]
    items = part.get("items")
    if node.item_kind and isinstance(items, dict):
        said.append(_("each: %(what)s") % {"what": _each(items)} if _each(items) else "")
    if node.nullable:
        said.append(_("may be null"))
    if default is not ABSENT and node.section is None:
        said.append(_("default %(default)s") % {"default": _default_words(node, default)})
    return " · ".join(one for one in said if one)


def _each(items: dict[str, Any]) -> str:
    return describe.limits(items)


def _default_words(node: Node, default: Any) -> str:
    if isinstance(default, bool) and node.kind == "boolean":
        return _("Yes") if default else _("No")
    found = next((_label(one) for one in node.choices if same(one.value, default)), "")
    return found or _shown(node, default).replace("\n", ", ")
