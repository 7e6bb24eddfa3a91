"""The images of another dataset, or of an upload, join a dataset: all or nothing.

What is there stays as it is. Of what comes, an image whose picture is there already, and one whose name another picture
has, are left out or added, as somebody chose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from datasets_app import copying
from datasets_app.changing import ChangeRefused, check, check_still, hold, hold_several
from datasets_app.copying import NAME_LENGTH, Moved
from datasets_app.models import Annotation, Dataset, Image, ImageFile

ADD, LEAVE = "add", "leave"


@dataclass(frozen=True)
class Choices:
    """`same`: an image whose picture is there already; `taken`: one whose name another picture has (added, it gets a
    folder before its name)."""

    same: str = LEAVE
    taken: str = ADD

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(**{key: value[key] for key in ("same", "taken") if value.get(key) in (ADD, LEAVE)})

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Plan:
    """What would come of it: `same` and `taken` count what was met, whatever becomes of it."""

    images: int = 0
    same: int = 0
    taken: int = 0
    names: list[str] = field(default_factory=list)  # the first that are taken
    folder: str = ""  # before the names that are taken
    moved: list[Moved] = field(default_factory=list)

    @property
    def added(self) -> int:
        return len(self.moved)

    @property
    def left(self) -> int:
        return self.images - len(self.moved)


@dataclass(frozen=True)
class _Incoming:
    pk: int
    name: str
    is_same: bool
    is_taken: bool


def refuse(dataset: Dataset, source: Dataset | None = None) -> None:
    """What can be said before anybody looks at images. Raises ChangeRefused."""
    check(dataset)
    if dataset.compares:
        raise ChangeRefused(_("This dataset compares a model with people's labels: nothing can be added to it."))
    if source and source.pk == dataset.pk:
        raise ChangeRefused(_("A dataset cannot be added to itself. Choose another one."), "source")


def plan(dataset: Dataset, source: Dataset, choices: Choices, stem: str = "") -> Plan:
    """What adding the images of `source` would do. `stem`: of the folder before taken names, by default its name."""
    found = Plan()
    names = set(dataset.images.order_by().values_list("name", flat=True))
    blobs = set(dataset.images.order_by().values_list("blob", flat=True))
    rows = source.images.order_by("position", "pk").values_list("pk", "name", "blob")
    coming = [_Incoming(pk, name, blob in blobs, name in names) for pk, name, blob in rows]
    kept = []
    for one in coming:
        found.images += 1
        found.same += one.is_same
        is_taken = one.is_taken and not (one.is_same and choices.same == LEAVE)
        found.taken += is_taken
        if is_taken and len(found.names) < 5:
            found.names.append(one.name)
        if not (one.is_same and choices.same == LEAVE) and not (is_taken and choices.taken == LEAVE):
            kept.append(one)
    moving = [one.name for one in kept if one.is_taken]
    staying = names | {one.name for one in kept if not one.is_taken}
    found.folder = _free_folder(stem or source.name, moving, staying)
    found.moved = [Moved(one.pk, found.folder if one.is_taken else "") for one in kept]
    return found


def append(dataset: Dataset, source: Dataset, choices: Choices) -> Plan:
    """All or nothing. Raises ChangeRefused."""
    refuse(dataset, source)
    try:
        with transaction.atomic():
            target, giving = hold_several(dataset, source)
            check_still(target)
            found = _take(target, giving, choices)
            _refuse_nothing(found)
    except IntegrityError as error:
        raise ChangeRefused(_("Somebody changed the dataset at the same moment. Try again.")) from error
    return found


def take_over(dataset: Dataset, uploaded: Sequence[Dataset], choices: Choices, stem: str) -> Plan:
    """The images of datasets that were made of an upload, in the transaction that made them: they go again.

    `stem`: of the folder before taken names. What the upload met is counted on. Files of what was left out are for
    `blobs.release_unused`. Raises ChangeRefused.
    """
    refuse(dataset)
    target = hold(dataset)
    check_still(target)
    whole = Plan()
    for one in uploaded:
        found = _take(target, one, choices, stem)
        whole.images, whole.same, whole.taken = (
            whole.images + found.images, whole.same + found.same, whole.taken + found.taken,
        )  # fmt: skip
        whole.moved += found.moved
        target.problems = dict(Counter(target.problems) + Counter(one.problems))
        drop(one)
    _refuse_nothing(whole)
    target.problems = dict(Counter(target.problems) + _met(whole, choices))
    target.save(update_fields=["problems"])
    return whole


def _met(found: Plan, choices: Choices) -> Counter[str]:
    """What became of images that met others, by codes of `problems`."""
    same = "joined_same_left" if choices.same == LEAVE else "joined_same"
    taken = "joined_taken_left" if choices.taken == LEAVE else "joined_taken"
    return Counter({same: found.same, taken: found.taken})


def _refuse_nothing(found: Plan) -> None:
    """Raises ChangeRefused."""
    if not found.moved:
        raise ChangeRefused(_("Nothing would be added: every image is there already, or was left out by your choice."))


def drop(dataset: Dataset) -> None:
    """The rows of a dataset that nobody has seen yet."""
    Annotation.objects.filter(image__dataset=dataset).delete()
    ImageFile.objects.filter(image__dataset=dataset).delete()
    Image.objects.filter(dataset=dataset).delete()
    Dataset.objects.filter(pk=dataset.pk).delete()


def _take(target: Dataset, source: Dataset, choices: Choices, stem: str = "") -> Plan:
    found = plan(target, source, choices, stem)
    copying.copy(target, found.moved, only_people=source.compares)
    target.labels_changed()
    return found


def _free_folder(name: str, moving: Iterable[str], staying: set[str]) -> str:
    """The folder that gives each of `moving` a name that is free. Raises ChangeRefused where none is short enough."""
    moving = list(moving)
    if not moving:
        return ""
    stem = name.replace("/", "-")[:100].strip() or "added"
    numbered = (f"{stem}.{n}/" if n else f"{stem}/" for n in range(len(staying) + 2))
    folder = next(one for one in numbered if not any(one + name in staying for name in moving))
    if too_long := [name for name in moving if len(folder) + len(name) > NAME_LENGTH]:
        raise ChangeRefused(
            _("“%(name)s” is there already, and too long to get a folder before it. Leave out what has a taken name.")
            % {"name": too_long[0]},
            "taken",
        )
    return folder
