"""Training once more with the one setting changed that helps: what is offered, shown, and started."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from jobs import diagnosis, following
from jobs import failure_rules as rules
from jobs.models import Job, State
from kernels_app import registry
from models_app import repairs
from models_app.models import TrainedModel
from tests import fake_kernels

pytestmark = pytest.mark.django_db
BATCH = {"type": "integer", "title": "Batch size", "minimum": 1, "maximum": 512, "default": 16}
OUT_OF_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
NAN = "ValueError: loss is nan at step 7"


@pytest.fixture
def kernel():
    """Makes a kernel with these settings beside its usual ones."""

    def make(**params):
        files = fake_kernels.files(name="with-batch")
        document = json.loads(files["model_schema.json"])
        section = document["properties"]["training_params"]
        section["properties"] = section["properties"] | params
        files["model_schema.json"] = json.dumps(document).encode()
        return registry.register(files, is_bundled=True)

    return make


@pytest.fixture
def failed(shop):
    """A model of this kernel and these settings, whose training failed."""

    def make(kernel, **params) -> TrainedModel:
        settings = fake_kernels.params(behaviour="prints", message=OUT_OF_MEMORY) | params
        model = shop.order(kernel=kernel, params=settings).start(shop.user)
        Job.objects.filter(pk=model.job_id).update(state=State.FAILED, failure="gpu_memory")
        return TrainedModel.objects.get(pk=model.pk)

    return make


@pytest.mark.parametrize(
    ("part", "old", "new"),
    [
        (BATCH, 16, 8),
        (BATCH, 7, 3),
        (BATCH, 1, None),
        (BATCH | {"minimum": 6}, 8, 6),
        (BATCH | {"minimum": 8, "multipleOf": 8, "default": 8}, 8, None),
        (BATCH | {"minimum": 4, "multipleOf": 4}, 12, 4),
        ({"type": "integer", "enum": [1, 4, 64], "default": 4}, 64, 4),
        ({"type": "integer", "enum": [6, 64], "default": 6}, 6, None),
    ],
)
def test_half_the_batch_is_the_nearest_that_the_schema_takes(kernel, failed, part, old, new):
    change = repairs.change_of(failed(kernel(batch_size=part), batch_size=old), rules.HALF_BATCH)
    assert (change.new if change else None) == new


@pytest.mark.parametrize(("old", "new"), [(0.01, 0.001), (1, 0.1), (0.0003, 0.00003)])
def test_a_tenth_of_the_learning_rate_has_no_tail_of_digits(kernel, failed, old, new):
    change = repairs.change_of(failed(kernel(), lr=old), rules.TENTH_RATE)
    assert (change.label, change.new) == ("Learning rate", new)


def test_a_kernel_without_such_a_setting_offers_no_such_repair(kernel, failed):
    model = failed(kernel())
    assert repairs.change_of(model, rules.HALF_BATCH) is None
    assert diagnosis.repairs(model.job) == []


def test_a_setting_within_a_section_is_found_and_its_default_halved(kernel, failed):
    section = {"type": "object", "title": "Data", "properties": {"batch_size": BATCH}}
    model = failed(kernel(data=section))
    change = repairs.change_of(model, rules.HALF_BATCH)
    assert (change.path, change.new, change.field) == (("data", "batch_size"), 8, "params.data.batch_size")
    assert repairs.order(model, change, "x").params["data"] == {"batch_size": 8}


def test_from_the_failure_to_a_training_with_half_the_batch(shop, kernel, client_of):
    files = [SimpleUploadedFile("teacher.txt", b"wise")]
    params = fake_kernels.params(behaviour="prints", message=OUT_OF_MEMORY) | {"batch_size": 16}
    model = shop.trained(kernel=kernel(batch_size=BATCH), params=params, extra_files=files)
    assert (model.job.state, model.job.failure) == (State.FAILED, "gpu_memory")
    client = client_of(shop.user)
    html = client.get(model.get_absolute_url()).content.decode()
    url = reverse("models:repair", args=[shop.project.code, model.pk, rules.HALF_BATCH])
    assert "The GPU ran out of memory." in html
    assert f'href="{url}"' in html
    assert "Batch size 8 instead of 16" in html
    shown = client.get(url).content.decode()
    assert "<s>16</s>" in shown
    assert "<strong>8</strong>" in shown
    assert TrainedModel.objects.count() == 1  # looking starts nothing
    answer = client.post(url, {"name": "half of it"})
    made = TrainedModel.objects.latest("pk")
    assert answer["Location"] == made.get_absolute_url()
    assert (made.name, made.params["batch_size"], made.retrained_from) == ("half of it", 8, model)
    assert made.params | {"batch_size": 16} == model.params
    assert list(made.train_datasets.all()) == list(model.train_datasets.all())
    following.run_here(made.job)
    assert fake_kernels.seen(made.folder)["etc"] == {"teacher.txt": "wise"}


def test_from_a_loss_that_is_no_number_to_a_tenth_of_the_rate(shop, client_of):
    model = shop.trained(behaviour="prints", message=NAN)
    assert model.job.failure == "not_finite"
    url = reverse("models:repair", args=[shop.project.code, model.pk, rules.TENTH_RATE])
    client = client_of(shop.user)
    assert url in client.get(model.job.get_absolute_url()).content.decode()
    client.post(url)
    made = TrainedModel.objects.latest("pk")
    assert (made.name, made.params["lr"]) == (f"{model.name}.1", 0.001)


def test_names_do_not_grow_a_number_behind_a_number(shop):
    model = shop.ready(name="valve")
    child = shop.ready(name="valve.1", retrained_from=model)
    assert repairs.proposed_name(model) == repairs.proposed_name(child) == "valve.2"
    assert repairs.proposed_name(shop.ready(name="v1.2")) == "v1.2.1"


def test_the_form_opens_with_the_changed_setting(shop, client_of):
    model = shop.trained(behaviour="prints", message=NAN)
    client = client_of(shop.user)
    change = repairs.change_of(model, rules.TENTH_RATE)
    url = reverse("models:train", args=[shop.project.code])
    html = client.get(f"{url}?{repairs.query(model, change)}").content.decode()
    assert 'value="0.001"' in html


def test_a_name_that_is_taken_is_refused_before_anything_is_written(shop, client_of):
    model = shop.trained(behaviour="prints", message=NAN)
    url = reverse("models:repair", args=[shop.project.code, model.pk, rules.TENTH_RATE])
    answer = client_of(shop.user).post(url, {"name": model.name})
    assert answer.status_code == 422
    assert "is there already" in answer.content.decode()
    assert TrainedModel.objects.count() == 1


def test_a_repair_that_is_none_or_does_not_fit_any_more_does_nothing(shop, client_of):
    model, client = shop.ready(), client_of(shop.user)
    url = reverse("models:repair", args=[shop.project.code, model.pk, "nonsense"])
    assert client.get(url).status_code == 404
    url = reverse("models:repair", args=[shop.project.code, model.pk, rules.HALF_BATCH])
    assert "does not fit" in client.post(url, follow=True).content.decode()
    assert TrainedModel.objects.count() == 1


def test_a_validation_that_failed_offers_to_be_done_again(shop):
    validation = shop.validated(shop.finished(judging="exit3"))
    assert [repair.label for repair in diagnosis.repairs(validation.job)] == ["Validate again"]
