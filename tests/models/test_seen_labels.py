"""A run learns from, and is judged by, what its snapshot says, whatever people label meanwhile."""

from __future__ import annotations

import json

import pytest

from datasets_app import kernel_view, labelling, reviewing, snapshot_reading
from datasets_app.models import Annotation, Image
from datasets_app.seen_rows import as_seen
from jobs import following, runfolder
from jobs.kinds import JobError
from models_app.job_kinds import Training
from models_app.models import TruthObject
from models_app.orders import ValidationOrder
from projects_app.models import AnnotationType

pytestmark = pytest.mark.django_db


def reclass(image: Image, bob, code: str = "GOOD") -> None:
    label = Annotation.objects.get(image=image)
    labelling.reclass(image, bob, image.label_version, label.pk, AnnotationType.objects.get(code=code))


def test_a_training_that_waited_gets_the_labels_of_its_snapshot(make_shop, bob):
    shop = make_shop("OD")
    model = shop.order().start(bob)
    image = shop.train.images.get(name="train/BAD-0.png")
    reclass(image, bob)
    folder = runfolder.of(model.job)
    Training().prepare(model.job, folder, resume=False)
    (given,) = (folder / runfolder.DATASET / "train").glob(f"{image.pk}.*")
    assert [one["label"] for one in json.loads(given.read_text())["shapes"]] == ["BAD"]
    seen = {one.name: one for one in snapshot_reading.read(model.snapshot).train}
    assert [one.code for one in seen[image.name].labels] == ["BAD"]


def test_a_validation_is_judged_by_the_labels_of_its_snapshot(make_shop, bob):
    shop = make_shop("OD")
    model = shop.ready()
    validation = ValidationOrder(model, model.kernel, [shop.val]).start(bob)
    image = shop.val.images.get(name="val/BAD-0.png")
    reclass(image, bob)
    following.run_here(validation.job)
    assert [one.label for one in TruthObject.objects.filter(validation=validation, image=image)] == ["BAD"]


@pytest.mark.parametrize("kind", ["CL", "RC", "OD", "SEG"])
def test_where_nothing_changed_a_snapshot_gives_what_the_datasets_have(make_shop, bob, tmp_path, kind):
    shop = make_shop(kind)
    snapshot = shop.order().start(bob).snapshot
    told = []
    for folder, seen in ((tmp_path / "now", None), (tmp_path / "seen", snapshot)):
        kernel_view.write_dataset(
            folder,
            shop.model_type,
            classes=shop.model_type.class_codes(),
            train=[shop.train],
            validation=[shop.val],
            snapshot=seen,
        )
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        told.append(
            [(path.relative_to(folder), path.read_bytes().replace(str(folder).encode(), b"")) for path in files]
        )
    assert told[0] == told[1]


def test_what_a_model_labelled_keeps_its_mark_and_score(make_shop, bob):
    shop = make_shop("OD")
    image = shop.train.images.first()
    Annotation.objects.filter(image=image).update(is_generated=True, score=0.75)
    snapshot = shop.order().start(bob).snapshot
    Image.objects.filter(pk=image.pk).update(needs_review=True)
    reviewing.decide(Image.objects.get(pk=image.pk), {}, bob)
    (row,) = (row for row in as_seen(snapshot, [shop.train], shop.model_type) if row.image == image)
    assert [(one.is_generated, one.score) for one in row.labels] == [(True, 0.75)]


def test_a_run_whose_snapshot_is_gone_fails_in_words(make_shop, bob):
    shop = make_shop("OD")
    model = shop.order().start(bob)
    model.snapshot.manifest.path.unlink()
    snapshot_reading._read.cache_clear()
    with pytest.raises(JobError, match="cannot be read"):
        as_seen(model.snapshot, [shop.train], shop.model_type)
    following.run_here(model.job)
    model.job.refresh_from_db()
    assert (model.job.state, "snapshot" in str(model.job.message)) == ("FAILED", True)
