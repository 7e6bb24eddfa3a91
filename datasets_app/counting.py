"""How many images and labels two sets of datasets hold for a model type, and whether that has changed since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import BigIntegerField, Count, F, IntegerField, Max, Q, Sum, TextField, Value
from django.db.models.functions import Cast, Coalesce, Length

from datasets_app.models import Annotation, Dataset, Image, labelled_field, labelled_images
from projects_app.models import ModelType, TrainingType

_SMALL = 997  # a prime
_PRIME = 1_000_003  # sums of remainders stay far below 2^63


@dataclass(frozen=True)
class ClassFacts:
    """One class in one set; for RC `true` and `false` count its regions by verdict."""

    code: str
    images: int = 0
    labels: int = 0
    true: int = 0
    false: int = 0


@dataclass(frozen=True)
class Facts:
    """One set: all its datasets together. `ignored`: labels of other types of the same training type, by their code.

    `unreviewed`: images that a model labelled and nobody looked at.
    """

    images: int  # all
    labelled: int  # those that the kernel will see
    classes: list[ClassFacts]
    ignored: tuple[tuple[str, int], ...] = ()
    unreviewed: int = 0

    @property
    def unlabelled(self) -> int:
        """How many images are left out, because nobody labelled them for this model type."""
        return self.images - self.labelled

    @property
    def without_samples(self) -> list[str]:
        return [one.code for one in self.classes if not one.labels]

    @property
    def ignored_labels(self) -> int:
        return sum(count for _code, count in self.ignored)


def state(model_type: ModelType, datasets: Sequence[Dataset]) -> tuple[Any, ...]:
    """Another value whenever images or labels come, go or change: two statements that are quicker than counting.

    Rows have no time of change, so sums over them stand in for it, weighted by the row, so that changes do not cancel
    each other out. Of meta data only their length is looked at: reading them all would take as long as counting.
    """
    labelled = Q(**{labelled_field(model_type.training_type): True})
    images = Image.objects.filter(dataset__in=datasets).aggregate(
        n=Count("pk"),
        last=Max("pk"),
        labelled=Sum("pk", filter=labelled),
        unreviewed=Sum("pk", filter=Q(needs_review=True)),
        meta=Sum(Length(Cast("meta", TextField()))),
    )
    verdict = Coalesce(Cast("verdict", IntegerField()), 2)
    meaning = Coalesce(F("annotation_type_id"), 0) + 31 * Coalesce(F("category_id"), 0) + 7 * verdict
    once = (F("pk") * meaning) % Value(_PRIME)
    weighted = (once * (meaning % Value(_SMALL))) % Value(_PRIME)  # not in proportion: what one gains, another may lose
    labels = Annotation.objects.filter(image__dataset__in=datasets).aggregate(
        n=Count("pk"), last=Max("pk"), what=Sum(weighted, output_field=BigIntegerField())
    )
    return (*images.values(), *labels.values())


def count(
    model_type: ModelType, codes: Sequence[str], train: Iterable[Dataset], validation: Iterable[Dataset]
) -> tuple[Facts, Facts]:
    """Count both sets: five statements, however many datasets, images and classes there are. `codes`: the classes."""
    sets = (list(train), list(validation))
    both = [*sets[0], *sets[1]]
    learns = set(model_type.annotation_types.values_list("pk", flat=True))
    images = _images(Image.objects.filter(dataset__in=both))
    seen = _images(labelled_images(both, model_type))
    unreviewed = _images(labelled_images(both, model_type).filter(needs_review=True))
    rows = _labels(model_type, both)
    found = []
    for datasets in sets:
        own = {dataset.pk for dataset in datasets}
        mine = [row for row in rows if row["image__dataset"] in own]
        learnt = [row for row in mine if row["annotation_type"] in learns]
        others = [row for row in mine if row["annotation_type"] not in learns]
        classes = _classes(model_type, codes, learnt)
        found.append(Facts(_sum(images, own), _sum(seen, own), classes, _ignored(others), _sum(unreviewed, own)))
    return found[0], found[1]


def _sum(counts: dict[int, int], own: set[int]) -> int:
    return sum(n for dataset, n in counts.items() if dataset in own)


def _ignored(rows: Iterable[dict[str, Any]]) -> tuple[tuple[str, int], ...]:
    """Labels by the code of their type, the most first."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["annotation_type__code"]] += row["n"]
    return tuple(counts.most_common())


def _images(images: Any) -> dict[int, int]:
    """By dataset: how many."""
    return dict(images.order_by().values_list("dataset").annotate(Count("pk")))


def _labels(model_type: ModelType, datasets: Iterable[Dataset]) -> list[dict[str, Any]]:
    """Labels of the model type's training type: a row a dataset, type, category and verdict."""
    labels = Annotation.objects.meant().filter(
        image__dataset__in=datasets, annotation_type__training_type=model_type.training_type, is_roi=False
    )
    by = ("image__dataset", "annotation_type", "annotation_type__code", "category__code", "verdict")
    return list(labels.order_by().values(*by).annotate(n=Count("pk"), images=Count("image", distinct=True)))


def _classes(model_type: ModelType, codes: Iterable[str], rows: Iterable[dict[str, Any]]) -> list[ClassFacts]:
    """An image with true and false regions counts once for each: an upper bound, which is shown for RC only."""
    code = "category__code" if model_type.training_type == TrainingType.CL else "annotation_type__code"
    found = {one: ClassFacts(one) for one in codes}
    for row in rows:
        if (one := found.get(row[code])) is not None:
            found[one.code] = replace(
                one,
                images=one.images + row["images"],
                labels=one.labels + row["n"],
                true=one.true + row["n"] * (row["verdict"] is True),
                false=one.false + row["n"] * (row["verdict"] is False),
            )
    return list(found.values())
