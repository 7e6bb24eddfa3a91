"""What jsonschema found, as sentences: which setting, what is allowed, what was given. Never its own message."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any

from django.utils.translation import gettext as _
from jsonschema import ValidationError

from kernels_app.references import resolve
from kernels_app.schema.compiled import extras
from kernels_app.schema.document import PARAMS, pointer_of
from kernels_app.schema.words import Label, Problem, about, form, sentence, shown
from projects_app.korean import fluent

DEEPER = ("properties", "patternProperties", "prefixItems")  # the next step of a rule leads into a value


class Words:
    """Sentences about one `model.json`. `document`: the whole schema; `settings`: the whole `model.json`.

    `label`: says what the reader knows a setting by; without it that is its key."""

    def __init__(self, document: dict[str, Any], settings: Any, label: Label | None = None) -> None:
        self.document, self.settings, self.label = document, settings, label

    def name(self, path: list[Any]) -> str:
        return self.label(path) if self.label else _dotted(path)

    def labelled(self, path: list[Any], text: str) -> str:
        return about(self.label(path), text) if self.label and path else _labelled(_dotted(path), text)

    def of(self, error: ValidationError) -> Iterator[Problem]:
        """At least one problem for every error."""
        path = list(error.absolute_path)
        if error.validator == "required":
            yield from self._missing(error, path, [key for key in error.validator_value if key not in error.instance])
        elif error.validator == "dependentRequired":
            yield from self._dependent(error, path)
        elif error.validator in ("additionalProperties", "unevaluatedProperties"):
            yield from self._unknown(error, path)
        elif "propertyNames" in error.absolute_schema_path and _is_name(error):
            text = _("the name %(name)s is not allowed here") % {"name": shown(error.instance)}
            yield _problem(path, _labelled(self.name(path) if path else "", text), "propertyNames")
        elif error.validator in ("anyOf", "oneOf"):
            yield from self._alternatives(error, path)
        elif error.validator is None:
            yield from self._forbidden(error, path)
        else:
            text = self._not(error) if error.validator == "not" else _said(error)
            yield _problem(path, self.labelled(path, self._while(error, text)), str(error.validator))

    def _missing(self, error: ValidationError, path: list[Any], names: Iterable[str]) -> Iterator[Problem]:
        when = self._condition(error)
        for name in names:
            values = {"name": self.name([*path, name]), "condition": when}
            text = _("%(name)s is required when %(condition)s.") if when else _("%(name)s is required.")
            yield _problem([*path, name], text % values, "required")

    def _dependent(self, error: ValidationError, path: list[Any]) -> Iterator[Problem]:
        for given, needed in error.validator_value.items():
            for name in needed if given in error.instance else ():
                if name not in error.instance:
                    text = _("%(name)s is required when %(other)s is set.")
                    values = {"name": self.name([*path, name]), "other": self.name([*path, given])}
                    yield _problem([*path, name], text % values, "dependentRequired")

    def _unknown(self, error: ValidationError, path: list[Any]) -> Iterator[Problem]:
        """Names that no field has: what was meant, or why it is none now."""
        section = error.schema if isinstance(error.schema, dict) else {}
        known = set(_names(section, self.document))
        found = extras(section, error.instance)
        if error.validator == "unevaluatedProperties":
            found = [name for name in found if f"{name!r}" in error.message] or found
        for name in sorted(found):
            yield _problem([*path, name], _not_a_setting([*path, name], name, known), str(error.validator))
        if not found:  # never without a word
            yield _problem(path, self.labelled(path, sentence("", None, error.instance)), str(error.validator))

    def _forbidden(self, error: ValidationError, path: list[Any]) -> Iterator[Problem]:
        """Settings whose schema is `false`. jsonschema does not say which of its neighbours it is."""
        node, section = self._schema_at(error.absolute_schema_path), self._value_at(path)
        names = [name for name in section if name in node and node[name] is False] if isinstance(node, dict) else []
        for name in names:
            text = self._while(error, sentence(None, None, section[name]))
            yield _problem([*path, name], self.labelled([*path, name], text), "properties")
        if not names:
            yield _problem(path, self.labelled(path, self._while(error, sentence(None, None, error.instance))), "")

    def _schema_at(self, steps: Iterable[Any]) -> Any:
        node: Any = self.document
        for step in steps:
            node = resolve(node, self.document) if isinstance(node, dict) else node
            node = node.get(step) if isinstance(node, dict) else node[step] if isinstance(node, list) else None
        return node

    def _value_at(self, path: list[Any]) -> dict[str, Any]:
        found = self.settings
        for step in path:
            found = found[step]
        return found if isinstance(found, dict) else {}

    def _alternatives(self, error: ValidationError, path: list[Any]) -> Iterator[Problem]:
        """Where all but one form are out of the question, what is wrong with that one; else the forms there are."""
        likely = [found for _n, found in _by_alternative(error) if not _is_other_kind(found, error)]
        if len(likely) == 1:
            for inner in likely[0]:
                yield from self.of(inner)
            return
        parts = [resolve(part, self.document) for part in error.validator_value]
        words = [form(part) or str(part.get("title", "")) for part in parts]
        values = {"forms": ", ".join(word for word in words if word), "given": shown(error.instance)}
        if error.validator == "oneOf" and not error.context:
            text = _("fits more than one of the forms it may have; you gave %(given)s")
        elif all("const" in part for part in parts):
            text = _("must be one of %(forms)s; you gave %(given)s")
        elif all(words):
            text = _("must be one of these: %(forms)s; you gave %(given)s")
        else:
            text = _("has none of the forms it may have; you gave %(given)s")
        yield _problem(path, self.labelled(path, self._while(error, text % values)), str(error.validator))

    def _not(self, error: ValidationError) -> str:
        words = form(resolve(error.validator_value, self.document))
        values = {"limit": words, "given": shown(error.instance)}
        return _("must not be %(limit)s; you gave %(given)s") % values if words else sentence("", None, error.instance)

    def _while(self, error: ValidationError, text: str) -> str:
        when = self._condition(error)
        return _("%(sentence)s (because %(condition)s)") % {"sentence": text, "condition": when} if when else text

    def _condition(self, error: ValidationError) -> str:
        """Under which `if` the rule stands, in words: "solver is “sgd”"; "" where it is none that words say easily."""
        node: Any = self.document
        found, before, depth = "", "", 0  # `depth`: how far into the settings the rules before lead
        for step in error.absolute_schema_path:
            node = resolve(node, self.document) if isinstance(node, dict) else node
            if step in ("then", "else") and before != "properties" and isinstance(node, dict) and "if" in node:
                name = self._name_beside(list(error.absolute_path)[:depth])
                found = _condition_words(resolve(node["if"], self.document), step == "then", name) or found
            try:
                node = node[step]
            except (KeyError, IndexError, TypeError):
                return found
            depth += before in DEEPER or (step in ("items", "additionalProperties") and isinstance(node, dict))
            before = "" if before in DEEPER else str(step)
        return found

    def _name_beside(self, path: list[Any]) -> Callable[[str], str]:
        """What a setting of the object at `path` is called in a condition."""
        return (lambda key: self.name([*path, key])) if self.label else str


def _condition_words(part: dict[str, Any], holds: bool, name_of: Callable[[str], str]) -> str:
    properties = part.get("properties")
    if not isinstance(properties, dict) or not properties or set(part) - {"properties", "required", "type"}:
        return ""
    found = []
    for name, rule in properties.items():
        values = [rule["const"]] if isinstance(rule, dict) and "const" in rule else None
        values = rule["enum"] if isinstance(rule, dict) and isinstance(rule.get("enum"), list) else values
        if not values or set(rule) - {"const", "enum", "type"}:
            return ""
        found.append((name_of(name), _(" or ").join(shown(value) for value in values)))
    if not holds and len(found) > 1:
        return ""
    text = _("%(name)s is %(value)s") if holds else _("%(name)s is not %(value)s")
    return _(" and ").join(text % {"name": name, "value": value} for name, value in found)


def _said(error: ValidationError) -> str:
    keyword = str(error.validator)
    if keyword == "items" and isinstance(error.validator_value, dict):
        keyword = ""
    return sentence(keyword, error.validator_value, error.instance)


def _by_alternative(error: ValidationError) -> list[tuple[Any, list[ValidationError]]]:
    context = error.context or []
    return [(n, list(found)) for n, found in groupby(context, key=lambda inner: inner.relative_schema_path[0])]


def _is_other_kind(found: list[ValidationError], error: ValidationError) -> bool:
    """Whether the value is not even meant as this form: of another type, or not this constant."""
    return any(
        inner.validator in ("type", "const", "enum", None) and list(inner.absolute_path) == list(error.absolute_path)
        for inner in found
    )


def _is_name(error: ValidationError) -> bool:
    """Whether the error is about a property's name: the rule stands right below `propertyNames`."""
    steps = list(error.absolute_schema_path)
    return any(
        step == "propertyNames" and (n == 0 or steps[n - 1] not in ("properties", "$defs", "patternProperties"))
        for n, step in enumerate(steps)
    )


def _names(section: Any, root: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """Every name that a section knows, in its conditional parts too."""
    section = resolve(section, root)
    properties = section.get("properties", {})
    yield from properties if isinstance(properties, dict) else ()
    parts = [section.get("then"), section.get("else"), *_list(section.get("allOf"))]
    dependent = section.get("dependentSchemas", {})
    parts += dependent.values() if isinstance(dependent, dict) else []
    for part in parts if depth < 10 else []:
        if isinstance(part, dict):
            yield from _names(part, root, depth + 1)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _not_a_setting(path: list[Any], name: str, known: set[str]) -> str:
    key = _dotted(path)
    if name in known:
        return _("“%(key)s” does not apply with the other settings as they are.") % {"key": key}
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    if near:
        text = _("“%(key)s” is not a setting of this kernel; did you mean “%(near)s”?")
        return text % {"key": key, "near": _dotted([*path[:-1], near[0]])}
    return _("“%(key)s” is not a setting of this kernel.") % {"key": key}


def _problem(path: list[Any], message: str, keyword: str) -> Problem:
    name = _dotted(path) if len(path) > 1 and path[0] == PARAMS else ""
    return Problem(pointer_of(path), name, fluent(message), keyword)


def _labelled(label: str, text: str) -> str:
    return f"{label}: {text}" if label else text[:1].upper() + text[1:]


def _dotted(path: list[Any]) -> str:
    steps = path[1:] if len(path) > 1 and path[0] == PARAMS else path
    return ".".join(map(str, steps)).encode("utf-8", "backslashreplace").decode()
