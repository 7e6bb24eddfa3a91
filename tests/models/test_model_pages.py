"""The list of models, one model, its files, its name, its end."""

from __future__ import annotations

import pytest
from django.urls import reverse

from jobs import runfolder
from jobs.models import Job, State
from models_app.models import TrainedModel

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(shop):
    return lambda name, *args: reverse(f"models:{name}", args=[shop.project.code, *args])


@pytest.fixture
def bobs(shop, client_of):
    return client_of(shop.user)


def text(answer) -> str:
    return answer.content.decode()


def names(answer) -> list[str]:
    return [model.name for model in answer.context["page"]]


# --- the list --------------------------------------------------------------------------------------------------------


def test_an_empty_list_says_what_comes_first(project, bob, client_of):
    answer = client_of(bob).get(reverse("models:list", args=[project.code]))
    assert reverse("datasets:import", args=[project.code]) in text(answer)


def test_with_data_the_empty_list_offers_a_training(shop, bobs, url):
    assert url("train") in text(bobs.get(url("list")))


def test_the_list_is_filtered_and_sorted_by_the_address(shop, make_shop, bobs, url):
    shop.order(name="alpha").start(shop.user)
    shop.ready(name="beta")
    boxes = make_shop("OD", name="boxes")
    boxes.order(name="gamma").start(shop.user)
    assert names(bobs.get(url("list"))) == ["gamma", "beta", "alpha"]
    assert names(bobs.get(url("list"), {"q": "ALP"})) == ["alpha"]
    assert names(bobs.get(url("list"), {"state": "active", "sort": "name"})) == ["alpha", "gamma"]
    assert names(bobs.get(url("list"), {"state": State.SUCCEEDED})) == ["beta"]
    assert names(bobs.get(url("list"), {"model_type": boxes.model_type.pk})) == ["gamma"]
    assert names(bobs.get(url("list"), {"sort": "-name"})) == ["gamma", "beta", "alpha"]
    assert names(bobs.get(url("list"), {"q": "nobody"})) == []


def test_nonsense_in_the_address_does_no_harm(shop, bobs, url):
    for query in ("page=99", "page=x", "size=²", "size=7", "sort=password", "model_type=²", "state=x"):
        assert bobs.get(f"{url('list')}?{query}").status_code == 200, query


def test_an_address_that_leads_nowhere_is_a_404_with_the_frame(shop, bobs, url):
    answer = bobs.get(url("list") + "nowhere/at/all")
    assert answer.status_code == 404
    assert "<nav" in text(answer)


def test_an_empty_list_offers_a_viewer_nothing_he_may_not(shop, client_of, vera, url):
    assert url("train") not in text(client_of(vera).get(url("list")))


def test_the_fragment_asks_for_itself_only_while_something_runs(shop, bobs, url):
    model = shop.order().start(shop.user)
    answer = bobs.get(url("list"), headers={"HX-Request": "true"})
    assert "<html" not in text(answer)
    assert "hx-trigger" in text(answer)
    model.job.request_cancel(by=shop.user)
    assert "hx-trigger" not in text(bobs.get(url("list"), headers={"HX-Request": "true"}))


def test_the_list_asks_the_database_no_more_for_many_models(shop, bobs, url, django_assert_max_num_queries):
    for _number in range(6):
        shop.order().start(shop.user)
    bobs.get(url("list"))
    with django_assert_max_num_queries(25):
        bobs.get(url("list"))


def test_models_of_another_project_are_not_there(shop, other_shop, bobs, url):
    model = other_shop.order(name="hidden").start(shop.user)
    assert names(bobs.get(url("list"))) == []
    for name in ("detail", "settings_download"):
        assert bobs.get(url(name, model.pk)).status_code == 404
    assert bobs.get(url("file", model.pk, "seen.json")).status_code == 404
    assert bobs.post(url("edit", model.pk), {"name": "mine"}).status_code == 404


# --- one model -------------------------------------------------------------------------------------------------------


def test_a_finished_model_shows_data_settings_files_and_what_may_follow(shop, bobs, url):
    model = shop.finished(name="valve", lr=0.125, description="the first")
    shown = text(bobs.get(model.get_absolute_url()))
    for part in ("valve", "the first", "parts-train", "parts-val", "GOOD", "0.125", "save/checkpoint.pth"):
        assert part in shown
    assert reverse("validations:start", args=[shop.project.code, model.pk]) in shown
    assert f"{url('train')}?base={model.pk}" in shown
    assert f"{url('train')}?retrain={model.pk}" in shown
    assert f'data-chart-source="{reverse("jobs:metrics", args=[shop.project.code, model.job_id])}"' in shown


def test_a_failed_model_quotes_what_the_kernel_said(shop, bobs):
    model = shop.trained(behaviour="error", message="밸브 <b>too small</b>")
    shown = text(bobs.get(model.get_absolute_url()))
    assert "밸브 &lt;b&gt;too small&lt;/b&gt;" in shown
    assert reverse("validations:start", args=[shop.project.code, model.pk]) not in shown


def test_a_kernel_that_exits_with_3_is_told_so(shop, bobs):
    model = shop.trained(behaviour="exit3")
    shown = text(bobs.get(model.get_absolute_url()))
    assert "exit code 3" in shown
    assert "something is wrong with this kernel" in shown, "the log"


def test_lineage_leads_both_ways(shop, bobs):
    base = shop.ready(name="base")
    child = shop.ready(name="child", base_model=base, origin="additional")
    assert child.get_absolute_url() in text(bobs.get(base.get_absolute_url()))
    assert base.get_absolute_url() in text(bobs.get(child.get_absolute_url()))


def test_a_viewer_sees_it_without_buttons(shop, client_of, vera, url):
    model = shop.ready()
    shown = text(client_of(vera).get(model.get_absolute_url()))
    for address in (url("edit", model.pk), url("delete", model.pk), f"{url('train')}?base={model.pk}"):
        assert address not in shown


def test_best_and_last_follow_the_kernels_own_goals(shop, bobs):
    model = shop.finished(rows=3)
    scores = bobs.get(model.get_absolute_url()).context["scores"]
    assert scores["accuracy"]["accuracy"] | {"count": 0} == {
        "last": 0.75, "best": 0.75, "best_at": 3, "goal": "max", "count": 0,
    }  # fmt: skip
    assert (scores["loss"]["val_loss"]["goal"], scores["loss"]["val_loss"]["best_at"]) == ("min", 3)


# --- its files -------------------------------------------------------------------------------------------------------


def test_a_file_is_downloaded_whole_and_harmlessly(shop, bobs, url):
    model = shop.finished()
    answer = bobs.get(url("file", model.pk, "save/metrics/loss.csv"))
    assert b"".join(answer.streaming_content).startswith(b"step,train_loss,val_loss\n")
    assert "attachment" in answer["Content-Disposition"]
    assert (answer["X-Content-Type-Options"], answer["Content-Security-Policy"]) == ("nosniff", "sandbox")


def test_a_download_never_leaves_the_folder(shop, bobs, url, home):
    model = shop.ready()
    (home / "secret_key").write_text("secret")
    (model.folder / "link").symlink_to(home / "secret_key")
    (model.folder / "out").symlink_to(home)
    for name in (
        "../../secret_key", "..%2f..%2fsecret_key", "save/../../../secret_key", "/etc/passwd", "save", "", "link",
        "out/secret_key", "x" * 5000, "밸" * 100,
    ):  # fmt: skip
        answer = bobs.get(url("file", model.pk, "x").removesuffix("x") + name)
        assert answer.status_code == 404, name
    assert bobs.get(url("file", model.pk, "x").removesuffix("x") + "%00").status_code == 400


def test_a_list_of_files_passes_over_links_and_hidden_ones(shop, bobs, home):
    model = shop.ready()
    (model.folder / "link").symlink_to("/etc/passwd")
    (model.folder / ".hidden").write_text("x")
    found = {name for name, _size in bobs.get(model.get_absolute_url()).context["files"]}
    assert not found & {"link", ".hidden"}
    assert "save/checkpoint.pth" in found


# --- its name --------------------------------------------------------------------------------------------------------


def test_name_and_description_change(shop, bobs, url):
    model = shop.order(name="old").start(shop.user)
    bobs.post(url("edit", model.pk), {"name": " new ", "description": "why"})
    model.refresh_from_db()
    assert (model.name, model.description) == ("new", "why")


@pytest.mark.parametrize(("name", "says"), [("taken", "“taken.1” is free"), ("", "Give the model"), ("x" * 201, "200")])
def test_a_name_that_cannot_be_changes_nothing(shop, bobs, url, name, says):
    shop.order(name="taken").start(shop.user)
    model = shop.order(name="old").start(shop.user)
    answer = bobs.post(url("edit", model.pk), {"name": name}, follow=True)
    assert says in text(answer)
    model.refresh_from_db()
    assert model.name == "old"


# --- its end ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def devs(dev, client_of):
    return client_of(dev)


def test_deleting_frees_rows_and_bytes(shop, devs, url):
    model = shop.finished(name="gone")
    folder, run = model.folder, runfolder.of(model.job)
    answer = devs.post(url("delete", model.pk), follow=True)
    assert "“gone” was deleted." in text(answer)
    assert not TrainedModel.objects.exists()
    assert not Job.objects.exists()
    assert not folder.exists()
    assert not run.exists()
    assert shop.train.images.count() == 4


def test_a_model_that_others_stand_on_is_kept(shop, devs, url):
    base = shop.ready(name="base")
    child = shop.ready(name="child", base_model=base)
    answer = devs.post(url("delete", base.pk), follow=True)
    assert "The model is needed by: child." in text(answer)
    assert (base.folder / "save/checkpoint.pth").is_file()
    devs.post(url("delete", child.pk))
    devs.post(url("delete", base.pk))
    assert not TrainedModel.objects.exists()


def test_a_model_with_a_validation_is_kept(shop, devs, url):
    model = shop.finished(name="judged")
    validation = shop.validated(model)
    assert str(validation) in text(devs.post(url("delete", model.pk), follow=True))
    assert TrainedModel.objects.get() == model
    assert model.folder.is_dir()


def test_a_model_that_is_retrained_may_go_and_the_other_stays(shop, devs, url):
    model = shop.ready()
    again = shop.ready(retrained_from=model, origin="retrain")
    devs.post(url("delete", model.pk))
    again.refresh_from_db()
    assert again.retrained_from is None


def test_a_training_that_runs_is_not_deleted(shop, devs, url):
    model = shop.order().start(shop.user)
    answer = devs.post(url("delete", model.pk), follow=True)
    assert TrainedModel.objects.get() == model
    assert "Cancel it first" in text(answer)


def test_a_labeller_cannot_delete(shop, bobs, url):
    model = shop.ready()
    assert bobs.post(url("delete", model.pk)).status_code == 403
    assert model.folder.is_dir()
