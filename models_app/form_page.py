"""What the page of the training form shows: the form itself, what is wrong with it, what it would take."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets_app.checks import SetFacts
from jobs import queue
from models_app import choices, form_params, preflight
from models_app.complaints import Report
from models_app.sweeps import plan as sweep_plan
from models_app.train_form import TrainForm
from projects_app.listing import whole
from projects_app.models import Role, User

SHOWN = ("model_type", "kernel", "train", "validation", "base_model", "name", "devices", "etc", "params")
IN_BATCH = ("batch", "batch_random", "batch_seed", "batch_keep")
LARGEST_BATCH = 1_000_000  # trainings whose time is worth a thought


def context(request: HttpRequest, form: TrainForm, report: Report | None) -> dict[str, Any]:
    rows = form.params
    advanced = [field for field in rows if field.advanced]
    errors = {name: list(found) for name, found in form.errors.items()}
    plan, order = form.plan, form.order()
    trainings = plan.count if plan and plan.is_on else 1
    facts = report.facts if report else None
    estimates = _estimates(form, facts, trainings) if order and trainings <= LARGEST_BATCH else None
    warnings = [text for text in (report.warnings if report else []) if facts is None or text not in facts.warnings]
    on_data = len(facts.remarks) if facts else whole(request.POST.get("data_remarks", "")) or 0
    axes = _axes(form)
    on = {(axis.name,): axis.is_on for axis in axes}
    return {
        "form": form,
        "report": report,
        "choices": choices.for_form(form),
        "basic": [field for field in rows if not field.advanced],
        "advanced": advanced,
        "advanced_changed": sum(field.is_changed for field in advanced),
        "advanced_open": any(name in errors for field in advanced for name in _names(field)),
        "param_errors": errors,
        "bad_lines": dict(reversed(form.line_errors)),
        "error_count": sum(map(len, errors.values())),
        "field_names": _places(form, rows),
        "low": lambda: form.device_range[0],  # these are asked for by the whole form only, not by each check
        "high": lambda: form.device_range[1],
        "on_cpu": queue.only_cpus,
        "with_data": True,
        "axes": axes,
        "varies": {field.html_name: on[field.path] for field in rows if field.path in on},
        "plan": plan,
        "trainings": trainings,
        "estimates": estimates,
        "warnings": warnings,
        "has_remarks": bool(warnings or on_data or (estimates and estimates.remarks)),
        "data_remarks": on_data,
        "aside": form_params.aside(cast(QueryDict, form.data)),
        "extras": form_params.extras(cast(QueryDict, form.data)),
        "may_save_preset": form.project.allows(cast(User, request.user), Role.DEVELOPER),
        "marks": _origin_marks(form),
        "start_label": _start_label(trainings),
        "ask": _ask(trainings, order.devices if order else 1) if trainings > 1 else "",
    }


def _estimates(form: TrainForm, facts: SetFacts | None, trainings: int) -> preflight.Estimates | None:
    order, plan, batch = form.order(), form.plan, form.batch()
    if order is None:
        return None
    return preflight.look(
        order,
        facts,
        trainings=trainings,
        variants=[child.params for child in batch.children] if batch and not batch.plan.problems else [],
        keep_best=plan.keep_best if plan and plan.is_on else None,
        is_read=not (form.settings and form.settings.is_unreadable),
    )


def _origin_marks(form: TrainForm) -> dict[str, str]:
    """What differs from the model that this form came from, beside the settings: by field, what it had."""
    model = form.origin_model
    if model is None:
        return {}
    both: dict[str, Any] = {"train": model.train_datasets, "validation": model.validation_datasets}
    sets = {name: list(chosen.values_list("pk", "name")) for name, chosen in both.items()}
    same = {
        "kernel": form.chosen_kernel == model.kernel,
        "devices": str(form.data.get("devices", "")) == str(model.devices),
        "train": {pk for pk, _name in sets["train"]} == form.chosen_train,
        "validation": {pk for pk, _name in sets["validation"]} == form.chosen_validation,
    }
    had = {"kernel": str(model.kernel), "devices": str(model.devices)}
    had |= {name: ", ".join(name for _pk, name in found) or "–" for name, found in sets.items()}
    return {name: had[name] for name, is_same in same.items() if not is_same}


def _axes(form: TrainForm) -> list[sweep_plan.AxisField]:
    return sweep_plan.axes_for_form(form.chosen_kernel.schema, form.data) if form.chosen_kernel else []


def _start_label(trainings: int) -> str:
    if trainings < 2:
        return _("Start training")
    return ngettext("Start %(n)d training", "Start %(n)d trainings", trainings) % {"n": trainings}


def _names(field: Any) -> list[str]:
    return [field.html_name, *(name for child in field.children for name in _names(child))]


def _ask(trainings: int, devices: int) -> str:
    """What the page asks once before it starts a batch."""
    text = ngettext("Start %(n)d training?", "Start %(n)d trainings?", trainings) % {"n": trainings}
    return text + " " + ngettext("%(n)d device each.", "%(n)d devices each.", devices) % {"n": devices}


def costs(form: TrainForm, estimates: preflight.Estimates | None) -> dict[str, Any]:
    """What the question before a batch says."""
    batch = form.batch()
    children = batch.children if batch else []
    total = estimates.work.middle if estimates and estimates.work else None
    return {
        "count": len(children),
        "devices": children[0].devices if children else 1,
        "seconds": total,
        "names": [child.name for child in children[:3]],
    }


def _places(form: TrainForm, rows: list[Any]) -> list[str]:
    """Every place on the page that has room for an error."""
    axes = [name for axis in _axes(form) for name in axis.html_names]
    usual = [name for name in SHOWN if name != "base_model" or form.data.get("base_model")]
    params = [form_params.TEXT] if form.settings and form.settings.is_json else []
    params += form_params.row_places(form.settings.rows) if form.settings else []
    return [*usual, *params, *(name for field in rows for name in _names(field)), *(IN_BATCH if axes else ()), *axes]
