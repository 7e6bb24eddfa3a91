"""What a snapshot keeps beside its manifest: sizes, meta data, names. No hash is made of it, as nobody learns from it.

One entry an image, in the manifest's order: `[width, height, phash, data category, meta, siblings' names by suffix,
scores of generated labels by their place]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from datasets_app.models import Annotation, Dataset, labelled_images
from datasets_app.rows import Row, rows
from projects_app.models import ModelType

VERSION = 1
CONTENT_TYPE = "application/x-snapshot-details+json"


@dataclass(frozen=True)
class Seen:
    """One image as a snapshot tells of it; its labels in the order of their text."""

    row: Row
    dataset: str
    labels: list[Annotation]
    is_labelled: bool

    @property
    def as_json(self) -> dict[str, Any]:
        """`labels` is null where nobody labelled it for the model type."""
        return {
            "dataset": self.dataset,
            "name": self.row.image.name,
            "sha256": self.row.image.blob_id,
            "siblings": {sibling.suffix: sibling.blob_id for sibling in self.row.siblings},
            "labels": [label_as_json(one) for one in self.labels] if self.is_labelled else None,
        }

    @property
    def hashes(self) -> list[str]:
        return [self.row.image.blob_id, *(sibling.blob_id for sibling in self.row.siblings)]


def seen_rows(datasets: Iterable[Dataset], model_type: ModelType) -> list[Seen]:
    """Every image of the sets, sorted."""
    chosen = list(datasets)
    names = {dataset.pk: dataset.name for dataset in chosen}
    labelled = set(labelled_images(chosen, model_type).values_list("pk", flat=True))
    found = [
        Seen(row, names[row.image.dataset_id], sorted(row.labels, key=_text), row.image.pk in labelled)
        for row in rows(chosen, model_type, only_labelled=False)
    ]
    return sorted(found, key=lambda one: (one.dataset, one.row.image.name))


def label_as_json(label: Annotation) -> list[Any]:
    code = label.annotation_type.code if label.annotation_type else ""
    category = label.category.code if label.category else ""
    return [code, category, label.verdict, str(label.kind), label.points]


def of(model_type: ModelType, datasets: Sequence[Dataset], found: dict[str, list[Seen]]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "datasets": {dataset.name: dataset.pk for dataset in datasets},
        "types": {kind.code: _type(kind) for kind in model_type.ordered_annotation_types()},
        **{split: [_image(one) for one in seen] for split, seen in found.items()},
    }


def _type(kind: Any) -> dict[str, Any]:
    return {"name": kind.name, "categories": {one.code: one.name for one in kind.categories.all()}}


def _image(one: Seen) -> list[Any]:
    image = one.row.image
    names = {sibling.suffix: sibling.name for sibling in one.row.siblings}
    scores = {str(n): label.score for n, label in enumerate(one.labels) if label.is_generated}
    return [image.width, image.height, image.phash, image.data_category, image.meta, names, scores]


def _text(label: Annotation) -> str:
    return json.dumps(label_as_json(label))
