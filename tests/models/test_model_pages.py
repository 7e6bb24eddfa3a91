"""One model: its page, its files, its name."""

from __future__ import annotations

import pytest
from django.urls import reverse

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(shop):
    return lambda name, *args: reverse(f"models:{name}", args=[shop.project.code, *args])


@pytest.fixture
def bobs(shop, client_of):
    return client_of(shop.user)


def text(answer) -> str:
    return answer.content.decode()


def test_models_of_another_project_are_not_there(shop, other_shop, bobs, url):
    model = other_shop.order(name="hidden").start(shop.user)
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
    forbidden = [url("edit", model.pk), url("delete"), url("activate", model.pk), f"{url('train')}?base={model.pk}"]
    assert [address for address in forbidden if address in shown] == []


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
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_name_that_cannot_be_changes_nothing_and_is_said_beside_it(shop, bobs, url, name, says, headers):
    shop.order(name="taken").start(shop.user)
    model = shop.order(name="old").start(shop.user)
    answer = bobs.post(url("edit", model.pk), {"name": name}, headers=headers)
    assert answer.status_code == 422
    assert says in text(answer)
    assert '<details class="mt-3" open>' in text(answer)
    assert ("<html" in text(answer)) == (not headers)
    model.refresh_from_db()
    assert model.name == "old"


def test_a_name_is_changed_in_place(shop, bobs, url):
    model = shop.order(name="old").start(shop.user)
    answer = bobs.post(url("edit", model.pk), {"name": "밸브 <b>"}, headers={"HX-Request": "true"})
    assert '<span id="model-name" hx-swap-oob="true">밸브 &lt;b&gt;</span>' in text(answer)
    assert "<html" not in text(answer)
    model.refresh_from_db()
    assert model.name == "밸브 <b>"


def test_a_model_keeps_its_own_name(shop, bobs, url):
    model = shop.order(name="same").start(shop.user)
    bobs.post(url("edit", model.pk), {"name": "same", "description": "new"})
    model.refresh_from_db()
    assert model.description == "new"
