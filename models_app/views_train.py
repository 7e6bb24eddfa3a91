"""The training form: shown, checked while typing, started. Where it may stand, see `form_data` and `form_acts`."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from models_app import drafts, form_acts, form_data, form_page
from models_app.complaints import OrderRefused, Report
from models_app.train_form import TrainForm
from projects_app.access import project_view
from projects_app.korean import fluent
from projects_app.models import KeptPost, Project, Role, User

KEPT = "kept_training"  # the cookie with the key to what was posted when the login had ended
QUIET = ("params", "mode.", "extra", "name", "description", "devices", "batch")  # typed there, the data is as it was


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def train(request: HttpRequest, project: Project) -> HttpResponse:
    """Show the form, prefilled from the URL; start the training that was posted. *Check* only looks."""
    user = cast(User, request.user)
    if request.method == "GET":
        answer = _fresh(request, project, user)
        if KEPT in request.COOKIES:
            answer.delete_cookie(KEPT, samesite="Lax")
        return answer
    if request.POST.get("act") == "discard":
        drafts.drop(project, user)
        return redirect(request.path)
    if request.POST.get("act") == "download":
        return _download(request, project, user)
    if "refresh" in request.POST or "act" in request.POST:
        form = _changed(request, project)
        drafts.keep(request, project, cast(QueryDict, form.data))
        return _page(request, form, form.report(), quiet=not form.chosen_train)
    return _start(request, project, user)


train.kept_as = KEPT  # type: ignore[attr-defined]


def _start(request: HttpRequest, project: Project, user: User) -> HttpResponse:
    form = TrainForm(project, request.POST, request.FILES)
    report = form.report()
    if form.is_kernel_replaced:
        text = _("The kernel that you chose cannot be used here. This one can: look at its settings before you start.")
        form.errors.setdefault("kernel", form.error_class()).append(text)
    drafts.keep(request, project, cast(QueryDict, form.data))
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
    drafts.start(request, project, request.POST)
    messages.success(request, _("“%(name)s” is in the queue.") % {"name": started.name})
    return redirect(started)


@require_POST
@project_view(Role.LABELLER)
def train_form(request: HttpRequest, project: Project) -> HttpResponse:
    """The form anew: the model type or the kernel changed, or one of its small buttons was pressed."""
    form = _changed(request, project)
    drafts.keep(request, project, cast(QueryDict, form.data))
    answer = render(request, "models/_train_form.html", form_page.context(request, form, form.report()))
    return _with_address(answer, request, form)


@require_POST
@project_view(Role.LABELLER)
def train_check(request: HttpRequest, project: Project) -> HttpResponse:
    """What is wrong now: the summary, and each field's error out of band, so that focus and caret stay."""
    form = TrainForm(project, request.POST)
    form.keep_rows(request.POST)
    with_data = not request.POST.get("typed", "").startswith(QUIET)
    report = form.report(with_data=with_data)
    drafts.keep(request, project, cast(QueryDict, form.data))
    context = form_page.context(request, form, report) | {"with_data": with_data, "oob": True}
    context["is_reshaped"] = form.shape != request.POST.get("shape", form.shape)
    if "shown" in request.POST:  # where the page shows an error now: only these places and the new ones change
        changed = {*request.POST["shown"].split(), *form.errors}
        context["field_names"] = [name for name in context["field_names"] if name in changed]
    return _with_address(render(request, "models/_train_checks.html", context), request, form)


def _fresh(request: HttpRequest, project: Project, user: User) -> HttpResponse:
    """The form by its address; or as it was left, where somebody asks for that or the login had ended."""
    draft = drafts.of(project, user)
    key = request.COOKIES.get(KEPT, "")
    data = QueryDict(KeptPost.take(key, request.path) if key else "", mutable=True)
    if data.get(form_data.ASKED_BY) == str(user.pk):
        messages.info(request, _("You were logged out meanwhile. Here is what you had typed; nothing was started yet."))
    elif "draft" in request.GET and draft:
        data = QueryDict(draft.data, mutable=True)
    else:
        form = TrainForm(project, form_data.initial(project, request.GET))
        shown = None if request.GET else draft
        is_begun = form_data.WHOLE in request.GET or (form.chosen_train and form.chosen_validation)
        report = form.report() if form.chosen_type else None
        return _page(request, form, report, quiet=not is_begun, draft=shown)
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
    form.said, form.refused, form.remarks = fluent(desk.said), fluent(desk.refused), desk.remarks
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
        own=form.own(),
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
    context = form_page.context(request, form, report) | {"confirm": confirm, "draft": draft}
    if confirm:
        context |= form_page.costs(form, context["estimates"])
    if quiet:  # nobody likes to be told off before they began
        context |= {"param_errors": {}, "error_count": 0, "advanced_open": False, "quiet": bool(form.errors)}
    return render(request, "models/train.html", context, status=status)
