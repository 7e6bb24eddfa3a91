"""Datasets: the list, one with its gallery, one image."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from datasets_app import changing, deleting, overlays, problems, reviewing, views_labels
from datasets_app.changing import ChangeRefused
from datasets_app.gallery import FILTERS, SIZES, Gallery, filtered_images
from datasets_app.models import LABELLED, Annotation, Dataset, Image, Split, labelled_field
from datasets_app.plan_checks import NAME_LENGTH
from datasets_app.views_files import picture_url
from projects_app.access import project_view
from projects_app.listing import ordered, page_of
from projects_app.models import Project, Role, TrainingType

ORDERS = {
    "name": "name",
    "split": "split",
    "images": "image_count",
    "labelled": "labelled_count",
    "labels": "label_count",
    "who": "created_by__username",
    "when": "created_at",
}
_RELATED = ("created_by", "project", "made_by__model", "made_by__project", "frozen_by", "cloned_from__project")


class EditForm(forms.ModelForm):
    """Name and description of a dataset."""

    class Meta:
        model = Dataset
        fields = ["name", "description"]
        widgets = {"description": forms.Textarea(attrs={"rows": 3})}

    name = forms.CharField(label=gettext_lazy("Name"), max_length=NAME_LENGTH)

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        others = Dataset.objects.filter(project=self.instance.project, name=name).exclude(pk=self.instance.pk)
        if others.exists():
            raise ValidationError(_("There is a dataset “%(name)s” already. Choose another name.") % {"name": name})
        return name


@require_GET
@project_view()
def dataset_list(request: HttpRequest, project: Project) -> HttpResponse:
    """Every dataset of the project, counted in a handful of statements."""
    found = _filtered(
        request, _counted(Dataset.objects.filter(project=project).select_related("created_by", "project", "made_by"))
    )
    rows, sort = ordered(request, found, ORDERS)
    page = page_of(request, rows)
    _add_training_types(list(page))
    context = {
        "page": page,
        "sort": sort,
        "splits": Split.choices,
        "training_types": TrainingType.choices,
        "filtered": any(request.GET.get(key) for key in ("q", "split", "type")),
        "may_import": project.allows(request.user, Role.LABELLER),  # type: ignore[arg-type]
    }
    return render(request, "datasets/list.html", context)


@require_GET
@project_view()
def detail(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    dataset = _dataset(project, pk)
    return render(request, "datasets/detail.html", _detail_context(request, dataset, EditForm(instance=dataset)))


@require_POST
@project_view(Role.LABELLER)
def edit(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Change name and description."""
    dataset = _dataset(project, pk)
    form = EditForm(request.POST, instance=dataset)
    if not form.is_valid():
        dataset.refresh_from_db()
        return render(request, "datasets/detail.html", _detail_context(request, dataset, form), status=422)
    try:
        with transaction.atomic():
            changing.hold(dataset)
            form.save(commit=False).save(update_fields=form.Meta.fields)  # its labels may change meanwhile
        messages.success(request, _("Saved."))
    except ChangeRefused as error:
        messages.error(request, str(error))
    return redirect(dataset)


@require_POST
@project_view(Role.LABELLER)
def delete(request: HttpRequest, project: Project, pk: int) -> HttpResponseBase:
    """Delete the dataset, or say by name what was made of it."""
    dataset = _dataset(project, pk)
    try:
        freed = deleting.delete(dataset)
    except deleting.InUse as error:
        names = ", ".join(f"{one.kind} “{one.name}”" for one in error.dependants[:10])
        messages.error(
            request,
            _("It cannot be deleted, because it was used by: %(names)s. Delete these first.") % {"names": names},
        )
        return redirect(dataset)
    except ChangeRefused as error:
        messages.error(request, str(error))
        return redirect(dataset)
    messages.success(
        request,
        _("Deleted “%(name)s”. %(size)s are free again.") % {"name": dataset.name, "size": filesizeformat(freed)},
    )
    return redirect("datasets:list", project.code)


@require_GET
@project_view()
def image_page(request: HttpRequest, project: Project, pk: int, image: int) -> HttpResponse:
    """One image with its labels, and the way to its neighbours among those that the filter shows."""
    dataset = _dataset(project, pk)
    shown = get_object_or_404(Image.objects.select_related("blob"), dataset=dataset, pk=image)
    among = filtered_images(request, dataset, dataset.images.order_by("position", "pk"))
    before = Q(position__lt=shown.position) | Q(position=shown.position, pk__lt=shown.pk)
    after = Q(position__gt=shown.position) | Q(position=shown.position, pk__gt=shown.pk)
    context = {
        "dataset": dataset,
        "image": shown,
        **views_labels.panel(request, dataset, shown),
        "picture_url": picture_url(project, shown),
        "previous": among.filter(before).order_by("-position", "-pk").values_list("pk", flat=True).first(),
        "next": among.filter(after).values_list("pk", flat=True).first(),
        "number": among.filter(before).count() + 1,
        "count": among.count(),
        "siblings": shown.siblings.all(),
    }
    return render(request, "datasets/image.html", context)


def _dataset(project: Project, pk: int) -> Dataset:
    return get_object_or_404(Dataset.objects.select_related(*_RELATED), project=project, pk=pk)


def _counted(datasets: QuerySet[Dataset]) -> QuerySet[Dataset]:
    """Each with its numbers of images, labelled images and labels."""
    images = Image.objects.filter(dataset=OuterRef("pk"))
    return datasets.annotate(
        image_count=_count(images, "dataset"),
        labelled_count=_count(images.filter(LABELLED), "dataset"),
        unreviewed_count=_count(images.filter(needs_review=True), "dataset"),
        label_count=_count(Annotation.objects.filter(image__dataset=OuterRef("pk"), is_roi=False), "image__dataset"),
    )


def _count(rows: QuerySet[Any], group: str) -> Coalesce:
    counted = rows.order_by().values(group).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def _filtered(request: HttpRequest, datasets: QuerySet[Dataset]) -> QuerySet[Dataset]:
    if text := request.GET.get("q", "").strip():
        datasets = datasets.filter(Q(name__icontains=text) | Q(description__icontains=text))
    if (split := request.GET.get("split", "")) in Split.values and split:
        datasets = datasets.filter(split=split)
    if (kind := request.GET.get("type", "")) in TrainingType.values:
        labelled = Image.objects.filter(dataset=OuterRef("pk"), **{labelled_field(kind): True})
        datasets = datasets.filter(Exists(labelled))
    return datasets


def _add_training_types(datasets: list[Dataset]) -> None:
    """Give each dataset of a page the training types it has labels for."""
    counts = {kind: Count("pk", filter=Q(**{labelled_field(kind): True})) for kind in TrainingType.values}
    rows = Image.objects.filter(dataset__in=datasets).order_by().values("dataset").annotate(**counts)
    found = {row["dataset"]: [kind for kind in counts if row.get(kind)] for row in rows}
    for dataset in datasets:
        dataset.training_types = found.get(dataset.pk, [])  # type: ignore[attr-defined]


def _detail_context(request: HttpRequest, dataset: Dataset, form: EditForm) -> dict[str, Any]:
    labels = overlays.label_rows(dataset)
    gallery = Gallery(dataset)
    may_edit = dataset.project.allows(request.user, Role.LABELLER)  # type: ignore[arg-type]
    page = gallery.page(request)
    return {
        "dataset": dataset,
        "form": form,
        "labels": labels,
        "most_labels": max((row.count for row in labels), default=0),
        "page": page,
        "tiles": overlays.tiles(page, labels),
        **gallery.facts,
        "labelled_types": [(TrainingType(kind).label, count) for kind, count in gallery.facts["by_type"].items()],
        "problems": [(problems.sentence(code), count) for code, count in dataset.problems.items()],
        "dependants": deleting.dependants(dataset),
        "review": reviewing.Progress(gallery.image_count - gallery.facts["unreviewed_count"], gallery.image_count),
        "filtered": any(request.GET.get(key) for key in FILTERS),
        "gallery_sizes": ",".join(map(str, SIZES)),
        "may_edit": may_edit,
        "may_change": may_edit and not dataset.frozen_at,
        "may_lift": dataset.project.allows(request.user, Role.MANAGER),  # type: ignore[arg-type]
    }
