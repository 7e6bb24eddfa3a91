"""Deleting one model or several: first what will go and what cannot, then the deed."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from models_app import deleting
from models_app.models import TrainedModel
from projects_app import listing
from projects_app.access import project_view
from projects_app.korean import fluent
from projects_app.models import Project, Role


@require_http_methods(["GET", "POST"])
@project_view(Role.DEVELOPER)
def delete(request: HttpRequest, project: Project) -> HttpResponse:
    """The models that the address names (`model`, repeated): shown first, deleted by a POST."""
    models = _chosen(project, request.POST if request.method == "POST" else request.GET)
    if request.method == "POST" and models:
        return _delete(request, project, models)
    if not models:
        messages.info(request, _("Tick the models to delete first."))
        return redirect("models:list", project.code)
    return render(request, "models/delete.html", {"plan": deleting.plan(models), "single": len(models) == 1})


def _delete(request: HttpRequest, project: Project, models: QuerySet[TrainedModel]) -> HttpResponse:
    """Each by itself: one that cannot go keeps none of the others."""
    gone: list[str] = []
    freed = 0
    for model in sorted(models, key=lambda model: -model.pk):
        try:
            freed += deleting.delete(model)
            gone.append(model.name)
        except deleting.InUse as error:
            text = _("“%(name)s” was not deleted. %(why)s")
            messages.error(request, fluent(text % {"name": model.name, "why": error}))
        except TrainedModel.DoesNotExist:  # somebody else was faster
            continue
    if gone:
        messages.success(request, fluent(_said(gone, freed)))
    if not gone and len(models) == 1:
        return redirect(models[0])
    return redirect("models:list", project.code)


def _said(gone: list[str], freed: int) -> str:
    size = filesizeformat(freed)
    if len(gone) == 1:
        return _("Deleted “%(name)s”. %(size)s are free again.") % {"name": gone[0], "size": size}
    text = ngettext(
        "%(n)d model deleted. %(size)s are free again.", "%(n)d models deleted. %(size)s are free again.", len(gone)
    )
    return text % {"n": len(gone), "size": size}


def _chosen(project: Project, data: QueryDict) -> QuerySet[TrainedModel]:
    wanted = [pk for text in data.getlist("model") if (pk := listing.whole(text)) is not None]
    related = ("job__project", "model_type", "project", "snapshot")
    rows = TrainedModel.objects.filter(project=project, pk__in=wanted[: listing.SIZES[-1]])
    return rows.select_related(*related).order_by("-pk")
