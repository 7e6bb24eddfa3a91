"""What a run sees, written down: image hashes, labels and classes. Canonical: the same data has the same hash.

Beside the manifest lie `snapshot_details`: what nobody learns from, and what makes a dataset out of it again. The
snapshot holds the pictures, so that it can be looked at whatever became of the datasets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q

from datasets_app import archives, blobs, bulk, snapshot_details, snapshot_reading
from datasets_app.models import Blob, Dataset, Snapshot, SnapshotFile
from datasets_app.snapshot_details import Seen, seen_rows
from projects_app.models import ModelType, Project

VERSION = 1
_SPLITS = ("train", "validation")


def take(
    project: Project, model_type: ModelType, train: Iterable[Dataset] = (), validation: Iterable[Dataset] = ()
) -> Snapshot:
    """The snapshot of these sets as they are now; the one that is there already where nothing changed."""
    sets = {"train": list(train), "validation": list(validation)}
    with transaction.atomic():
        _held([*sets["train"], *sets["validation"]])
        found = {split: seen_rows(datasets, model_type) for split, datasets in sets.items()}
        text = _text(_manifest(model_type, found))
        same = Snapshot.objects.filter(project=project, sha256=hashlib.sha256(text).hexdigest())
        if known := same.select_for_update().first():  # held, so that nobody drops it before the run is written
            return known
        datasets = [*sets["train"], *sets["validation"]]
        details = _text(snapshot_details.of(model_type, datasets, found))
        made = _keep(project, text, sum(map(len, found.values())), details)
        _hold(made, (hash for rows in found.values() for one in rows for hash in one.hashes))
    return made


def _held(datasets: list[Dataset]) -> None:
    """Nobody else's until the transaction ends: whoever removes images asks first whether a run sees them, and of two
    who take the same snapshot the second finds it."""
    rows = Dataset.objects.select_for_update(no_key=True).filter(pk__in=[one.pk for one in datasets])
    list(rows.order_by("pk").values_list("pk", flat=True))


def _manifest(model_type: ModelType, found: dict[str, list[Seen]]) -> dict[str, Any]:
    """What a snapshot of these rows says: what its hash is made of."""
    return {
        "version": VERSION,
        "training_type": str(model_type.training_type),
        "model_type": model_type.code,
        "classes": model_type.class_codes(),
        **{split: [one.as_json for one in found[split]] for split in _SPLITS},
    }


def adopt(project: Project, text: bytes) -> Snapshot | None:
    """The snapshot of a manifest that was taken elsewhere, byte for byte; None where the text is no manifest.

    It holds those of its pictures that this project has itself: a hash that somebody knows opens no other project.
    """
    try:
        contents = snapshot_reading.parse(text)
    except snapshot_reading.Unreadable:
        return None
    with transaction.atomic():
        same = Snapshot.objects.filter(project=project, sha256=hashlib.sha256(text).hexdigest())
        if found := same.select_for_update().first():
            return found
        try:
            with transaction.atomic():
                made = _keep(project, text, len(contents.train) + len(contents.validation))
        except IntegrityError:  # somebody else brought it this moment
            return same.select_for_update().first()
        _hold(made, _own(project, contents.hashes))
    return made


def drop_unused(snapshot: Snapshot | None) -> set[str]:
    """Delete it where no run uses it any more; its files, for `blobs.release_unused` after the transaction."""
    with transaction.atomic():
        held = Snapshot.objects.select_for_update().filter(pk=snapshot.pk).first() if snapshot else None
        if held is None:
            return set()
        hashes = {held.manifest_id, *filter(None, [held.details_id]), *held.files.values_list("blob", flat=True)}
        try:
            with transaction.atomic():
                transaction.on_commit(partial(archives.drop, held.project, archives.SNAPSHOT, snapshot=held.pk))
                held.delete()
        except ProtectedError:
            return set()
        return hashes


def _text(found: dict[str, Any]) -> bytes:
    return json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _keep(project: Project, text: bytes, images: int, details: bytes = b"") -> Snapshot:
    blob = blobs.keep_bytes(text, "application/json")
    beside = blobs.keep_bytes(details, snapshot_details.CONTENT_TYPE) if details else None
    return Snapshot.objects.create(project=project, sha256=blob.sha256, manifest=blob, details=beside, images=images)


def _hold(snapshot: Snapshot, hashes: Iterable[str]) -> None:
    """Its pictures stay as long as it does. Inside the transaction that makes it."""
    there = [(snapshot.pk, blob.sha256) for blob in blobs.locked(set(hashes))]
    bulk.insert_values(SnapshotFile, ("snapshot_id", "blob_id"), there)


def _own(project: Project, hashes: Sequence[str]) -> set[str]:
    """Those that are pictures of this project."""
    found: set[str] = set()
    for start in range(0, len(hashes), blobs.ROWS):
        some = Blob.objects.filter(pk__in=hashes[start : start + blobs.ROWS])
        own = Q(images__dataset__project=project) | Q(siblings__image__dataset__project=project)
        found.update(some.filter(own | Q(snapshot_files__snapshot__project=project)).values_list("pk", flat=True))
    return found
