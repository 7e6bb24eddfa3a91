"""The training form: shown, checked while typing, started."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from jobs import queue
from kernels_app import params
from models_app.orders import OrderRefused, Report
from models_app.train_form import TrainForm, fill_usual, initial
from projects_app.access import project_view
from projects_app.models import Project, Role, User

SHOWN = (
    "model_type",
    "kernel",
    "train",
    "validation",
    "base_model",
    "name",
    "devices",
    "etc",
)  # have a place for errors


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def train(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the form, prefilled from the URL; start the training that was posted. *Check* only looks."""
    if request.method == "GET":
        form = TrainForm(project, initial(project, request.GET))
        return _page(request, form, form.report() if form.chosen_type else None, quiet=True)
    data = fill_usual(project, request.POST.copy()) if "refresh" in request.POST else request.POST
    form = TrainForm(project, data, request.FILES)
    report = form.report()
    if form.is_kernel_replaced and "refresh" not in request.POST:
        text = _("The kernel that you chose cannot be used here. This one can: look at its settings before you start.")
        form.errors.setdefault("kernel", form.error_class()).append(text)
    if "check" in request.POST or "refresh" in request.POST or form.errors:
        return _page(request, form, report, status=200 if "refresh" in request.POST else 422 if form.errors else 200)
    order = form.order()
    if order is None:
        return _page(request, form, report, status=422)
    try:
        model = order.start(cast(User, request.user))
    except OrderRefused as refusal:
        for complaint in refusal.complaints:
            form.errors.setdefault(complaint.field, form.error_class()).append(complaint.message)
        return _page(request, form, report, status=422)
    messages.success(request, _("“%(name)s” is in the queue.") % {"name": model.name})
    return redirect(model)


@require_POST
@project_view(Role.LABELLER)
def train_form(request: HttpRequest, project: Project) -> HttpResponse:
    """The form anew, after the model type or the kernel changed: what was typed stays."""
    form = TrainForm(project, fill_usual(project, request.POST.copy()))
    return render(request, "models/_train_form.html", _context(form, form.report()))


@require_POST
@project_view(Role.LABELLER)
def train_check(request: HttpRequest, project: Project) -> HttpResponse:
    """What is wrong now: the summary, and each field's error out of band, so that focus and caret stay."""
    form = TrainForm(project, request.POST)
    trigger = request.headers.get("HX-Trigger-Name", "")
    with_data = not trigger.startswith((params.PREFIX, "name", "description", "devices"))
    report = form.report(with_data=with_data)
    return render(request, "models/_train_checks.html", _context(form, report) | {"with_data": with_data, "oob": True})


def _page(
    request: HttpRequest, form: TrainForm, report: Report | None, *, status: int = 200, quiet: bool = False
) -> HttpResponse:
    context = _context(form, report)
    if quiet:  # nobody likes to be told off before they began
        context |= {"param_errors": {}, "error_count": 0, "advanced_open": False, "quiet": bool(form.errors)}
    return render(request, "models/train.html", context, status=status)


def _context(form: TrainForm, report: Report | None) -> dict[str, object]:
    rows = form.params
    advanced = [field for field in rows if field.advanced]
    errors = {name: list(found) for name, found in form.errors.items()}
    return {
        "form": form,
        "report": report,
        "basic": [field for field in rows if not field.advanced],
        "advanced": advanced,
        "advanced_changed": sum(field.is_changed for field in advanced),
        "advanced_open": any(field.html_name in errors for field in advanced),
        "rows": form.dataset_rows(),
        "param_errors": errors,
        "error_count": sum(map(len, errors.values())),
        "field_names": [
            *(name for name in SHOWN if name != "base_model" or form.base_models),
            *(field.html_name for field in rows),
        ],
        "low": form.device_range[0],
        "high": form.device_range[1],
        "on_cpu": queue.only_cpus(),
        "with_data": True,
    }
