"""Update meta data by a table: send it, look at what it would change, apply or discard it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from datasets_app import changing, meta_updates
from datasets_app.changing import ChangeRefused
from datasets_app.forms_verbs import TableForm
from datasets_app.split_plans import columns
from datasets_app.views_verbs import dataset_of
from projects_app.access import project_view
from projects_app.models import Project, Role


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def upload(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Receive a table and read it; on to what it would change."""
    dataset = dataset_of(project, pk)
    form = TableForm(request.POST or None, request.FILES or None)
    try:
        changing.check(dataset)
        if request.method == "POST" and form.is_valid():
            table = meta_updates.keep(dataset, form.cleaned_data["table"])
            return redirect("datasets:meta_look", project.code, pk, table)
    except changing.Frozen as error:
        messages.error(request, str(error))
        return redirect(dataset)
    except ChangeRefused as error:
        form.refuse(error)
    context = {"dataset": dataset, "form": form, "known": columns(dataset), "required": meta_updates.REQUIRED}
    return render(request, "datasets/meta.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def look(request: HttpRequest, project: Project, pk: int, table: uuid.UUID) -> HttpResponseBase:
    """What the table would change; a POST applies it."""
    dataset = dataset_of(project, pk)
    path, faults = meta_updates.path_of(dataset, str(table)), []
    asked = request.POST if request.method == "POST" else request.GET
    clear = bool(asked.get("clear"))
    if not path.is_file():
        messages.info(request, _("This table was applied or discarded."))
        return redirect(dataset)
    try:
        if request.method == "POST":
            done = meta_updates.apply(dataset, path, clear=clear, digest=asked.get("digest", ""))
            meta_updates.drop(dataset, str(table))
            messages.success(request, _applied(done))
            return redirect(dataset)
    except ChangeRefused as error:
        faults.append(str(error))
    try:
        update = meta_updates.plan(dataset, path, clear=clear)
    except ChangeRefused as error:
        messages.error(request, str(error))
        return redirect("datasets:meta", project.code, pk)
    context = {"dataset": dataset, "update": update, "table": table, "clear": clear, "faults": faults}
    return render(request, "datasets/meta_look.html", context, status=422 if faults else 200)


@require_POST
@project_view(Role.LABELLER)
def discard(request: HttpRequest, project: Project, pk: int, table: uuid.UUID) -> HttpResponseBase:
    dataset = dataset_of(project, pk)
    meta_updates.drop(dataset, str(table))
    messages.success(request, _("The table was discarded."))
    return redirect(dataset)


def _applied(update: meta_updates.Update) -> str:
    text = ngettext(
        "Changed %(count)d cell (images: %(images)d).", "Changed %(count)d cells (images: %(images)d).", update.cells
    )
    return text % {"count": update.cells, "images": update.images}
