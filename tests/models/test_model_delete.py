"""Models go with their bytes, several at once; what stands on them is named, and they stay."""

from __future__ import annotations

import pytest
from django.urls import reverse

from jobs import runfolder
from jobs.models import Job
from models_app import activating, deleting, exporting
from models_app.models import Activation, ModelExport, TrainedModel

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(shop):
    return reverse("models:delete", args=[shop.project.code])


@pytest.fixture
def devs(dev, client_of):
    return client_of(dev)


@pytest.fixture
def delete(devs, url):
    """Presses the button of the confirmation; the page that follows."""
    return lambda *models: text(devs.post(url, {"model": [model.pk for model in models]}, follow=True))


@pytest.fixture
def shown(devs, url):
    """The confirmation, before anything is deleted."""
    return lambda *models: devs.get(url, {"model": [model.pk for model in models]})


def text(answer) -> str:
    return answer.content.decode()


def names(pairs) -> list[str]:
    return [model.name for model, _more in pairs]


def test_deleting_frees_rows_and_bytes_and_says_how_many(shop, delete):
    model = shop.finished(name="gone")
    (model.folder / "large.onnx").write_bytes(b"x" * 3 * 2**20)
    folder, run = model.folder, runfolder.of(model.job)
    assert "Deleted “gone”. 3.0\xa0MB are free again." in delete(model)
    assert not TrainedModel.objects.exists()
    assert not Job.objects.exists()
    assert not folder.exists()
    assert not run.exists()
    assert shop.train.images.count() == 4


def test_the_confirmation_says_what_goes_and_deletes_nothing(shop, shown):
    models = [shop.finished(name=f"model {n}") for n in range(2)]
    answer = shown(*models)
    assert names(answer.context["plan"].going) == ["model 1", "model 0"]
    measured = sum(sum(map(deleting.size_of, deleting.folders_of(model))) for model in models)
    assert answer.context["plan"].bytes == measured > 0
    assert "Delete 2 models" in text(answer)
    assert TrainedModel.objects.count() == 2


def test_a_model_that_others_start_from_is_kept_and_they_are_named_with_links(shop, shown, delete):
    base = shop.ready(name="base")
    child = shop.ready(name="child", base_model=base)
    answer = shown(base)
    assert names(answer.context["plan"].staying) == ["base"]
    assert f'href="{child.get_absolute_url()}">child</a>' in text(answer)
    assert "“base” was not deleted. Models that start from it: child" in delete(base)
    assert (base.folder / "save/checkpoint.pth").is_file()


def test_a_model_goes_together_with_those_that_start_from_it(shop, shown, delete):
    base = shop.ready(name="base")
    child = shop.ready(name="child", base_model=base)
    grandchild = shop.ready(name="grandchild", base_model=child)
    plan = shown(base, grandchild).context["plan"]
    assert (names(plan.going), names(plan.staying)) == (["grandchild"], ["base"])
    assert names(shown(grandchild, base, child).context["plan"].going) == ["grandchild", "child", "base"]
    assert "3 models deleted" in delete(base, child, grandchild)
    assert not TrainedModel.objects.exists()


def test_what_keeps_a_child_keeps_its_base(shop, shown):
    base = shop.ready(name="base")
    child = shop.finished(name="child", base_model=base)
    shop.validated(child)
    assert names(shown(base, child).context["plan"].staying) == ["child", "base"]


def test_a_model_with_a_validation_is_kept(shop, shown, delete):
    model = shop.finished(name="judged")
    validation = shop.validated(model)
    assert validation.get_absolute_url() in text(shown(model))
    assert str(validation) in delete(model)
    assert TrainedModel.objects.get() == model
    assert model.folder.is_dir()


def test_many_obstacles_are_counted(shop, shown):
    base = shop.ready(name="base")
    for number in range(12):
        shop.ready(name=f"child {number}", base_model=base)
    page = text(shown(base))
    assert "child 9" in page
    assert "and 2 more" in page


def test_the_active_model_is_kept_and_its_history_outlives_it(shop, alice, delete):
    model = shop.ready(name="champion")
    activating.activate(model, alice, "the best", instead_of=None)
    assert f"It is the active model of {shop.model_type.code}" in delete(model)
    activating.deactivate(model, alice, "old")
    assert "Deleted “champion”" in delete(model)
    kept = Activation.objects.get()
    assert (kept.model, kept.model_name, kept.reason, kept.end_reason) == (None, "champion", "the best", "old")


def test_a_training_that_runs_is_not_deleted(shop, delete):
    model = shop.order().start(shop.user)
    assert "Cancel it first" in delete(model)
    assert TrainedModel.objects.get() == model


def test_an_export_goes_with_its_model_but_not_while_it_runs(shop, dev, delete):
    model = shop.ready(name="packed")
    export = exporting.start(model, dev)
    assert "It is being exported" in delete(model)
    exporting.build(export.job, lambda percentage, sentence: None)
    assert export.path.is_file()
    Job.objects.filter(pk=export.job_id).update(state="SUCCEEDED")
    assert "Deleted “packed”" in delete(model)
    assert not export.folder.exists()
    assert not ModelExport.objects.exists()
    assert not Job.objects.exists()


def test_a_model_that_is_retrained_may_go_and_the_other_stays(shop, delete):
    model = shop.ready()
    again = shop.ready(retrained_from=model, origin="retrain")
    delete(model)
    again.refresh_from_db()
    assert again.retrained_from is None


def test_nothing_chosen_is_said(devs, url):
    assert "Tick the models to delete first." in text(devs.get(url, follow=True))


def test_a_model_of_another_project_is_not_deleted(shop, other_shop, delete):
    model = other_shop.ready(name="theirs")
    assert "Tick the models" in delete(model)
    assert TrainedModel.objects.get() == model


def test_a_labeller_cannot_delete(shop, client_of, url):
    model = shop.ready()
    assert client_of(shop.user).post(url, {"model": model.pk}).status_code == 403
    assert model.folder.is_dir()


def test_the_confirmation_of_many_asks_the_database_no_more(shop, shown, django_assert_max_num_queries):
    models = [shop.ready() for _number in range(8)]
    shown(*models[:2])
    with django_assert_max_num_queries(32):
        shown(*models)
