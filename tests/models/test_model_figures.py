"""What the pages of models say in columns and figures, and how little they ask the database for it."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from jobs import charts
from jobs.curves import storing
from models_app.models import TrainedModel

pytestmark = pytest.mark.django_db
CURVES = 60


@pytest.fixture
def curves(shop):
    """A model with many curves: 3, 1, a gap, 1, 2."""
    model = shop.ready()
    with transaction.atomic():
        for start in range(0, CURVES, 20):
            columns = ["step", *(f"curve {n}" for n in range(start, start + 20))]
            rows = [(x, x, [value] * 20) for x, value in enumerate((3.0, 1.0, None, 1.0, 2.0))]
            storing.append(model.job, f"chart {start // 20}", columns, rows)
        storing.append(model.job, "chart 0", ["step", "only gaps"], [(1, 1, [None])])
    return model


def test_best_and_last_of_many_curves_take_one_query(curves, django_assert_num_queries):
    with django_assert_num_queries(1):
        found = charts.best_and_last(curves.job, {("chart 0", "curve 1"): "min"})
    assert sum(map(len, found.values())) == CURVES + 1
    assert found["chart 0"]["curve 0"] == {"last": 2, "best": 3, "best_at": 0, "goal": "max", "count": 5, "x": "step"}
    assert found["chart 0"]["curve 1"] == {"last": 2, "best": 1, "best_at": 1, "goal": "min", "count": 5, "x": "step"}
    gaps = {"last": None, "best": None, "best_at": None, "goal": "max", "count": 1, "x": "step"}
    assert found["chart 0"]["only gaps"] == gaps


def test_the_page_of_a_model_asks_for_them_once(curves, shop, client_of):
    with CaptureQueriesContext(connection) as asked:
        answer = client_of(shop.user).get(curves.get_absolute_url())
    assert answer.context["scores"]["chart 0"]["curve 0"]["best"] == 3
    assert sum("jobs_metriccurve" in query["sql"] for query in asked.captured_queries) == 1
    assert len(asked) < 40


def test_the_column_of_data_categories_shows_once_there_is_one(shop, client_of):
    model, page = shop.ready(), reverse("models:list", args=[shop.project.code])
    assert "Data category" not in client_of(shop.user).get(page).content.decode()
    TrainedModel.objects.filter(pk=model.pk).update(data_category="FRONT")
    shown = client_of(shop.user).get(page).content.decode()
    assert "Data category" in shown
    assert "FRONT" in shown
