"""What stands in the training form before and between its posts: out of an address, a model, a draft, what is usual."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, cast

from django.http import QueryDict

from datasets_app.models import Dataset
from kernels_app import fields
from kernels_app.models import Kernel
from models_app import form_params
from models_app.models import TrainedModel
from models_app.names import propose_name
from projects_app.listing import whole
from projects_app.models import ModelType, Project

SINGLE = ("model_type", "kernel", "name", "description", "devices", "base_model", "retrained_from", "origin")
SEVERAL = ("train", "validation")
BATCH = "batch"  # every input of the batch card begins with it
WHOLE = "whole"  # in an address: it says everything; what it leaves out stands at the schema's default
LONGEST_ADDRESS = 6000  # characters; proxies take 8 kB
ASKED_BY = "asked_by"  # whose form it is
FORM_ID = "form_id"  # one form from when it is opened until it is started, whatever is asked in between
PASSING = (
    "csrfmiddlewaretoken",
    "start",
    "check",
    "refresh",
    "act",
    "confirmed",
    "shape",
    "typed",
    ASKED_BY,
    FORM_ID,
    "shown",
    "data_remarks",
)  # of one request only


def initial(project: Project, query: Mapping[str, Any]) -> QueryDict:
    """The data of a fresh form: what the address says, then what a model it names used, then what is usual."""
    given = cast(QueryDict, query)
    data = QueryDict(mutable=True)
    if WHOLE in given:
        data.update(given)  # type: ignore[arg-type]
        data.pop(WHOLE, None)
        data.pop(FORM_ID, None)
        return fill_usual(project, data)
    source = _source(project, query)
    if source:
        _take_over(data, *source)
    for name in (*SINGLE, *SEVERAL, *(name for name in given if _is_setting(name))):
        if found := given.getlist(name):
            data.setlist(name, found)
    return fill_usual(project, data)


def _is_setting(name: str) -> bool:
    return name.startswith((fields.PREFIX, fields.MODE, BATCH))


def _take_over(data: QueryDict, model: TrainedModel, is_retraining: bool) -> None:
    """The settings, datasets, kernel version and base of a model; or the model itself as the base."""
    data.update({"model_type": str(model.model_type_id), "devices": str(model.devices), "origin": str(model.pk)})
    data["kernel"] = data["shown_kernel"] = str(model.kernel_id)
    data.setlist("train", [str(pk) for pk in model.train_datasets.values_list("pk", flat=True)])
    data.setlist("validation", [str(pk) for pk in model.validation_datasets.values_list("pk", flat=True)])
    form_params.put(data, model.kernel.schema, model.params)
    data["base_model"] = str((model.base_model_id if is_retraining else model.pk) or "")
    data["retrained_from"] = str(model.pk) if is_retraining else ""


def _source(project: Project, query: Mapping[str, Any]) -> tuple[TrainedModel, bool] | None:
    for name, is_retraining in (("retrain", True), ("base", False)):
        if value := whole(str(query.get(name, ""))):
            found = TrainedModel.objects.filter(project=project, pk=value).select_related("kernel").first()
            return (found, is_retraining) if found else None
    return None


def fill_usual(project: Project, data: QueryDict) -> QueryDict:
    """What was left open: one device, a proposed name, the model type that the datasets are for."""
    data.setdefault("devices", "1")
    data.setdefault(FORM_ID, secrets.token_urlsafe(9))
    types = ModelType.objects.filter(project=project)
    train = Dataset.objects.filter(project=project, pk__in=filter(None, map(whole, data.getlist("train"))))
    if not data.get("model_type"):
        fitting = types.filter(annotation_types__annotations__image__dataset__in=train) if train else types
        codes = list(fitting.order_by("code").distinct())
        kernel = Kernel.objects.filter(pk=whole(str(data.get("kernel", ""))) or 0).first()
        first = next((one for one in codes if kernel is None or kernel.supports(one)), codes[0] if codes else None)
        data["model_type"] = str(first.pk) if first else ""
    if len(train) == 1 and not data.getlist("validation") and train[0].name.endswith("-train"):
        sibling = Dataset.objects.filter(project=project, name=train[0].name.removesuffix("train") + "val").first()
        data.setlist("validation", [str(sibling.pk)] if sibling else [])
    if data.get("name") == data.get("proposed"):
        data["name"] = ""
    if not data.get("name") and (number := whole(str(data["model_type"]))):
        model_type = types.filter(pk=number).first()
        data["name"] = data["proposed"] = propose_name(project, model_type, list(train)) if model_type else ""
    return data


def settle_settings(project: Project, data: QueryDict, kernel: Kernel, model_type: ModelType | None) -> QueryDict:
    """The data with the settings of `kernel`: the usual ones where nothing was typed, or those moved over."""
    data = data.copy()
    shown = whole(str(data.get("shown_kernel", "")))
    before = Kernel.objects.filter(pk=shown).first() if shown and shown != kernel.pk else None
    if before:
        form_params.change_kernel(data, before, kernel)
    elif not form_params.has_any(data):
        form_params.put(data, kernel.schema, form_params.starting(project, kernel, model_type))
    elif data.get("shown_type") and model_type and data.get("shown_type") != str(model_type.pk):
        _change_type(project, data, kernel, model_type)
    if data.get(form_params.VIEW) != "json":
        data = _query(fields.fill_defaults(kernel.schema, data))
    data["kernel"] = data["shown_kernel"] = str(kernel.pk)
    data["shown_type"] = str(model_type.pk) if model_type else ""
    return data


def _change_type(project: Project, data: QueryDict, kernel: Kernel, model_type: ModelType) -> None:
    """The preset of another model type, where nothing was changed since the one of the type before."""
    before = ModelType.objects.filter(project=project, pk=whole(str(data.get("shown_type", ""))) or 0).first()
    found = form_params.read(kernel.schema, data)
    if not found.problems and found.values == form_params.starting(project, kernel, before):
        form_params.put(data, kernel.schema, form_params.starting(project, kernel, model_type))


def _query(found: Any) -> QueryDict:
    """The library's answer as a mutable QueryDict."""
    if isinstance(found, QueryDict):
        return found if found._mutable else found.copy()
    data = QueryDict(mutable=True)
    for name, texts in found.items():
        data.setlist(name, texts)
    return data


# --- kept in the address; as a draft, see `drafts` ---


def address(project: Project, data: QueryDict, kernel: Kernel | None, model_type: ModelType | None) -> str:
    """The query string that brings this form back; a long one only says that there is a draft.

    The settings are in it whole, or not at all where they are what a new form starts with."""
    kept = QueryDict(mutable=True)
    kept[WHOLE] = "1"
    is_usual = kernel is not None and _settings(data) == _usual_settings(project, kernel, model_type)
    for name in data:
        values = data.getlist(name)
        if name in PASSING or name in ("etc", "settings_file", "shown_type"):
            continue
        if is_of_settings(name):
            if not is_usual:
                kept.setlist(name, values)
        elif any(values) and not (name == "devices" and values == ["1"]):
            kept.setlist(name, values)
    text = kept.urlencode()
    return text if len(text) <= LONGEST_ADDRESS else "draft=1"


def is_of_settings(name: str) -> bool:
    return name.startswith((fields.PREFIX, fields.MODE)) or name in (
        form_params.VIEW, form_params.TEXT, fields.EXTRA_KEY, fields.EXTRA_VALUE,
    )  # fmt: skip


def _settings(data: QueryDict) -> dict[str, list[str]]:
    found = {name: data.getlist(name) for name in data if is_of_settings(name)}
    return {name: values for name, values in found.items() if name.startswith(fields.PREFIX) or any(values)}


def _usual_settings(project: Project, kernel: Kernel, model_type: ModelType | None) -> dict[str, list[str]]:
    fresh = QueryDict(mutable=True)
    form_params.put(fresh, kernel.schema, form_params.starting(project, kernel, model_type))
    return _settings(_query(fields.fill_defaults(kernel.schema, fresh)))
