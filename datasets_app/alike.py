"""Pictures of one dataset that are the same, or look nearly the same, in groups.

Near: hashes that differ in at most NEAR bits. Two such hashes agree in at least one of NEAR + 1 bands of their bits, so
that only hashes of one band are compared, and not each with every other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from datasets_app.models import Dataset, labelled_field
from datasets_app.overlaps import NEAR, hash_of
from projects_app.models import TrainingType

SAME, LIKE, COPIES = "same", "near", "copies"
_BLOCK = 2048  # hashes of one band that are compared at a time with as many others


@dataclass(frozen=True)
class Groups:
    """Keys of images, a list a group, the largest first."""

    same: tuple[tuple[int, ...], ...] = ()  # the same bytes
    near: tuple[tuple[int, ...], ...] = ()  # looks nearly the same; the same bytes are in here once
    kept: dict[tuple[int, ...], int] = field(default_factory=dict)  # of a group of the same, where not its first

    def of(self, kind: str) -> tuple[tuple[int, ...], ...]:
        return self.same if kind == SAME else self.near if kind == LIKE else ()

    def images(self, kind: str) -> list[int]:
        """Of COPIES those that may go: each group of the same keeps one, the first that people labelled."""
        if kind == COPIES:
            return sorted(pk for group in self.same for pk in group if pk != self.kept.get(group, group[0]))
        return sorted(pk for group in self.of(kind) for pk in group)


def groups(dataset: Dataset) -> Groups:
    """One statement, and for 100,000 hashes about a second."""
    by_blob: dict[str, list[int]] = defaultdict(list)
    by_hash: dict[int, list[int]] = defaultdict(list)
    ranks: dict[int, int] = {}
    fields = ("pk", "blob_id", "phash", "needs_review", *map(labelled_field, TrainingType.values))
    for pk, blob, phash, is_open, *labelled in dataset.images.order_by("position", "pk").values_list(*fields):
        ranks[pk] = (1 if is_open else 0) if any(labelled) else 2
        if blob not in by_blob and (value := hash_of(phash)) is not None:
            by_hash[value].append(pk)
        by_blob[blob].append(pk)
    same = [tuple(found) for found in by_blob.values() if len(found) > 1]
    values = np.array(list(by_hash), np.uint64)
    near = []
    for members in _joined(len(values), _pairs(values)):
        found = [pk for member in members for pk in by_hash[int(values[member])]]
        if len(found) > 1:
            near.append(tuple(sorted(found)))
    return Groups(_largest_first(same), _largest_first(near), {one: min(one, key=ranks.__getitem__) for one in same})


def _largest_first(found: Iterable[tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    return tuple(sorted(found, key=lambda group: (-len(group), group)))


def _pairs(values: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Places of values that differ in at most NEAR bits, some more than once."""
    width = -(-64 // (NEAR + 1))
    for band in range(NEAR + 1):
        key = (values >> np.uint64(band * width)) & np.uint64((1 << width) - 1)
        order = np.argsort(key, kind="stable")
        borders = np.flatnonzero(np.diff(key[order])) + 1
        for start, end in zip([0, *borders], [*borders, len(order)], strict=True):
            if end - start > 1:
                yield from _pairs_among(values, order[start:end])


def _pairs_among(
    values: NDArray[np.uint64], places: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    for low in range(0, len(places), _BLOCK):
        left = places[low : low + _BLOCK]
        for high in range(low, len(places), _BLOCK):
            right = places[high : high + _BLOCK]
            close = np.bitwise_count(values[left][:, None] ^ values[right][None]) <= NEAR
            one, other = np.nonzero(np.triu(close, 1) if low == high else close)
            yield left[one], right[other]


def _joined(count: int, pairs: Iterable[tuple[NDArray[np.intp], NDArray[np.intp]]]) -> list[list[int]]:
    """Who is a pair with somebody of a group is in it: places, in the order of the first of each group."""
    parents = list(range(count))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for left, right in pairs:
        for one, other in zip(left.tolist(), right.tolist(), strict=True):
            a, b = root(one), root(other)
            parents[max(a, b)] = min(a, b)
    found: dict[int, list[int]] = defaultdict(list)
    for place in range(count):
        found[root(place)].append(place)
    return list(found.values())
