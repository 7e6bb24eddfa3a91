"""A table of meta data changes what is known of the images of a dataset: looked at first, then applied, all or nothing.

A column that says which part or which side a picture shows has to agree with what is kept: a table of other parts would
spoil everything that was told apart by them. It may fill such a column where nothing stands yet.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext as _

from datasets_app import bulk
from datasets_app.changing import ChangeRefused, check, hold
from datasets_app.formats.metas import CATEGORY_COLUMNS, Metas, read_metas
from datasets_app.formats.source import Known
from datasets_app.models import Dataset, Image
from datasets_app.problems import refusal
from datasets_app.records import FormatError

REQUIRED = ("obj_id", *CATEGORY_COLUMNS)  # what a picture is of
LIMIT = 20 * 2**20  # bytes of a table
SHOWN = 8  # examples


@dataclass(frozen=True)
class Change:
    """One cell."""

    name: str  # of the image
    column: str
    before: str
    after: str


@dataclass
class Update:
    """What a table would do. `rows` of it have something in them; `matched` of these name an image of the dataset."""

    columns: tuple[str, ...] = ()
    new_columns: tuple[str, ...] = ()  # that no image has yet
    rows: int = 0
    matched: int = 0
    unmatched: list[str] = field(default_factory=list)  # what was met in the other rows
    images: int = 0  # that change
    cells: int = 0
    by_column: Counter[str] = field(default_factory=Counter)
    examples: list[Change] = field(default_factory=list)
    disagreeing: dict[str, list[Change]] = field(default_factory=dict)  # by required column: the first
    disagreements: Counter[str] = field(default_factory=Counter)
    written: list[tuple[str, str, int]] = field(default_factory=list)  # meta data as JSON, data category, image
    digest: str = ""  # of all that changes: whether it is still the same

    @property
    def changed_columns(self) -> list[tuple[str, int]]:
        """How many cells of each."""
        return self.by_column.most_common()

    @property
    def left(self) -> int:
        return self.rows - self.matched

    def refusals(self) -> list[str]:
        """Why it cannot be applied, a sentence a column."""
        return [_refusal(name, self.disagreements[name], some[0]) for name, some in self.disagreeing.items()]


def _refusal(column: str, count: int, first: Change) -> str:
    return _(
        "The column “%(column)s” disagrees in %(count)d rows (%(name)s: “%(before)s” is kept, the table says "
        "“%(after)s”). It says what a picture shows and cannot be changed: correct the table, or leave the column out."
    ) % {"column": column, "count": count, "name": first.name, "before": first.before, "after": first.after}


def keep(dataset: Dataset, upload: UploadedFile) -> str:
    """Keep a table until somebody looked at it; its id. Raises ChangeRefused."""
    check(dataset)
    if (upload.size or 0) > LIMIT:
        raise ChangeRefused(_("The file is larger than this installation takes."), "table")
    pk = str(uuid.uuid4())
    path = path_of(dataset, pk)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        for chunk in upload.chunks():
            file.write(chunk)
    try:
        read(dataset, path)
    except ChangeRefused:
        drop(dataset, pk)
        raise
    return pk


def path_of(dataset: Dataset, pk: str) -> Path:
    """Where the table waits; old ones go with the drafts of imports."""
    return settings.TRAINPORTAL_HOME / "imports" / f"meta-{dataset.pk}-{pk}" / "meta.csv"


def drop(dataset: Dataset, pk: str) -> None:
    shutil.rmtree(path_of(dataset, pk).parent, ignore_errors=True)


def read(dataset: Dataset, path: Path) -> Metas:
    """Raises ChangeRefused where it is no such table."""
    names = tuple(dataset.images.order_by("name").values_list("name", flat=True))
    try:
        return read_metas(path, Known(Path(), names=names))
    except FormatError as error:
        raise ChangeRefused(refusal(error), "table") from error
    except FileNotFoundError as error:
        raise ChangeRefused(_("This table was applied or discarded."), "table") from error


def plan(dataset: Dataset, path: Path, *, clear: bool = False) -> Update:
    """What the table would change. `clear`: an empty cell removes what stands there, else it says nothing.

    Raises ChangeRefused."""
    metas = read(dataset, path)
    found = Update(columns=metas.columns, rows=metas.rows, matched=len(metas.by_image))
    found.unmatched = [problem.detail for problem in metas.problems][:SHOWN]
    known: set[str] = set()
    digest = hashlib.sha256()
    images = dataset.images.order_by("position", "pk").values_list("pk", "name", "meta", "data_category")
    for pk, name, meta, category in images.iterator(chunk_size=2000):
        kept = meta if isinstance(meta, dict) else {}
        known.update(kept)
        if (said := metas.by_image.get(name)) is None:
            continue
        changes = list(_changes(name, kept, category, said, metas.columns if clear else tuple(said)))
        if not changes:
            continue
        _note(found, changes)
        after = _after(kept, changes)
        row = (json.dumps(after, ensure_ascii=False), _category(after, category), pk)
        digest.update(json.dumps([row, kept]).encode())
        found.written.append(row)
    found.new_columns = tuple(name for name in found.columns if name not in known)
    found.digest = digest.hexdigest()[:16]
    return found


def apply(dataset: Dataset, path: Path, *, clear: bool = False, digest: str | None = None) -> Update:
    """Write it. `digest`: of the plan that somebody looked at. Raises ChangeRefused."""
    with transaction.atomic():
        held = hold(dataset)
        found = plan(held, path, clear=clear)
        if refusals := found.refusals():
            raise ChangeRefused(" ".join(refusals), "table")
        if digest is not None and digest != found.digest:
            raise ChangeRefused(_("The dataset changed meanwhile. Look at what would change now, and apply it again."))
        if not found.cells:
            raise ChangeRefused(_("The table changes nothing: it says what is known already."), "table")
        bulk.update_values(Image, ("meta", "data_category"), found.written)
        held.labels_changed()
    return found


def _changes(
    name: str, kept: dict[str, Any], category: str, said: dict[str, str], columns: tuple[str, ...]
) -> Iterator[Change]:
    for column in columns:
        known = kept.get(column)
        before, after = "" if known is None else str(known), said.get(column, "")
        if column in CATEGORY_COLUMNS and column not in kept and after:
            before = category
            if before == after:
                continue
        if before != after:
            yield Change(name, column, before, after)


def _note(found: Update, changes: list[Change]) -> None:
    found.images += 1
    for one in changes:
        found.cells += 1
        found.by_column[one.column] += 1
        if one.column in REQUIRED and one.before:
            found.disagreements[one.column] += 1
            if len(some := found.disagreeing.setdefault(one.column, [])) < SHOWN:
                some.append(one)
        if len(found.examples) < SHOWN:
            found.examples.append(one)


def _after(kept: dict[str, Any], changes: list[Change]) -> dict[str, Any]:
    after = dict(kept)
    for one in changes:
        if one.after:
            after[one.column] = one.after
        else:
            after.pop(one.column, None)
    return after


def _category(meta: dict[str, Any], before: str) -> str:
    """The data category that the meta data say, as an import takes it."""
    return next((str(meta[name])[:64] for name in CATEGORY_COLUMNS if meta.get(name)), before)
