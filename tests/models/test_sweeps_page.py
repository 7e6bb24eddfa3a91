"""The page of a batch: who sees what, its table and pictures, cancelling the rest, keeping the best."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string
from django.urls import reverse

from jobs.models import Job, State
from models_app.models import Sweep
from models_app.sweeps.plan import axes_for_form
from projects_app.models import Membership
from tests.models import sweeps
from tests.models.sweeps import end, score, started, trainings, weights

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def shop(make_shop):
    return make_shop(batchable_params=sweeps.BATCHABLE)


@pytest.fixture
def bobs(shop, client_of):
    """A developer here: who may delete what a training left."""
    Membership.objects.filter(project=shop.project, user=shop.user).update(role="developer")
    return client_of(shop.user)


@pytest.fixture
def done(shop) -> Sweep:
    """Three that ended: 0.2, 0.9, 0.5."""
    sweep = started(shop)
    for model, accuracy in zip(trainings(sweep), (0.2, 0.9, 0.5), strict=True):
        end(model, accuracy)
    return sweep


def text(answer) -> str:
    return answer.content.decode()


def names(answer) -> list[str]:
    return [row.model.name for row in answer.context["page"]]


def act(sweep: Sweep, verb: str) -> str:
    return reverse(f"sweeps:{verb}", args=[sweep.project.code, sweep.pk])


# --- who -------------------------------------------------------------------------------------------------------------


def test_a_viewer_sees_it_and_is_offered_nothing(done, client_of, vera):
    shown = text(client_of(vera).get(done.get_absolute_url()))
    assert 'title="valve rows_2">rows_<wbr>2</a>' in shown
    assert act(done, "keep") not in shown
    for verb in ("cancel", "keep"):
        assert client_of(vera).post(act(done, verb)).status_code == 403


def test_a_stranger_and_another_project_do_not(done, client_of, charlie, other_shop, bobs):
    assert client_of(charlie).get(done.get_absolute_url()).status_code == 404
    theirs = Sweep.objects.create(project=other_shop.project, name="theirs", kernel=other_shop.kernel)
    assert bobs.get(reverse("sweeps:detail", args=[done.project.code, theirs.pk])).status_code == 404
    assert bobs.post(reverse("sweeps:cancel", args=[done.project.code, theirs.pk])).status_code == 404


# --- the table -------------------------------------------------------------------------------------------------------


def test_a_row_shows_what_varies_best_and_last_and_the_best_is_marked(shop, bobs):
    sweep = started(shop, rows="1,2")
    first, second = trainings(sweep)
    score(first, 0.1, 0.75, None, 0.25)
    score(first, 3.0, 1.5, 2.5, series="val_loss", chart="loss")
    score(second, 0.5)
    answer = bobs.get(sweep.get_absolute_url())
    row = answer.context["page"][0]
    assert [(one.best, one.last) for one in row.scores if one] == [(0.75, 0.25), (1.5, 2.5)]
    assert answer.context["table"].best.model == first
    marked = re.search(r'<tr class="is-best">.*?</tr>', text(answer), re.DOTALL)
    assert marked
    assert first.get_absolute_url() in marked[0]


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("", "123"), ("b0", "132"), ("-b0", "231"), ("p0", "123"), ("-p0", "321"), ("-name", "321"), ("l0", "132"),
        ("state", "123"), ("b9", "123"), ("-", "123"), ("p²", "123"), ("password", "123"),
    ],
)  # fmt: skip
def test_the_address_sorts(done, bobs, sort, order):
    answer = bobs.get(done.get_absolute_url(), {"sort": sort})
    assert "".join(name[-1] for name in names(answer)) == order


def test_what_has_no_value_comes_last_either_way(shop, bobs):
    sweep = started(shop)
    score(trainings(sweep)[1], 0.5)
    for sort in ("b0", "-b0"):
        assert names(bobs.get(sweep.get_absolute_url(), {"sort": sort}))[0] == "valve rows_2"


def test_a_large_batch_has_pages(shop, bobs):
    sweep = started(shop, rows=",".join(map(str, range(1, 26))))
    assert len(names(bobs.get(sweep.get_absolute_url()))) == 20
    assert len(names(bobs.get(sweep.get_absolute_url(), {"page": 2}))) == 5


def test_many_trainings_ask_the_database_no_more(shop, bobs, django_assert_max_num_queries):
    sweep = started(shop, rows=",".join(map(str, range(1, 19))))
    for model in trainings(sweep):
        score(model, 0.5)
    bobs.get(sweep.get_absolute_url())
    with django_assert_max_num_queries(20):
        bobs.get(sweep.get_absolute_url())


def test_it_asks_for_itself_only_while_something_runs(shop, bobs):
    sweep = started(shop)
    url = sweep.get_absolute_url()
    for target in ("sweep-table", "sweep-plots"):
        answer = bobs.get(url, headers=HTMX | {"HX-Target": target})
        assert "<html" not in text(answer)
        assert f'id="{target}" ' in text(answer) or f'id="{target}"' in text(answer)
        assert "hx-trigger" in text(answer)
        assert "HX-Refresh" not in answer
    bobs.post(act(sweep, "cancel"))
    answer = bobs.get(url, headers=HTMX | {"HX-Target": "sweep-table"})
    assert "hx-trigger" not in text(answer)
    assert answer["HX-Refresh"] == "true"
    assert act(sweep, "cancel") not in text(bobs.get(url))


def test_a_kernel_that_names_no_metric_shows_what_is_there(shop, bobs):
    del shop.kernel.schema["x-metrics"]
    shop.kernel.save()
    sweep = started(shop)
    model = trainings(sweep)[0]
    score(model, 2.0, 1.0, series="train_loss", chart="loss")
    score(model, 0.5)
    metrics = bobs.get(sweep.get_absolute_url()).context["table"].metrics
    assert [(metric.key, metric.goal) for metric in metrics] == [
        ("accuracy/accuracy", "max"),
        ("loss/train_loss", "min"),
    ]


def test_a_batch_whose_trainings_were_deleted_says_so(shop, bobs):
    sweep = Sweep.objects.create(project=shop.project, name="empty", kernel=shop.kernel)
    assert "No training of this batch is left" in text(bobs.get(sweep.get_absolute_url()))


def test_only_what_varies_has_a_column_and_the_rest_stands_below_with_the_data(shop, bobs):
    sweep = started(shop, rows="1,2", lr="0.25")
    answer = bobs.get(sweep.get_absolute_url())
    assert [column.label for column in answer.context["table"].columns] == ["Rows"]
    facts = answer.context["facts"]
    assert (facts.model_type, facts.train, facts.validation) == (shop.model_type, [shop.train], [shop.val])
    fixed = {setting.name: setting.text for setting in facts.fixed}
    assert fixed["lr"] == "0.25"
    assert "rows" not in fixed
    for part in (shop.train.name, shop.val.name, shop.model_type.code, "Learning rate"):
        assert part in text(answer)


def test_of_a_batch_in_which_nothing_varies_every_setting_has_a_column(shop, bobs):
    table = bobs.get(started(shop, rows="1", lr="0.5").get_absolute_url()).context["table"]
    assert [column.label for column in table.columns] == ["Rows", "Learning rate"]


def test_long_numbers_are_as_short_as_they_still_differ(shop, bobs):
    sweep = started(shop, lr="0.123456789,0.123156789,0.5")
    cells = [row.cells[0] for row in bobs.get(sweep.get_absolute_url()).context["page"]]
    assert [(cell.text, cell.full) for cell in cells] == [
        ("0.1235", "0.123456789"), ("0.1232", "0.123156789"), ("0.5", ""),
    ]  # fmt: skip


def test_the_best_of_each_metric_is_bold(done, bobs):
    shown = text(bobs.get(done.get_absolute_url()))
    assert re.findall(r"<td class=\"num\"><strong>(.*?)</strong>", shown) == ["0.9"]


def test_a_training_that_is_being_cancelled_says_so_in_its_row_and_in_the_sum(shop, bobs, client_of):
    sweep = started(shop)
    first, second, _third = trainings(sweep)
    Job.objects.filter(pk__in=(first.job_id, second.job_id)).update(state=State.RUNNING)
    first.job.refresh_from_db()
    first.job.request_cancel(shop.user)
    answer = bobs.get(sweep.get_absolute_url())
    assert dict(answer.context["table"].states) == {"QUEUED": 1, "RUNNING": 1, "CANCELLING": 1}
    assert text(answer).count("Cancelling</span>") == 2
    assert "Cancelling</span>" in text(bobs.get(reverse("models:list", args=[shop.project.code])))


# --- pictures --------------------------------------------------------------------------------------------------------


def test_the_pictures_link_to_the_models_and_say_what_they_show(done, bobs):
    shown = text(bobs.get(done.get_absolute_url()))
    assert shown.count('<svg width="540" viewBox') == 2
    assert shown.count("<polyline") == shown.count("<circle") == 3
    model = trainings(done)[1]
    assert shown.count(f'href="{model.get_absolute_url()}"') == 3
    assert "valve rows_2: Rows 2; accuracy 0.9" in shown
    assert "style=" not in shown


def test_the_address_chooses_setting_and_metric(shop, bobs):
    sweep = started(shop, lr="0.001,0.01,0.1", rows="1,2")
    for number, model in enumerate(trainings(sweep)):
        end(model, number / 10)
        score(model, 1 - number / 10, series="val_loss", chart="loss")
    answer = bobs.get(sweep.get_absolute_url(), {"x": "lr", "y": "loss/val_loss"})
    assert (answer.context["x"], answer.context["y"]) == ("lr", 1)
    across, up = answer.context["scatter"].axes
    assert (across.title, up.title) == ("Learning rate", "val_loss")
    assert answer.context["table"].is_log == {"lr": True, "rows": False}
    places = sorted({float(tick.at) for tick in across.ticks})
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)  # powers stand at even distances
    for query in ({"x": "password", "y": "²"}, {"x": "", "y": "loss"}):
        assert bobs.get(sweep.get_absolute_url(), query).context["y"] == 0


def test_settings_that_are_no_numbers_stand_side_by_side(shop, bobs):
    sweep = started(shop, flip=["true", "false"], message="a,밸브")
    for model in trainings(sweep):
        end(model, 0.5)
    answer = bobs.get(sweep.get_absolute_url(), {"x": "message"})
    assert [tick.label for tick in answer.context["scatter"].axes[0].ticks] == ["a", "밸브"]


def test_trainings_at_the_same_point_are_one_point_with_their_number(shop, bobs):
    sweep = started(shop, lr="0.1,0.2", rows="1,2,3")
    for number, model in enumerate(trainings(sweep)):
        end(model, 0.75 if model.varied["lr"] == 0.1 else number / 10)
    answer = bobs.get(sweep.get_absolute_url(), {"x": "lr"})
    marks = {mark.count: mark for mark in answer.context["scatter"].marks}
    assert sorted(mark.count for mark in answer.context["scatter"].marks) == [1, 1, 1, 3]
    assert float(marks[3].radius) > float(marks[1].radius)
    assert marks[3].text.startswith("3 trainings here: valve ")
    assert marks[3].text.count("accuracy 0.75") == 3
    assert re.search(r'class="plot-count"[^>]*>3</text>', text(answer))


def test_labels_side_by_side_have_room(shop, bobs):
    sweep = started(shop, message=",".join(f"밸브 하우징 표면 {n}" for n in range(8)))
    for model in trainings(sweep):
        end(model, 0.5)
    ticks = bobs.get(sweep.get_absolute_url()).context["scatter"].axes[0].ticks
    places = [float(tick.at) for tick in ticks]
    assert len(ticks) > 1
    assert min(b - a for a, b in pairwise(places)) >= 80, "13 columns of 6.2 units"


def test_without_a_value_there_is_a_sentence(shop, bobs):
    sweep = started(shop)
    assert "No training has a value yet." in text(bobs.get(sweep.get_absolute_url()))
    bobs.post(act(sweep, "cancel"))
    assert "No training of this batch wrote a metric." in text(bobs.get(sweep.get_absolute_url()))


# --- what one may do -------------------------------------------------------------------------------------------------


def test_cancelling_the_rest_leaves_what_has_ended(shop, bobs):
    sweep = started(shop)
    first, second, third = trainings(sweep)
    end(first, 0.5)
    Job.objects.filter(pk=second.job_id).update(state=State.RUNNING)
    answer = bobs.post(act(sweep, "cancel"), follow=True)
    assert "2 trainings are being cancelled." in text(answer)
    for model in (first, second, third):
        model.job.refresh_from_db()
    assert [model.job.state for model in (first, second, third)] == [State.SUCCEEDED, State.RUNNING, State.CANCELLED]
    assert second.job.cancel_requested_by == shop.user
    end(second, 0.5)
    assert "ended already" in text(bobs.post(act(sweep, "cancel"), follow=True))


def test_keeping_the_best_says_what_it_freed_and_marks_the_others(done, bobs):
    answer = bobs.post(act(done, "keep"), {"keep": "1"}, follow=True)
    assert "The checkpoints of 2 trainings were deleted: 3.1" in text(answer)
    assert text(answer).count("Checkpoint deleted") == 2
    assert [bool(weights(model)) for model in trainings(done)] == [False, True, False]
    assert "Saved. There was nothing to delete yet." in text(bobs.post(act(done, "keep"), {"keep": "1"}, follow=True))
    assert "every checkpoint is kept" in text(bobs.post(act(done, "keep"), {"keep": ""}, follow=True))
    assert Sweep.objects.get(pk=done.pk).keep_best is None


@pytest.mark.parametrize("given", ["0", "-1", "many", "²", "9" * 30, "9999999999", "1.5"])
def test_keeping_a_number_that_is_none_changes_nothing(done, bobs, given):
    assert "Nothing was changed." in text(bobs.post(act(done, "keep"), {"keep": given}, follow=True))
    assert all(weights(model) for model in trainings(done))
    assert Sweep.objects.get(pk=done.pk).keep_best is None


# --- the card of the form --------------------------------------------------------------------------------------------


def test_the_card_shows_inputs_errors_and_count(shop):
    plan = sweeps.plan(shop, rows="1,x", flip=["true"])
    fields = axes_for_form(shop.kernel.schema, QueryDict("batch.rows.mode=list"))
    errors = {name: [sentence] for name, sentence in plan.problems}
    context = {"axes": fields, "plan": plan, "param_errors": errors}
    shown = render_to_string("models/_train_batch.html", context)
    for part in ('name="batch.rows.values"', 'name="batch.lr.min"', 'name="batch_random"', 'id="batch-count"', "open"):
        assert part in shown
    assert "you gave “x”" in shown
    assert 'name="batch.flip.min"' not in shown
    assert render_to_string("models/_train_batch.html", {"axes": [], "plan": plan}).strip() == ""


def test_the_card_says_what_each_parameter_comes_to_and_a_check_brings_it_up_to_date(page):
    batch = {"batch.rows.mode": "range", "batch.rows.min": "1", "batch.rows.max": "100", "batch.rows.step": "1"}
    shown = text(page.post(check="1", start=None, **batch))
    assert re.search(r"<strong>100 values</strong>\s*<span>1, 2, 3, 4, 5 … 100</span>", shown)
    checked = text(page.typing("batch.rows.max", **batch | {"batch.rows.max": "6", "batch.lr.mode": "list"}))
    assert re.search(r'id="values-batch.rows.mode" hx-swap-oob="true"><strong>6 values</strong>', checked)
    assert "1, 2, 3, 4, 5, 6<" in checked
    assert re.search(r'id="values-batch.lr.mode" hx-swap-oob="true"></p>', checked), "nothing is known of it yet"
    assert re.search(r'id="batch-summary" hx-swap-oob="true">many trainings at once', checked)


def test_a_setting_that_varies_says_beside_its_input_that_its_value_is_not_used(page):
    said = "Varies in the batch below: this value is not used."
    batch = {"batch.rows.mode": "list", "batch.rows.values": "1, 2"}
    shown = text(page.post(check="1", start=None, **batch))
    assert shown.count(said) == 1
    assert said in shown.split('id="varies-params.rows"')[1].split("</p>")[0]
    assert said in text(page.typing("batch.rows.mode", **batch))
    back = text(page.typing("batch.rows.mode", **batch | {"batch.rows.mode": ""}))
    assert 'id="varies-params.rows" hx-swap-oob="true"></p>' in back
    in_json = text(page.typing("batch.rows.mode", params_view="json", params_json="{}", **batch))
    assert "varies-params" not in in_json, "there is no input for it"


def test_the_question_says_what_it_costs(shop):
    plan = sweeps.plan(shop, rows="1,2,3", batch_keep="2")
    context = {"plan": plan, "count": 3, "devices": 1, "seconds": 5400, "names": ["valve rows_1"]}
    shown = render_to_string("models/_sweep_confirm.html", context)
    for part in ("Start 3 trainings?", "1 h 30 min", "1 device each", "best 2", 'name="confirmed"', "valve rows_1"):
        assert part in shown
    assert "cannot be said yet" in render_to_string("models/_sweep_confirm.html", context | {"seconds": None})
