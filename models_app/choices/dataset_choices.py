"""The datasets to choose from: counted, and with a few of their pictures."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets_app.models import Annotation, Dataset, Image, labelled_field
from projects_app.models import ModelType, Project, TrainingType

PICTURES = 3  # of one dataset
MORE = 200  # characters of a description
LONG_LIST = 6  # more datasets than this are searched, not looked through
LONG_NAME = 64  # characters; beginning and end stay, since names of a series differ at the end


@dataclass(frozen=True)
class DatasetCard:
    """One dataset. `labelled`: how many of its images can teach the model type; `image_ids`: pictures to show;
    `unreviewed`: images that a model labelled and nobody looked at."""

    dataset: Dataset
    images: int
    labelled: int
    image_ids: tuple[str, ...] = ()
    is_chosen: bool = False
    unreviewed: int = 0

    @property
    def pk(self) -> str:
        return str(self.dataset.pk)  # a text: a template would ask for each number how the language writes it

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def more(self) -> str:
        """What a search finds it by too."""
        return self.dataset.description[:MORE]

    @property
    def is_shortened(self) -> bool:
        return len(self.name) > LONG_NAME

    @property
    def short_name(self) -> str:
        head, tail = self.name[: LONG_NAME * 5 // 8], self.name[-LONG_NAME // 3 :]
        return f"{head.rstrip()}…{tail}" if self.is_shortened else self.name

    @property
    def count(self) -> str:
        more = [_("not reviewed: %(n)s") % {"n": f"{self.unreviewed:,}"}] if self.unreviewed else []
        if self.labelled == self.images:
            text = ngettext("%(n)s image", "%(n)s images", self.images) % {"n": f"{self.images:,}"}
        else:
            text = _("%(labelled)s of %(images)s labelled")
            text %= {"labelled": f"{self.labelled:,}", "images": f"{self.images:,}"}
        return " · ".join([text, *more])


@dataclass(frozen=True)
class DatasetChoices:
    """`fitting`: those with a label for the model type, the chosen ones first; `others`: those without."""

    fitting: list[DatasetCard]
    others: list[DatasetCard]
    thumbs: str = ""  # address of a picture, without its id

    @property
    def total(self) -> int:
        return len(self.fitting) + len(self.others)

    @property
    def is_long(self) -> bool:
        return self.total > LONG_LIST

    @property
    def chosen(self) -> list[DatasetCard]:
        return [card for card in (*self.fitting, *self.others) if card.is_chosen]

    @property
    def chosen_labelled(self) -> int:
        return sum(card.labelled for card in self.chosen)

    @property
    def is_other_chosen(self) -> bool:
        return any(card.is_chosen for card in self.others)


def datasets(project: Project, model_type: ModelType | None, chosen: Collection[int]) -> DatasetChoices:
    """In three statements, however many there are."""
    return chosen_of(project, dataset_cards(project, model_type), chosen)


def chosen_of(project: Project, cards: Iterable[DatasetCard], chosen: Collection[int]) -> DatasetChoices:
    """What a validation put together to compare holds no image or label of its own: it is there only where chosen."""
    marked = [replace(card, is_chosen=card.dataset.pk in chosen) for card in cards]
    marked = [card for card in marked if card.is_chosen or not card.dataset.compares]
    marked.sort(key=lambda card: not card.is_chosen)
    thumbs = reverse("datasets:thumb", args=[project.code, 0]).removesuffix("0/")
    return DatasetChoices(
        [card for card in marked if card.labelled], [card for card in marked if not card.labelled], thumbs
    )


def dataset_cards(project: Project, model_type: ModelType | None) -> list[DatasetCard]:
    """By name. Without a model type every image counts as one that can teach."""
    rows = Image.objects.filter(dataset__project=project).order_by().values_list("dataset")
    found = {
        dataset: (n, open_)
        for dataset, n, open_ in rows.annotate(n=Count("pk"), unreviewed=Count("pk", filter=Q(needs_review=True)))
    }
    counts = {dataset: n for dataset, (n, _open) in found.items()}
    labelled = labelled_counts(project, model_type) if model_type else counts
    return [
        DatasetCard(
            one, counts.get(one.pk, 0), labelled.get(one.pk, 0), pictures, unreviewed=found.get(one.pk, (0, 0))[1]
        )
        for one, pictures in _with_pictures(project)
    ]


def _with_pictures(project: Project) -> list[tuple[Dataset, tuple[str, ...]]]:
    """Datasets by name, each with pictures from its beginning, middle and end: sorted by class, the first look alike.
    Each is one look into the index of dataset and position."""
    images = Image.objects.filter(dataset=OuterRef("pk"))
    pictures = {f"picture_{n}": Subquery(_after(images, OuterRef("last") * n / PICTURES)) for n in range(PICTURES)}
    last = Subquery(images.order_by("-position").values("position")[:1])
    found = Dataset.objects.filter(project=project).order_by("name").annotate(last=last).annotate(**pictures)
    return [(one, tuple(dict.fromkeys(str(pk) for name in pictures if (pk := getattr(one, name))))) for one in found]


def _after(images: QuerySet[Image], position: object) -> Any:
    return images.filter(position__gte=position).order_by("position", "pk").values("pk")[:1]


def labelled_counts(project: Project, model_type: ModelType) -> dict[int, int]:
    """By dataset: how many images can teach `model_type`."""
    if model_type.training_type in (TrainingType.OD, TrainingType.SEG):
        images = Image.objects.filter(dataset__project=project, **{labelled_field(model_type.training_type): True})
        return dict(images.order_by().values_list("dataset").annotate(Count("pk")))
    labels = Annotation.objects.meant().filter(
        image__dataset__project=project, annotation_type__in=model_type.annotation_types.all()
    )
    return dict(labels.order_by().values_list("image__dataset").annotate(Count("image", distinct=True)))


def label_types(project: Project, chosen: Collection[int]) -> set[str]:
    """The training types that images of these datasets are labelled for."""
    images = Image.objects.filter(dataset__project=project, dataset__in=chosen)
    return {kind for kind in TrainingType.values if chosen and images.filter(**{labelled_field(kind): True}).exists()}
