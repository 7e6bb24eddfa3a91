"""What training and validation data share: the same picture, the same part, or pictures that look the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from django.db.models import QuerySet

from datasets_app.models import Image

# How many of the 64 bits of two perceptual hashes may differ in one picture that was saved twice. Measured: a picture
# saved anew as JPEG, halved, brightened or with noise stays within 2 bits in 92 to 100 of 100 cases. Pictures of
# different parts do so 0 times in 80 among the demo's plates (4 bits: 2, 6: 7, 8: 27) and in 80 among blood smears;
# among 64-pixel crops of printed circuits, which look alike to the eye, in 11 of 207.
NEAR = 2
# A textured picture sets half of the bits; a blank one next to none, and then its hash says nothing of what it shows.
PLAIN = 16
SHOWN = 3  # pairs that are named
_BLOCK = 1 << 18  # comparisons at a time: 2 MB, which stay in a processor's cache


@dataclass(frozen=True)
class Picture:
    """An image, by what a page needs to name it and to link to it."""

    dataset: int
    image: int
    name: str


@dataclass(frozen=True)
class Shared:
    """How many validation images have a counterpart in the training data; the first pairs: (training, validation)."""

    count: int = 0
    pairs: tuple[tuple[Picture, Picture], ...] = ()


@dataclass(frozen=True)
class Overlaps:
    """Each validation image counts once, for the strongest thing that holds of it.

    `same`: the same bytes; `part`: another picture of the same part, by `obj_id` of the meta data; `similar`: looks the
    same.
    """

    same: Shared = Shared()
    part: Shared = Shared()
    similar: Shared = Shared()


class _Seen(NamedTuple):
    dataset: int
    image: int
    name: str
    blob: str
    phash: str
    part: str


_Pairs = list[tuple[_Seen, _Seen]]


def find(train: QuerySet[Image], validation: QuerySet[Image]) -> Overlaps:
    """Compare the images of both sets: two statements, however many there are."""
    learnt, judged = _seen(train), _seen(validation)
    pictures = {one.blob: one for one in reversed(learnt)}
    parts = {one.part: one for one in reversed(learnt) if one.part}
    same = [(pictures[one.blob], one) for one in judged if one.blob in pictures]
    judged = [one for one in judged if one.blob not in pictures]
    part = [(parts[one.part], one) for one in judged if one.part in parts]
    judged = [one for one in judged if one.part not in parts]
    return Overlaps(_shared(same), _shared(part), _shared(_alike(learnt, judged)))


def near(known: Sequence[int], asked: Sequence[int]) -> dict[int, int]:
    """For each of the hashes `asked` that has one of `known` within NEAR bits: the nearest one."""
    if not known or not asked:
        return {}
    all_known, all_asked = np.array(known, np.uint64), np.array(asked, np.uint64)
    found: dict[int, int] = {}
    rows = max(1, _BLOCK // len(all_known))
    for start in range(0, len(all_asked), rows):
        block = all_asked[start : start + rows]
        distances = np.bitwise_count(all_known[None] ^ block[:, None])
        nearest = distances.argmin(1)
        hits = np.flatnonzero(distances[np.arange(len(block)), nearest] <= NEAR)
        found |= {int(block[hit]): int(all_known[nearest[hit]]) for hit in hits}
    return found


def _seen(images: QuerySet[Image]) -> list[_Seen]:
    rows = images.order_by("pk").values_list("dataset_id", "pk", "name", "blob_id", "phash", "meta")
    return [_Seen(*row[:5], _part(row[5])) for row in rows]


def _part(meta: object) -> str:
    """`obj_id` of the meta data as text; empty where there is none."""
    value = meta.get("obj_id") if isinstance(meta, dict) else None
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _alike(learnt: Iterable[_Seen], judged: Iterable[_Seen]) -> _Pairs:
    """Each of `judged` that looks like one of `learnt`, behind that one. A hash that many share is looked at once."""
    known: dict[int, _Seen] = {}
    for one in learnt:
        if (value := hash_of(one.phash)) is not None:
            known.setdefault(value, one)
    asked = [(value, one) for one in judged if (value := hash_of(one.phash)) is not None]
    nearest = near(list(known), list({value for value, _one in asked}))
    return [(known[nearest[value]], one) for value, one in asked if value in nearest]


def hash_of(text: str) -> int | None:
    """The 64 bits; None for a picture without a hash, and for a plain one."""
    value = int(text, 16) if text else 0
    return value if PLAIN <= value.bit_count() <= 64 - PLAIN else None


def _shared(pairs: _Pairs) -> Shared:
    shown = tuple((Picture(*left[:3]), Picture(*right[:3])) for left, right in pairs[:SHOWN])
    return Shared(len(pairs), shown)
