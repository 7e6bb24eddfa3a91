"""What may be done about a training that failed: go on, or train once more with one setting changed."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs import failure_rules as rules
from jobs.kinds import Repair
from jobs.models import Job
from kernels_app import fields, schema
from models_app import extra_files, resuming
from models_app.models import Origin, TrainedModel, Validation
from models_app.names import unique_name
from models_app.orders import TrainOrder

BATCH = ("batch_size", "train_batch_size", "per_device_batch_size", "batch")
RATE = ("learning_rate", "lr", "lr0", "base_lr", "initial_lr", "init_lr")
DEEPEST = 4  # sections within sections
LABELS = {
    rules.HALF_BATCH: gettext_lazy("Retry with half the batch size"),
    rules.TENTH_RATE: gettext_lazy("Retry with a tenth of the learning rate"),
}


@dataclass(frozen=True)
class Change:
    """One setting of a model, and the value that a repair gives it. `label`: as the form calls it."""

    path: tuple[str, ...]
    label: str
    old: float
    new: float

    @property
    def field(self) -> str:
        """The name of its input in the training form."""
        return fields.html_name(self.path)


def of_training(job: Job, name: str) -> Repair | None:
    """The repair as the page of the job offers it; None where it cannot be done."""
    model = TrainedModel.objects.filter(job=job).select_related("project", "kernel", "job").first()
    if model is None or job.is_active:
        return None
    if name == rules.RESUME:
        return _resume(model)
    if name == rules.AGAIN:
        return None if resuming.can_resume(model) else _again(model)
    change = change_of(model, name)
    if change is None:
        return None
    url = reverse("models:repair", args=[model.project.code, model.pk, name])
    text = _("%(setting)s %(new)s instead of %(old)s")
    return Repair(
        str(LABELS[name]), url, text % {"setting": change.label, "new": change.new, "old": change.old}, "tool"
    )


def _resume(model: TrainedModel) -> Repair | None:
    if not resuming.can_resume(model):
        return None
    url = reverse("models:resume", args=[model.project.code, model.pk])
    return Repair(_("Resume"), url, _("from its last checkpoint"), posts=True)


def _again(model: TrainedModel) -> Repair:
    url = reverse("models:train", args=[model.project.code])
    return Repair(_("Train again"), f"{url}?{urlencode({'retrain': model.pk})}", icon="rotate-clockwise")


def of_validation(job: Job, name: str) -> Repair | None:
    found = Validation.objects.filter(job=job).select_related("project").first()
    if found is None or name == rules.HALF_BATCH or name == rules.TENTH_RATE or job.is_active:
        return None
    url = reverse("validations:start", args=[found.project.code, found.model_id])
    return Repair(_("Validate again"), url, icon="rotate-clockwise")


# --- one setting changed ---------------------------------------------------------------------------------------------


def change_of(model: TrainedModel, name: str) -> Change | None:
    """What the repair changes; None where the kernel has no such setting, or no better value for it."""
    known = {rules.HALF_BATCH: (BATCH, _smaller), rules.TENTH_RATE: (RATE, _tenth)}.get(name)
    if known is None:
        return None
    names, values = known
    for path, part in _settings(model.kernel.schema, names):
        old = _value(model.params, path, part)
        if old is None:
            continue
        for new in values(old, part):
            if 0 < new < old and not schema.check_params(model.kernel.schema, _changed(model.params, path, new)):
                return Change(path, fields.labels(model.kernel.schema)((schema.PARAMS, *path)), old, new)
    return None


def order(model: TrainedModel, change: Change, name: str, *, with_files: bool = False) -> TrainOrder:
    """The training once more, from the same base, with the same data, and this one setting changed.

    `with_files`: the extra files too, opened; for the start.
    """
    image_types = model.settings.get("trainable_image_type")
    return TrainOrder(
        project=model.project,
        model_type=model.model_type,
        kernel=model.kernel,
        train=list(model.train_datasets.all()),
        validation=list(model.validation_datasets.all()),
        name=name,
        description=model.description,
        params=_changed(model.params, change.path, change.new),
        devices=model.devices,
        base_model=model.base_model,
        retrained_from=model,
        origin=Origin.RETRAIN,
        image_types=image_types if isinstance(image_types, list) else [],
        extra_files=extra_files.kept(model.job) if with_files else [],
        by_title=True,
    )


def query(model: TrainedModel, change: Change) -> str:
    """The address of the training form, filled with the same."""
    return urlencode({"retrain": model.pk, change.field: change.new})


def proposed_name(model: TrainedModel) -> str:
    """The name with the next free number; one that has a number from here gets no second one."""
    found = re.fullmatch(r"(.+)\.\d+", model.name)
    if found and TrainedModel.objects.filter(project=model.project, name=found[1]).exists():
        return unique_name(model.project, found[1])
    return unique_name(model.project, model.name)


def _settings(
    kernel_schema: dict[str, Any], names: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """The settings of these names, the first names first, with what the schema says of each."""
    every = list(_walk(schema.params_schema(kernel_schema), kernel_schema, ()))
    for name in names:
        yield from ((path, part) for path, part in every if path[-1] == name)


def _walk(section: dict[str, Any], root: dict[str, Any], path: tuple[str, ...]) -> Iterator[Any]:
    for name, raw in section.get("properties", {}).items():
        part = schema.resolve(raw, root)
        yield (*path, name), part
        if len(path) < DEEPEST and "properties" in part:
            yield from _walk(part, root, (*path, name))


def _value(params: Any, path: tuple[str, ...], part: dict[str, Any]) -> float | None:
    """What the training was given, else what the schema takes where nothing is."""
    for step in path:
        params = params.get(step) if isinstance(params, dict) else None
    value = part.get("default") if params is None else params
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else None


def _changed(params: dict[str, Any], path: tuple[str, ...], new: float) -> dict[str, Any]:
    found = copy.deepcopy(params)
    section = found
    for step in path[:-1]:
        section = section.setdefault(step, {})
    section[path[-1]] = new
    return found


def _smaller(old: float, part: dict[str, Any]) -> Iterator[float]:
    """Half of it, or the nearest that the schema might take, largest first."""
    half = int(old) // 2
    yield half
    step = part.get("multipleOf")
    if isinstance(step, int) and step > 0:
        yield half - half % step
    yield from sorted((one for one in part.get("enum", []) if _is_below(one, old)), reverse=True)
    if _is_below(part.get("minimum"), old):
        yield part["minimum"]


def _tenth(old: float, part: dict[str, Any]) -> Iterator[float]:
    yield float(f"{old / 10:.6g}")
    yield from sorted((one for one in part.get("enum", []) if _is_below(one, old)), reverse=True)


def _is_below(value: Any, old: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value < old
