"""Two snapshots side by side: which images came and went, whose labels changed; or one and its datasets as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from datasets_app import snapshot_details
from datasets_app.models import Annotation, Dataset
from datasets_app.snapshot_details import Seen
from datasets_app.snapshot_reading import SETS, Contents, Label, Picture
from datasets_app.snapshot_tiles import count_rows
from projects_app.models import ModelType, Project, TrainingType

LABELS, PICTURE, MOVED, ADDED, REMOVED = "labels", "picture", "moved", "added", "removed"
KINDS: dict[str, str | Promise] = {
    LABELS: gettext_lazy("Other labels"),
    PICTURE: gettext_lazy("Another picture"),
    MOVED: gettext_lazy("Under another name or in the other set"),
    ADDED: gettext_lazy("Added"),
    REMOVED: gettext_lazy("Removed"),
}
Found = tuple[str, int, Picture]  # set, place in it, image


class CannotCompare(Exception):
    """Why not, in the user's words."""


@dataclass(frozen=True)
class Change:
    """One image that is not the same. `kinds`: several may be true at once; `gone` and `new`: labels, in words."""

    kinds: tuple[str, ...]
    before: Found | None = None
    after: Found | None = None
    gone: tuple[str, ...] = ()
    new: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        return [str(KINDS[kind]) for kind in self.kinds]


@dataclass(frozen=True)
class CountChange:
    """How often a label stands in both sets of either side."""

    text: str
    colour: int
    train: tuple[int, int]
    validation: tuple[int, int]

    @property
    def is_changed(self) -> bool:
        return self.train[0] != self.train[1] or self.validation[0] != self.validation[1]


@dataclass(frozen=True)
class Comparison:
    changes: list[Change]
    counts: list[CountChange]
    same: int
    totals: Counter[str] = field(default_factory=Counter)  # changes by kind

    def of(self, kind: str) -> list[Change]:
        return [one for one in self.changes if kind in one.kinds] if kind in KINDS else self.changes


def compare(project: Project, before: Contents, after: Contents) -> Comparison:
    pairs = _pairs(_by_place(before), _by_place(after))
    found = [change for change in (_change(old, new) for old, new in pairs) if change]
    same = sum(1 for old, new in pairs if old and new) - sum(1 for one in found if one.before and one.after)
    totals = Counter(kind for one in found for kind in one.kinds)
    return Comparison(sorted(found, key=_order), _counts(project, before, after), same, totals)


def as_now(project: Project, contents: Contents) -> Contents:
    """What a snapshot of the same datasets would say now, under the names they had. Raises CannotCompare."""
    model_type = ModelType.objects.filter(project=project, code=contents.model_type).first()
    if model_type is None:
        text = _("The model type “%(code)s” is not there any more: nobody can say what it would see now.")
        raise CannotCompare(text % {"code": contents.model_type})
    sets = {split: datasets_of(project, contents, split) for split in SETS}
    if not any(sets.values()):
        raise CannotCompare(_("None of its datasets is there any more."))
    names = {dataset.pk: name for found in sets.values() for name, dataset in found.items()}
    train, validation = (
        [_now(one, names) for one in snapshot_details.seen_rows(sets[split].values(), model_type)] for split in SETS
    )
    return Contents(
        TrainingType(model_type.training_type), model_type.code, model_type.class_codes(), train, validation
    )


def datasets_of(project: Project, contents: Contents, split: str) -> dict[str, Dataset]:
    """Those that are still there, by the name they had."""
    found = {name: _dataset(project, contents, name) for name in contents.dataset_names(split)}
    return {name: dataset for name, dataset in found.items() if dataset}


def lost_datasets(project: Project, contents: Contents) -> list[str]:
    """Names of those that are not there any more."""
    names = sorted({name for split in SETS for name in contents.dataset_names(split)})
    return [name for name in names if _dataset(project, contents, name) is None]


def _dataset(project: Project, contents: Contents, name: str) -> Dataset | None:
    """The very one where the snapshot knows it, whatever it is called now; else the one of that name."""
    own = Dataset.objects.filter(project=project)
    if (pk := contents.datasets.get(name)) and (found := own.filter(pk=pk).first()):
        return found
    return own.filter(name=name).first()


def _now(seen: Seen, names: dict[int, str]) -> Picture:
    image = seen.row.image
    return Picture(
        dataset=names[image.dataset_id],
        name=image.name,
        sha256=image.blob_id,
        siblings={sibling.suffix: sibling.blob_id for sibling in seen.row.siblings},
        labels=tuple(map(_label, seen.labels)) if seen.is_labelled else None,
        width=image.width,
        height=image.height,
        pk=image.pk,
    )


def _label(label: Annotation) -> Label:
    code, category, verdict, kind, points = snapshot_details.label_as_json(label)
    return Label(code, category, verdict, kind, tuple((x, y) for x, y in points))


def _by_place(contents: Contents) -> dict[tuple[str, str, str], Found]:
    return {(split, *image.place): (split, n, image) for split in SETS for n, image in enumerate(contents.of(split))}


def _pairs(
    before: dict[tuple[str, str, str], Found], after: dict[tuple[str, str, str], Found]
) -> list[tuple[Found | None, Found | None]]:
    """Each image with itself: by set and name, then by its picture, whatever it is called now."""
    found: list[tuple[Found | None, Found | None]] = [(before[key], after[key]) for key in before if key in after]
    gone = [before[key] for key in before if key not in after]
    left: dict[str, list[Found]] = {}
    for key in after:
        if key not in before:
            left.setdefault(after[key][2].sha256, []).append(after[key])
    for old in gone:
        same = left.get(old[2].sha256)
        found.append((old, same.pop(0) if same else None))
    return found + [(None, new) for some in left.values() for new in some]


def _change(old: Found | None, new: Found | None) -> Change | None:
    """None where nothing changed."""
    if old is None or new is None:
        return Change((ADDED if new else REMOVED,), old, new)
    is_moved = (old[0], *old[2].place) != (new[0], *new[2].place)
    is_other = (old[2].sha256, old[2].siblings) != (new[2].sha256, new[2].siblings)
    differs = {MOVED: is_moved, PICTURE: is_other, LABELS: _labels(old[2]) != _labels(new[2])}
    kinds = tuple(kind for kind, is_so in differs.items() if is_so)
    gone, come = _labels(old[2]) - _labels(new[2]), _labels(new[2]) - _labels(old[2])
    return Change(kinds, old, new, tuple(_words(gone)), tuple(_words(come))) if kinds else None


def _labels(image: Picture) -> Counter[object]:
    """With whether somebody looked at it at all: empty and not labelled are not the same."""
    return Counter(image.labels if image.labels is not None else [None])


def _words(labels: Counter[object]) -> Iterator[str]:
    """`crack ×2`; labels that only moved are named as often as shapes did."""
    named = Counter(getattr(label, "text", None) or _("not labelled") for label in labels.elements())
    return (f"{text} ×{count}" if count > 1 else text for text, count in sorted(named.items()))


def _order(change: Change) -> tuple[int, str, str, str]:
    split, _number, image = change.after or change.before  # type: ignore[misc]
    return (min(map(list(KINDS).index, change.kinds)), split, *image.place)


def _counts(project: Project, before: Contents, after: Contents) -> list[CountChange]:
    old, new = ({row.key: row for row in count_rows(project.pk, contents)} for contents in (before, after))
    rows = [(old.get(key), new.get(key)) for key in {**old, **new}]
    return [
        CountChange(
            text=(one or other).text,  # type: ignore[union-attr]
            colour=(one or other).colour,  # type: ignore[union-attr]
            train=(one.train if one else 0, other.train if other else 0),
            validation=(one.validation if one else 0, other.validation if other else 0),
        )
        for one, other in rows
    ]
