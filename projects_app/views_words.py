"""Annotation types and their categories, data categories, model types: made, named, coloured, put in order, deleted."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from projects_app.access import project_view
from projects_app.models import AnnotationType, Category, ModelType, Project, Role, TrainingType, User
from projects_app.words import order, uses
from projects_app.words.forms import (
    COLOURS,
    CategoryForm,
    CategoryNameForm,
    DataCategoryForm,
    DataCategoryNameForm,
    LabelForm,
    LabelNameForm,
    LearnForm,
)

UNPROCESSABLE = 422  # htmx shows such an answer too


# --- annotation types -----------------------------------------------------------------------------------------------
@require_http_methods(["GET", "POST"])
@project_view(Role.MANAGER)
def label_add(request: HttpRequest, project: Project) -> HttpResponse:
    given = request.GET.get("type", "")
    initial = {"training_type": given if given in TrainingType.values else TrainingType.OD}
    form = LabelForm(request.POST or None, project=project, initial=initial)
    if form.is_valid():
        made = form.save()
        messages.success(request, _("The annotation type “%(code)s” is there.") % {"code": made.code})
        return redirect("projects:label", project.code, made.pk)
    return render(request, "projects/label_add.html", {"form": form}, status=UNPROCESSABLE if form.errors else 200)


@require_GET
@project_view()
def label(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    return _label_page(request, _label(project, pk))


@require_POST
@project_view(Role.MANAGER)
def label_edit(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Another name or colour."""
    form = LabelNameForm(request.POST, instance=_label(project, pk))
    if not form.is_valid():
        return _label_page(request, _label(project, pk), form=form)
    form.save()
    messages.success(request, _("Saved."))
    return redirect("projects:label", project.code, pk)


@require_POST
@project_view(Role.MANAGER)
def label_move(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Up or down among those of its training type."""
    row = _label(project, pk)
    order.move(order.labels(project).filter(training_type=row.training_type), pk, request.POST.get("way", ""))
    return _to_types(project, f"label-{pk}")


@require_POST
@project_view(Role.MANAGER)
def label_delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    row = _label(project, pk)
    if not _deleted(request, row, uses.of_label):
        return redirect("projects:label", project.code, pk)
    return redirect("projects:types", project.code)


# --- categories of a question ---------------------------------------------------------------------------------------
@require_POST
@project_view(Role.MANAGER)
def category_add(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    row = get_object_or_404(project.annotation_types, pk=pk, training_type=TrainingType.CL)
    form = CategoryForm(request.POST, label=row)
    if not form.is_valid():
        return _label_page(request, row, category_form=form)
    made = form.save()
    messages.success(request, _("The category “%(code)s” is there.") % {"code": made.code})
    return redirect("projects:label", project.code, pk)


@require_POST
@project_view(Role.MANAGER)
def category_edit(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    row = _category(project, pk)
    form = CategoryNameForm(request.POST, instance=_category(project, pk))
    if not form.is_valid():
        return _label_page(request, row.annotation_type, refused=form)
    form.save()
    messages.success(request, _("Saved."))
    return redirect("projects:label", project.code, row.annotation_type_id)


@require_POST
@project_view(Role.MANAGER)
def category_move(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Up or down, while no model was trained with this order."""
    row = _category(project, pk)
    if found := uses.learnt_by(row.annotation_type):
        names = ", ".join(f"“{one.name}”" for one in found[:10])
        text = _("The order of these categories stays: models were trained with it (%(names)s).")
        messages.error(request, text % {"names": names})
    else:
        order.move(row.annotation_type.categories.order_by("position", "pk"), pk, request.POST.get("way", ""))
    return redirect("projects:label", project.code, row.annotation_type_id)


@require_POST
@project_view(Role.MANAGER)
def category_delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    row = _category(project, pk)
    _deleted(request, row, uses.of_category)
    return redirect("projects:label", project.code, row.annotation_type_id)


# --- data categories ------------------------------------------------------------------------------------------------
@require_GET
@project_view()
def data_categories(request: HttpRequest, project: Project) -> HttpResponse:
    """Those that are described, and those that images have without."""
    return _data_page(request, project)


@require_POST
@project_view(Role.MANAGER)
def data_category_add(request: HttpRequest, project: Project) -> HttpResponse:
    form = DataCategoryForm(request.POST, project=project)
    if not form.is_valid():
        return _data_page(request, project, form=form)
    made = form.save()
    messages.success(request, _("The data category “%(code)s” is there.") % {"code": made.code})
    return redirect("projects:data_categories", project.code)


@require_POST
@project_view(Role.MANAGER)
def data_category_edit(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    form = DataCategoryNameForm(request.POST, instance=get_object_or_404(project.data_categories, pk=pk))
    if not form.is_valid():
        return _data_page(request, project, refused=form)
    form.save()
    messages.success(request, _("Saved."))
    return redirect("projects:data_categories", project.code)


@require_POST
@project_view(Role.MANAGER)
def data_category_move(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    get_object_or_404(project.data_categories, pk=pk)
    order.move(order.data_categories(project), pk, request.POST.get("way", ""))
    return redirect("projects:data_categories", project.code)


@require_POST
@project_view(Role.MANAGER)
def data_category_delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    _deleted(request, get_object_or_404(project.data_categories, pk=pk), uses.of_data_category)
    return redirect("projects:data_categories", project.code)


# --- model types ----------------------------------------------------------------------------------------------------
@require_GET
@project_view()
def model_type(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    return _model_type_page(request, get_object_or_404(project.model_types, pk=pk))


@require_POST
@project_view(Role.MANAGER)
def model_type_learn(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """One more label, behind the others."""
    row = get_object_or_404(project.model_types, pk=pk)
    form = LearnForm(request.POST, model_type=row)
    if not form.is_valid():
        return _model_type_page(request, row, form)
    form.save()
    text = _("“%(code)s” learns “%(label)s” too, from the next training on.")
    messages.success(request, text % {"code": row.code, "label": form.cleaned_data["label"]})
    return redirect("projects:model_type", project.code, pk)


@require_POST
@project_view(Role.MANAGER)
def model_type_move(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    get_object_or_404(project.model_types, pk=pk)
    order.move(order.model_types(project), pk, request.POST.get("way", ""))
    return _to_types(project, f"type-{pk}")


@require_POST
@project_view(Role.MANAGER)
def model_type_delete(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    row = get_object_or_404(project.model_types, pk=pk)
    if not _deleted(request, row, uses.of_model_type):
        return redirect("projects:model_type", project.code, pk)
    return redirect("projects:types", project.code)


# --- what they share ------------------------------------------------------------------------------------------------
def _label(project: Project, pk: int) -> AnnotationType:
    return get_object_or_404(AnnotationType.objects.select_related("project"), project=project, pk=pk)


def _category(project: Project, pk: int) -> Category:
    rows = Category.objects.select_related("annotation_type__project")
    return get_object_or_404(rows, annotation_type__project=project, pk=pk)


def _to_types(project: Project, anchor: str) -> HttpResponse:
    answer = redirect("projects:types", project.code)
    answer["Location"] += f"#{anchor}"
    return answer


def _deleted(request: HttpRequest, row: Any, of: Any) -> bool:
    """Whether it is gone; what happened, or what is in the way, is said."""
    code = row.code
    try:
        uses.delete(row, of)
    except uses.InUse as error:
        text = _("“%(code)s” stays. %(why)s")
        messages.error(request, text % {"code": code, "why": str(error)})
        return False
    messages.success(request, _("“%(code)s” is deleted.") % {"code": code})
    return True


def _may_manage(request: HttpRequest, project: Project) -> bool:
    return project.allows(cast(User, request.user), Role.MANAGER)


def _label_page(
    request: HttpRequest,
    row: AnnotationType,
    *,
    form: LabelNameForm | None = None,
    category_form: CategoryForm | None = None,
    refused: CategoryNameForm | None = None,
) -> HttpResponse:
    bad = form or category_form or refused
    context = {
        "label": row,
        "form": form or LabelNameForm(instance=row),
        "category_form": category_form or CategoryForm(label=row),
        "refused": refused,
        "categories": row.categories.order_by("position", "pk"),
        "fixed_by": uses.learnt_by(row) if row.training_type == TrainingType.CL else [],
        "uses": uses.of_label(row),
        "colours": COLOURS,
        "may_manage": _may_manage(request, row.project),
    }
    return render(request, "projects/label.html", context, status=UNPROCESSABLE if bad else 200)


def _data_page(
    request: HttpRequest,
    project: Project,
    *,
    form: DataCategoryForm | None = None,
    refused: DataCategoryNameForm | None = None,
) -> HttpResponse:
    counted = project.datasets.filter(images__data_category__gt="").order_by().values_list("images__data_category")
    counts = {code: n for code, n in counted.annotate(n=Count("images")) if code}
    described = list(order.data_categories(project))
    context = {
        "rows": [(one, counts.get(one.code, 0)) for one in described],
        "others": sorted((code, n) for code, n in counts.items() if code not in {one.code for one in described}),
        "form": form or DataCategoryForm(project=project, initial={"code": request.GET.get("code", "")[:64]}),
        "refused": refused,
        "colours": COLOURS,
        "may_manage": _may_manage(request, project),
    }
    return render(request, "projects/data_categories.html", context, status=UNPROCESSABLE if form or refused else 200)


def _model_type_page(request: HttpRequest, row: ModelType, form: LearnForm | None = None) -> HttpResponse:
    context = {
        "model_type": row,
        "labels": row.ordered_annotation_types(),
        "classes": row.class_codes(),
        "form": form or LearnForm(model_type=row),
        "may_grow": LearnForm(model_type=row).fields["label"].queryset.exists(),  # type: ignore[attr-defined]
        "uses": uses.of_model_type(row),
        "may_manage": _may_manage(request, row.project),
    }
    return render(request, "projects/model_type.html", context, status=UNPROCESSABLE if form else 200)
