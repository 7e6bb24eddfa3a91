"""What a training would learn from: images and labels per class in each set, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets_app.models import Annotation, Dataset, Image, labelled_images
from projects_app.models import ModelType, TrainingType

LEAST = 2  # labelled images that a training needs


@dataclass(frozen=True)
class Fault:
    """Why the training cannot start. `field`: "train" or "validation"."""

    field: str
    message: str


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
    """One set: all its datasets together."""

    images: int  # all
    labelled: int  # those that the kernel will see
    classes: list[ClassFacts]

    @property
    def unlabelled(self) -> int:
        """How many images are left out, because nobody labelled them for this model type."""
        return self.images - self.labelled

    @property
    def without_samples(self) -> list[str]:
        return [one.code for one in self.classes if not one.labels]


@dataclass(frozen=True)
class SetFacts:
    """Both sets. `same`: pictures in both by content; `similar`: those that only look the same."""

    train: Facts
    validation: Facts
    same: int = 0
    similar: int = 0
    errors: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def by_class(self) -> list[tuple[str, ClassFacts, ClassFacts]]:
        """Code, training, validation: a row a class."""
        pairs = zip(self.train.classes, self.validation.classes, strict=True)
        return [(train.code, train, validation) for train, validation in pairs]


def set_facts(model_type: ModelType, train: Iterable[Dataset], validation: Iterable[Dataset]) -> SetFacts:
    """Count both sets. Errors block a training, warnings do not."""
    learnt, judged = list(train), list(validation)
    both = (_facts(model_type, learnt), _facts(model_type, judged))
    same, similar = _shared(labelled_images(learnt, model_type), labelled_images(judged, model_type))
    warnings = [*_set_warnings(learnt, judged, same, similar), *_class_warnings(*both)]
    return SetFacts(*both, same, similar, list(_errors(*both)), warnings)


def _facts(model_type: ModelType, datasets: list[Dataset]) -> Facts:
    images = labelled_images(datasets, model_type)
    is_cl = model_type.training_type == TrainingType.CL
    code = "category__code" if is_cl else "annotation_type__code"
    labels = Annotation.objects.filter(
        image__dataset__in=datasets, annotation_type__in=model_type.annotation_types.all(), is_roi=False
    )
    found = {code: ClassFacts(code) for code in model_type.class_codes()}
    counted = labels.order_by().values(code, "verdict").annotate(n=Count("pk"), images=Count("image", distinct=True))
    for row in counted:
        if (one := found.get(row[code])) is not None:
            found[one.code] = _plus(one, row)
    return Facts(Image.objects.filter(dataset__in=datasets).count(), images.count(), list(found.values()))


def _plus(one: ClassFacts, row: dict) -> ClassFacts:
    """An image with true and false regions counts once for each: an upper bound, which is shown for RC only."""
    true, false = one.true + row["n"] * (row["verdict"] is True), one.false + row["n"] * (row["verdict"] is False)
    return ClassFacts(one.code, one.images + row["images"], one.labels + row["n"], true, false)


def _shared(train: QuerySet[Image], validation: QuerySet[Image]) -> tuple[int, int]:
    """Validation images whose picture is in the training set too, and those that only look like one there."""
    same = validation.filter(blob__in=train.values("blob"))
    alike = validation.exclude(phash="").filter(phash__in=train.values("phash"))
    return same.count(), alike.exclude(blob__in=train.values("blob")).count()


def _errors(train: Facts, validation: Facts) -> Iterable[Fault]:
    if not train.labelled:
        yield Fault(
            "train",
            _("No image of the training datasets is labelled for this model type. Choose others, or label them."),
        )
    elif train.labelled < LEAST:
        yield Fault(
            "train",
            _("A training needs at least %(least)d labelled images; these datasets have %(count)d.")
            % {"least": LEAST, "count": train.labelled},
        )
    if not validation.labelled:
        yield Fault(
            "validation",
            _("No image of the validation datasets is labelled for this model type. Choose others, or label them."),
        )


def _set_warnings(train: list[Dataset], validation: list[Dataset], same: int, similar: int) -> Iterable[str]:
    twice = sorted({dataset.name for dataset in train} & {dataset.name for dataset in validation})
    if twice:
        yield _("Training and validation data at once: %(names)s. The figures will look better than they are.") % {
            "names": ", ".join(twice)
        }
    elif same:
        yield ngettext(
            "%(count)d validation image is in the training data too: the figures will look better than they are.",
            "%(count)d validation images are in the training data too: the figures will look better than they are.",
            same,
        ) % {"count": same}
    if similar:
        yield ngettext(
            "%(count)d validation image looks the same as a training image.",
            "%(count)d validation images look the same as training images.",
            similar,
        ) % {"count": similar}


def _class_warnings(train: Facts, validation: Facts) -> Iterable[str]:
    if train.labelled and train.without_samples:
        yield _("The training data has no sample of %(classes)s: the model cannot learn it.") % {
            "classes": ", ".join(train.without_samples)
        }
    if validation.labelled and validation.without_samples:
        yield _("The validation data has no sample of %(classes)s: nothing will be known of it.") % {
            "classes": ", ".join(validation.without_samples)
        }
    for one in train.classes:
        if one.labels and not (one.true and one.false) and one.true + one.false:
            yield _("All training regions of %(class)s have the same verdict: there is nothing to tell apart.") % {
                "class": one.code
            }
