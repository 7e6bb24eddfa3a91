"""Files kept once, by content, below `TRAINPORTAL_HOME/blobs`, mode 0444.

The row is the lock of the file: who brings a file first makes (or locks) its row, then looks whether the bytes are
there; who removes one holds the row too, and asks again whether somebody uses it. So a file that one transaction is
about to use is never removed by another. Rows and the rows that use them are therefore made in one transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import mimetypes
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from datasets_app import bulk
from datasets_app.models import Blob
from datasets_app.pictures import LARGE, THUMBNAIL

_CHUNK = 1 << 20  # bytes
ROWS = 500  # rows a statement


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that is ready to be kept: hashed, and on the file system of `TRAINPORTAL_HOME`."""

    path: Path
    sha256: str
    size: int  # bytes
    content_type: str
    is_copy: bool = False  # made for this: it may be moved to its place


def stage(path: Path, content_type: str, copy_to: Path | None = None) -> Staged:
    """Hash a file; with `copy_to`, a folder, copy it there on the way, because `path` belongs to somebody else."""
    if copy_to is None:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Staged(path, sha256, path.stat().st_size, content_type)
    copy_to.mkdir(parents=True, exist_ok=True)
    temporary = copy_to / uuid.uuid4().hex
    with path.open("rb") as source, temporary.open("wb") as target:
        sha256, size = _copy(source, target)
    return Staged(temporary.replace(copy_to / sha256), sha256, size, content_type, is_copy=True)


def keep_staged(files: Iterable[Staged]) -> None:
    """Make the rows and put the bytes in place. Inside the transaction that makes the rows which use them."""
    by_hash = {file.sha256: file for file in files}
    with transaction.atomic():
        for some in _batches(sorted(by_hash)):
            staged = map(by_hash.__getitem__, some)
            rows = [Blob(sha256=file.sha256, size=file.size, content_type=file.content_type) for file in staged]
            Blob.objects.bulk_create(rows, ignore_conflicts=True)
        for blob in locked(by_hash):
            _put(by_hash[blob.sha256], blob.path)


def keep(path: Path, content_type: str = "") -> Blob:
    """Keep a copy of the file at `path`. Call it in the transaction that makes the row which uses the blob."""
    folder = _waiting_room()
    kind = content_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    try:
        staged = stage(path, kind, folder)
        keep_staged([staged])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Blob.objects.get(pk=staged.sha256)


def keep_bytes(data: bytes, content_type: str = "application/octet-stream") -> Blob:
    """Keep `data`. Call it in the transaction that makes the row which uses the blob."""
    folder = _waiting_room()
    folder.mkdir(parents=True)
    path = folder / hashlib.sha256(data).hexdigest()
    try:
        path.write_bytes(data)
        keep_staged([Staged(path, path.name, len(data), content_type)])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Blob.objects.get(pk=path.name)


def release_unused(hashes: Iterable[str]) -> int:
    """Remove those of these files that nobody uses any more, rows and bytes; returns the bytes freed.

    Also of files whose row a rolled back transaction took away: the row is made again to hold the file by it.
    """
    freed = 0
    for some in _batches(sorted(set(hashes))):
        with transaction.atomic():
            gone = set(some).difference(Blob.objects.filter(pk__in=some).values_list("pk", flat=True))
            Blob.objects.bulk_create(
                [Blob(sha256=one, size=0, content_type="") for one in sorted(gone)], ignore_conflicts=True
            )
            list(locked(some))
            unused = list(_unused(some))  # asked anew, now that nobody else can begin to use them
            freed += sum(_remove(blob) for blob in unused)
            bulk.delete(Blob, [blob.pk for blob in unused])
    return freed


def locked(hashes: Iterable[str]) -> Iterator[Blob]:
    """The rows, held until the transaction ends, always in the same order so that two never wait for each other."""
    for some in _batches(sorted(hashes)):
        yield from Blob.objects.filter(pk__in=some).select_for_update().order_by("pk")


def thumbnail_path(sha256: str, side: int) -> Path:
    """Where the picture of at most `side` pixels is kept that was made of a picture; it goes with it."""
    return settings.TRAINPORTAL_HOME / "thumbs" / sha256[:2] / f"{sha256}-{side}.jpg"


def _unused(hashes: list[str]) -> QuerySet[Blob]:
    """Those that no row of any app points to."""
    blobs = Blob.objects.filter(pk__in=hashes)
    for relation in Blob._meta.related_objects:
        users = relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")})  # type: ignore[union-attr]
        blobs = blobs.exclude(Exists(users))
    return blobs


def _put(staged: Staged, target: Path) -> None:
    """Give the file its place: a copy moves there, of others it is a second name where the file system can."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    source = staged.path
    if staged.is_copy:
        source.chmod(0o444)
        with contextlib.suppress(OSError):  # blobs may lie on a file system of their own
            source.replace(target)
            return
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    temporary.chmod(0o444)
    temporary.replace(target)
    temporary.unlink(missing_ok=True)  # replacing one name of a file by another leaves both


def _remove(blob: Blob) -> int:
    """Remove the bytes, and the thumbnails made of them; returns the bytes freed."""
    try:
        size = blob.path.stat().st_size
    except FileNotFoundError:
        return 0
    blob.path.unlink()
    for side in (THUMBNAIL, LARGE):
        thumbnail_path(blob.sha256, side).unlink(missing_ok=True)
    return size


def _waiting_room() -> Path:
    return settings.TRAINPORTAL_HOME / "tmp" / f"blob-{uuid.uuid4().hex}"


def _copy(source: BinaryIO, target: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        size += target.write(chunk)
    return digest.hexdigest(), size


def _batches(items: list[str]) -> Iterator[list[str]]:
    return (items[start : start + ROWS] for start in range(0, len(items), ROWS))
