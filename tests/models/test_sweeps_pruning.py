"""Only the best keep their checkpoints; what something needs, and what still runs, is never touched."""

from __future__ import annotations

import pytest

from jobs import following, kinds, runfolder
from jobs.models import Job, State
from models_app.complaints import OrderRefused
from models_app.models import Sweep, TrainedModel
from models_app.publishing import size_of
from models_app.sweeps import pruning
from tests.models import sweeps
from tests.models.sweeps import end, started, trainings, weights

pytestmark = pytest.mark.django_db
ALL = ["save/checkpoint.pth", "save/resume.pth", "VALVE.onnx"]


@pytest.fixture
def shop(make_shop):
    return make_shop(batchable_params=sweeps.BATCHABLE)


def ended(sweep: Sweep, *scores: float | None) -> list[TrainedModel]:
    found = trainings(sweep)
    for model, score in zip(found, scores, strict=True):
        end(model, score)
    return found


def again(model: TrainedModel) -> TrainedModel:
    return TrainedModel.objects.select_related("job", "sweep").get(pk=model.pk)


def test_the_best_keep_their_checkpoints(shop):
    sweep = started(shop)
    low, high, middle = ended(sweep, 0.1, 0.9, 0.5)
    gone = pruning.keep_best(sweep, 2)
    assert (gone.models, gone.bytes) == (1, 1600)
    assert [weights(model) for model in (low, high, middle)] == [[], ALL, ALL]
    for name in ("save/metrics/accuracy.csv", "save/logs/notes.pth", "VALVE.json"):
        assert (low.folder / name).is_file()
    assert again(low).size == size_of(low.folder)
    assert again(high).size == size_of(high.folder)
    assert not again(low).has_checkpoint


def test_the_lowest_is_best_where_the_kernel_says_so(shop):
    shop.kernel.schema["x-metrics"] = [{"file": "loss.csv", "column": "val_loss", "goal": "min", "primary": True}]
    shop.kernel.save()
    sweep = started(shop)
    for model, loss in zip(ended(sweep, 0.9, 0.8, 0.7), (3.0, 1.0, 2.0), strict=True):
        sweeps.score(model, loss, series="val_loss", chart="loss")
    pruning.keep_best(sweep, 1)
    assert [bool(weights(model)) for model in trainings(sweep)] == [False, True, False]


def test_what_succeeded_goes_before_what_did_not(shop):
    sweep = started(shop)
    models = trainings(sweep)
    end(models[0], 0.9, state=State.FAILED)
    end(models[1], 0.2)
    end(models[2], 0.3)
    pruning.keep_best(sweep, 2)
    assert [bool(weights(model)) for model in models] == [False, True, True]


def test_nothing_goes_while_nobody_can_tell_who_is_best(shop):
    sweep = started(shop)
    models = ended(sweep, None, None, None)
    assert pruning.keep_best(sweep, 1).models == 0
    assert all(weights(model) == ALL for model in models)


def test_a_base_of_another_model_stays(shop):
    sweep = started(shop)
    models = ended(sweep, 0.1, 0.9, 0.2)
    shop.order(base_model=again(models[0])).start(shop.user)
    pruning.keep_best(sweep, 1)
    assert [bool(weights(model)) for model in models] == [True, True, False]


def test_a_validated_model_stays(shop):
    sweep = started(shop)
    models = ended(sweep, 0.1, 0.9, 0.2)
    shop.validated(again(models[2]))
    pruning.keep_best(sweep, 1)
    assert [bool(weights(model)) for model in models] == [False, True, True]


def test_what_still_runs_is_neither_counted_nor_touched(shop):
    sweep = started(shop)
    models = ended(sweep, 0.1, 0.9, 0.2)
    Job.objects.filter(pk=models[0].job_id).update(state=State.RUNNING)
    pruning.keep_best(sweep, 1)
    assert [bool(weights(model)) for model in models] == [True, True, False]


def test_a_pruned_model_cannot_be_validated_nor_be_a_base(shop):
    sweep = started(shop)
    low = ended(sweep, 0.1, 0.9, 0.2)[0]
    pruning.keep_best(sweep, 2)
    with pytest.raises(OrderRefused, match="checkpoint of this model is gone"):
        shop.validated(again(low))
    assert [one.field for one in shop.order(base_model=again(low)).check().errors] == ["base_model"]


def test_pruning_twice_frees_once(shop):
    sweep = started(shop)
    low = ended(sweep, 0.1, 0.9, 0.2)[0]
    assert pruning.keep_best(sweep, 2).models == 1
    assert pruning.keep_best(sweep, 2).models == 0
    assert pruning.freed(again(low).sweep, again(low)) == 1600


def test_all_are_kept_again_from_now_on(shop):
    sweep = started(shop, keep_best=1)
    pruning.keep_best(sweep, None)
    assert all(weights(model) == ALL for model in ended(sweep, 0.1, 0.9, 0.2))


# --- when trainings end ----------------------------------------------------------------------------------------------


def test_each_end_leaves_the_best_only(shop):
    sweep = started(shop, keep_best=1, rows="1,5,3")  # more rows of the fake kernel: a higher accuracy
    models = trainings(sweep)
    had = []
    for model in models:
        following.run_here(model.job)
        assert model.job.state == State.SUCCEEDED, model.job.message
        had.append([again(one).has_checkpoint for one in models])
    assert had == [[True, False, False], [False, True, False], [False, True, False]]
    sizes = [again(model).size for model in models]
    assert sizes == [size_of(model.folder) for model in models]


def test_a_cancelled_one_is_pruned_too(shop):
    sweep = started(shop, keep_best=1, rows="5,1")
    first, second = trainings(sweep)
    following.run_here(first.job)
    end(second, 0.1, state=State.FINALIZING)
    kinds.get("training").keep_partial(second.job, runfolder.of(second.job))
    assert (again(first).has_checkpoint, weights(second)) == (True, [])


def test_of_two_that_end_at_once_each_sees_the_other(shop):
    sweep = started(shop, keep_best=1, rows="1,2")
    models = trainings(sweep)
    for model, accuracy in zip(models, (0.9, 0.5), strict=True):
        end(model, accuracy, state=State.FINALIZING)
    for model in models:
        pruning.ended(again(model), model.job, complete=True)
    assert [weights(model) for model in models] == [ALL, []]


def test_a_runner_that_looks_twice_does_not_miss_what_was_pruned(shop):
    sweep = started(shop, keep_best=1, rows="5,1")
    models = trainings(sweep)
    for model in models:
        following.run_here(model.job)
    lost = models[1]
    assert not again(lost).has_checkpoint
    assert kinds.get("training").check(lost.job, runfolder.of(lost.job)) == []
    sweeps.resumed(lost)  # another attempt owes its checkpoint anew
    lost.job.refresh_from_db()
    assert kinds.get("training").check(lost.job, runfolder.of(lost.job)) != []
    assert pruning.freed(again(lost).sweep, again(lost)) is None


def test_a_failure_that_was_pruned_is_not_taken_for_complete(shop):
    sweep = started(shop, keep_best=1, rows="1,2")
    models = trainings(sweep)
    end(models[0], 0.9)
    end(models[1], 0.1, state=State.FINALIZING)
    pruning.ended(again(models[1]), models[1].job, complete=False)
    assert weights(models[1]) == []
    assert kinds.get("training").check(models[1].job, runfolder.of(models[1].job)) != []


def test_an_ordinary_training_is_never_pruned(shop):
    model = shop.finished()
    assert model.has_checkpoint
