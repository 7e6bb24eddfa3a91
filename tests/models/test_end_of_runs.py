"""What a model or a validation leaves behind when it is deleted: nothing that nobody else uses."""

from __future__ import annotations

import pytest
from django.urls import reverse

from datasets_app.models import Snapshot
from models_app.models import TrainedModel, Validation

pytestmark = pytest.mark.django_db


@pytest.fixture
def delete(shop, dev, client_of):
    """Deletes a model or a validation on its page."""
    client = client_of(dev)

    def post(row) -> None:
        if isinstance(row, TrainedModel):
            client.post(reverse("models:delete", args=[shop.project.code]), {"model": row.pk})
        else:
            client.post(reverse("validations:delete", args=[shop.project.code, row.pk]))

    return post


def test_a_snapshot_and_its_file_go_with_the_last_run_that_saw_it(shop, delete):
    first, second = shop.ready(), shop.ready()
    manifest = Snapshot.objects.get().manifest
    delete(first)
    assert Snapshot.objects.get() == second.snapshot
    assert manifest.path.is_file()
    delete(second)
    assert not Snapshot.objects.exists()
    assert not type(manifest).objects.filter(pk=manifest.pk).exists()
    assert not manifest.path.exists()


def test_what_a_validation_saw_goes_with_it(shop, delete):
    validation = shop.validated(shop.ready())
    manifest = validation.snapshot.manifest.path
    delete(validation)
    assert not Validation.objects.exists()
    assert Snapshot.objects.get() == TrainedModel.objects.get().snapshot
    assert not manifest.exists()


def test_a_model_that_is_needed_keeps_its_snapshot(shop, delete):
    base = shop.ready()
    shop.ready(base_model=base, train=[shop.val])
    delete(base)
    assert TrainedModel.objects.get(pk=base.pk).snapshot.manifest.path.is_file()
