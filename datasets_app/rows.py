"""Images with their labels and siblings, as runs need them: three statements, however many images there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from datasets_app.models import Annotation, Dataset, Image, ImageFile, labelled_images
from projects_app.models import ModelType


@dataclass(frozen=True)
class Row:
    """One image; `labels` are those of the model type, and regions of interest."""

    image: Image
    labels: list[Annotation] = field(default_factory=list)
    siblings: list[ImageFile] = field(default_factory=list)


def rows(
    datasets: Iterable[Dataset], model_type: ModelType, *, only_labelled: bool = True, with_labels: bool = True
) -> list[Row]:
    """The images of these datasets in their order; `only_labelled`: those that somebody labelled for `model_type`.

    Without the labels that a validation put beside those of people.
    """
    chosen = list(datasets)
    images = (
        labelled_images(chosen, model_type) if only_labelled else Image.objects.filter(dataset__in=chosen)
    ).order_by("dataset", "position", "pk")
    types = list(model_type.annotation_types.values_list("pk", flat=True))
    found = Annotation.objects.meant().filter(image__dataset__in=chosen).select_related("annotation_type", "category")
    labels: dict[int, list[Annotation]] = defaultdict(list)
    for one in found.order_by("pk").iterator(chunk_size=5000) if with_labels else ():
        if one.is_roi or one.annotation_type_id in types:
            labels[one.image_id].append(one)
    siblings: dict[int, list[ImageFile]] = defaultdict(list)
    for sibling in ImageFile.objects.filter(image__dataset__in=chosen).order_by("suffix"):
        siblings[sibling.image_id].append(sibling)
    return [Row(image, labels[image.pk], siblings[image.pk]) for image in images]
