"""A whole `model.json` where settings are asked for: what of it is not taken over, and whether it can be kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from datasets_app.remarks import Remark
from kernels_app import jsontext, schema
from kernels_app.contract.files import is_text
from projects_app.korean import fluent

SHOWN = 5  # unknown names


@dataclass(frozen=True)
class Form:
    """What the form itself says of the things that a `model.json` says beside the settings; "" or [] for nothing."""

    training_type: str = ""
    model_type: str = ""
    image_types: Sequence[str] = ()


def remarks(document: Any, form: Form) -> list[Remark]:
    """On what stands beside the settings of a whole `model.json`; none where it is the settings alone."""
    if not isinstance(document, dict) or not isinstance(document.get(jsontext.SECTION), dict):
        return []
    beside = {name: value for name, value in document.items() if name != jsontext.SECTION}
    differing = list(_differing(beside, form))
    found = [*_own(beside), *differing, *_unknown(beside)]
    return [Remark("warning" if differing else "info", fluent(" ".join(found)))] if found else []


def is_keepable(value: Any) -> bool:
    """Whether files and a database take every text in a value, names too."""
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return all(map(is_keepable, parts)) and (not isinstance(value, str) or is_text(value))


def _words() -> dict[str, str]:
    """What the form says itself, and in which words."""
    return {
        "training_type": _("training type"),
        "model_type": _("model type"),
        "trainable_image_type": _("image types"),
    }


def _own(beside: Mapping[str, Any]) -> Iterator[str]:
    if names := [name for name in _words() if name in beside]:
        text = _("Only the settings of the model.json are used; for the rest the form counts: %(names)s.")
        yield text % {"names": ", ".join(names)}


def _differing(beside: Mapping[str, Any], form: Form) -> Iterator[str]:
    own = {
        "training_type": form.training_type,
        "model_type": form.model_type,
        "trainable_image_type": list(form.image_types),
    }
    for name, word in _words().items():
        if name in beside and beside[name] != own[name]:
            text = _("The model.json says %(what)s %(given)s; the form says %(own)s.")
            yield text % {"what": word, "given": _said(beside[name]), "own": _said(own[name])}


def _unknown(beside: Mapping[str, Any]) -> Iterator[str]:
    names = [schema.shown(name) for name in beside if name not in _words()]
    if names:
        text = _("Unknown in a model.json, and left out: %(names)s.")
        more = f" +{len(names) - SHOWN}" if len(names) > SHOWN else ""
        yield text % {"names": ", ".join(names[:SHOWN]) + more}


def _said(value: Any) -> str:
    """A code as it is written, a list of them with commas, anything else as JSON."""
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return schema.shown(", ".join(value)).strip("“”")
    if isinstance(value, str) and value:
        return schema.shown(value).strip("“”")
    return _("nothing") if value in ("", [], None) else schema.shown(value)
