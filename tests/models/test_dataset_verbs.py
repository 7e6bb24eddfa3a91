"""What trainings and validations keep of a dataset that somebody changes."""

from __future__ import annotations

import json

import pytest

from datasets_app import appending, blobs, cloning, removing, snapshots
from datasets_app.changing import ChangeRefused
from datasets_app.models import Snapshot
from jobs.models import Job, State
from models_app.models import Prediction, TrainedModel, Validation

pytestmark = pytest.mark.django_db


def test_images_stay_while_a_training_reads_them(shop):
    """It would learn from others than its snapshot says."""
    shop.order(name="m").start(shop.user)
    with pytest.raises(ChangeRefused, match="being used by: m"):
        removing.remove(shop.train, [shop.train.images.first().pk])
    with pytest.raises(ChangeRefused, match="being used by: m"):
        appending.append(shop.train, cloning.clone(shop.val, "more", shop.user), appending.Choices())
    assert shop.train.images.count() == 4


def test_what_a_training_saw_goes_with_its_snapshot_and_no_sooner(shop):
    model = shop.order().start(shop.user)
    Job.objects.filter(pk=model.job_id).update(state=State.SUCCEEDED)
    image, snapshot = shop.train.images.last(), model.snapshot
    assert removing.remove(shop.train, [image.pk]) == (1, 0)
    seen = json.loads(snapshot.manifest.path.read_bytes())["train"]
    assert image.blob_id in {one["sha256"] for one in seen}
    assert image.blob.path.is_file()
    TrainedModel.objects.filter(pk=model.pk).delete()
    blobs.release_unused(snapshots.drop_unused(snapshot))
    assert not image.blob.path.exists()
    assert not Snapshot.objects.exists()


def test_an_image_that_a_report_shows_cannot_be_removed(shop):
    model = shop.order().start(shop.user)
    Job.objects.filter(pk=model.job_id).update(state=State.SUCCEEDED)
    validation = Validation.objects.create(project=shop.project, model=model, kernel=shop.kernel, job=model.job)
    first, second = shop.val.images.all()[:2]
    Prediction.objects.create(validation=validation, image=first)
    with pytest.raises(removing.Held) as refused:
        removing.remove(shop.val, [first.pk, second.pk])
    assert [holder.url for holder in refused.value.holders] == [validation.get_absolute_url()]
    assert shop.val.images.count() == 4
    assert removing.remove(shop.val, [second.pk])[0] == 1
