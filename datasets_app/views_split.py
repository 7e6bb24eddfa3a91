"""Split a dataset into one for training and one for validation: say how, look at the counts, do it."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from datasets_app import split_plans
from datasets_app.changing import ChangeRefused
from datasets_app.forms_verbs import SplitForm
from datasets_app.views_verbs import dataset_of
from projects_app.access import project_view
from projects_app.models import Project, Role, User


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def split(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """A GET shows what these options would give; a POST makes both datasets. The dataset itself stays as it is."""
    dataset = dataset_of(project, pk)
    asked = request.POST if request.method == "POST" else request.GET
    form = SplitForm(dataset, asked if "share" in asked else None)
    if not form.is_bound:  # what the proposed options give is shown at once
        form = SplitForm(dataset, form.defaults)
    plan = None
    if form.is_valid():
        try:
            if request.method == "POST":
                train, val = split_plans.make(dataset, form.options(), form.names(), cast(User, request.user))
                messages.success(request, _("Made “%(train)s” and “%(val)s”.") % {"train": train.name, "val": val.name})
                return redirect(train)
            plan = split_plans.plan(dataset, form.options())
            split_plans.refuse_names(dataset, form.names())
        except ChangeRefused as error:
            form.refuse(error)
    context = {"dataset": dataset, "form": form, "plan": plan}
    return render(
        request, "datasets/split.html", context, status=422 if form.errors and request.method == "POST" else 200
    )
