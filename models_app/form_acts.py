"""What the small buttons of the training form do to what stands in it. With or without scripts the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils.translation import gettext as _

from datasets_app.remarks import Remark
from kernels_app import fields, jsontext
from kernels_app.models import Kernel
from models_app import form_params, model_json
from models_app.models import Preset, TrainedModel
from projects_app.listing import whole
from projects_app.models import ModelType, Project, Role, User

LARGEST_FILE = 1024**2  # bytes of an uploaded model.json


@dataclass
class Desk:
    """What an act works on. `own`: what the form says beside the settings. `said`: what became of the act; `refused`:
    why nothing did; `remarks`: what to know of it."""

    project: Project
    user: User
    kernel: Kernel
    model_type: ModelType | None
    data: QueryDict
    files: Any
    origin: TrainedModel | None
    own: model_json.Form
    said: str = ""
    refused: str = ""
    remarks: list[Remark] = field(default_factory=list)


def act(desk: Desk, wish: str) -> None:
    """Do what the button with this value asks for, in `desk.data`. What no button says does nothing."""
    verb, _colon, what = wish.partition(":")
    if verb in ACTS:
        ACTS[verb](desk, what)


def show(desk: Desk, view: str) -> None:
    before = form_params.read(desk.kernel.schema, desk.data).source
    desk.refused = form_params.show_as(desk.data, desk.kernel.schema, "json" if view == "json" else "")
    if before and view != "json" and not desk.refused:
        desk.remarks = model_json.remarks(before.value, desk.own)


def take_version(desk: Desk, number: str) -> None:
    """Another version of the kernel; the form itself sees whether it may be used here."""
    found = Kernel.objects.filter(name=desk.kernel.name, pk=whole(number) or 0)
    if found.exists():
        desk.data["kernel"] = number


def reset(desk: Desk, name: str) -> None:
    """One setting back to its default, or all of them to what the project starts with."""
    if name:
        _write(desk, fields.reset(desk.kernel.schema, desk.data, name))
    else:
        form_params.put(desk.data, desk.kernel.schema, _usual(desk))


def back_to_origin(desk: Desk, name: str) -> None:
    """One thing, or everything, back to what the model had that this form came from."""
    model = desk.origin
    if model is None:
        return
    if name in ("kernel", ""):
        desk.data["kernel"] = str(model.kernel_id)
    for which in ("train", "validation"):
        if name in (which, ""):
            chosen = getattr(model, f"{which}_datasets").values_list("pk", flat=True)
            desk.data.setlist(which, [str(pk) for pk in chosen])
    if name in ("devices", ""):
        desk.data["devices"] = str(model.devices)
    if name.startswith(fields.PREFIX):
        _take_input(desk, fields.encode(desk.kernel.schema, model.params), name)
    if name == "":
        desk.data["shown_kernel"] = str(model.kernel_id)
        form_params.put(desk.data, model.kernel.schema, model.params)


def _take_input(desk: Desk, texts: dict[str, list[str]], name: str) -> None:
    """The inputs of one setting, a group's members too; what the origin did not set is empty."""
    mode = fields.MODE + name.removeprefix(fields.PREFIX)
    for key in [key for key in desk.data if key in (name, mode) or key.startswith((f"{name}.", f"{mode}."))]:
        desk.data[key] = ""
    for key, values in texts.items():
        if key in (name, mode) or key.startswith((f"{name}.", f"{mode}.")):
            desk.data.setlist(key, values)
    desk.data.setdefault(name, "")


def drop_aside(desk: Desk, what: str) -> None:
    form_params.put_aside(desk.data, {})


def add_extra(desk: Desk, what: str) -> None:
    """One more line for a setting that the schema does not name."""
    _put_extras(desk, [*form_params.extras(desk.data), ("", "")])


def drop_extra(desk: Desk, number: str) -> None:
    _put_extras(desk, [pair for n, pair in enumerate(form_params.extras(desk.data)) if str(n) != number])


def _put_extras(desk: Desk, pairs: list[tuple[str, str]]) -> None:
    desk.data.setlist(fields.EXTRA_KEY, [key for key, _value in pairs])
    desk.data.setlist(fields.EXTRA_VALUE, [value for _key, value in pairs])


def upload(desk: Desk, what: str) -> None:
    """Take the settings out of a `model.json`, or of a file with the settings alone."""
    file: UploadedFile | None = desk.files.get("settings_file") if desk.files else None
    if file is None:
        desk.refused = _("Choose a file first: a model.json, as a model's page offers it for download.")
        return
    if (file.size or 0) > LARGEST_FILE:
        desk.refused = _("The file is too large for settings: 1 MB at most.")
        return
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        desk.refused = _("The file is no text in UTF-8.")
        return
    source = jsontext.read(text)
    try:
        found = jsontext.settings_of(None if source.error else source.value)
    except ValueError as error:
        fault = source.error
        why = _("Line %(n)d: %(message)s") % {"n": fault.line, "message": fault.message} if fault else str(error)
        desk.refused = _("“%(name)s” is no JSON with settings: %(why)s") % {"name": file.name, "why": why}
        return
    form_params.put(desk.data, desk.kernel.schema, found)
    desk.said = _("The settings of “%(name)s” are in the form.") % {"name": file.name}
    desk.remarks = model_json.remarks(source.value, desk.own)


def save_preset(desk: Desk, what: str) -> None:
    """What the project starts with from now on, with this kernel and model type."""
    found = form_params.read(desk.kernel.schema, desk.data)
    if desk.model_type is None or not desk.project.allows(desk.user, Role.DEVELOPER):
        return
    problems = found.problems or form_params.complaints(found)
    if problems:
        desk.refused = _("Only settings without errors can be saved: %(why)s") % {"why": problems[0].message}
        return
    if not model_json.is_keepable(found.values):
        desk.refused = _("This holds characters that cannot be kept.")
        return
    Preset.objects.update_or_create(
        project=desk.project,
        kernel_name=desk.kernel.name,
        model_type=desk.model_type,
        defaults={"params": found.values, "saved_by": desk.user},
    )
    desk.said = _("Saved: new trainings of %(type)s with %(kernel)s start from these settings.") % {
        "type": desk.model_type.code,
        "kernel": desk.kernel.name,
    }


def forget_preset(desk: Desk, what: str) -> None:
    preset = form_params.preset_of(desk.project, desk.kernel, desk.model_type)
    if preset and desk.project.allows(desk.user, Role.DEVELOPER):
        preset.delete()
        desk.said = _("Forgotten: new trainings start from the kernel's own defaults.")


def document(desk: Desk) -> str | None:
    """The `model.json` of what stands in the form; None where the settings cannot be read."""
    found = form_params.read(desk.kernel.schema, desk.data)
    if found.problems or desk.model_type is None:
        return None
    whole = {"training_type": desk.model_type.training_type, "model_type": desk.model_type.code}
    return json.dumps(whole | {"training_params": found.values}, indent=2, ensure_ascii=False) + "\n"


def _usual(desk: Desk) -> dict[str, Any]:
    return form_params.starting(desk.project, desk.kernel, desk.model_type)


def _write(desk: Desk, texts: dict[str, list[str]]) -> None:
    form_params.clear(desk.data)
    for name, values in texts.items():
        desk.data.setlist(name, values)


ACTS: dict[str, Callable[[Desk, str], None]] = {
    "view": show,
    "version": take_version,
    "reset": reset,
    "origin": back_to_origin,
    "aside": drop_aside,
    "add": add_extra,
    "drop": drop_extra,
    "upload": upload,
    "preset": save_preset,
    "forget": forget_preset,
}
