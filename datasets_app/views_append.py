"""Add the images of another dataset: choose it, look at what would come of it, do it. An upload joins by the import."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from datasets_app import appending, changing
from datasets_app.changing import ChangeRefused
from datasets_app.forms_verbs import AppendForm
from datasets_app.views_verbs import dataset_of
from projects_app.access import project_view
from projects_app.models import Project, Role


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def append(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """A GET with a source shows what would come of it; a POST adds."""
    dataset = dataset_of(project, pk)
    try:
        appending.refuse(dataset)
        changing.check_still(dataset)
    except ChangeRefused as error:
        messages.error(request, str(error))
        return redirect(dataset)
    asked = request.POST if request.method == "POST" else request.GET
    form = AppendForm(dataset, AppendForm.DEFAULTS | asked.dict() if "source" in asked else None)
    plan = None
    if form.is_bound and form.is_valid():
        source = form.cleaned_data["source"]
        try:
            appending.refuse(dataset, source)
            if request.method == "POST":
                done = appending.append(dataset, source, form.choices())
                messages.success(request, _added(done))
                return redirect(dataset)
            plan = appending.plan(dataset, source, form.choices())
        except ChangeRefused as error:
            form.refuse(error)
    context = {"dataset": dataset, "form": form, "plan": plan}
    return render(
        request, "datasets/append.html", context, status=422 if form.errors and request.method == "POST" else 200
    )


def _added(plan: appending.Plan) -> str:
    if not plan.left:
        return ngettext("Added %(count)d image.", "Added %(count)d images.", plan.added) % {"count": plan.added}
    text = ngettext(
        "Added %(count)d image. Left out: %(left)d.", "Added %(count)d images. Left out: %(left)d.", plan.added
    )
    return text % {"count": plan.added, "left": plan.left}
