"""Files are kept once by content, and go with their last user."""

from __future__ import annotations

import pytest
from django.db import transaction

from datasets_app import blobs
from datasets_app.models import Blob, Snapshot

pytestmark = pytest.mark.django_db


def use(blob: Blob, project) -> Snapshot:
    return Snapshot.objects.create(project=project, sha256=blob.sha256, manifest=blob, images=0)


def files(home) -> list:
    return [path for path in home.rglob("*") if path.is_file()]


def test_the_same_bytes_are_kept_once_whatever_their_name(tmp_path, home):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"the same")
    first, second = blobs.keep(tmp_path / "a.png"), blobs.keep(tmp_path / "b.png")
    assert first == second == Blob.objects.get()
    assert files(home) == [first.path]
    assert (first.size, first.content_type) == (8, "image/png")


def test_a_kept_file_is_read_only_and_does_not_follow_its_source(tmp_path):
    source = tmp_path / "a.txt"
    source.write_bytes(b"before")
    blob = blobs.keep(source)
    source.write_bytes(b"after")
    assert blob.path.read_bytes() == b"before"
    assert blob.path.stat().st_mode & 0o777 == 0o444


def test_what_nobody_uses_goes_with_its_bytes(home):
    blob = blobs.keep_bytes(b"12345")
    assert blobs.release_unused([blob.sha256]) == 5
    assert not Blob.objects.exists()
    assert files(home) == []


def test_what_somebody_uses_stays(project):
    blob = blobs.keep_bytes(b"12345")
    use(blob, project)
    assert blobs.release_unused([blob.sha256]) == 0
    assert blob.path.exists()


def test_the_file_of_a_transaction_that_failed_can_be_released(home):
    try:
        with transaction.atomic():
            sha256 = blobs.keep_bytes(b"12345").sha256
            raise RuntimeError
    except RuntimeError:
        pass
    assert not Blob.objects.exists()
    assert blobs.release_unused([sha256]) == 5
    assert (files(home), Blob.objects.count()) == ([], 0)


def test_a_row_whose_bytes_are_lost_is_repaired_by_keeping_them_again():
    blob = blobs.keep_bytes(b"12345")
    blob.path.unlink()
    assert blobs.keep_bytes(b"12345").path.read_bytes() == b"12345"
