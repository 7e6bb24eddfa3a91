"""Clone a dataset, freeze it, lift that again, remove chosen images."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from datasets_app import changing, cloning, overlays, removing
from datasets_app.changing import ChangeRefused
from datasets_app.forms_verbs import CloneForm
from datasets_app.gallery import filtered_images
from datasets_app.models import Dataset, Image
from projects_app.access import project_view
from projects_app.listing import whole
from projects_app.models import Project, Role, User

SHOWN = 12  # images on the page that asks


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def clone(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Ask for a name, with one that is free; a POST makes the clone."""
    dataset = dataset_of(project, pk)
    form = CloneForm(dataset, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = cloning.clone(dataset, form.cleaned_data["name"], cast(User, request.user))
        except ChangeRefused as error:
            form.refuse(error)
        else:
            messages.success(request, _("Cloned “%(name)s”. The files are shared.") % {"name": dataset.name})
            return redirect(made)
    context = {"dataset": dataset, "form": form, "images": dataset.images.count()}
    return render(request, "datasets/clone.html", context, status=422 if form.errors else 200)


@require_POST
@project_view(Role.LABELLER)
def freeze(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    dataset = dataset_of(project, pk)
    changing.freeze(dataset, cast(User, request.user))
    messages.success(request, _("“%(name)s” is frozen: nothing changes it any more.") % {"name": dataset.name})
    return redirect(dataset)


@require_POST
@project_view(Role.MANAGER)
def lift(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Let the dataset be changed again."""
    dataset = dataset_of(project, pk)
    changing.lift(dataset)
    messages.success(request, _("“%(name)s” can be changed again.") % {"name": dataset.name})
    return redirect(dataset)


@require_http_methods(["GET", "POST"])
@project_view(Role.LABELLER)
def remove(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """What removing the ticked images would do, or with `?all=1` those that the filter finds; `sure` does it.

    `sure` is the number that the page named: where the filter finds another number by now, the page asks again.
    """
    dataset = dataset_of(project, pk)
    images = _chosen(request, dataset)
    if not images:
        messages.info(request, _("No image was chosen. Tick the images to remove first."))
        return redirect(dataset)
    try:
        changing.check(dataset)
        changing.check_still(dataset)
    except ChangeRefused as error:
        messages.error(request, str(error))
        return redirect(dataset)
    if request.method == "POST" and whole(request.POST.get("sure", "")) == len(images):
        try:
            count, freed = removing.remove(dataset, images)
        except ChangeRefused as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _removed(count, freed))
            return redirect(dataset)
    return render(request, "datasets/remove.html", _removal_context(request, dataset, images))


def dataset_of(project: Project, pk: int) -> Dataset:
    return get_object_or_404(Dataset.objects.select_related("project"), project=project, pk=pk)


def _chosen(request: HttpRequest, dataset: Dataset) -> list[int]:
    """The images that are meant, in their order."""
    images = dataset.images.order_by("position", "pk")
    if request.GET.get("all"):
        images = filtered_images(request, dataset, images)
    else:
        ids = [one for text in request.POST.getlist("image") if (one := whole(text)) is not None]
        images = images.filter(pk__in=ids)
    return list(images.values_list("pk", flat=True))


def _removed(count: int, freed: int) -> str:
    return ngettext(
        "Removed %(count)d image. %(size)s are free again.", "Removed %(count)d images. %(size)s are free again.", count
    ) % {"count": count, "size": filesizeformat(freed)}


def _removal_context(request: HttpRequest, dataset: Dataset, images: list[int]) -> dict[str, Any]:
    first = Image.objects.filter(pk__in=images[:SHOWN]).order_by("position", "pk")
    by_filter = bool(request.GET.get("all"))
    return {
        "dataset": dataset,
        "removal": removing.plan(dataset, images),
        "tiles": overlays.tiles(first, overlays.label_rows(dataset)),
        "ids": [] if by_filter else images,
        "by_filter": by_filter,
    }
