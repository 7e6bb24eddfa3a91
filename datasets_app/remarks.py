"""What somebody should know of two sets before a training: each remark says what is so and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets_app.counting import ClassFacts, Facts
from datasets_app.models import Dataset
from datasets_app.overlaps import Overlaps, Shared
from projects_app.korean import fluent
from projects_app.models import ModelType, TrainingType

RECOMMENDED = 10  # training samples of a class
IMBALANCE = 20  # times the samples of another class
SHOWN = 5  # classes that are named
_NAME = 60  # characters of an image's name that a link shows


@dataclass(frozen=True)
class Remark:
    """Nothing that blocks. `kind`: "info", "warning", or "loud" for what makes the figures worthless.

    `links`: text and address of what it speaks of.
    """

    kind: Literal["info", "warning", "loud"]
    message: str
    links: list[tuple[str, str]] = field(default_factory=list)


def of_sets(
    model_type: ModelType,
    datasets: tuple[Sequence[Dataset], Sequence[Dataset]],
    facts: tuple[Facts, Facts],
    overlaps: Overlaps,
) -> list[Remark]:
    """All remarks on training and validation data (in this order in each pair), the loudest first."""
    train, validation = facts
    loud = list(_same_data(*datasets, validation, overlaps))
    found = [
        *loud,
        *([] if loud else _overlaps(model_type, overlaps)),
        *_missing(train, validation),
        *_few(train),
        *_one_sided(model_type, train),
        *_ignored(model_type, train, validation),
        *_left_out(train, validation),
        *_unreviewed(train, validation),
    ]
    order = ("loud", "warning", "info")
    found = [replace(remark, message=fluent(remark.message)) for remark in found]
    return sorted(found, key=lambda remark: order.index(remark.kind))


def some(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    every = list(names)
    shown = ", ".join(every[:SHOWN])
    more = len(every) - SHOWN
    return _("%(names)s and %(n)d more") % {"names": shown, "n": more} if more > 0 else shown


# --- what both sets share ---------------------------------------------------------------------------------------------


def _same_data(
    train: Sequence[Dataset], validation: Sequence[Dataset], judged: Facts, overlaps: Overlaps
) -> Iterator[Remark]:
    """A dataset in both, or no validation image that is not a training image too."""
    loud = _("Validation = training data: the figures will look better than the model is.")
    twice = sorted({dataset.name for dataset in train} & {dataset.name for dataset in validation})
    if twice:
        text = _("In both at once: %(names)s. Choose other validation data.")
        yield Remark("loud", f"{loud} {text % {'names': some(twice)}}")
    elif judged.labelled and overlaps.same.count == judged.labelled:
        text = _("Every validation image is a training image too. Choose other validation data.")
        yield Remark("loud", f"{loud} {text}")


def _overlaps(model_type: ModelType, overlaps: Overlaps) -> Iterator[Remark]:
    if n := overlaps.same.count:
        text = ngettext(
            "%(n)d validation image is in the training data too: the figures will look better than the model is. "
            "Take it out of one of them.",
            "%(n)d validation images are in the training data too: the figures will look better than the model is. "
            "Take them out of one of them.",
            n,
        )
        yield Remark("warning", text % {"n": n}, _links(model_type, overlaps.same, only_judged=True))
    if n := overlaps.part.count:
        text = ngettext(
            "%(n)d validation image shows a part (obj_id) that is in the training data too. "
            "Keep all pictures of one part in one set.",
            "%(n)d validation images show parts (obj_id) that are in the training data too. "
            "Keep all pictures of one part in one set.",
            n,
        )
        yield Remark("warning", text % {"n": n}, _links(model_type, overlaps.part))
    if n := overlaps.similar.count:
        text = ngettext(
            "%(n)d validation image looks nearly the same as a training image. "
            "Look whether both show the same part; if so, keep them in one set.",
            "%(n)d validation images look nearly the same as training images. "
            "Look whether they show the same parts; if so, keep those in one set.",
            n,
        )
        yield Remark("warning", text % {"n": n}, _links(model_type, overlaps.similar))


def _links(model_type: ModelType, shared: Shared, *, only_judged: bool = False) -> list[tuple[str, str]]:
    """The pages of the first images: the validation image, then its counterpart in the training data."""
    code = model_type.project.code
    pictures = [one for learnt, judged in shared.pairs for one in ((judged,) if only_judged else (judged, learnt))]
    return [
        (_short(one.name), reverse("datasets:image", args=[code, one.dataset, one.image]))
        for one in dict.fromkeys(pictures)
    ]


def _short(name: str) -> str:
    return name if len(name) <= _NAME else f"…{name[1 - _NAME :]}"


# --- what there is too little of --------------------------------------------------------------------------------------


def _missing(train: Facts, validation: Facts) -> Iterator[Remark]:
    if train.labelled and train.without_samples:
        text = _(
            "The training data has no sample of %(classes)s: the model cannot learn it. Add a dataset that has some."
        )
        yield Remark("warning", text % {"classes": some(train.without_samples)})
    if validation.labelled and validation.without_samples:
        text = _(
            "The validation data has no sample of %(classes)s: nothing will be known of it. "
            "Add a dataset that has some."
        )
        yield Remark("warning", text % {"classes": some(validation.without_samples)})


def _few(train: Facts) -> Iterator[Remark]:
    few = [f"{one.code} ({one.labels})" for one in train.classes if 0 < one.labels < RECOMMENDED]
    if few:
        text = _("Few training samples: %(classes)s here, %(n)d or more recommended. Label more, or add a dataset.")
        yield Remark("warning", text % {"classes": some(few), "n": RECOMMENDED})
    there = [one for one in train.classes if one.labels]
    most = max(there, key=_labels, default=None)
    least = min(there, key=_labels, default=None)
    if most and least and most.labels > IMBALANCE * least.labels:
        text = _(
            "%(most)s has %(n)d times as many training samples as %(least)s: the model may overlook %(least)s. "
            "Add samples of it."
        )
        yield Remark("warning", text % {"most": most.code, "n": most.labels // least.labels, "least": least.code})


def _labels(one: ClassFacts) -> int:
    return one.labels


def _one_sided(model_type: ModelType, train: Facts) -> Iterator[Remark]:
    """RC only: regions that are all true or all false."""
    is_rc = model_type.training_type == TrainingType.RC
    alike = [one.code for one in train.classes if is_rc and one.labels and not (one.true and one.false)]
    if alike:
        text = _(
            "All training regions of %(classes)s have the same verdict: there is nothing to tell apart. "
            "Add regions with the other one."
        )
        yield Remark("warning", text % {"classes": some(alike)})


# --- what is left out -------------------------------------------------------------------------------------------------


def _ignored(model_type: ModelType, train: Facts, validation: Facts) -> Iterator[Remark]:
    """To a model that finds things, what it does not learn is background; for the others it makes no difference."""
    counts = dict(train.ignored)
    for code, n in validation.ignored:
        counts[code] = counts.get(code, 0) + n
    if not counts:
        return
    n = sum(counts.values())
    text = ngettext(
        "%(n)d label is of a type that %(type)s does not learn and will be ignored: %(types)s.",
        "%(n)d labels are of types that %(type)s does not learn and will be ignored: %(types)s.",
        n,
    ) % {"n": n, "type": model_type.code, "types": some(f"{code} ({counts[code]})" for code in counts)}
    if model_type.training_type in (TrainingType.OD, TrainingType.SEG):
        more = _("What they mark counts as background. Choose a model type that learns them, if it should not.")
        yield Remark("warning", f"{text} {more}")
    else:
        yield Remark("info", text)


def _left_out(train: Facts, validation: Facts) -> Iterator[Remark]:
    n = train.unlabelled + validation.unlabelled
    if n and train.labelled and validation.labelled:
        text = ngettext(
            "%(n)d image is left out (training %(train)d, validation %(validation)d): nobody labelled it for this "
            "model type. Label it to use it.",
            "%(n)d images are left out (training %(train)d, validation %(validation)d): nobody labelled them for this "
            "model type. Label them to use them.",
            n,
        )
        numbers = {"n": n, "train": train.unlabelled, "validation": validation.unlabelled}
        yield Remark("info", text % numbers)


# --- what a model labelled --------------------------------------------------------------------------------------------


def _unreviewed(train: Facts, validation: Facts) -> Iterator[Remark]:
    if n := validation.unreviewed:
        text = ngettext(
            "%(n)d validation image was labelled by a model and nobody reviewed it: the figures will say how well the "
            "new model agrees with that one. Review the labels first.",
            "%(n)d validation images were labelled by a model and nobody reviewed them: the figures will say how well "
            "the new model agrees with that one. Review the labels first.",
            n,
        )
        yield Remark("warning", text % {"n": n})
    if n := train.unreviewed:
        text = ngettext(
            "%(n)d training image was labelled by a model and nobody reviewed it: what is wrong there is learnt too.",
            "%(n)d training images were labelled by a model and nobody reviewed them: what is wrong there is learnt "
            "too.",
            n,
        )
        yield Remark("info", text % {"n": n})
