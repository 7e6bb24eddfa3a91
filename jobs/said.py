"""Sentences of the portal's own, kept so that every reader gets them in their language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from django.utils.translation import gettext

from projects_app.korean import fluent


class Said(str):
    """A sentence as the source has it (English, through `gettext_noop`), and the values that it names.

    As text it is English, for logs and the admin; `here()` says it in the language of the moment. A value may be a
    Said itself, or a list of them, which is joined with semicolons.
    """

    sentence: str
    values: dict[str, Any]

    def __new__(cls, sentence: str, **values: Any) -> Self:
        self = super().__new__(cls, sentence % {name: _plain(value) for name, value in values.items()})
        self.sentence, self.values = sentence, values
        return self

    def here(self) -> str:
        return fluent(gettext(self.sentence) % {name: _here(value) for name, value in self.values.items()})

    @property
    def parts(self) -> dict[str, Any]:
        """What a JSON column keeps of it."""
        return {"sentence": self.sentence, "values": {name: _parts(value) for name, value in self.values.items()}}


def load(parts: object, text: str) -> str:
    """The Said that `parts` were kept of; `text` where they are of none, or of one that this version cannot say."""
    if not _is_parts(parts):
        return text
    try:
        return Said(parts["sentence"], **{name: _load(value) for name, value in parts["values"].items()})  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return text


def here(text: str) -> str:
    """A Said in the language of the moment; any other text as it is."""
    return text.here() if isinstance(text, Said) else text


def kept(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of those fields that are Said, by name."""
    return {name: value.parts for name, value in fields.items() if isinstance(value, Said)}


def _plain(value: Any) -> Any:
    return "; ".join(map(str, value)) if isinstance(value, list) else value


def _here(value: Any) -> Any:
    return "; ".join(map(here, value)) if isinstance(value, list) else here(value)


def _parts(value: Any) -> Any:
    if isinstance(value, list):
        return [_parts(one) for one in value]
    return value.parts if isinstance(value, Said) else value


def _load(value: Any) -> Any:
    if isinstance(value, list):
        return [_load(one) for one in value]
    return load(value, "") if _is_parts(value) else value


def _is_parts(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("sentence"), str) and isinstance(value.get("values"), dict)
