"""Extra files of a training: any name that a browser sends, nothing of an earlier start, nothing after a failed one."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from jobs import runfolder
from jobs.models import Job
from models_app.complaints import OrderRefused
from models_app.models import TrainedModel
from models_app.orders import TrainOrder

pytestmark = pytest.mark.django_db


def names(model: TrainedModel) -> list[str]:
    return sorted(path.name for path in (runfolder.of(model.job) / runfolder.EXTRA).iterdir())


def runs(home) -> list:
    return list((home / "runs").iterdir()) if (home / "runs").exists() else []


def test_a_name_longer_than_a_file_system_takes_is_cut_and_keeps_its_suffix(shop):
    model = shop.order(extra_files=[SimpleUploadedFile("밸브" * 120 + ".json", b"{}")]).start(shop.user)
    [name] = names(model)
    assert name.startswith("밸브밸브")
    assert name.endswith("브.json") or name.endswith("밸.json")
    assert 250 < len(name.encode()) <= 255


def test_names_that_are_the_same_when_cut_are_told_apart(shop):
    long = "밸" * 100
    files = [SimpleUploadedFile(f"{long}{end}.txt", end.encode()) for end in ("a", "b")]
    files.append(SimpleUploadedFile("x." + "밸" * 200, b"!"))
    model = shop.order(extra_files=files).start(shop.user)
    assert len(names(model)) == 3
    assert all(len(name.encode()) <= 255 for name in names(model))
    assert sum(name.endswith("-1.txt") for name in names(model)) == 1


def test_a_start_that_fails_leaves_no_folder(shop, home, monkeypatch):
    def keep_and_fail(self, user, undo, create=TrainOrder.create):
        create(self, user, undo)
        raise RuntimeError("the database went away")

    monkeypatch.setattr(TrainOrder, "create", keep_and_fail)
    with pytest.raises(RuntimeError):
        shop.order(extra_files=[SimpleUploadedFile("a", b"1")]).start(shop.user)
    assert runs(home) == []
    assert not Job.objects.exists()


def test_a_file_that_cannot_be_written_is_said_and_leaves_nothing(shop, home):
    class Broken(SimpleUploadedFile):
        def chunks(self, chunk_size=None):
            yield b"some"
            raise OSError(28, "No space left on device")

    with pytest.raises(OrderRefused) as refused:
        shop.order(extra_files=[Broken("a", b"1")]).start(shop.user)
    assert [(c.field, c.message) for c in refused.value.complaints] == [
        ("etc", "The extra files could not be kept: No space left on device.")
    ]
    assert runs(home) == []
    assert not TrainedModel.objects.exists()


def test_a_new_training_finds_nothing_of_a_start_that_failed(shop):
    model = shop.order().start(shop.user)
    left = runfolder.of(model.job).with_name(str(model.job_id + 1)) / "etc/old.txt"
    left.parent.mkdir(parents=True)
    left.write_text("old")
    after = shop.order(extra_files=[SimpleUploadedFile("new.txt", b"new")]).start(shop.user)
    assert (after.job_id, names(after)) == (model.job_id + 1, ["new.txt"])
