"""A dataset becomes two, one to learn from and one to judge by: what would come of it, and then the making of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Self

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from datasets_app import cloning, deriving, exporting, splitting
from datasets_app.changing import ChangeRefused
from datasets_app.models import Annotation, Dataset
from datasets_app.splitting import TRAIN, VAL, Item, Sides
from projects_app.models import AnnotationType, Category, User

SHARE, SEED = 0.2, 0
MOST_SEED = 2**31 - 1
_OFF = 0.02  # how far the share may lie from the one that was asked for before it is said


@dataclass(frozen=True)
class Options:
    """`by`: what is kept in proportion: a training type, the code of an annotation type behind "=", or "" for nothing.
    `group`: a column of the meta data; images of one value stay together."""

    share: float = SHARE
    seed: int = SEED
    by: str = ""
    group: str = ""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(float(value["share"]), int(value["seed"]), str(value["by"]), str(value["group"]))

    def as_json(self) -> dict[str, Any]:
        return {"share": self.share, "seed": self.seed, "by": self.by, "group": self.group}


@dataclass(frozen=True)
class Count:
    """Images with one label on both sides."""

    text: str
    training_type: str
    train: int
    val: int

    @property
    def share(self) -> float:
        return 100 * self.val / max(1, self.train + self.val)


@dataclass
class Plan:
    """`remarks`: what somebody should know before, a sentence each."""

    options: Options
    sides: Sides
    counts: list[Count]
    unlabelled: tuple[int, int] = (0, 0)
    together: int = 0  # images that share their picture with another
    alone: int = 0  # images without a value in the column of the group
    remarks: list[str] = field(default_factory=list)

    @property
    def percent(self) -> float:
        return 100 * self.sides.share


def names(dataset: Dataset) -> tuple[str, str]:
    """Free names for both."""
    found = [deriving.free_name(dataset.project, f"{dataset.name[:180]}-{side}") for side in (TRAIN, VAL)]
    return found[0], found[1]


def strata(dataset: Dataset) -> list[tuple[str, str]]:
    """What can be kept in proportion: values of `Options.by` with their words; the first is the default."""
    kinds = exporting.training_types([dataset])
    found = [(str(kind), _("All labels of %(type)s") % {"type": kind.label}) for kind in kinds]
    used = (
        Annotation.objects.filter(image__dataset=dataset, is_roi=False).order_by().values("annotation_type").distinct()
    )
    types = AnnotationType.objects.filter(pk__in=used).order_by("training_type", "code")
    found += [(f"={one.code}", f"{one.code} ({one.training_type})") for one in types]
    return [*found, ("", _("Nothing: by chance alone"))]


def columns(dataset: Dataset) -> list[str]:
    """Of the meta data."""
    found: set[str] = set()
    for meta in dataset.images.order_by().values_list("meta", flat=True).iterator(chunk_size=5000):
        found.update(meta if isinstance(meta, dict) else ())
    return sorted(found)


def plan(dataset: Dataset, options: Options) -> Plan:
    """Raises ChangeRefused where there is nothing to split, and for options that the dataset does not know."""
    if not splitting.LEAST <= options.share <= splitting.MOST:
        raise ChangeRefused(_("Choose between 1 and 99 % for validation."), "share")
    labels, words = _labels(dataset)
    if options.by and not any(options.by in one.keys for one in words.values()) and not _is_known(dataset, options.by):
        raise ChangeRefused(_("No image of this dataset has a label of “%(name)s”.") % {"name": options.by}, "by")
    items = _items(dataset, options, labels, words)
    if options.group and not any(item.group for item in items):
        raise ChangeRefused(
            _("No image of this dataset has a value in the column “%(name)s”.") % {"name": options.group}, "group"
        )
    sides = splitting.split(items, options.share, options.seed)
    if not sides.train or not sides.val:
        raise ChangeRefused(
            _("There is nothing to split: all images belong together.") if items else _("There is no image to split.")
        )
    return _counted(options, items, sides, labels, words)


def make(dataset: Dataset, options: Options, wanted: tuple[str, str], user: User | None) -> tuple[Dataset, Dataset]:
    """The datasets for training and validation, all or nothing. Raises ChangeRefused."""
    refuse_names(dataset, wanted)
    try:
        with transaction.atomic():
            source = cloning.hold_source(dataset)
            sides = plan(source, options).sides
            train = cloning.part(source, wanted[0], user, TRAIN, sides.train)
            val = cloning.part(source, wanted[1], user, VAL, sides.val)
    except IntegrityError as error:
        raise ChangeRefused(_("Somebody used the name at the same moment. Try again."), "train_name") from error
    return train, val


def refuse_names(dataset: Dataset, wanted: tuple[str, str]) -> None:
    """Raises ChangeRefused."""
    cloning.refuse_name(dataset.project, wanted[0], "train_name")
    cloning.refuse_name(dataset.project, wanted[1], "val_name")
    if wanted[0] == wanted[1]:
        raise ChangeRefused(_("Both datasets have the same name. Choose another one."), "val_name")


@dataclass(frozen=True)
class _Label:
    """What a label says. `keys`: the values of `Options.by` that ask for it."""

    text: str
    training_type: str
    keys: tuple[str, str]
    place: tuple[Any, ...]


def _labels(dataset: Dataset) -> tuple[dict[int, set[tuple[Any, ...]]], dict[tuple[Any, ...], _Label]]:
    """What each image is labelled with, and what these labels are."""
    rows = Annotation.objects.meant().filter(image__dataset=dataset, annotation_type__isnull=False, is_roi=False)
    asked = rows.order_by().values_list("image", "annotation_type", "category", "verdict").distinct()
    found: dict[int, set[tuple[Any, ...]]] = defaultdict(set)
    for image, *label in asked.iterator(chunk_size=5000):
        found[image].add(tuple(label))
    used = {label for labels in found.values() for label in labels}
    types = AnnotationType.objects.in_bulk({label[0] for label in used})
    categories = Category.objects.in_bulk({label[1] for label in used if label[1]})
    return found, {label: _label(label, types, categories) for label in used}


def _label(label: tuple[Any, ...], types: dict[int, AnnotationType], categories: dict[int, Category]) -> _Label:
    kind, category, verdict = types[label[0]], categories.get(label[1] or 0), label[2]
    text = kind.code
    if category:
        text = f"{kind.code}: {category.code}"
    elif verdict is not None:
        text = f"{kind.code}: {_('true') if verdict else _('false')}"
    place = (kind.training_type, kind.code, category.position if category else -1, bool(verdict))
    return _Label(text, str(kind.training_type), (str(kind.training_type), f"={kind.code}"), place)


def _is_known(dataset: Dataset, by: str) -> bool:
    """A training type that somebody looked for, and found nothing of: there is nothing to keep in proportion."""
    return by in {str(kind) for kind in exporting.training_types([dataset])}


def _items(
    dataset: Dataset, options: Options, labels: dict[int, set[tuple[Any, ...]]], words: dict[tuple[Any, ...], _Label]
) -> list[Item]:
    rows = dataset.images.order_by("position", "pk").values_list("pk", "name", "blob", "meta")
    # by its words, not by its number: a clone in another database is split the same way
    said = {label: f"{one.place}" for label, one in words.items() if options.by in one.keys}
    return [
        Item(pk, name, blob, _group(meta, options.group), frozenset(said[one] for one in labels[pk] if one in said))
        for pk, name, blob, meta in rows.iterator(chunk_size=5000)
    ]


def _group(meta: object, column: str) -> str:
    value = meta.get(column) if column and isinstance(meta, dict) else None
    return "" if value is None else str(value).strip()


def _counted(
    options: Options,
    items: list[Item],
    sides: Sides,
    labels: dict[int, set[tuple[Any, ...]]],
    words: dict[tuple[Any, ...], _Label],
) -> Plan:
    val = set(sides.val)
    counts = {label: [0, 0] for label in words}
    unlabelled = [0, 0]
    for item in items:
        for label in labels[item.key]:
            counts[label][item.key in val] += 1
        unlabelled[item.key in val] += not labels[item.key]
    ordered = sorted(words.items(), key=lambda pair: pair[1].place)
    shown = [Count(one.text, one.training_type, *counts[label]) for label, one in ordered]
    pictures = Counter(item.picture for item in items)
    together = sum(count for count in pictures.values() if count > 1)
    alone = sum(not item.group for item in items) if options.group else 0
    found = Plan(options, sides, shown, (unlabelled[0], unlabelled[1]), together, alone)
    found.remarks = list(_remarks(found))
    return found


def _remarks(plan: Plan) -> list[str]:
    found = []
    wanted = plan.options.share * (len(plan.sides.train) + len(plan.sides.val))
    if abs(plan.sides.share - plan.options.share) > _OFF and abs(len(plan.sides.val) - wanted) >= 1:
        found.append(
            _(
                "You asked for %(wanted)s %% for validation; it becomes %(got)s %%: groups stay whole, and each label "
                "has its part on both sides."
            )
            % {"wanted": f"{100 * plan.options.share:g}", "got": f"{plan.percent:.1f}"}
        )
    if one_sided := [one.text for one in plan.counts if not one.train or not one.val]:
        shown = ", ".join(one_sided[:10]) + (" …" if len(one_sided) > 10 else "")
        found.append(
            _("On one side only: %(labels)s. There are too few of them, or they are all in one group.")
            % {"labels": shown}
        )
    if plan.alone:
        found.append(
            ngettext(
                "%(count)d image has no value in the column “%(name)s”: it is dealt out by itself.",
                "%(count)d images have no value in the column “%(name)s”: each is dealt out by itself.",
                plan.alone,
            )
            % {"count": plan.alone, "name": plan.options.group}
        )
    if plan.together:
        found.append(
            ngettext(
                "%(count)d image has the same picture as another: they stay on one side.",
                "%(count)d images have the same picture as another: they stay on one side.",
                plan.together,
            )
            % {"count": plan.together}
        )
    return found
