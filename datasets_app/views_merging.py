"""Merging a category into another: what would change, and the change."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from datasets_app import merging
from datasets_app.models import Annotation
from projects_app.access import project_view
from projects_app.listing import whole
from projects_app.models import Category, Project, Role


@require_http_methods(["GET", "POST"])
@project_view(Role.MANAGER)
def category_merge(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """A GET says which labels it is about; a POST with `into` changes them."""
    rows = Category.objects.select_related("annotation_type")
    category = get_object_or_404(rows, annotation_type__project=project, pk=pk)
    label, refusal = category.annotation_type, ""
    others = label.categories.exclude(pk=pk).order_by("position", "pk")
    if request.method == "POST":
        into = others.filter(pk=whole(request.POST.get("into", "")) or 0).first()
        try:
            done = merging.merge(category, into or category)
        except merging.MergeRefused as error:
            refusal = str(error)
        else:
            _tell(request, str(category.code), str(into), done)
            return redirect("projects:label", project.code, label.pk)
    context = {
        "category": category,
        "label": label,
        "others": others,
        "labels": Annotation.objects.filter(category=category).count(),
        "datasets": merging.datasets_with(category),
        "refusal": refusal,
    }
    return render(request, "datasets/category_merge.html", context, status=422 if refusal else 200)


def _tell(request: HttpRequest, code: str, into: str, done: merging.Merged) -> None:
    text = ngettext(
        "%(count)d label “%(code)s” is “%(into)s” now.", "%(count)d labels “%(code)s” are “%(into)s” now.", done.labels
    )
    messages.success(request, text % {"count": done.labels, "code": code, "into": into})
    if not done.is_deleted:
        text = _("“%(code)s” itself stays, as models were trained with it.")
        messages.info(request, text % {"code": code})
