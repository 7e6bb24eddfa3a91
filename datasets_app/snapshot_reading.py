"""Read a snapshot back: what a run saw, image by image. A manifest may have come with a model from elsewhere, so that
nothing in it is trusted before it was looked at."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from datasets_app.models import Snapshot
from kernels_app.contract.files import is_text
from projects_app.models import TrainingType

SETS = ("train", "validation")
_HASH = re.compile(r"[0-9a-f]{64}\Z")
_KINDS = ("", "rectangle", "polygon")


class Unreadable(Exception):
    """The manifest is gone, or none."""


@dataclass(frozen=True, slots=True)
class Label:
    """One label as it was. `code` is empty for a region of interest."""

    code: str
    category: str = ""
    verdict: bool | None = None
    kind: str = ""
    points: tuple[tuple[float, float], ...] = ()

    @property
    def is_roi(self) -> bool:
        return not self.code

    @property
    def key(self) -> str:
        """As the gallery's filter names it: `TYPE`, `TYPE:category`, `TYPE:true`."""
        if self.verdict is not None:
            return f"{self.code}:{str(self.verdict).lower()}"
        return f"{self.code}:{self.category}" if self.category else self.code

    @property
    def text(self) -> str:
        if self.is_roi:
            return "ROI"
        return self.category or (self.code if self.verdict is None else f"{self.code}: {str(self.verdict).lower()}")


@dataclass(frozen=True, slots=True)
class Picture:
    """One image as it was; `labels` is None where nobody labelled it. What follows them is known of own snapshots.

    `scores`: of labels that a model made, by their place. `pk`: of the image, where it is read from datasets.
    """

    dataset: str
    name: str
    sha256: str
    siblings: dict[str, str] = field(default_factory=dict)
    labels: tuple[Label, ...] | None = None
    width: int = 0
    height: int = 0
    phash: str = ""
    data_category: str = ""
    meta: dict[str, Any] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    scores: dict[str, float | None] = field(default_factory=dict)
    pk: int | None = None

    @property
    def place(self) -> tuple[str, str]:
        return self.dataset, self.name


@dataclass(frozen=True)
class Contents:
    """All that a snapshot says. `datasets`: ids by name; `types`: names of annotation types and their categories."""

    training_type: TrainingType
    model_type: str
    classes: list[str]
    train: list[Picture]
    validation: list[Picture]
    datasets: dict[str, int] = field(default_factory=dict)
    types: dict[str, dict[str, Any]] = field(default_factory=dict)

    def of(self, split: str) -> list[Picture]:
        return self.train if split == "train" else self.validation

    @property
    def all(self) -> list[Picture]:
        return [*self.train, *self.validation]

    @property
    def hashes(self) -> list[str]:
        """Of all pictures and their siblings, each once."""
        return sorted({one for image in self.all for one in (image.sha256, *image.siblings.values())})

    def counts(self, split: str) -> Counter[str]:
        """Labels by their key."""
        return Counter(label.key for image in self.of(split) for label in image.labels or () if not label.is_roi)

    def dataset_names(self, split: str) -> list[str]:
        return sorted({image.dataset for image in self.of(split)})


def read(snapshot: Snapshot) -> Contents:
    """Raises Unreadable. To be left as it is: who reads the same one next gets the same object."""
    return _read(snapshot.manifest.path, snapshot.details.path if snapshot.details else None)


@lru_cache(maxsize=2)  # who looks at one turns its pages; a file that is called by its content never changes
def _read(manifest: Path, beside: Path | None) -> Contents:
    try:
        contents = parse(manifest.read_bytes())
        details = json.loads(beside.read_bytes()) if beside else None
    except (OSError, ValueError) as error:
        raise Unreadable(str(error)) from error
    return _with_details(contents, details) if details else contents


def parse(text: bytes) -> Contents:
    """The contents of a manifest, every part of it looked at. Raises Unreadable."""
    try:
        found = json.loads(text)
        return Contents(
            training_type=TrainingType(found["training_type"]),
            model_type=_text(found["model_type"]),
            classes=[_text(one) for one in found["classes"]],
            train=[_picture(one) for one in found["train"]],
            validation=[_picture(one) for one in found["validation"]],
        )
    except (ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}"[:200]) from error


def tidy_name(path: str) -> str:
    """A name that leads nowhere else, whoever wrote it."""
    parts = (part for part in path.split("/") if part not in ("", ".", ".."))
    return "".join(one if one.isprintable() else "_" for one in "/".join(parts)) or "_"


def _picture(found: Any) -> Picture:
    siblings = {_text(suffix): _hash(one) for suffix, one in found["siblings"].items()}
    labels = found["labels"]
    return Picture(
        dataset=_text(found["dataset"]),
        name=_text(found["name"]),
        sha256=_hash(found["sha256"]),
        siblings=siblings,
        labels=None if labels is None else tuple(_label(one) for one in labels),
    )


def _label(found: Any) -> Label:
    code, category, verdict, kind, points = found
    if kind not in _KINDS or verdict not in (None, True, False):
        raise ValueError("no label")
    corners = tuple((x, y) for x, y in points)
    if not all(type(value) in (int, float) and math.isfinite(value) for corner in corners for value in corner):
        raise ValueError("a coordinate is no finite number")
    if len(corners) != {"": 0, "rectangle": 2}.get(kind, max(3, len(corners))):
        raise ValueError("a shape without its points")
    return Label(_text(code), _text(category), verdict, kind, corners)


def _text(found: Any) -> str:
    if not isinstance(found, str) or not is_text(found):
        raise ValueError("no text")
    return found


def _hash(found: Any) -> str:
    if not isinstance(found, str) or not _HASH.match(found):
        raise ValueError("no hash")
    return found


def _with_details(contents: Contents, details: dict[str, Any]) -> Contents:
    train, validation = (list(_detailed(contents.of(split), details[split])) for split in SETS)
    known = {"datasets": details["datasets"], "types": details["types"]}
    return replace(contents, train=train, validation=validation, **known)


def _detailed(images: list[Picture], details: list[list[Any]]) -> Iterator[Picture]:
    for image, (width, height, phash, category, meta, names, scores) in zip(images, details, strict=True):
        yield replace(
            image,
            width=width,
            height=height,
            phash=phash,
            data_category=category,
            meta=meta,
            names=names,
            scores=scores,
        )
