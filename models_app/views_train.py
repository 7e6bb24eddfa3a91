"""The training form: shown, checked while typing, started. Where it may stand, see `form_data` and `form_acts`."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from jobs import queue
from models_app import choices, form_acts, form_data, form_params, preflight
from models_app.orders import OrderRefused, Report
from models_app.sweeps import plan as sweep_plan
from models_app.train_form import TrainForm
from projects_app.access import project_view
from projects_app.listing import whole
from projects_app.models import Project, Role, User

KEPT = "kept_training"  # in the session: what was posted when it had ended
SHOWN = ("model_type", "kernel", "train", "validation", "base_model", "name", "devices", "etc", "params")
IN_BATCH = ("batch", "batch_random", "batch_seed", "batch_keep")
LARGEST_BATCH = 1_000_000  # trainings whose time is worth a thought
QUIET = ("params", "mode.", "extra", "name", "description", "devices", "batch")  # typed there, the data is as it was


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def train(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the form, prefilled from the URL; start the training that was posted. *Check* only looks."""
    user = cast(User, request.user)
    if request.method == "GET":
        return _fresh(request, project, user)
    if request.POST.get("act") == "discard":
        form_data.drop_draft(project, user)
        return redirect(request.path)
    if request.POST.get("act") == "download":
        return _download(request, project, user)
    if "refresh" in request.POST or "act" in request.POST:
        form = _changed(request, project)
        form_data.keep_draft(project, user, cast(QueryDict, form.data))
        return _page(request, form, form.report(), quiet=not form.chosen_train)
    return _start(request, project, user)


train.kept_as = KEPT  # type: ignore[attr-defined]


def _start(request: HttpRequest, project: Project, user: User) -> HttpResponse:
    form = TrainForm(project, request.POST, request.FILES)
    report = form.report()
    if form.is_kernel_replaced:
        text = _("The kernel that you chose cannot be used here. This one can: look at its settings before you start.")
        form.errors.setdefault("kernel", form.error_class()).append(text)
    form_data.keep_draft(project, user, cast(QueryDict, form.data))
    order, batch = form.order(), form.batch()
    if form.errors or order is None:
        return _page(request, form, report, status=422)
    if "check" in request.POST:
        return _page(request, form, report)
    if batch and request.POST.get("confirmed") != str(batch.plan.count):
        return _page(request, form, report, confirm=True)
    try:
        started: Any = batch.start(user) if batch else order.start(user)
    except OrderRefused as refusal:
        for complaint in refusal.complaints:
            form.errors.setdefault(complaint.field, form.error_class()).append(complaint.message)
        return _page(request, form, report, status=422)
    form_data.drop_draft(project, user)
    messages.success(request, _("“%(name)s” is in the queue.") % {"name": started.name})
    return redirect(started)


@require_POST
@project_view(Role.LABELLER)
def train_form(request: HttpRequest, project: Project) -> HttpResponse:
    """The form anew: the model type or the kernel changed, or one of its small buttons was pressed."""
    form = _changed(request, project)
    form_data.keep_draft(project, cast(User, request.user), cast(QueryDict, form.data))
    answer = render(request, "models/_train_form.html", _context(request, form, form.report()))
    return _with_address(answer, request, form)


@require_POST
@project_view(Role.LABELLER)
def train_check(request: HttpRequest, project: Project) -> HttpResponse:
    """What is wrong now: the summary, and each field's error out of band, so that focus and caret stay."""
    form = TrainForm(project, request.POST)
    with_data = not request.POST.get("typed", "").startswith(QUIET)
    report = form.report(with_data=with_data)
    form_data.keep_draft(project, cast(User, request.user), cast(QueryDict, form.data))
    context = _context(request, form, report) | {"with_data": with_data, "oob": True}
    context["is_reshaped"] = form.shape != request.POST.get("shape", form.shape)
    if "shown" in request.POST:  # where the page shows an error now: only these places and the new ones change
        changed = {*request.POST["shown"].split(), *form.errors}
        context["field_names"] = [name for name in context["field_names"] if name in changed]
    return _with_address(render(request, "models/_train_checks.html", context), request, form)


def _fresh(request: HttpRequest, project: Project, user: User) -> HttpResponse:
    """The form by its address; or as it was left, where somebody asks for that or the session had ended."""
    draft = form_data.draft_of(project, user)
    kept = request.session.pop(KEPT, None)
    data = QueryDict(kept.get("data", ""), mutable=True) if isinstance(kept, dict) else QueryDict(mutable=True)
    if isinstance(kept, dict) and kept.get("path") == request.path and data.get(form_data.ASKED_BY) == str(user.pk):
        messages.info(request, _("You were logged out meanwhile. Here is what you had typed; nothing was started yet."))
    elif "draft" in request.GET and draft:
        data = QueryDict(draft.data, mutable=True)
    else:
        form = TrainForm(project, form_data.initial(project, request.GET))
        shown = None if request.GET else draft
        quiet = form_data.WHOLE not in request.GET  # who comes back to what was typed sees what is wrong with it
        return _page(request, form, form.report() if form.chosen_type else None, quiet=quiet, draft=shown)
    form = TrainForm(project, form_data.fill_usual(project, data))
    return _page(request, form, form.report())


def _changed(request: HttpRequest, project: Project) -> TrainForm:
    """The form after another choice or one of its buttons: what was typed stays."""
    form = TrainForm(project, form_data.fill_usual(project, request.POST.copy()), request.FILES)
    wish = request.POST.get("act", "")
    if not wish or form.chosen_kernel is None:
        return form
    desk = _desk(request, project, form)
    form_acts.act(desk, wish)
    form = TrainForm(project, desk.data, request.FILES)
    form.said, form.refused = desk.said, desk.refused
    return form


def _desk(request: HttpRequest, project: Project, form: TrainForm) -> form_acts.Desk:
    assert form.chosen_kernel
    data = cast(QueryDict, form.data)
    return form_acts.Desk(
        project=project,
        user=cast(User, request.user),
        kernel=form.chosen_kernel,
        model_type=form.chosen_type,
        data=data,
        files=request.FILES,
        origin=form.origin_model,
    )


def _download(request: HttpRequest, project: Project, user: User) -> HttpResponse:
    """The `model.json` of what stands in the form."""
    form = TrainForm(project, request.POST)
    text = form_acts.document(_desk(request, project, form)) if form.chosen_kernel else None
    if text is None:
        return _page(request, form, form.report(), status=422)
    answer = HttpResponse(text, content_type="application/json")
    answer["Content-Disposition"] = 'attachment; filename="model.json"'
    return answer


def _with_address(answer: HttpResponse, request: HttpRequest, form: TrainForm) -> HttpResponse:
    """The page's address follows what was typed, so that it brings the form back."""
    if request.headers.get("HX-Request") and (query := _query_of(form)):
        answer["HX-Replace-Url"] = f"{reverse('models:train', args=[form.project.code])}?{query}"
    return answer


def _query_of(form: TrainForm) -> str:
    return form_data.address(form.project, cast(QueryDict, form.data), form.chosen_kernel, form.chosen_type)


def with_new_token(request: HttpRequest) -> HttpResponse | None:
    """For who logged in again in another window: the form that was open here with a new token, as it was typed.

    None where it is not this form, or nobody is logged in. Nothing is started or kept.
    """
    match = request.resolver_match
    if match is None or not match.view_name.startswith("models:train") or not request.user.is_authenticated:
        return None
    if request.headers.get("HX-Request"):
        return trigger_client_event(HttpResponse(status=403), "new-token", {"token": get_token(request)})
    if match.view_name != "models:train":
        return None
    user = cast(User, request.user)
    project = Project.objects.visible_to(user).filter(code=match.kwargs["project"]).first()
    if project is None or not project.allows(user, Role.LABELLER):
        return None
    text = _("You logged in again meanwhile. Nothing was started yet: please press the button again.")
    messages.warning(request, text)
    request.project = project  # type: ignore[attr-defined]
    form = TrainForm(project, request.POST)
    return _page(request, form, form.report(), status=403)


def _page(
    request: HttpRequest, form: TrainForm, report: Report | None, *, status: int = 200, quiet: bool = False,
    confirm: bool = False, draft: Any = None,
) -> HttpResponse:  # fmt: skip
    context = _context(request, form, report) | {"confirm": confirm, "draft": draft}
    if confirm:
        context |= _costs(form, context["estimates"])
    if quiet:  # nobody likes to be told off before they began
        context |= {"param_errors": {}, "error_count": 0, "advanced_open": False, "quiet": bool(form.errors)}
    return render(request, "models/train.html", context, status=status)


def _context(request: HttpRequest, form: TrainForm, report: Report | None) -> dict[str, Any]:
    rows = form.params
    advanced = [field for field in rows if field.advanced]
    errors = {name: list(found) for name, found in form.errors.items()}
    plan, order = form.plan, form.order()
    trainings = plan.count if plan and plan.is_on else 1
    facts = report.facts if report else None
    estimates = (
        preflight.look(order, facts, trainings=trainings, variants=_variants(form))
        if order and trainings <= LARGEST_BATCH
        else None
    )
    warnings = [text for text in (report.warnings if report else []) if facts is None or text not in facts.warnings]
    on_data = len(facts.remarks) if facts else whole(request.POST.get("data_remarks", "")) or 0
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
        "axes": _axes(form),
        "plan": plan,
        "trainings": trainings,
        "estimates": estimates,
        "warnings": warnings,
        "has_remarks": bool(warnings or on_data or (estimates and estimates.remarks)),
        "data_remarks": on_data,
        "aside": form_params.aside(cast(QueryDict, form.data)),
        "extras": form_params.extras(cast(QueryDict, form.data)),
        "may_save_preset": form.project.allows(cast(User, request.user), Role.DEVELOPER),
        "marks": form.origin_marks(),
        "start_label": _start_label(trainings),
        "ask": _ask(trainings, order.devices if order else 1) if trainings > 1 else "",
    }


def _axes(form: TrainForm) -> list[sweep_plan.AxisField]:
    return sweep_plan.axes_for_form(form.chosen_kernel.schema, form.data) if form.chosen_kernel else []


def _variants(form: TrainForm) -> list[dict[str, Any]]:
    """The settings of each training of a batch, where they can be said."""
    batch = form.batch()
    return [child.params for child in batch.children] if batch and not batch.plan.problems else []


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


def _costs(form: TrainForm, estimates: preflight.Estimates | None) -> dict[str, Any]:
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
    return [*usual, *params, *(name for field in rows for name in _names(field)), *(IN_BATCH if axes else ()), *axes]
