"""The training page as a browser uses it: shown, checked while typing, posted; and what a forged request may not."""

from __future__ import annotations

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from jobs import following
from jobs.models import Job, State
from kernels_app.models import Kernel, KernelState, KernelSwitch
from models_app.models import Origin, TrainedModel
from tests import fake_kernels
from tests.models.conftest import error_at, text

pytestmark = pytest.mark.django_db


def nothing_was_written() -> bool:
    return not TrainedModel.objects.exists() and not Job.objects.exists()


# --- shown -----------------------------------------------------------------------------------------------------------


def test_the_page_shows_a_field_for_every_setting(page, shop):
    answer = page.client.get(page.url(), {"kernel": shop.kernel.pk})
    assert answer.status_code == 200
    for name in fake_kernels.PROPERTIES:
        assert f'name="params.{name}"' in text(answer)
    assert "Learning rate" in text(answer)
    assert error_at(answer, "train") == ""


def test_the_page_speaks_korean_to_koreans(page, shop):
    page.client.cookies["django_language"] = "ko"
    assert "학습률" in text(page.client.get(page.url(), {"kernel": shop.kernel.pk}))


def test_an_address_prefills_the_page(page, shop):
    answer = page.client.get(page.url(), {"train": shop.train.pk, "name": "from the address"})
    assert 'value="from the address"' in text(answer)
    assert answer.context["form"].chosen_train == {shop.train.pk}


def test_a_fresh_page_tells_nobody_off_before_there_is_data_and_then_says_what_is_wrong(page, shop):
    wrong = {"params.lr": "7"}
    begun = page.client.get(page.url(), {"kernel": shop.kernel.pk} | wrong)
    assert "Choose the datasets" in text(begun)
    assert error_at(begun, "params.lr") == ""
    again = page.client.get(page.url(), {"retrain": shop.ready(name="first").pk} | wrong)
    assert "Choose the datasets" not in text(again)
    assert "must be at most 1" in error_at(again, "params.lr")


def test_a_project_without_data_points_to_the_import(client_of, admin_user, other_project):
    answer = client_of(admin_user).get(reverse("models:train", args=[other_project.code]))
    assert reverse("datasets:import", args=[other_project.code]) in text(answer)


@pytest.fixture
def other_project(db):
    from projects_app.models import Project

    return Project.objects.create(code="empty", name="Empty")


# --- started ---------------------------------------------------------------------------------------------------------


def test_a_post_starts_a_training_and_leads_to_its_page(page, shop):
    answer = page.post(**{"params.rows": "2", "params.lr": "1e-3", "description": "밸브"})
    model = TrainedModel.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == model.get_absolute_url()
    assert (model.name, model.description, model.created_by) == ("from the page", "밸브", shop.user)
    assert model.params == fake_kernels.params(rows=2, lr=0.001)
    assert model.job.state == State.QUEUED


def test_what_was_started_on_the_page_runs(page):
    page.post(etc=[SimpleUploadedFile("classes.txt", b"extra")])
    job = following.run_here(Job.objects.get())
    assert job.state == State.SUCCEEDED, job.message
    assert fake_kernels.seen(TrainedModel.objects.get().folder)["etc"] == {"classes.txt": "extra"}


def test_additional_training_and_retraining_are_remembered(page, shop):
    base = shop.ready()
    page.post(base_model=base.pk, name="child")
    child = TrainedModel.objects.get(name="child")
    assert (child.origin, child.base_model) == (Origin.ADDITIONAL, base)
    page.post(retrained_from=child.pk, base_model=base.pk, name="again")
    again = TrainedModel.objects.get(name="again")
    assert (again.origin, again.base_model, again.retrained_from) == (Origin.RETRAIN, base, child)


# --- refused ---------------------------------------------------------------------------------------------------------


def test_a_name_that_is_taken_is_refused_with_a_free_one_and_everything_typed_stays(page, shop):
    shop.order(name="from the page").start(shop.user)
    answer = page.post(**{"params.lr": "0.25", "description": "typed with care"})
    assert answer.status_code == 422
    assert "“from the page.1” is free" in error_at(answer, "name")
    assert 'value="0.25"' in text(answer)
    assert "typed with care" in text(answer)
    assert answer.context["form"].chosen_train == {shop.train.pk}
    assert TrainedModel.objects.count() == Job.objects.count() == 1


def test_settings_that_break_the_schema_are_refused_at_their_fields(page):
    answer = page.post(**{"params.lr": "5", "params.rows": "many"})
    assert answer.status_code == 422
    assert error_at(answer, "params.lr") == "Learning rate must be at most 1; you gave 5."
    assert error_at(answer, "params.rows") == "Rows must be a whole number; you gave “many”."
    assert nothing_was_written()


def test_a_forged_dataset_of_another_project_is_refused(page, other_shop):
    answer = page.post(train=[other_shop.train.pk])
    assert answer.status_code == 422
    assert error_at(answer, "train")
    assert other_shop.train.name not in text(answer)
    assert nothing_was_written()


def test_a_forged_base_model_of_another_project_is_refused(page, other_shop):
    base = other_shop.ready()
    answer = page.post(base_model=base.pk)
    assert answer.status_code == 422
    assert base.name not in text(answer)
    assert TrainedModel.objects.count() == 1


def test_a_forged_model_to_retrain_of_another_project_is_refused(page, other_shop):
    answer = page.post(retrained_from=other_shop.ready().pk)
    assert answer.status_code == 422
    assert TrainedModel.objects.count() == 1


def test_a_forged_model_type_of_another_project_is_refused(page, other_shop):
    assert page.post(model_type=other_shop.model_type.pk).status_code == 422
    assert nothing_was_written()


def test_a_kernel_that_was_switched_off_meanwhile_is_refused_or_replaced_in_sight(page, shop):
    KernelSwitch.objects.create(kernel=shop.kernel, project=shop.project, is_on=False)
    answer = page.post()
    assert answer.status_code == 422
    assert nothing_was_written()


@pytest.mark.parametrize("value", ["x", "²", "9" * 40])
def test_nonsense_is_refused_not_raised(page, value):
    for name in ("train", "validation", "kernel", "model_type", "devices", "base_model"):
        assert page.post(**{name: value}).status_code == 422, name
    assert nothing_was_written()


def test_characters_that_no_database_takes_are_refused(page):
    answer = page.post(**{"params.message": "a\0b"})
    assert answer.status_code == 422
    assert error_at(answer, "params.message") == "message holds characters that cannot be kept."
    for changed in ({"name": "a\0b"}, {"kernel": "\0"}, {"model_type": "1\0"}, {"train": ["\0"]}):
        assert page.post(**changed).status_code == 422, changed
    assert nothing_was_written()


def test_extra_files_that_are_too_large_are_refused(page, settings):
    settings.ETC_LIMIT = 10
    answer = page.post(etc=[SimpleUploadedFile("a", b"x" * 6), SimpleUploadedFile("b", b"x" * 6)])
    assert answer.status_code == 422
    assert "The extra files may have at most" in error_at(answer, "etc")
    assert nothing_was_written()


def test_two_extra_files_of_one_name_are_refused(page):
    answer = page.post(etc=[SimpleUploadedFile("a", b"1"), SimpleUploadedFile("a", b"2")])
    assert error_at(answer, "etc") == "Two extra files have the same name."


@pytest.mark.parametrize("name", ["train", "train_form", "train_check"])
def test_a_viewer_cannot_start(page, shop, client_of, vera, name):
    client = client_of(vera)
    assert client.post(page.url(name), page.data()).status_code == 403
    assert client.get(page.url()).status_code == 403
    assert nothing_was_written()
    assert page.url() not in text(client.get(reverse("models:list", args=[shop.project.code])))


# --- without scripts -------------------------------------------------------------------------------------------------


def test_check_only_looks(page):
    answer = page.post(start=None, check="1")
    assert answer.status_code == 200
    assert "It can start." in text(answer)
    assert nothing_was_written()
    assert page.post(start=None, check="1", **{"params.lr": "5"}).status_code == 422


def test_another_model_type_brings_its_kernels_and_settings(page, make_shop):
    boxes = make_shop("OD", name="boxes")
    answer = page.post(start=None, refresh="1", model_type=boxes.model_type.pk, name="stays")
    assert answer.status_code == 200
    assert 'value="stays"' in text(answer)
    form = answer.context["form"]
    assert form.chosen_type == boxes.model_type
    assert "OD" in form.chosen_kernel.types
    assert nothing_was_written()


# --- live ------------------------------------------------------------------------------------------------------------


def test_a_live_check_says_what_is_wrong_at_each_field(page):
    answer = page.typing("params.lr", **{"params.lr": "5", "devices": "7"})
    assert answer.status_code == 200
    assert error_at(answer, "params.lr") == "Learning rate must be at most 1; you gave 5."
    assert "you chose 7" in error_at(answer, "devices")
    assert error_at(answer, "params.rows") == ""
    assert 'name="params.lr"' not in text(answer), "the input itself is left alone: focus and caret stay"
    assert nothing_was_written()


def test_a_live_check_answers_only_for_what_changed(page):
    answer = page.typing("params.lr", shown="params.rows", **{"params.lr": "5"})
    assert error_at(answer, "params.rows") == ""
    assert "must be at most 1" in error_at(answer, "params.lr")
    assert 'id="error-params.flip"' not in text(answer)


def test_a_live_check_takes_an_error_back(page):
    page.typing("params.lr", **{"params.lr": "5"})
    assert error_at(page.typing("params.lr", **{"params.lr": "0.5"}), "params.lr") == ""


def test_a_live_check_counts_labels_where_the_data_changed(page, django_assert_max_num_queries):
    answer = page.typing("train")
    assert "What it will learn from" in text(answer)
    assert "GOOD" in text(answer)
    answer = page.typing("params.lr")
    assert "What it will learn from" not in text(answer)
    assert "hx-preserve" in text(answer)
    with django_assert_max_num_queries(40):
        page.typing("params.lr")


def test_a_live_check_says_that_a_name_is_taken(page, shop):
    shop.order(name="taken").start(shop.user)
    assert "“taken.1” is free" in error_at(page.typing("name", name="taken"), "name")


def test_a_live_check_copes_with_half_a_form(page):
    answer = page.client.post(page.url("train_check"), {"params.lr": "5"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert nothing_was_written()


def test_the_form_comes_anew_for_another_kernel_and_what_was_typed_stays(page):
    other = fake_kernels.register(name="other", supported_gpu_count={"minimum": 1, "maximum": 4})
    answer = page.post("train_form", start=None, kernel=other.pk, **{"params.lr": "0.125"})
    assert answer.status_code == 200
    assert answer.context["form"].chosen_kernel == other
    assert 'value="0.125"' in text(answer)
    assert 'max="1"' in text(answer)  # as many as the largest machine has


def test_a_newer_version_is_offered_where_it_can_be_used_and_takes_over_what_was_typed(page, shop):
    newer = fake_kernels.register(version="2")
    checked = text(page.typing("name"))
    assert "There is a newer version of this kernel: 2." in checked
    changed = page.post("train_form", start=None, act=f"version:{newer.pk}", **{"params.lr": "0.125"})
    form = changed.context["form"]
    assert (form.chosen_kernel, form.settings.values["lr"]) == (newer, 0.125)
    assert "There is a newer version" not in text(changed)
    again = page.client.get(page.url(), {"retrain": shop.ready(name="first").pk})
    assert "There is a newer version" not in text(again), "a retraining is the same once more"
    Kernel.objects.filter(pk=newer.pk).update(state=KernelState.ARCHIVED)
    assert "There is a newer version" not in text(page.typing("name"))


@pytest.mark.parametrize("number", ["", "x", "0", "99999999999999999999"])
def test_a_version_that_is_none_changes_nothing(page, shop, number):
    form = page.post("train_form", start=None, act=f"version:{number}").context["form"]
    assert form.chosen_kernel == shop.kernel


def test_text_from_people_is_never_markup(page, shop):
    nasty = '"><script>alert(1)</script>'
    answer = page.post(name=nasty, description=nasty, **{"params.lr": nasty, "params.message": nasty})
    assert answer.status_code == 422
    assert "<script>alert" not in text(answer)


def test_the_settings_download_is_what_the_kernel_got(page, shop):
    page.post(**{"params.lr": "0.125", "params.message": "한국어"})
    model = TrainedModel.objects.get()
    following.run_here(model.job)
    answer = page.client.get(reverse("models:settings_download", args=[shop.project.code, model.pk]))
    assert answer["Content-Type"] == "application/json"
    assert "attachment" in answer["Content-Disposition"]
    assert json.loads(text(answer)) == fake_kernels.seen(model.folder)["settings"]
    assert "한국어" in text(answer)
