"""What a training would learn from: images and labels per class in each set, and what is wrong with that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.core.cache import cache
from django.utils.translation import gettext as _

from datasets_app import counting, overlaps, remarks
from datasets_app.counting import ClassFacts, Facts
from datasets_app.models import Dataset, labelled_images
from datasets_app.overlaps import Overlaps
from datasets_app.remarks import Remark
from projects_app.models import ModelType, TrainingType

LEAST = 2  # labelled images that a training needs
KEPT = 600  # seconds that a count is used again while nothing changes


@dataclass(frozen=True)
class Fault:
    """Why the training cannot start. `field`: "train" or "validation"."""

    field: str
    message: str


@dataclass(frozen=True)
class SetFacts:
    """Both sets, what they share, what blocks a training (`errors`) and what does not (`remarks`, loudest first)."""

    training_type: str
    train: Facts
    validation: Facts
    overlaps: Overlaps = field(default_factory=Overlaps)
    errors: list[Fault] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    @property
    def same(self) -> int:
        """Validation images whose picture is in the training data too."""
        return self.overlaps.same.count

    @property
    def part(self) -> int:
        """Other validation images whose part is in the training data too."""
        return self.overlaps.part.count

    @property
    def similar(self) -> int:
        """Other validation images that look like a training image."""
        return self.overlaps.similar.count

    @property
    def warnings(self) -> list[str]:
        """The remarks as sentences, without mere information."""
        return [remark.message for remark in self.remarks if remark.kind != "info"]

    @property
    def by_class(self) -> list[tuple[str, ClassFacts, ClassFacts]]:
        """Code, training, validation: a row a class."""
        pairs = zip(self.train.classes, self.validation.classes, strict=True)
        return [(train.code, train, validation) for train, validation in pairs]

    @property
    def leaves_out(self) -> bool:
        """Whether images or labels are there that the kernel will not see."""
        return any(one.unlabelled or one.ignored for one in (self.train, self.validation))

    @property
    def is_rc(self) -> bool:
        return self.training_type == TrainingType.RC

    @property
    def most(self) -> int:
        """The training samples of the class that has most: what a bar is measured by."""
        return max((one.labels for one in self.train.classes), default=0)


def set_facts(model_type: ModelType, train: Iterable[Dataset], validation: Iterable[Dataset]) -> SetFacts:
    """Count both sets and compare them; what was counted is used again while nothing changes."""
    learnt, judged = list(train), list(validation)
    first, second, shared = _counted(model_type, learnt, judged)
    found = remarks.of_sets(model_type, (learnt, judged), (first, second), shared)
    return SetFacts(str(model_type.training_type), first, second, shared, list(_errors(first, second)), found)


def _counted(
    model_type: ModelType, train: Sequence[Dataset], validation: Sequence[Dataset]
) -> tuple[Facts, Facts, Overlaps]:
    """The costly part, from the cache where datasets, labels and classes are what they were."""
    codes = model_type.class_codes()
    chosen = [sorted((dataset.pk, str(dataset.created_at)) for dataset in some) for some in (train, validation)]
    state = counting.state(model_type, [*train, *validation])
    what = (model_type.pk, model_type.training_type, codes, chosen, state)
    key = f"set-facts-{hashlib.sha256(repr(what).encode()).hexdigest()}"
    found: tuple[Facts, Facts, Overlaps] | None = cache.get(key)
    if found is None:
        first, second = counting.count(model_type, codes, train, validation)
        shared = overlaps.find(labelled_images(train, model_type), labelled_images(validation, model_type))
        found = (first, second, shared)
        cache.set(key, found, KEPT)
    return found


def _errors(train: Facts, validation: Facts) -> Iterator[Fault]:
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
