"""What a package must hold to be a kernel: `kernel.toml`, `model_schema.json`, and a program."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from jobs import limits, logmetrics
from kernels_app import reporting, schema
from kernels_app.badkernel import BadKernel, bytes_of
from kernels_app.contract.files import is_text

ABOUT, SCHEMA = "kernel.toml", "model_schema.json"
LONGEST = {"name": 100, "version": 55}  # characters; a digest may follow the version
OPTIONAL = ("description", "description_ko")  # of kernel.toml
CHOICES = {"runs_in": ("process", "container"), "type": ("training", "base")}  # of kernel.toml; the first is usual
DOCTOR = ("params", "model_type")  # keys of [doctor]


def about_of(text: bytes | None) -> dict[str, str]:
    """Name, version and descriptions. Raises BadKernel."""
    if text is None:
        raise BadKernel(_("%(file)s is missing.") % {"file": ABOUT})
    try:
        found = dict.fromkeys(OPTIONAL, "") | tomllib.loads(text.decode("utf-8-sig"))
        about = {key: found[key] for key in ("name", "version", *OPTIONAL)}
    except KeyError as error:
        raise BadKernel(f"{ABOUT}: " + _("%(key)s is missing.") % {"key": error.args[0]}) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadKernel(f"{ABOUT}: {error}") from error
    for key, value in about.items():
        if not isinstance(value, str) or (key not in OPTIONAL and not value.strip()):
            sentence = _("%(key)s must be a text; it is %(value)s")
            raise BadKernel(f"{ABOUT}: " + sentence % {"key": key, "value": repr(value)})
        if "\0" in value or (key in LONGEST and (len(value) > LONGEST[key] or not value.isprintable())):
            sentence = _("%(key)s must be one line of %(n)d characters at most, without control characters.")
            raise BadKernel(f"{ABOUT}: " + sentence % {"key": key, "n": LONGEST.get(key, 2000)})
    if wrong := limits.faults(found.get("limits", {})):
        raise BadKernel(f"{ABOUT}: [limits] " + "; ".join(wrong))
    for fault in _odd(found):
        raise BadKernel(f"{ABOUT}: {fault}")
    return about


def tell(folder: Path, given: dict[str, str], called: str) -> None:
    """Write what was `given` into the package's kernel.toml; one that it lacks is named after `called`.

    Raises BadKernel.
    """
    text = (bytes_of(folder / ABOUT) or b"").decode("utf-8-sig", "replace")
    given = {key: value for key, value in given.items() if value}
    if not text.strip():
        given = {"name": _as_name(called), "version": "1"} | given
    told = with_values(text, given)
    if told != text:
        (folder / ABOUT).write_text(told, encoding="utf-8")


def with_values(text: str, given: dict[str, str]) -> str:
    """The same kernel.toml with these texts at its top level. Raises BadKernel where it is written too cleverly."""
    head, sep, rest = text.partition("\n[") if not text.startswith("[") else ("", "", text)
    for key in given:
        head = re.sub(rf"""(?m)^{key}[ \t]*=[ \t]*("(?:[^"\\\n]|\\.)*"|'[^'\n]*')[ \t]*(#.*)?\n?""", "", head)
    told = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in given.items())
    told += head + sep + rest
    try:
        found = tomllib.loads(told)
    except tomllib.TOMLDecodeError as error:
        raise BadKernel(f"{ABOUT}: {error}") from error
    if any(found.get(key) != value for key, value in given.items()):
        raise BadKernel(_("Name, version and description of this kernel.toml cannot be replaced; change the file."))
    return told


def _as_name(called: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", called.lower()).strip("-._") or "kernel"


def schema_in(text: bytes | None) -> dict[str, Any]:
    """The schema that a file holds. Raises BadKernel with every fault, its place and how to mend it."""
    if text is None:
        raise BadKernel(_("%(file)s is missing.") % {"file": SCHEMA})
    try:
        document, wrong = schema.faults_of_text(text.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadKernel(f"{SCHEMA}: {error}") from error
    if wrong:
        raise BadKernel("\n".join(f"{SCHEMA}: {fault}" for fault in wrong))
    if not _is_storable(document):
        raise BadKernel(f"{SCHEMA}: " + _("A text holds a NUL (\\u0000), which cannot be kept."))
    found: dict[str, Any] = document
    return found


def _is_storable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(is_text(name) and _is_storable(one) for name, one in value.items())
    if isinstance(value, list):
        return all(map(_is_storable, value))
    return is_text(value) if isinstance(value, str) else True


def schema_of(folder: Path) -> dict[str, Any]:
    """The schema of an unpacked package. Raises BadKernel."""
    return schema_in(bytes_of(folder / SCHEMA))


def _odd(found: dict[str, Any]) -> list[str]:
    doctor, command = found.get("doctor", {}), found.get("command", "")
    wrong = []
    if not isinstance(command, str):
        wrong.append(_("%(key)s must be a text; it is %(value)s") % {"key": "command", "value": repr(command)})
    if not isinstance(doctor, dict) or not isinstance(doctor.get("params", {}), dict):
        return [*wrong, _("[doctor] must hold params, a table")]
    try:
        json.dumps(doctor.get("params", {}), allow_nan=False)
    except (TypeError, ValueError):
        wrong.append(_("[doctor] params must be what JSON can hold: no dates, no nan, no inf"))
    if not isinstance(doctor.get("model_type", ""), str):
        wrong.append(_("[doctor] model_type must be a text"))
    wrong += logmetrics.faults(found.get("metrics", [])) + reporting.faults(found.get("broker", {}))
    for key, choices in CHOICES.items():
        if key in found and found[key] not in choices:
            wrong.append(_("%(key)s is one of: %(list)s") % {"key": key, "list": ", ".join(choices)})
    text, known = _("[doctor] %(key)s is not known; there is %(list)s"), ", ".join(DOCTOR)
    return wrong + [text % {"key": key, "list": known} for key in doctor if key not in DOCTOR]
