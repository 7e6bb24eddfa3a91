"""What a new version of a schema asks for that the last one did not, setting by setting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from kernels_app.references import resolve
from kernels_app.schema.document import params_schema, title
from kernels_app.schema.words import form, shown

ADDED, REMOVED, TIGHTENED, CHANGED = "added", "removed", "tightened", "changed"
LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
RULES = ("pattern", "format", "multipleOf", "items", "properties", "allOf", "anyOf", "oneOf", "not", "if")
WHOLE = {"integer": {"integer"}, "number": {"integer", "number"}}


@dataclass(frozen=True)
class Change:
    """One setting. `before`, `after`: what it takes, in words; empty where it is not there."""

    kind: str
    name: str
    title: str
    before: str
    after: str

    @property
    def word(self) -> str:
        words = {ADDED: _("added"), REMOVED: _("removed"), TIGHTENED: _("tightened"), CHANGED: _("changed")}
        return words[self.kind]


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """From the schema `old` to the schema `new`: what was added, removed, tightened, then what changed otherwise."""
    order = (ADDED, REMOVED, TIGHTENED, CHANGED)
    return sorted(_changes(old, new), key=lambda change: order.index(change.kind))


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    before, after = params_schema(old), params_schema(new)
    earlier, later = _parts(before, old), _parts(after, new)
    for name, part in later.items():
        is_required = name in after.get("required", [])
        if name not in earlier:
            yield Change(ADDED, name, title(part, name), "", _told(part, is_required))
            continue
        was = earlier[name]
        was_required = name in before.get("required", [])
        told = _told(was, was_required), _told(part, is_required)
        tighter = _is_tighter(was, part) or (is_required and not was_required)
        if tighter or told[0] != told[1]:
            yield Change(TIGHTENED if tighter else CHANGED, name, title(part, name), *told)
    for name, part in earlier.items():
        if name not in later:
            yield Change(REMOVED, name, title(part, name), _told(part, name in before.get("required", [])), "")
    if _is_open(before) and not _is_open(after):
        text = _("settings that the schema does not know")
        yield Change(TIGHTENED, "", text, _("allowed"), _("not allowed"))


def _parts(section: dict[str, Any], root: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: resolve(part, root) for name, part in section.get("properties", {}).items()}


def _told(part: dict[str, Any], is_required: bool) -> str:
    """What it takes, in a few words."""
    found = [form(part) or _("anything")]
    if "pattern" in part:
        found.append(_("pattern %(pattern)s") % {"pattern": shown(part["pattern"])})
    if "default" in part:
        found.append(_("default %(value)s") % {"value": shown(part["default"])})
    return ", ".join([*found, _("required")] if is_required else found)


def _is_tighter(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether some value that was allowed may not be any more; where that is hard to tell, yes."""
    lower = any(key in new and not old.get(key, float("-inf")) >= new[key] for key in LOWER)
    upper = any(key in new and not old.get(key, float("inf")) <= new[key] for key in UPPER)
    rules = any(key in new and old.get(key) != new[key] for key in RULES)
    return lower or upper or rules or not _kinds(old) <= _kinds(new) or not _is_listed(old, new)


def _kinds(part: dict[str, Any]) -> set[str]:
    every = {"string", "integer", "number", "boolean", "array", "object", "null"}
    given = part.get("type", sorted(every))
    return {kind for name in ([given] if isinstance(given, str) else given) for kind in WHOLE.get(name, {name})}


def _is_listed(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether every value of the old list is in the new one."""
    listed = new.get("enum", [new["const"]] if "const" in new else None)
    if listed is None:
        return True
    before = old.get("enum", [old["const"]] if "const" in old else None)
    return before is not None and all(value in listed for value in before)


def _is_open(section: dict[str, Any]) -> bool:
    return section.get("additionalProperties", True) is not False
