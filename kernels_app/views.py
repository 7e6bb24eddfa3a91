"""Kernels: which programs this installation can train with, and which of them a project uses."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from kernels_app import describe, environments, versions
from kernels_app.badkernel import BadKernel
from kernels_app.doctor import words
from kernels_app.models import Kernel, KernelState, KernelSwitch
from projects_app.access import project_view
from projects_app.listing import page_of
from projects_app.models import Project, Role, TrainingType, User

USABLE = (KernelState.READY, KernelState.DEPRECATED)
NEWEST_MODELS = 20  # trained with a kernel, shown on its page
SORTS = {"name": "name", "created": "created_at", "state": "state"}


@require_GET
@project_view()
def kernel_list(request: HttpRequest, project: Project) -> HttpResponse:
    """The newest version of each name, its older ones below it."""
    chosen = {name: request.GET.get(name, "") for name in ("type", "q", "archived", "sort")}
    kernels = Kernel.objects.newest()
    if not chosen["archived"]:
        kernels = kernels.exclude(state=KernelState.ARCHIVED)
    if chosen["type"] in TrainingType.values:
        kernels = kernels.for_training_type(chosen["type"])
    if chosen["q"]:
        kernels = kernels.filter(name__icontains=chosen["q"])
    page = page_of(request, kernels.order_by(*_order(chosen["sort"])))
    on = set(Kernel.objects.on_in(project).values_list("pk", flat=True))
    context = chosen | {
        "page": page,
        "rows": [(kernel, kernel.pk in on, older) for kernel, older in _with_older(list(page))],
        "on": on,
        "training_types": TrainingType.choices,
        "is_filtered": bool(chosen["type"] or chosen["q"] or chosen["archived"]),
        "may_import": project.allows(cast(User, request.user), Role.DEVELOPER),
    }
    return render(request, "kernels/list.html", context)


@require_GET
@project_view()
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    kernel = get_object_or_404(Kernel.objects.select_related("created_by", "job__project"), pk=pk)
    user = cast(User, request.user)
    is_developer = project.allows(user, Role.DEVELOPER)
    checklist = [words.line_of(line) for line in kernel.checklist]
    trained = kernel.trained_models.filter(project=project).select_related("project", "job", "model_type")
    low, high = kernel.gpu_range
    is_on = Kernel.objects.on_in(project).filter(pk=kernel.pk).exists()
    can_train = (
        is_on and not kernel.is_base and kernel.state == KernelState.READY and kernel.supports_operation("training")
    )
    context = {
        "kernel": kernel,
        "is_on": is_on,
        "may_train": can_train and project.allows(user, Role.LABELLER),
        "may_try": is_developer and kernel.may_be_tried,
        "may_manage": is_developer and kernel.is_managed_by(user),
        "packages": _packages(kernel),
        "job": kernel.job if kernel.job and kernel.job.project_id == project.pk else None,
        "log_size": kernel.log.stat().st_size if kernel.log.is_file() else 0,
        "checklist": checklist,
        "failed": [line for line in checklist if line.state == words.FAILED],
        "is_usable": kernel.state in USABLE,
        "newer": Kernel.objects.filter(name=kernel.name, pk__gt=kernel.pk, state=KernelState.READY)
        .order_by("-pk")
        .first(),
        "parameters": describe.parameters(kernel.schema),
        "codes": kernel.codes,
        "since": None if kernel.is_base else versions.since(kernel, project, request.GET.get("since", "")),
        "operations": describe.operations(kernel.operations),
        "low": low,
        "high": high,
        "trained": trained.order_by("-pk")[:NEWEST_MODELS],
        "trained_count": trained.count(),
    }
    return render(request, "kernels/detail.html", context)


@require_GET
@project_view()
def schema(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The schema as the kernel brought it."""
    kernel = get_object_or_404(Kernel, pk=pk)
    text = describe.as_json(kernel.schema)
    name = content_disposition_header(True, f"{kernel.name}-{kernel.version}-model_schema.json")
    return HttpResponse(text, content_type="application/json", headers={"Content-Disposition": name})


@require_POST
@project_view(Role.DEVELOPER)
def switch(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Use a kernel in this project, or not: `on` is 1 or 0."""
    kernel = get_object_or_404(Kernel, pk=pk)
    is_on = request.POST.get("on") == "1"
    if is_on and kernel.state not in USABLE:
        messages.error(request, _("“%(kernel)s” is not ready, so it cannot be switched on.") % {"kernel": kernel})
    else:
        KernelSwitch.objects.update_or_create(kernel=kernel, project=project, defaults={"is_on": is_on})
        text = _("“%(kernel)s” is on in this project.") if is_on else _("“%(kernel)s” is off in this project.")
        messages.success(request, text % {"kernel": kernel})
    return redirect("kernels:list", project.code) if "list" in request.POST else redirect(kernel.address(project))


def _packages(kernel: Kernel) -> list[str]:
    """What it asks for beside the portal's own packages."""
    try:
        return environments.asked_for(kernel.folder)
    except BadKernel:
        return []


def _order(sort: str) -> tuple[str, ...]:
    column = SORTS.get(sort.removeprefix("-"), "name")
    return (f"-{column}" if sort.startswith("-") else column, "name")


def _with_older(kernels: list[Kernel]) -> list[tuple[Kernel, list[Kernel]]]:
    """Each kernel with the other versions of its name, newest first."""
    others: dict[str, list[Kernel]] = {}
    named = Kernel.objects.filter(name__in=[kernel.name for kernel in kernels])
    for kernel in named.exclude(pk__in=[kernel.pk for kernel in kernels]).order_by("-pk"):
        others.setdefault(kernel.name, []).append(kernel)
    return [(kernel, others.get(kernel.name, [])) for kernel in kernels]
