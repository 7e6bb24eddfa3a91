"""Images with their siblings and labels from one dataset to another, inside the database: no row of them passes through
Python, so a hundred thousand images take seconds. Files are shared, not copied.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connections, models, router
from django.db.models import Max

from datasets_app.models import Annotation, Dataset, Image, ImageFile

_ROWS = 2000  # images a statement
NAME_LENGTH = 500


class Moved(NamedTuple):
    """An image on its way. `folder` goes before its name and those of its siblings, where it is to have another."""

    image: int
    folder: str = ""


def copy(target: Dataset, moved: Sequence[Moved], *, only_people: bool = False) -> None:
    """Behind the images that `target` has. `only_people`: without the labels that a model gave.

    Inside a transaction that holds both datasets. Raises IntegrityError where a name is taken.
    """
    last = target.images.aggregate(last=Max("position"))["last"]
    first = 0 if last is None else last + 1
    for start in range(0, len(moved), _ROWS):
        some = moved[start : start + _ROWS]
        rows = [[one.image, first + start + n, one.folder] for n, one in enumerate(some)]
        _copy(target, json.dumps(rows), only_people)


def all_of(dataset: Dataset) -> list[Moved]:
    """Every image, in its order."""
    return [Moved(pk) for pk in dataset.images.order_by("position", "pk").values_list("pk", flat=True)]


def _copy(target: Dataset, rows: str, only_people: bool) -> None:
    """`rows`: JSON, `[[image, position, folder], …]`. Images first; the others find theirs by its position."""
    connection = connections[router.db_for_write(Image)]
    table, quote = _table(connection.vendor), connection.ops.quote_name
    images, siblings, labels = (quote(model._meta.db_table) for model in (Image, ImageFile, Annotation))
    own = _columns(Image, "dataset_id", "name", "position")
    of_sibling, of_label = _columns(ImageFile, "image_id", "name"), _columns(Annotation, "image_id")

    def listed(columns: list[str], of: str = "") -> str:
        return ", ".join(f"{of}{quote(column)}" for column in columns)

    new = f"JOIN {images} new ON new.dataset_id = %s AND new.position = moved.place"
    people = "WHERE NOT old.is_generated" if only_people else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {images} (dataset_id, name, position, {listed(own)})"  # noqa: S608 (names of our models)
            f" SELECT %s, moved.folder || old.name, moved.place, {listed(own, 'old.')}"
            f" FROM {table} JOIN {images} old ON old.id = moved.image ORDER BY moved.place",
            [target.pk, rows],
        )
        cursor.execute(
            f"INSERT INTO {siblings} (image_id, name, {listed(of_sibling)})"  # noqa: S608
            f" SELECT new.id, moved.folder || old.name, {listed(of_sibling, 'old.')}"
            f" FROM {table} JOIN {siblings} old ON old.image_id = moved.image {new} ORDER BY old.id",
            [rows, target.pk],
        )
        cursor.execute(
            f"INSERT INTO {labels} (image_id, {listed(of_label)})"  # noqa: S608
            f" SELECT new.id, {listed(of_label, 'old.')}"
            f" FROM {table} JOIN {labels} old ON old.image_id = moved.image {new} {people} ORDER BY old.id",
            [rows, target.pk],
        )


def _table(vendor: str) -> str:
    """JSON rows as a table `moved`, in the words of the database."""
    if vendor == "postgresql":
        fields = "(value->>0)::bigint AS image, (value->>1)::bigint AS place, value->>2 AS folder"
        return f"(SELECT {fields} FROM jsonb_array_elements(%s::jsonb)) moved"  # noqa: S608
    fields = ", ".join(
        f"json_extract(value, '$[{n}]') AS {name}" for n, name in enumerate(("image", "place", "folder"))
    )
    return f"(SELECT {fields} FROM json_each(%s)) moved"  # noqa: S608


def _columns(model: type[models.Model], *without: str) -> list[str]:
    """All but the key and those that are another's in the copy."""
    fields: Sequence[Any] = model._meta.concrete_fields
    return [str(one.column) for one in fields if not one.primary_key and one.column not in without]
