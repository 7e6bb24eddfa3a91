"""The images of one dataset as the address asks for them, and what is counted over all of them.

Counts are kept as long as neither images nor labels change: of 100,000 images each takes longer than the page.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.core.cache import cache
from django.core.paginator import Page, Paginator
from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.expressions import RawSQL
from django.db.models.fields.json import KeyTextTransform
from django.http import HttpRequest

from datasets_app import alike, label_sizes
from datasets_app.models import LABELLED, Annotation, Blob, Dataset, Image, ImageFile, labelled_field
from projects_app.listing import chosen
from projects_app.models import AnnotationType, TrainingType

SIZES = (60, 120, 240)
FILTERS = ("q", "label", "labelled", "category", "meta", "alike")
_KEPT = 3600  # seconds
_LOOKED_AT = 200  # images whose meta data name the columns


class Gallery:
    """One dataset, looked at in one request."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    @cached_property
    def image_count(self) -> int:
        return self.dataset.images.count()

    @cached_property
    def groups(self) -> alike.Groups:
        """Pictures that are the same or look so."""
        found: alike.Groups = self.kept("alike", lambda: alike.groups(self.dataset))
        return found

    @cached_property
    def sizes(self) -> label_sizes.Sizes:
        found: label_sizes.Sizes = self.kept("sizes", lambda: label_sizes.sizes(self.dataset))
        return found

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What takes a look at every image."""
        return self.kept("facts", lambda: _count_facts(self.dataset, self.image_count))

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` finds, of these images and labels once."""
        made = self.dataset.created_at.timestamp()
        key = f"dataset-{self.dataset.pk}-{made}-{self.dataset.label_version}-{self.image_count}-{name}"
        if (found := cache.get(key)) is None:
            found = make()
            cache.set(key, found, _KEPT)
        return found

    def page(self, request: HttpRequest) -> Page[Image]:
        """The page that the address asks for. Order and places are found by ids alone, which an index can answer."""
        images = filtered_images(request, self.dataset, self.dataset.images.order_by("position", "pk"))
        wanted = chosen(request, "size")
        ids = images.values_list("pk", flat=True)
        page = _Counted(self, _asked(request), ids, wanted if wanted in SIZES else SIZES[0]).get_page(
            request.GET.get("page")
        )
        found = Image.objects.in_bulk(list(page.object_list))
        page.object_list = [found[pk] for pk in page.object_list if pk in found]
        return page


class _Counted(Paginator):  # type: ignore[type-arg]
    """Counts what a filter leaves once, until something changes."""

    def __init__(self, gallery: Gallery, asked: tuple[str, ...], ids: QuerySet[Any], size: int) -> None:
        super().__init__(ids, size)
        self._gallery, self._asked, self._ids = gallery, asked, ids

    @cached_property
    def count(self) -> int:
        if not any(self._asked):
            return self._gallery.image_count
        digest = hashlib.sha256(repr(self._asked).encode()).hexdigest()
        count: int = self._gallery.kept(digest, self._ids.count)
        return count


def _asked(request: HttpRequest) -> tuple[str, ...]:
    return tuple(request.GET.get(name, "").strip() for name in FILTERS)


def filtered_images(request: HttpRequest, dataset: Dataset, images: QuerySet[Image]) -> QuerySet[Image]:
    """By name, label (`TYPE`, `TYPE:category`, `TYPE:true`), whether somebody labelled it, data category, meta data
    (`column` or `column=text`), and whether another picture is the same or looks so."""
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
    if category := request.GET.get("category", ""):
        images = images.filter(data_category=category)
    if meta := request.GET.get("meta", "").strip():
        images = _with_meta(images, meta)
    if (kind := request.GET.get("alike", "")) in (alike.SAME, alike.LIKE, alike.COPIES):
        images = images.filter(pk__in=_listed(Gallery(dataset).groups.images(kind)))
    return images


def _with_meta(images: QuerySet[Image], asked: str) -> QuerySet[Image]:
    """Those whose meta data have the column, with the text in it where one is given."""
    column, _equals, text = (part.strip() for part in asked.partition("="))
    if not text:
        return images.filter(meta__has_key=column)
    return images.alias(asked_meta=KeyTextTransform(column, "meta")).filter(asked_meta__icontains=text)


def _listed(keys: list[int]) -> RawSQL:
    """Many keys as one parameter: a database takes some ten thousand at most."""
    sql = {
        "sqlite": "SELECT value FROM json_each(%s)",
        "postgresql": "SELECT value::bigint FROM jsonb_array_elements_text(%s::jsonb)",
    }[connection.vendor]
    return RawSQL(sql, [json.dumps(keys)])  # noqa: S611 (the text is ours)


def _count_facts(dataset: Dataset, images_there: int) -> dict[str, Any]:
    by_type = {kind: Count("pk", filter=Q(**{labelled_field(kind): True})) for kind in TrainingType.values}
    images = dataset.images.order_by()
    unreviewed = Count("pk", filter=Q(needs_review=True))
    counts = images.aggregate(labelled=Count("pk", filter=LABELLED), unreviewed=unreviewed, **by_type)
    siblings = ImageFile.objects.filter(image__dataset=dataset).values("suffix").annotate(n=Count("pk"))
    return {
        "image_count": images_there,
        "unlabelled_count": images_there - counts["labelled"],
        "unreviewed_count": counts["unreviewed"],
        "by_type": {kind: counts[kind] for kind in by_type if counts[kind]},
        "categories": list(images.values_list("data_category").annotate(n=Count("pk")).order_by("data_category")),
        "columns": _columns(dataset),
        "siblings": list(siblings.order_by("suffix")),
        "size": _size(dataset),
    }


def _columns(dataset: Dataset) -> list[str]:
    """Columns of the meta data, as the first images have them."""
    metas = dataset.images.order_by("position", "pk").values_list("meta", flat=True)[:_LOOKED_AT]
    return list(dict.fromkeys(str(column) for meta in metas if isinstance(meta, dict) for column in meta))


def _size(dataset: Dataset) -> int:
    """Bytes of its files, each once."""
    first = Image.objects.filter(dataset=dataset).order_by().values("blob")
    others = ImageFile.objects.filter(image__dataset=dataset).order_by().values("blob")
    total: int | None = Blob.objects.filter(Q(pk__in=first) | Q(pk__in=others)).aggregate(Sum("size"))["size__sum"]
    return total or 0
