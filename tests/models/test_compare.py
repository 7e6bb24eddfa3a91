"""Models beside each other: who is shown, what they reached, what differs, and addresses that restore it."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from jobs.curves import storing
from jobs.models import Job, State
from models_app.comparing.chosen import Chosen
from models_app.comparing.table import Table
from models_app.models import TrainedModel
from tests.models import sweeps

HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(shop, client_of) -> Client:
    return client_of(shop.user)


@pytest.fixture
def measured(shop):
    """A model that is trained, with so many values of a curve."""

    def make(*values: float | None, series: str = "accuracy", chart: str = "accuracy", **settings) -> TrainedModel:
        model = shop.ready(**settings)
        write(model, *values, series=series, chart=chart)
        return model

    return make


def write(model: TrainedModel, *values: float | None, series: str = "accuracy", chart: str = "accuracy") -> None:
    rows = [(n, n / 10, [value]) for n, value in enumerate(values, 1)]
    with transaction.atomic():
        storing.append(model.job, chart, ["epoch", series], rows)


def url(*models: TrainedModel, name: str = "compare", **more: object) -> str:
    pairs = "&".join([f"model={model.pk}" for model in models] + [f"{key}={value}" for key, value in more.items()])
    return f"{reverse(f'models:{name}', args=['valves'])}?{pairs}"


def chosen_of(answer) -> Chosen:
    return answer.context["chosen"]


def rows_of(answer) -> dict[str, list[str]]:
    table: Table = answer.context["table"]
    return {row.name or row.title: [cell.text for cell in row.cells] for row in table.settings + table.facts}


def drawn(answer) -> dict[str, dict[int, list]]:
    """By chart and model the points, without their times."""
    return {
        chart["name"]: {one["model"]: [point[:2] for point in one["points"]] for one in chart["series"]}
        for chart in answer.json()["charts"]
    }


# --- who --------------------------------------------------------------------------------------------------------------
def test_models_stand_in_the_order_of_the_address_and_once(client, measured):
    first, second = measured(0.5), measured(0.6)
    answer = client.get(url(second, first, second))
    assert [model.pk for model in chosen_of(answer).models] == [second.pk, first.pk]


def test_a_model_of_another_project_is_left_out_and_not_named(client, measured, other_shop):
    own, foreign = measured(0.5), other_shop.ready(name="somebody's secret")
    write(foreign, 0.1)
    answer = client.get(url(own, foreign))
    html = answer.content.decode()
    assert (chosen_of(answer).missing, "secret" in html) == (1, False)
    assert "1 model of this address is not in this project" in html
    assert drawn(client.get(url(own, foreign, name="compare_metrics"))) == {"accuracy/accuracy": {own.pk: [[1, 0.5]]}}
    assert client.get(url(foreign, name="compare_csv", chart="accuracy/accuracy")).status_code == 404
    found = client.get(url(own, name="compare_search", find="secret")).content.decode()
    assert f'value="{foreign.pk}"' not in found


def test_a_stranger_finds_no_page_and_no_curves(charlie, client_of, measured):
    model = measured(0.5)
    for name in ("compare", "compare_search", "compare_metrics", "compare_csv"):
        assert client_of(charlie).get(url(model, name=name, chart="accuracy/accuracy")).status_code == 404


@pytest.mark.parametrize("query", ["", "?model=x&model=-1&model=9999999999999999999999", "?model=999999"])
def test_without_a_model_the_page_says_how_to_begin(client, query):
    answer = client.get(reverse("models:compare", args=["valves"]) + query)
    assert answer.status_code == 200
    assert "No model is chosen yet" in answer.content.decode()


def test_a_model_keeps_its_colour_whoever_stands_beside_it(client, measured):
    models = [measured(0.5) for _n in range(4)]
    alone = {model.pk: chosen_of(client.get(url(model))).looks[model.pk] for model in models}
    together = chosen_of(client.get(url(*reversed(models)))).looks
    assert together == alone


def test_fifty_models_at_most_and_up_to_36_that_look_different(client, shop):
    model = shop.ready()
    rows = [TrainedModel(**{**row(model), "name": f"copy {n}"}) for n in range(54)]
    copies = TrainedModel.objects.bulk_create(rows)
    chosen = chosen_of(client.get(url(*copies)))
    assert (len(chosen.models), chosen.too_many) == (50, 4)
    assert len(set(chosen_of(client.get(url(*copies[:36]))).looks.values())) == 36


def row(model: TrainedModel) -> dict:
    """The fields of a model that a copy of it has too."""
    names = [field.attname for field in TrainedModel._meta.fields if field.name not in ("id", "name", "created_at")]
    return {name: getattr(model, name) for name in names}


# --- adding and removing ----------------------------------------------------------------------------------------------
def test_what_is_ticked_is_added_and_the_address_says_so(client, measured):
    first, second, third = measured(0.1), measured(0.2), measured(0.3)
    answer = client.get(url(first, add=second.pk, find="x", only=0) + f"&add={third.pk}&smooth=0.7")
    query = parse_qs(urlsplit(answer["Location"]).query)
    assert query == {"model": [str(m.pk) for m in (first, second, third)], "only": ["0"], "smooth": ["0.7"]}


def test_each_model_can_be_taken_out_and_the_rest_of_the_view_stays(client, measured):
    first, second, third = (measured(0.1) for _n in range(3))
    answer = client.get(url(first, second, third, base=third.pk, only=0))
    gone = next(column.without for column in answer.context["table"].columns if column.model == first)
    assert parse_qs(urlsplit(gone).query) == {
        "model": [str(second.pk), str(third.pk)], "base": [str(third.pk)], "only": ["0"],
    }  # fmt: skip
    assert f'href="{gone.replace("&", "&amp;")}"' in answer.content.decode()


def test_a_search_offers_the_same_model_type_first_and_keeps_what_was_ticked(client, measured, make_shop):
    own, ticked = measured(0.5), measured(0.5)
    other = make_shop("OD", name="others").ready(name="a detector")
    html = client.get(url(own, name="compare_search", add=ticked.pk)).content.decode()
    order = [int(found) for found in re.findall(r'name="add" value="(\d+)"', html)]
    assert order == [ticked.pk, other.pk]
    assert re.search(rf'value="{ticked.pk}" checked', html)
    assert (
        "No other model has “nothing like it”"
        in client.get(url(own, name="compare_search", find="nothing like it")).content.decode()
    )


def test_the_pages_of_a_model_and_of_a_batch_lead_there(client, make_shop, shop, measured):
    model = measured(0.5)
    page = client.get(model.get_absolute_url()).content.decode()
    assert reverse("models:compare", args=["valves"]) in page
    assert f'<input type="hidden" name="model" value="{model.pk}">' in page
    batch = sweeps.started(make_shop(name="batch", batchable_params=sweeps.BATCHABLE))
    for training, accuracy in zip(sweeps.trainings(batch), (0.2, 0.9, 0.5), strict=True):
        sweeps.end(training, accuracy)
    worst, best, middle = sweeps.trainings(batch)
    html = client.get(batch.get_absolute_url()).content.decode()
    assert f"compare/?model={best.pk}&amp;model={middle.pk}&amp;model={worst.pk}" in html


# --- the table --------------------------------------------------------------------------------------------------------
def test_only_the_settings_that_differ_are_shown_until_all_are_asked_for(client, measured):
    first, second = measured(0.5, rows=3), measured(0.6, rows=4)
    few, many = client.get(url(first, second)), client.get(url(first, second, only=0))
    assert rows_of(few)["rows"] == ["3", "4"]
    assert "lr" not in rows_of(few)
    assert rows_of(many)["lr"] == ["0.01", "0.01"]
    assert "equal rows hidden" in few.content.decode()


def test_one_and_one_point_zero_are_no_difference(client, measured):
    first, second = measured(0.5), measured(0.6)
    for model, value in ((first, 1), (second, 1.0)):
        model.settings["training_params"]["lr"] = value
        model.save()
    assert "lr" not in rows_of(client.get(url(first, second)))


def test_best_and_worst_of_a_row_are_marked_by_what_is_better(client, measured):
    models = [measured(*values) for values in ((0.2, 0.9, 0.5), (0.7, 0.1), (0.8,))]
    for model, loss in zip(models, (3.0, 1.0, 2.0), strict=True):
        write(model, 9.0, loss, chart="loss", series="val_loss")
    table: Table = client.get(url(*models)).context["table"]
    accuracy, loss = table.metrics
    assert [(cell.is_best, cell.is_worst) for cell in accuracy.cells] == [(True, False), (False, True), (False, False)]
    assert [(cell.is_best, cell.is_worst) for cell in loss.cells] == [(False, True), (True, False), (False, False)]
    assert [(cell.score["best"], cell.score["best_at"], cell.score["last"]) for cell in accuracy.cells[:2]] == [
        (0.9, 2, 0.5), (0.7, 1, 0.1),
    ]  # fmt: skip


def test_the_base_says_how_far_and_which_way_the_others_are(client, measured):
    first, second = measured(0.5, rows=3), measured(0.75, rows=4)
    by_first: Table = client.get(url(first, second)).context["table"]
    assert (by_first.metrics[0].cells[0].delta, by_first.metrics[0].cells[1].delta) == (None, 0.25)
    assert by_first.metrics[0].cells[1].is_good is True
    by_second: Table = client.get(url(first, second, base=second.pk)).context["table"]
    assert (by_second.metrics[0].cells[0].delta, by_second.metrics[0].cells[0].is_good) == (-0.25, False)
    assert [cell.is_other for cell in next(row for row in by_second.settings if row.name == "rows").cells] == [
        True,
        False,
    ]


def test_models_of_other_kernels_and_metrics_stand_beside_each_other(client, measured, make_shop):
    own = measured(0.5)
    other = make_shop("OD", name="others").ready(name="a detector")
    write(other, 0.3, chart="mAP", series="mAP50")
    write(other, 0.3, chart="lr", series="lr")
    write(other, 0.9, chart="precision_recall", series="good")
    answer = client.get(url(own, other))
    table: Table = answer.context["table"]
    assert {row.series: [bool(cell) for cell in row.cells] for row in table.metrics} == {
        "accuracy": [True, False], "mAP50": [False, True], "good": [False, True],
    }  # fmt: skip
    assert rows_of(answer)["Kernel"] == ["fake-cl@1", "fake-od@1"]


def test_a_learning_rate_is_drawn_but_is_no_score(client, measured):
    first, second = measured(0.1, 0.2, chart="lr", series="lr"), measured(0.1)
    answer = client.get(url(first, second))
    assert [row.series for row in answer.context["table"].metrics] == ["accuracy"]
    charts = client.get(url(first, second, name="compare_metrics")).json()["charts"]
    assert {chart["name"]: chart["series"][0]["goal"] for chart in charts} == {"accuracy/accuracy": "max", "lr/lr": ""}


def test_a_name_in_the_table_is_no_markup(client, measured):
    model = measured(0.5, name="<b>bold</b>")
    assert "<b>bold</b>" not in client.get(url(model, measured(0.2))).content.decode()


# --- the graphs -------------------------------------------------------------------------------------------------------
def test_a_chart_has_one_curve_a_model(client, measured):
    first, second = measured(0.1, 0.2), measured(0.3)
    write(second, 5.0, chart="loss", series="val_loss")
    assert drawn(client.get(url(first, second, name="compare_metrics"))) == {
        "accuracy/accuracy": {first.pk: [[1, 0.1], [2, 0.2]], second.pk: [[1, 0.3]]},
        "loss/val_loss": {second.pk: [[1, 5.0]]},
    }


def test_only_what_is_new_is_sent_and_nothing_where_nothing_is(client, measured):
    first, second = measured(0.1), measured(0.2)
    Job.objects.filter(pk=first.job_id).update(state=State.RUNNING)
    address = url(first, second, name="compare_metrics")
    cursor = client.get(address).json()["cursor"]
    assert client.get(f"{address}&after={cursor}").status_code == 204
    with transaction.atomic():
        storing.append(first.job, "accuracy", ["epoch", "accuracy"], [(2, 1, [0.9])])
    answer = client.get(f"{address}&after={cursor}")
    assert drawn(answer) == {"accuracy/accuracy": {first.pk: [[2, 0.9]]}}
    assert answer.json()["charts"][0]["series"][0]["replace"] is False
    Job.objects.update(state=State.SUCCEEDED)
    last = client.get(f"{address}&after={answer.json()['cursor']}").json()
    assert (last["active"], last["charts"]) == (False, [])


@pytest.mark.parametrize("after", ["x", "1", "1.2.3", "-", "²3.4", "9" * 40 + ".1"])
def test_a_strange_cursor_starts_from_the_beginning(client, measured, after):
    model = measured(0.1)
    assert client.get(url(model, name="compare_metrics", after=after)).json()["charts"]


def test_many_models_share_the_points_of_a_chart(client, measured):
    models = [measured(*(n % 7 / 7 for n in range(3000))) for _n in range(8)]
    [chart] = client.get(url(*models, name="compare_metrics")).json()["charts"]
    sizes = [len(series["points"]) + len(series["means"]) for series in chart["series"]]
    assert sum(sizes) <= 6000
    assert min(sizes) > 400
    part = client.get(url(*models, name="compare_metrics", chart=chart["name"], **{"from": 100, "to": 200})).json()
    inside = [point for point in part["charts"][0]["series"][0]["points"] if 100 <= point[0] <= 200]
    assert len(inside) == 101


def test_every_point_is_in_the_csv(client, measured):
    first, second = measured(0.1, None), measured(0.3, name='two, "named"')
    answer = client.get(url(first, second, name="compare_csv", chart="accuracy/accuracy"))
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0] == "model,name,epoch,seconds,accuracy"
    assert lines[1:] == [
        f"{first.pk},{first.name},1,0.1,0.1", f"{first.pk},{first.name},2,0.2,",
        f'{second.pk},"two, ""named""",1,0.1,0.3',
    ]  # fmt: skip
    assert client.get(url(first, name="compare_csv", chart="nothing")).status_code == 404


def test_the_table_asks_for_itself_only_while_something_is_trained(client, measured):
    first, second = measured(0.1), measured(0.2)
    Job.objects.filter(pk=first.job_id).update(state=State.RUNNING)
    part = client.get(url(first, second), headers=HTMX)
    assert "every 10s" in part.content.decode()
    assert "HX-Refresh" not in part
    Job.objects.update(state=State.SUCCEEDED)
    part = client.get(url(first, second), headers=HTMX)
    assert ("every 10s" in part.content.decode(), part["HX-Refresh"]) == (False, "true")


def test_twelve_models_take_few_questions(client, measured, django_assert_max_num_queries):
    models = [measured(0.1, 0.2) for _n in range(12)]
    with django_assert_max_num_queries(45):
        client.get(url(*models))
