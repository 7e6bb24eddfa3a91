"""Which images of a dataset are for training and which for validation: by share, in proportion to the labels, groups
kept whole. The same images and the same seed give the same split, on any machine and in a clone.

What belongs together goes to one side: images of one group, and images of the same picture. Such units are dealt out
from the rarest label to the most frequent one, large units first, each to the side that lacks most of its label.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

TRAIN, VAL = "train", "val"
LEAST, MOST = 0.01, 0.99


@dataclass(frozen=True)
class Item:
    """One image, as far as a split minds. `labels`: what it is stratified by, each once."""

    key: int
    name: str
    picture: str
    group: str = ""  # "" stands alone
    labels: frozenset[str] = frozenset()


@dataclass
class Unit:
    """Images that stay together."""

    items: list[Item] = field(default_factory=list)
    labels: Counter[str] = field(default_factory=Counter)

    @property
    def size(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Sides:
    """The keys of the images of each side, in the order they came."""

    train: list[int]
    val: list[int]

    @property
    def share(self) -> float:
        return len(self.val) / max(1, len(self.train) + len(self.val))


def split(items: Sequence[Item], share: float, seed: int) -> Sides:
    """`share`: of the images that are to be for validation, 0 to 1."""
    units = _units(items)
    wanted = _Wanted(units, share)
    for unit in _in_turn(units, wanted.totals, seed):
        wanted.place(unit)
    wanted.leave_none_empty()
    val = {item.key for unit in wanted.val for item in unit.items}
    return Sides([one.key for one in items if one.key not in val], [one.key for one in items if one.key in val])


def _units(items: Iterable[Item]) -> list[Unit]:
    """Joined where they share a group or a picture, over any number of steps."""
    above: dict[str, str] = {}

    def top(key: str) -> str:
        while (parent := above.setdefault(key, key)) != key:
            above[key] = above[parent]
            key = above[key]
        return key

    for item in items:
        if item.group:
            above[top(f"picture {item.picture}")] = top(f"group {item.group}")
    found: dict[str, Unit] = defaultdict(Unit)
    for item in items:
        unit = found[top(f"picture {item.picture}")]
        unit.items.append(item)
        unit.labels.update(item.labels)
    return list(found.values())


def _in_turn(units: list[Unit], totals: Counter[str], seed: int) -> Iterator[Unit]:
    """By rarest label, then by size, then by chance."""

    def turn(unit: Unit) -> tuple[int, str, int, bytes]:
        rarest = min(unit.labels, key=lambda label: (totals[label], label), default="")
        first = min(item.name for item in unit.items)
        chance = hashlib.blake2b(f"{seed}\n{first}".encode(), digest_size=8).digest()
        return totals[rarest] if rarest else 1 << 62, rarest, -unit.size, chance

    return iter(sorted(units, key=turn))


class _Wanted:
    """What each side still lacks, of each label and of images."""

    def __init__(self, units: list[Unit], share: float) -> None:
        self.totals: Counter[str] = Counter()
        holders: Counter[str] = Counter()
        for unit in units:
            self.totals.update(unit.labels)
            holders.update(set(unit.labels))
        images = sum(unit.size for unit in units)
        self.images = _parts(images, len(units), share)
        self.labels = {label: _parts(count, holders[label], share) for label, count in self.totals.items()}
        self.train: list[Unit] = []
        self.val: list[Unit] = []

    def place(self, unit: Unit) -> None:
        is_val = self._lacks(unit)
        (self.val if is_val else self.train).append(unit)
        self.images[is_val] -= unit.size
        for label, count in unit.labels.items():
            self.labels[label][is_val] -= count

    def leave_none_empty(self) -> None:
        """Large groups may all want to one side: then the smallest goes to the other."""
        for full, empty in ((self.train, self.val), (self.val, self.train)):
            if len(full) > 1 and not empty:
                smallest = min(full, key=lambda unit: unit.size)
                full.remove(smallest)
                empty.append(smallest)

    def _lacks(self, unit: Unit) -> bool:
        """Whether validation lacks more than training does: of its rarest label, else of images."""
        rarest = min(unit.labels, key=lambda label: (self.totals[label], label), default="")
        train, val = self.labels[rarest] if rarest else self.images
        if train == val:
            train, val = self.images
        return val > train


def _parts(count: int, units: int, share: float) -> list[float]:
    """For training and validation; where there are two units, each side is to get something."""
    val = float(round(count * share))
    if units > 1:
        val = min(max(val, 1.0), count - 1.0)
    return [count - val, val]
