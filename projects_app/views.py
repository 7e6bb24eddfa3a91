"""Project settings: its name, its people, and the words in which it speaks of its labels."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from projects_app import people
from projects_app.access import project_view
from projects_app.forms import MemberForm, ModelTypeForm, NameForm, ProjectForm, RoleForm
from projects_app.models import Membership, Project, Role, TrainingType, User
from projects_app.words import order

UNPROCESSABLE = 422  # htmx shows such an answer too


@require_GET
@project_view()
def settings(request: HttpRequest, project: Project) -> HttpResponse:
    return _page(request, project)


@require_POST
@project_view(Role.MANAGER)
def edit(request: HttpRequest, project: Project) -> HttpResponse:
    """Another name or description."""
    form = ProjectForm(request.POST, instance=Project.objects.get(pk=project.pk))
    if not form.is_valid():
        return _page(request, project, project_form=form)
    form.save()
    messages.success(request, _("The project is saved."))
    return redirect("projects:settings", project.code)


@require_POST
@project_view(Role.MANAGER)
def member_add(request: HttpRequest, project: Project) -> HttpResponse:
    form = MemberForm(request.POST, project=project)
    if not form.is_valid():
        return _page(request, project, member_form=form)
    member = form.save()
    text = _("“%(user)s” is a member now, as %(role)s.")
    messages.success(request, text % {"user": member.user, "role": Role(member.role).label})
    return redirect("projects:settings", project.code)


@require_POST
@project_view(Role.MANAGER)
def member_role(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    member = get_object_or_404(project.memberships.select_related("user"), pk=pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("There is no such role."))
        return redirect("projects:settings", project.code)
    role = Role(form.cleaned_data["role"])
    try:
        people.change_role(member, role)
        messages.success(request, _("“%(user)s” is now %(role)s.") % {"user": member.user, "role": role.label})
    except people.LastManager:
        messages.error(request, _last_manager(member))
    return redirect("projects:settings", project.code)


@require_POST
@project_view(Role.MANAGER)
def member_remove(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    member = get_object_or_404(project.memberships.select_related("user"), pk=pk)
    try:
        people.remove(member)
        messages.success(request, _("“%(user)s” is not a member any more.") % {"user": member.user})
    except people.LastManager:
        messages.error(request, _last_manager(member))
    still_in = project.role_of(cast(User, request.user)) is not None
    return redirect("projects:settings", project.code) if still_in else redirect("home")


@require_GET
@project_view()
def types(request: HttpRequest, project: Project) -> HttpResponse:
    """The annotation types and what model types make of them."""
    return _types_page(request, project)


@require_http_methods(["GET", "POST"])
@project_view(Role.MANAGER)
def model_type_add(request: HttpRequest, project: Project) -> HttpResponse:
    """A model type of the labels of one training type, which the address names."""
    given = request.GET.get("type", "")
    if given not in TrainingType.values:
        return redirect("projects:types", project.code)
    training_type = TrainingType(given)
    form = ModelTypeForm(request.POST or None, project=project, training_type=training_type)
    if form.is_valid():
        made = form.save()
        messages.success(request, _("The model type “%(code)s” is there.") % {"code": made.code})
        return redirect("projects:types", project.code)
    context = {"form": form, "training_type": training_type}
    return render(request, "projects/model_type_add.html", context, status=UNPROCESSABLE if form.errors else 200)


@require_POST
@project_view(Role.MANAGER)
def model_type_rename(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    form = NameForm(request.POST, instance=get_object_or_404(project.model_types, pk=pk))
    if not form.is_valid():
        return _types_page(request, project, form)
    form.save()
    messages.success(request, _("The name is saved."))
    return redirect("projects:types", project.code)


def _page(
    request: HttpRequest,
    project: Project,
    project_form: ProjectForm | None = None,
    member_form: MemberForm | None = None,
) -> HttpResponse:
    """The settings with a form of each kind, one of them as it was refused."""
    context = {
        "members": project.memberships.select_related("user"),
        "roles": Role.choices,
        "project_form": project_form or ProjectForm(instance=project),
        "member_form": member_form or MemberForm(project=project),
        "managers": Membership.objects.filter(project=project, role=Role.MANAGER).count(),
    }
    return render(
        request, "projects/settings.html", context, status=UNPROCESSABLE if project_form or member_form else 200
    )


def _types_page(request: HttpRequest, project: Project, refused: NameForm | None = None) -> HttpResponse:
    labels = order.labels(project).prefetch_related("categories")
    model_types = order.model_types(project)
    with_labels = set(labels.values_list("training_type", flat=True))
    context = {
        "annotation_types": labels.annotate(uses=Count("model_types")),
        "model_types": [(model_type, model_type.class_codes()) for model_type in model_types],
        "addable": [choice for choice in TrainingType if choice.value in with_labels],
        "refused": refused,
    }
    return render(request, "projects/types.html", context, status=UNPROCESSABLE if refused else 200)


def _last_manager(member: Membership) -> str:
    text = _("“%(user)s” is the only manager. Make somebody else a manager first.")
    return text % {"user": member.user}
