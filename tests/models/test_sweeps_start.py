"""A batch starts whole or not at all, and its children are ordinary trainings."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict

from datasets_app.models import Snapshot
from jobs import following, runfolder
from jobs.models import Job, State
from models_app import orders
from models_app.complaints import OrderRefused
from models_app.models import Sweep, TrainedModel
from models_app.sweeps.plan import SweepPlan
from models_app.sweeps.starting import SweepOrder
from tests import fake_kernels
from tests.models import sweeps

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(make_shop):
    return make_shop(batchable_params=sweeps.BATCHABLE)


def refused(order, user) -> dict[str, str]:
    """What a refused order says, by field; nothing was written, no folder either."""
    before = TrainedModel.objects.count(), Job.objects.count()
    with pytest.raises(OrderRefused) as caught:
        order.start(user)
    assert (TrainedModel.objects.count(), Job.objects.count(), Sweep.objects.count()) == (*before, 0)
    assert not list(runfolder.of(Job(pk=1)).parent.glob("*")) or before[1]
    return {complaint.field: complaint.message for complaint in caught.value.complaints}


def test_each_combination_is_a_training_of_its_own(shop):
    sweep = sweeps.started(shop, lr="0.1,0.2", rows="1,2", keep_best=2)
    found = sweeps.trainings(sweep)
    for model in found:  # a database may keep the schema's parameters in another order
        parts = [f"{name}_{model.varied[name]}" for name in ("lr", "rows")]
        assert model.name in ("valve " + "_".join(parts), "valve " + "_".join(parts[::-1]))
    assert all(model.varied.items() <= model.params.items() for model in found)
    assert {(model.params["lr"], model.params["rows"]) for model in found} == {(0.1, 1), (0.1, 2), (0.2, 1), (0.2, 2)}
    assert {model.job.state for model in found} == {State.QUEUED}
    assert (sweep.keep_best, sweep.name, {axis["name"] for axis in sweep.axes}) == (2, "valve", {"lr", "rows"})
    assert Snapshot.objects.count() == 1
    assert {model.snapshot_id for model in found} == {Snapshot.objects.get().pk}


def test_a_child_trains_with_what_varies_in_it(shop):
    sweep = sweeps.started(shop, rows="1,2")
    model = sweeps.trainings(sweep)[1]
    following.run_here(model.job)
    assert model.job.state == State.SUCCEEDED
    assert model.job.points.filter(chart="accuracy").count() == 2
    assert fake_kernels.seen(model.folder)["settings"]["training_params"]["rows"] == 2


def test_every_child_has_the_extra_files(shop):
    order = sweeps.order(shop)
    order.order.extra_files = [SimpleUploadedFile("anchors.txt", b"1 2 3")]
    for model in sweeps.trainings(order.start(shop.user)):
        assert (runfolder.of(model.job) / "etc" / "anchors.txt").read_text() == "1 2 3"


def test_more_than_the_limit_are_refused_in_words(shop, settings):
    settings.SWEEP_LIMIT = 3
    assert sweeps.order(shop, rows="1,2,3").check() == []
    said = refused(sweeps.order(shop, rows="1,2", flip=["true", "false"]), shop.user)
    assert said == {"batch": "This would be 4 trainings; at most 3 trainings are allowed at once."}


def test_an_absurd_number_is_refused_at_once(shop):
    data = QueryDict("batch.rows.mode=range&batch.rows.min=1&batch.rows.max=1000000&batch.lr.mode=range"
                     "&batch.lr.min=0.000001&batch.lr.max=1&batch.lr.step=0.00001")  # fmt: skip
    said = refused(SweepOrder(shop.order(), SweepPlan.read(shop.kernel.schema, data)), shop.user)
    assert "This would be 100,000,000,000 trainings" in said["batch"]


def test_the_forms_own_faults_are_said_too(shop):
    order = sweeps.order(shop)
    order.order.train = []
    order.order.devices = 9
    assert refused(order, shop.user).keys() == {"train", "devices"}


def test_wrong_values_are_refused(shop):
    assert "you gave 0" in refused(sweeps.order(shop, rows="0,1"), shop.user)["batch.rows.values"]
    empty = refused(sweeps.order(shop, lr="0.1", rows=""), shop.user)
    assert empty["batch.rows.values"] == "Rows › Values must have at least one value."


def test_settings_that_do_not_go_together_are_named(make_shop, monkeypatch):
    schema = fake_kernels.make_schema
    rule = {"if": {"properties": {"rows": {"minimum": 3}}}, "then": {"properties": {"lr": {"maximum": 0.1}}}}

    def with_rule(training_type: str = "CL", **more):
        made = schema(training_type, **more)
        section = made["properties"]["training_params"]
        made["properties"]["training_params"] = section | rule
        return made

    monkeypatch.setattr(fake_kernels, "make_schema", with_rule)
    shop = make_shop(batchable_params=sweeps.BATCHABLE)
    said = refused(sweeps.order(shop, rows="1,2,3,4,5,6", lr="0.05,0.5"), shop.user)
    assert "In the training with Rows 5, Learning rate 0.5: " in said["batch.lr.values"]
    assert "Learning rate must be at most 0.1; you gave 0.5." in said["batch.lr.values"]
    assert said["batch"] == "1 more training breaks the schema."


def test_a_name_that_is_taken_is_refused(shop):
    shop.order(name="valve rows_2").start(shop.user)
    said = refused(sweeps.order(shop), shop.user)
    assert said == {"name": "A model named “valve rows_2” is there already: give the batch another name."}


def test_a_name_that_is_taken_in_between_leaves_nothing(shop, monkeypatch):
    shop.order(name="valve rows_2").start(shop.user)
    order = sweeps.order(shop)
    monkeypatch.setattr(SweepOrder, "check", lambda self: [])  # the look of a moment ago
    assert "already" in refused(order, shop.user)["name"]


def test_files_that_cannot_be_kept_leave_nothing(shop, monkeypatch):
    order, keep, kept = sweeps.order(shop), orders.extra_files.keep, []

    def full(job, files):
        kept.append(job)
        if len(kept) == 3:
            raise OSError(28, "No space left on device")
        keep(job, files)

    monkeypatch.setattr(orders.extra_files, "keep", full)
    assert "No space left" in refused(order, shop.user)["etc"]
    assert not any(runfolder.of(job).exists() for job in kept)


def test_a_draw_starts_so_many(shop):
    sweep = sweeps.started(shop, rows="1,2,3,4", lr="0.1,0.2,0.3", batch_random="5", batch_seed="3")
    assert (len(sweeps.trainings(sweep)), sweep.random, sweep.seed) == (5, 5, 3)


def test_a_base_model_that_was_pruned_in_between_starts_nothing(shop):
    base = shop.ready()
    order = sweeps.order(shop)
    order.order.base_model = base
    assert order.order.check().errors == []
    (base.folder / "save/checkpoint.pth").unlink()
    assert refused(order, shop.user) == {"base_model": "The base model has no weights to start from."}
