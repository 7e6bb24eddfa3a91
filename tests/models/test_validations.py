"""Validations on the page: started from a finished model, shown worst first, deleted with their bytes."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from jobs import runfolder
from jobs.models import Job, State
from models_app.models import Operation, Validation
from tests import fake_kernels

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(shop):
    return lambda name, *args: reverse(f"validations:{name}", args=[shop.project.code, *args])


@pytest.fixture
def bobs(shop, client_of):
    return client_of(shop.user)


def text(answer) -> str:
    return answer.content.decode()


# --- started ---------------------------------------------------------------------------------------------------------


def test_the_form_proposes_what_the_model_was_trained_with(shop, bobs, url):
    model = shop.ready()
    answer = bobs.get(url("start", model.pk))
    assert [card.dataset for card in answer.context["picker"].chosen] == [shop.val]
    assert answer.context["form"]["kernel"].value() == shop.kernel.pk
    assert re.search(rf'name="datasets" value="{shop.val.pk}" data-labelled="4" checked', text(answer))


def test_datasets_are_chosen_as_in_the_training_form(shop, make_shop, bobs, url):
    make_shop("OD", name="boxes")
    answer = bobs.get(url("start", shop.ready().pk))
    picker = answer.context["picker"]
    assert {card.name for card in picker.fitting} == {"parts-train", "parts-val"}
    assert {card.name for card in picker.others} == {"boxes-train", "boxes-val"}
    for part in ("1 chosen, 4 labelled", "4 images", picker.thumbs, "2 datasets have no label", "js/picker.js"):
        assert part in text(answer)


def test_what_was_chosen_stays_chosen_when_something_is_wrong(shop, bobs, url):
    model = shop.ready()
    data = {"kernel": "²", "operation": Operation.VALIDATION, "datasets": [shop.train.pk, "²"]}
    picker = bobs.post(url("start", model.pk), data).context["picker"]
    assert [card.dataset for card in picker.chosen] == [shop.train]


def test_a_project_without_a_dataset_is_led_to_the_import(shop, bobs, url):
    model = shop.ready()
    model.train_datasets.clear()
    model.validation_datasets.clear()
    shop.project.datasets.all().delete()
    assert "There is no dataset yet." in text(bobs.get(url("start", model.pk)))


def test_a_post_starts_a_validation_and_leads_to_its_page(shop, bobs, url):
    model = shop.ready()
    data = {"kernel": shop.kernel.pk, "operation": Operation.VALIDATION, "datasets": [shop.val.pk]}
    answer = bobs.post(url("start", model.pk), data)
    validation = Validation.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, validation.get_absolute_url())
    assert (validation.job.kind, validation.job.state, validation.snapshot.images) == ("validation", State.QUEUED, 4)


def test_another_kernel_of_the_type_can_be_chosen_the_others_say_why_not(shop, make_shop, bobs, url):
    boxes = make_shop("OD", name="boxes")
    other = fake_kernels.register("CL", name="other-cl")
    model = shop.ready()
    answer = bobs.get(url("start", model.pk))
    fitting = set(answer.context["form"].fields["kernel"].queryset)
    assert {shop.kernel, other} <= fitting
    assert boxes.kernel in {kernel for kernel, _why in answer.context["others"]} - fitting
    shown = " ".join(text(answer).split())
    assert "trains OD, not" in shown
    own, *others = re.findall(r'<label class="pick-option">.*?</label>', shown)
    assert ("checked" in own, "trained this model" in own, "training, validation, inference" in own) == (True,) * 3
    assert any("other-cl" in one for one in others)
    assert not any("checked" in one or "trained this model" in one for one in others)
    assert "Preprocessing: produce images (no kernel here can do this)" in shown
    data = {"kernel": other.pk, "operation": Operation.INFERENCE, "datasets": [shop.val.pk]}
    bobs.post(url("start", model.pk), data)
    assert Validation.objects.get().kernel == other


def test_the_score_for_labels_is_what_served_best_before(make_shop, client_of):
    boxes = make_shop("OD", name="boxes")
    model = boxes.ready(wrong=0)
    client, url = client_of(boxes.user), reverse("validations:start", args=["valves", model.pk])
    assert client.get(url).context["form"]["min_score"].value() == 0.5
    boxes.validated(model)
    assert client.get(url).context["form"]["min_score"].value() == 0.9
    data = {"kernel": boxes.kernel.pk, "operation": Operation.INFERENCE, "datasets": [boxes.val.pk]}
    for given in ("2", "-1", "x"):
        assert client.post(url, data | {"min_score": given}).status_code == 422
    client.post(url, data | {"min_score": "0.25"})
    assert Validation.objects.latest("pk").min_score == 0.25


@pytest.mark.parametrize("behaviour", ["exit3", "nothing"])
def test_only_a_finished_model_is_validated(shop, bobs, url, behaviour):
    model = shop.trained(behaviour=behaviour)
    data = {"kernel": shop.kernel.pk, "operation": Operation.VALIDATION, "datasets": [shop.val.pk]}
    reason = "Only a model whose training succeeded can be validated."
    page = text(bobs.get(url("start", model.pk)))
    assert reason in page
    assert f'disabled title="{reason}"' in page
    answer = bobs.post(url("start", model.pk), data)
    assert (answer.status_code, reason in text(answer)) == (422, True)
    assert f'title="{reason}"' in text(bobs.get(model.get_absolute_url()))
    assert not Validation.objects.exists()


def test_what_is_wrong_is_said_and_nothing_is_written(shop, other_shop, make_shop, bobs, url):
    model, boxes = shop.ready(), make_shop("OD", name="boxes")
    usual = {"kernel": shop.kernel.pk, "operation": Operation.VALIDATION, "datasets": [shop.val.pk]}
    jobs = Job.objects.count()
    for changed, says in (
        ({"datasets": []}, "Choose at least one dataset."),
        ({"datasets": [other_shop.val.pk]}, "Select a valid choice"),
        ({"datasets": ["²"]}, "Select a valid choice"),
        ({"datasets": ["9" * 40]}, "Select a valid choice"),
        ({"datasets": [boxes.val.pk]}, "No image of boxes-val is labelled for"),
        ({"operation": "preprocessing"}, "The kernel does not support this operation"),
        ({"operation": "magic"}, "Select a valid choice"),
        ({"kernel": boxes.kernel.pk}, "Select a valid choice"),
        ({"kernel": "²"}, "Select a valid choice"),
    ):
        answer = bobs.post(url("start", model.pk), usual | changed)
        assert answer.status_code == 422, changed
        assert says in text(answer), changed
    assert Job.objects.count() == jobs


def test_a_model_of_another_project_cannot_be_validated(shop, other_shop, bobs, url):
    model = other_shop.ready()
    assert bobs.get(url("start", model.pk)).status_code == 404


def test_a_viewer_cannot_start_or_delete(shop, client_of, vera, url):
    validation = shop.validated(shop.ready())
    client = client_of(vera)
    assert client.post(url("start", validation.model_id)).status_code == 403
    assert client.post(url("delete", validation.pk)).status_code == 403
    assert url("delete", validation.pk) not in text(client.get(validation.get_absolute_url()))


# --- the report ------------------------------------------------------------------------------------------------------


def test_a_report_shows_figures_tables_and_images_worst_first(shop, bobs, url):
    validation = shop.validated(shop.finished(wrong=1))
    answer = bobs.get(validation.get_absolute_url())
    shown = text(answer)
    assert "It judges 3 of 4 images right." in shown
    assert "n = 4 images" in shown
    assert [table["name"] for table in answer.context["tables"]] == ["summary.csv", "confusion.csv", "detections.csv"]
    cards = answer.context["cards"]
    assert [card.prediction.is_right for card in cards] == [False, True, True, True]
    order = ("report-verdict", "figures", "advice", 'id="matrix"', 'id="images"', "Basic information", "summary.csv")
    assert sorted(order, key=shown.index) == list(order)
    assert "GOOD → BAD" in shown


def test_the_confusion_table_names_its_rows_and_columns(shop, bobs):
    validation = shop.validated(shop.ready(wrong=1))
    tables = bobs.get(validation.get_absolute_url()).context["tables"]
    [confusion] = [table for table in tables if table["name"] == "confusion.csv"]
    assert confusion["heading"] == ["truth ↓ · prediction →", "GOOD", "BAD"]
    assert confusion["rows"] == [["GOOD", "1", "1"], ["BAD", "0", "2"]]


def test_tables_come_in_the_contracts_order(shop, bobs):
    validation = shop.validated(shop.ready(judging="more_tables"))
    names = [table["name"] for table in bobs.get(validation.get_absolute_url()).context["tables"]]
    assert names == ["summary.csv", "confusion.csv", "a_first.csv", "by_size.csv", "detections.csv"]


def test_a_long_table_is_cut_on_the_page_and_whole_in_the_file(shop, bobs, url, monkeypatch):
    monkeypatch.setattr("models_app.views_reports.ROWS", 2)
    validation = shop.validated(shop.ready())
    table = next(
        one for one in bobs.get(validation.get_absolute_url()).context["tables"] if one["name"] == "detections.csv"
    )
    assert (len(table["rows"]), table["cut"]) == (2, True)
    file = bobs.get(url("file", validation.pk, "detections.csv"))
    assert len(b"".join(file.streaming_content).splitlines()) == 5


def test_images_are_filtered_by_the_address(shop, bobs):
    validation = shop.validated(shop.ready(wrong=1))
    address = validation.get_absolute_url()

    def count(query: str) -> int:
        return bobs.get(f"{address}?{query}").context["page"].paginator.count

    assert count("") == 4
    assert count("show=wrong") == 1
    assert count("page=99&score=x&show=y") == 4


def test_one_image_leads_to_its_neighbours(shop, bobs, url):
    validation = shop.validated(shop.ready(wrong=1))
    rows = list(bobs.get(validation.get_absolute_url()).context["page"])
    first = bobs.get(url("image", validation.pk, rows[0]))
    assert (first.context["previous"], first.context["next"]) == (None, rows[1])
    last = bobs.get(url("image", validation.pk, rows[-1]))
    assert (last.context["previous"], last.context["next"]) == (rows[-2], None)
    assert "GOOD → BAD" in text(first)
    train_image = shop.train.images.first()
    assert bobs.get(url("image", validation.pk, train_image.pk)).status_code == 404


def test_boxes_of_truth_and_prediction_are_drawn_over_each_other(make_shop, client_of):
    boxes = make_shop("OD", name="boxes")
    validation = boxes.validated(boxes.ready(wrong=1))
    answer = client_of(boxes.user).get(validation.get_absolute_url())
    cards = answer.context["cards"]
    assert sorted((len(card.truth), len(card.found)) for card in cards) == [(1, 0), (1, 1), (1, 1), (1, 1)]
    card = next(card for card in cards if card.found)
    assert card.truth[0].points == card.found[0].points == "2.0,3.0 20.0,3.0 20.0,18.0 2.0,18.0"
    assert card.found[0].text.endswith("0.90")


def test_what_could_not_be_read_is_named_with_its_line(shop, bobs):
    validation = shop.validated(shop.ready(judging="bad_lines"))
    shown = text(bobs.get(validation.get_absolute_url()))
    assert "Some results could not be read." in shown
    assert "line 6:" in shown
    assert "line 7: 2 columns instead of 5" in shown
    assert validation.job.state == State.SUCCEEDED
    assert validation.predictions.count() == 4


def test_a_table_that_is_no_text_does_not_hide_the_rest(shop, bobs):
    validation = shop.validated(shop.ready(judging="binary_summary"))
    answer = bobs.get(validation.get_absolute_url())
    assert answer.status_code == 200
    assert "cannot be read as CSV" in text(answer)
    assert validation.predictions.count() == 4


@pytest.mark.parametrize(
    ("judging", "says"),
    [
        ("exit3", "exit code 3"),
        ("error", "The model does not know these images."),
        ("no_detections", "detections.csv is missing or empty"),
    ],
)
def test_a_validation_that_failed_says_why(shop, bobs, judging, says):
    validation = shop.validated(shop.ready(judging=judging))
    assert validation.job.state == State.FAILED
    assert says in text(bobs.get(validation.get_absolute_url()))


def test_a_validation_gets_the_model_and_its_settings(shop):
    model = shop.finished(lr=0.125)
    seen = fake_kernels.seen(shop.validated(model).folder)
    assert seen["config"]["operation"] == "validation"
    assert seen["config"]["base_model_path"] == str(model.folder)
    assert seen["settings"] == model.settings
    assert seen["samples"] == {"train": 0, "validation": 4}
    assert (model.folder / "save/checkpoint.pth").is_file()


def test_an_inference_labels_images_without_truth(shop, bobs):
    validation = shop.validated(shop.ready(wrong=0), operation=Operation.INFERENCE)
    assert validation.job.state == State.SUCCEEDED, validation.job.message
    assert validation.predictions.filter(truth="", is_right=None, predicted="GOOD").count() == 4
    assert bobs.get(validation.get_absolute_url()).status_code == 200


# --- the list, and the end -------------------------------------------------------------------------------------------


def test_the_list_shows_key_figures_and_filters(shop, bobs, url):
    first, second = shop.ready(name="alpha"), shop.ready(name="beta", judging="exit3")
    shop.validated(first)
    shop.validated(second)

    def names(query: str) -> list[str]:
        return [row.model.name for row in bobs.get(f"{url('list')}?{query}").context["page"]]

    assert names("") == ["beta", "alpha"]
    assert names("q=alp") == ["alpha"]
    assert names("state=FAILED") == ["beta"]
    assert names(f"model={first.pk}") == ["alpha"]
    assert names(f"dataset={shop.val.pk}") == ["beta", "alpha"]
    assert names(f"dataset={shop.train.pk}") == []
    assert names("operation=inference") == []
    assert names("operation=validation&sort=model") == ["alpha", "beta"]
    assert names(f"who={shop.user.pk}&sort=-who") == ["beta", "alpha"]
    assert names("who=999999") == []
    assert names("operation=x&dataset=x&who=x&state=x") == ["beta", "alpha"]
    assert names("model=²&size=²&page=x&sort=y") == ["beta", "alpha"]
    assert "0.75" in text(bobs.get(url("list")))


def test_a_download_never_leaves_the_folder(shop, bobs, url, home):
    validation = shop.validated(shop.ready())
    (home / "secret_key").write_text("secret")
    (validation.folder / "link").symlink_to(home / "secret_key")
    for name in ("../../secret_key", "..%2f..%2fsecret_key", "/etc/passwd", "link", "annotations"):
        assert bobs.get(url("file", validation.pk, "x").removesuffix("x") + name).status_code == 404, name


def test_deleting_frees_rows_and_bytes_and_lets_the_model_go(shop, bobs, url):
    model = shop.ready()
    validation = shop.validated(model)
    folder, run = validation.folder, runfolder.of(validation.job)
    assert folder.is_dir()
    bobs.post(url("delete", validation.pk))
    assert not Validation.objects.exists()
    assert not folder.exists()
    assert not run.exists()
    assert Job.objects.get() == model.job
    assert model.folder.is_dir()


def test_a_validation_that_waits_is_not_deleted(shop, bobs, url):
    model = shop.ready()
    data = {"kernel": shop.kernel.pk, "operation": Operation.VALIDATION, "datasets": [shop.val.pk]}
    bobs.post(url("start", model.pk), data)
    answer = bobs.post(url("delete", Validation.objects.get().pk), follow=True)
    assert "Cancel it first" in text(answer)
    assert Validation.objects.exists()
