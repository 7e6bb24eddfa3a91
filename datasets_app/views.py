"""Datasets: the list, one with its gallery, one image."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from datasets_app import deleting, overlays, problems, reviewing
from datasets_app.models import Annotation, Blob, Dataset, Image, ImageFile, Split, labelled_field
from datasets_app.plan_checks import NAME_LENGTH
from datasets_app.views_files import picture_url
from projects_app.access import project_view
from projects_app.listing import ordered, page_of
from projects_app.models import AnnotationType, Project, Role, TrainingType

ORDERS = {
    "name": "name",
    "split": "split",
    "images": "image_count",
    "labelled": "labelled_count",
    "labels": "label_count",
    "who": "created_by__username",
    "when": "created_at",
}
_RELATED = ("created_by", "project", "made_by__model", "made_by__project")
_FACTS_KEPT = 3600  # seconds
GALLERY_SIZES = (60, 120, 240)
LABELLED = Q(labelled_cl=True) | Q(labelled_rc=True) | Q(labelled_od=True) | Q(labelled_seg=True)


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
    form.save(commit=False).save(update_fields=form.Meta.fields)  # its labels may change meanwhile
    messages.success(request, _("Saved."))
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
    labels = overlays.label_rows(dataset)
    among = _filtered_images(request, dataset, dataset.images.order_by("position", "pk"))
    before = Q(position__lt=shown.position) | Q(position=shown.position, pk__lt=shown.pk)
    after = Q(position__gt=shown.position) | Q(position=shown.position, pk__gt=shown.pk)
    context = {
        "dataset": dataset,
        "image": shown,
        "tile": overlays.tiles([shown], labels, fine=True)[0],
        "picture_url": picture_url(project, shown),
        "previous": among.filter(before).order_by("-position", "-pk").values_list("pk", flat=True).first(),
        "next": among.filter(after).values_list("pk", flat=True).first(),
        "number": among.filter(before).count() + 1,
        "count": among.count(),
        "labelled_for": [kind.label for kind in TrainingType if getattr(shown, labelled_field(kind))],
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
    images = dataset.images.order_by("position", "pk")
    page = page_of(request, _filtered_images(request, dataset, images), GALLERY_SIZES)
    return {
        "dataset": dataset,
        "form": form,
        "labels": labels,
        "page": page,
        "tiles": overlays.tiles(page, labels),
        **_facts(dataset),
        "problems": [(problems.sentence(code), count) for code, count in dataset.problems.items()],
        "dependants": deleting.dependants(dataset),
        "review": reviewing.progress(dataset),
        "filtered": any(request.GET.get(key) for key in ("q", "label", "labelled")),
        "gallery_sizes": ",".join(map(str, GALLERY_SIZES)),
        "may_edit": dataset.project.allows(request.user, Role.LABELLER),  # type: ignore[arg-type]
    }


def _facts(dataset: Dataset) -> dict[str, Any]:
    """What takes a look at every image; kept as long as neither images nor labels change."""
    made = dataset.created_at.timestamp()
    key = f"dataset-facts-{dataset.pk}-{made}-{dataset.label_version}-{dataset.images.count()}"
    if (kept := cache.get(key)) is None:
        kept = _count_facts(dataset)
        cache.set(key, kept, _FACTS_KEPT)
    labelled = [(TrainingType(kind).label, count) for kind, count in kept["by_type"].items() if count]
    return {name: kept[name] for name in ("image_count", "unlabelled_count", "siblings", "size")} | {
        "labelled_types": labelled
    }


def _count_facts(dataset: Dataset) -> dict[str, Any]:
    by_type = {kind: Count("pk", filter=Q(**{labelled_field(kind): True})) for kind in TrainingType.values}
    images = dataset.images.order_by()
    counts = images.aggregate(all=Count("pk"), labelled=Count("pk", filter=LABELLED), **by_type)
    siblings = ImageFile.objects.filter(image__dataset=dataset).values("suffix").annotate(n=Count("pk"))
    return {
        "image_count": counts["all"],
        "unlabelled_count": counts["all"] - counts["labelled"],
        "by_type": {kind: counts[kind] for kind in by_type},
        "siblings": list(siblings.order_by("suffix")),
        "size": _size(dataset),
    }


def _size(dataset: Dataset) -> int:
    """Bytes of its files, each once."""
    first = Image.objects.filter(dataset=dataset).order_by().values("blob")
    others = ImageFile.objects.filter(image__dataset=dataset).order_by().values("blob")
    total: int | None = Blob.objects.filter(Q(pk__in=first) | Q(pk__in=others)).aggregate(Sum("size"))["size__sum"]
    return total or 0


def _filtered_images(request: HttpRequest, dataset: Dataset, images: QuerySet[Image]) -> QuerySet[Image]:
    """By name, by label (`TYPE`, `TYPE:category`, `TYPE:true`), and by whether somebody labelled it."""
    if text := request.GET.get("q", "").strip():
        images = images.filter(name__icontains=text)
    if labelled := request.GET.get("labelled", ""):
        if labelled == "generated":
            images = images.filter(needs_review=True)
        else:
            images = images.filter(LABELLED) if labelled == "yes" else images.exclude(LABELLED)
    if label := request.GET.get("label", ""):
        kind, _colon, answer = label.partition(":")
        types = list(AnnotationType.objects.filter(project=dataset.project, code=kind).values_list("pk", flat=True))
        found = Annotation.objects.filter(image__dataset=dataset, annotation_type__in=types, is_roi=False)
        if answer:
            verdicts = {"true": True, "false": False}
            is_category = Q(category__code=answer)
            found = found.filter(is_category | Q(verdict=verdicts[answer]) if answer in verdicts else is_category)
        images = images.filter(pk__in=found.values("image"))
    return images
