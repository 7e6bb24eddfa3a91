"""Kernels that people bring: import them, try them again, retire them, read what their import wrote."""

from __future__ import annotations

import re
from typing import cast

from django import forms
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernels_app.imports import order
from kernels_app.imports.git import BadSource, Repository
from kernels_app.models import Kernel, KernelState
from projects_app import uploads
from projects_app.access import project_view
from projects_app.korean import fluent
from projects_app.models import Project, Role, User
from projects_app.uploads import PiecesField

CODE_FORM = re.compile(r"[\w.-]{1,64}")
MOST_CODES = 200
MOVES = {  # what a button asks for: from which states, to which
    "deprecate": ((KernelState.READY,), KernelState.DEPRECATED),
    "archive": ((KernelState.READY, KernelState.DEPRECATED, KernelState.FAILED), KernelState.ARCHIVED),
    "restore": ((KernelState.DEPRECATED, KernelState.ARCHIVED), KernelState.READY),
}


class ImportForm(forms.Form):
    """An archive, or a repository; and what the kernel is called where its kernel.toml does not say so."""

    archive = PiecesField(
        label=gettext_lazy("Archive"),
        required=False,
        help_text=gettext_lazy(
            "A zip, tar or tar.gz with model_schema.json and a train.py, a Dockerfile, "
            "or an image as docker save writes it."
        ),
    )
    url = forms.CharField(
        label=gettext_lazy("Git repository"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Instead of an archive: its address, such as https://git.example.com/team/kernel.git"),
    )
    branch = forms.CharField(
        label=gettext_lazy("Branch or tag"),
        required=False,
        max_length=200,
        help_text=gettext_lazy("Empty: the repository's own main branch."),
    )
    folder = forms.CharField(
        label=gettext_lazy("Folder"),
        required=False,
        max_length=500,
        help_text=gettext_lazy("Where the kernel lies in the repository. Empty: at its top."),
    )
    type = forms.ChoiceField(
        label=gettext_lazy("Kernel type"),
        required=False,
        choices=[
            ("", gettext_lazy("Training: it trains models")),
            ("base", gettext_lazy("Base image: other kernels are built on it")),
        ],
    )
    runs_in = forms.ChoiceField(
        label=gettext_lazy("Runs as"),
        required=False,
        choices=[
            ("", gettext_lazy("As the package says")),
            ("process", gettext_lazy("A process, with the portal's own Python")),
            ("container", gettext_lazy("A container, out of its Dockerfile or image")),
        ],
        help_text=gettext_lazy("By itself a package with a program is a process, one without it a container."),
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        required=False,
        max_length=100,
        help_text=gettext_lazy(
            "Empty: as kernel.toml says. The name of a kernel that is here makes a new version of it."
        ),
    )
    version = forms.CharField(label=gettext_lazy("Version"), required=False, max_length=50)
    description = forms.CharField(label=gettext_lazy("Description"), required=False, max_length=2000)
    on_device = forms.BooleanField(
        label=gettext_lazy("Try it on a GPU (it waits until one is free)"),
        required=False,
        help_text=gettext_lazy("Otherwise it is tried on the CPU, at once."),
    )

    def clean(self) -> dict[str, object]:
        data = super().clean() or {}
        if data.get("type") == "base" and data.get("runs_in") == "process":
            self.add_error("runs_in", _("A base image is no process."))
        if bool(data.get("archive")) == bool(data.get("url")):
            self.add_error("archive", _("Choose an archive, or give the address of a repository: one of the two."))
        elif data.get("url"):
            for field, text in self.repository.faults().items():
                self.add_error(field, text)
        return data

    @property
    def repository(self) -> Repository:
        data = self.cleaned_data
        return Repository(data.get("url", ""), data.get("branch", ""), data.get("folder", ""))


@require_http_methods(["GET", "POST"])
@project_view(Role.DEVELOPER)
def import_kernel(request: HttpRequest, project: Project) -> HttpResponse:
    """Take what was sent and put its import into the queue; on to the job, whose log is live."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    uploads.owned(form, project, cast(User, request.user))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        told = {key: data[key].strip() for key in order.TOLD}
        asked = order.Order(project, cast(User, request.user), **told, devices=int(data["on_device"]))
        try:
            job = asked.start_archive(data["archive"]) if data["archive"] else asked.start_git(form.repository)
            uploads.done(data["archive"])
            return redirect(job)
        except BadSource as error:
            form.add_error("archive" if data["archive"] else "url", str(error))
    return render(request, "kernels/import.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
@project_view(Role.DEVELOPER)
def try_again(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """The doctor once more, for a kernel that failed."""
    kernel = get_object_or_404(Kernel.objects.select_related("job"), pk=pk)
    job = order.try_again(kernel, project, cast(User, request.user), devices=int("on_device" in request.POST))
    if job is None:
        messages.info(request, _("“%(kernel)s” is not one that failed.") % {"kernel": kernel})
        return redirect(kernel.address(project))
    return redirect(job)


@require_POST
@project_view(Role.DEVELOPER)
def move(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Deprecate, archive or restore a kernel: for all projects, so by whoever imported it or an administrator."""
    kernel = get_object_or_404(Kernel, pk=pk)
    old, new = MOVES.get(request.POST.get("to", ""), ((), KernelState.READY))
    if not kernel.is_managed_by(cast(User, request.user)):
        messages.error(request, _("Only who imported it, or an administrator, may do this: it is for all projects."))
    elif new == KernelState.READY and not kernel.has_passed:
        messages.error(request, _("“%(kernel)s” did not pass the doctor, so it cannot be ready.") % {"kernel": kernel})
    elif not kernel.move(old, new):
        messages.info(request, fluent(_("“%(kernel)s” has another state by now.") % {"kernel": kernel}))
    else:
        text = _("“%(kernel)s” is now: %(state)s.")
        messages.success(request, fluent(text % {"kernel": kernel, "state": new.label}))
    return redirect(kernel.address(project))


@require_POST
@project_view(Role.DEVELOPER)
def model_types(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Bind a kernel to model types, where its schema does not: `codes`, with commas between; empty for any."""
    kernel = get_object_or_404(Kernel, pk=pk)
    codes = list(dict.fromkeys(filter(None, map(str.strip, request.POST.get("codes", "").split(",")))))
    if not kernel.is_managed_by(cast(User, request.user)):
        messages.error(request, _("Only who imported it, or an administrator, may do this: it is for all projects."))
    elif kernel.bound_codes is not None:
        messages.error(request, _("Its schema says which model types it is for."))
    elif wrong := [code for code in codes if not CODE_FORM.fullmatch(code)] or codes[MOST_CODES:]:
        messages.error(request, fluent(_("“%(code)s” is no code of a model type.") % {"code": wrong[0][:80]}))
    else:
        Kernel.objects.filter(pk=kernel.pk).update(model_types=codes)
        messages.success(request, _("The model types of “%(kernel)s” are saved.") % {"kernel": kernel})
    return redirect(kernel.address(project))


@require_GET
@project_view()
def log(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """What its import and the doctor wrote."""
    kernel = get_object_or_404(Kernel, pk=pk)
    try:
        file = kernel.log.open("rb")
    except OSError as error:
        raise Http404 from error
    return FileResponse(
        file,
        as_attachment=True,
        filename=f"{kernel.name}-{kernel.version}.log",
        content_type="text/plain; charset=utf-8",
    )
