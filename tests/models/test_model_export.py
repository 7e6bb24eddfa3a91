"""Everything about a model in one archive: what is in it, who may have it, and that it goes again."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from jobs import following
from jobs.kinds import Cancelled, JobError
from jobs.models import Job, State
from jobs.said import Said
from models_app import exporting
from models_app.exporting import ExportRefused
from models_app.models import ModelExport

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(shop):
    return lambda name, model: reverse(f"models:{name}", args=[shop.project.code, model.pk])


@pytest.fixture
def devs(dev, client_of):
    return client_of(dev)


@pytest.fixture
def export(dev):
    """Exports as the page does, and sees the job to its end."""

    def run(model) -> ModelExport:
        started = exporting.start(model, dev)
        following.run_here(started.job)
        return ModelExport.objects.select_related("job", "model").get(pk=started.pk)

    return run


def text(answer) -> str:
    return answer.content.decode()


def opened(found: ModelExport) -> zipfile.ZipFile:
    return zipfile.ZipFile(found.path)


def test_the_archive_holds_everything_and_says_the_hash_of_each_file(shop, export):
    model = shop.finished(name="밸브 1", description="why", lr=0.125)
    with opened(export(model)) as archive:
        about = json.loads(archive.read("export.json"))
        names = set(archive.namelist())
        for name, entry in about["files"].items():
            content = archive.read(name)
            assert (len(content), hashlib.sha256(content).hexdigest()) == (entry["size"], entry["sha256"]), name
        assert archive.read("model/save/checkpoint.pth") == (model.folder / "save/checkpoint.pth").read_bytes()
        assert json.loads(archive.read("model.json")) == model.settings
        assert json.loads(archive.read("model_schema.json")) == model.kernel.schema
        assert archive.read("label.txt").decode().split() == model.classes
        assert b"step 3" in archive.read("kernel.log")
        assert json.loads(archive.read("scores.json"))["accuracy"]["accuracy"]["best"] == 0.75
        images = json.loads(archive.read("dataset.json"))["train"]
    assert names == {*about["files"], "export.json"}
    assert {"kernel/train.py", "model/save/metrics/loss.csv", f"model/{shop.model_type.code}.onnx"} <= names
    assert {len(image["sha256"]) for image in images} == {64}
    assert about["dataset"] == {
        "train": ["parts-train"], "validation": ["parts-val"], "sha256": model.snapshot.sha256, "images": 8,
    }  # fmt: skip
    assert about["kernel"] == {
        "name": "fake-cl", "version": "1", "digest": model.kernel.digest, "is_included": True,
    }  # fmt: skip
    assert (about["model"]["name"], about["model"]["classes"]) == ("밸브 1", model.classes)


def test_a_kernel_whose_files_changed_does_not_come_along(shop, export):
    model = shop.finished()
    (model.kernel.folder / "train.py").write_text("another program")
    with opened(export(model)) as archive:
        assert not [name for name in archive.namelist() if name.startswith("kernel/")]
        assert json.loads(archive.read("export.json"))["kernel"]["is_included"] is False


def test_links_and_names_that_no_import_takes_stay_here(shop, export):
    model = shop.finished()
    (model.folder / "link").symlink_to("/etc/passwd")
    (model.folder / "a\\b").write_text("x")
    with opened(export(model)) as archive:
        names = archive.namelist()
        assert json.loads(archive.read("export.json"))["left_out"] == ["a\\b"]
    assert not [name for name in names if "link" in name or "\\" in name]


def test_only_a_finished_model_with_weights_is_exported(shop, dev):
    bare = shop.ready()
    (bare.folder / "save/checkpoint.pth").unlink()
    for model in (shop.order().start(shop.user), shop.trained(behaviour="exit3"), bare):
        with pytest.raises(ExportRefused):
            exporting.start(model, dev)
    assert not ModelExport.objects.exists()


def test_pressing_twice_starts_one_export(shop, dev):
    model = shop.ready()
    assert exporting.start(model, dev) == exporting.start(model, dev)
    assert Job.objects.filter(kind="export_model").count() == 1


def test_a_new_export_takes_the_place_of_the_old_one(shop, export):
    model = shop.finished()
    old, new = export(model), export(model)
    assert not old.folder.exists()
    assert list(model.exports.all()) == [new]
    assert new.is_there


def test_a_cancelled_export_leaves_no_half_archive_and_the_old_one_stays(shop, export, dev):
    model = shop.finished()
    old = export(model)
    cancelled = exporting.start(model, dev)

    def stop(percentage: float, sentence: str) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        exporting.build(cancelled.job, stop)
    assert list(cancelled.folder.iterdir()) == []
    assert old.path.is_file()


def test_an_export_whose_model_is_gone_fails_in_words(shop, dev):
    export = exporting.start(shop.ready(), dev)
    ModelExport.objects.all().delete()
    with pytest.raises(JobError, match="gone") as failure:
        exporting.build(export.job, lambda percentage, sentence: None)
    assert isinstance(failure.value.said, Said)  # each reader gets it in their language


def test_old_archives_are_swept_and_young_ones_are_not(shop, export, home):
    old, young = export(shop.finished()), export(shop.finished())
    Job.objects.filter(pk=old.job_id).update(ended_at=timezone.now() - timedelta(days=8))
    exporting.drop_old()
    assert not old.folder.exists()
    assert young.path.is_file()
    assert list(ModelExport.objects.all()) == [young]


# --- the page --------------------------------------------------------------------------------------------------------


def test_export_and_download_on_the_page(shop, devs, url):
    model = shop.finished(name="밸브/1")
    assert "Export model" in text(devs.get(model.get_absolute_url()))
    devs.post(url("export", model))
    job = Job.objects.get(kind="export_model")
    assert f'hx-get="{url("export", model)}"' in text(devs.get(model.get_absolute_url())), "it is live"
    assert job.subject == ("밸브/1", model.get_absolute_url())
    following.run_here(job)
    card = text(devs.get(url("export", model), headers={"HX-Request": "true"}))
    assert "Download (" in card
    assert "hx-get" not in card
    answer = devs.get(url("export_download", model))
    assert "filename*=utf-8''%EB%B0%B8%EB%B8%8C_1.zip" in answer["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert archive.testzip() is None


def test_a_failed_export_says_why(shop, devs, url):
    model = shop.finished()
    devs.post(url("export", model))
    Job.objects.filter(kind="export_model").update(state=State.FAILED, message="The disk is full.")
    page = text(devs.get(model.get_absolute_url()))
    assert "The disk is full." in page
    assert "Export model" in page


def test_how_an_export_ended_is_said_in_the_readers_language(shop, devs, dev, url):
    model = shop.ready()
    exporting.start(model, dev).job.request_cancel(dev)
    page = text(devs.get(url("export", model), headers={"HX-Request": "true"}))
    assert "The last export did not succeed. Cancelled" in page
    gone = Said("The model of this export is gone.")
    exporting.start(model, dev).job.move((State.QUEUED,), State.FAILED, who="runner", message=gone)
    korean = text(devs.get(url("export", model), headers={"HX-Request": "true", "accept-language": "ko"}))
    with translation.override("ko"):
        assert gone.here() in korean
    assert str(gone) not in korean


def test_there_is_nothing_to_download_before(shop, devs, url):
    assert devs.get(url("export_download", shop.ready())).status_code == 404


def test_a_labeller_neither_exports_nor_downloads(shop, client_of, url, export):
    model = shop.finished()
    export(model)
    bobs = client_of(shop.user)
    assert bobs.post(url("export", model)).status_code == 403
    assert bobs.get(url("export_download", model)).status_code == 403
    assert url("export", model) not in text(bobs.get(model.get_absolute_url()))
