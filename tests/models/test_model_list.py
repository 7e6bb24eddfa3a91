"""The list of models: filters and order out of the address, running rows in place, several chosen at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from jobs.models import Job, State
from models_app import activating
from models_app.models import TrainedModel

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(shop):
    return lambda name, *args: reverse(f"models:{name}", args=[shop.project.code, *args])


@pytest.fixture
def bobs(shop, client_of):
    return client_of(shop.user)


@pytest.fixture
def found(bobs, url):
    """The names that the list shows with this query."""
    return lambda **query: [model.name for model in bobs.get(url("list"), query).context["page"]]


def text(answer) -> str:
    return answer.content.decode()


def names(answer) -> list[str]:
    return [model.name for model in answer.context["page"]]


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


def test_each_column_has_its_filter(shop, found, dev):
    base = shop.ready(name="base")
    shop.ready(name="child", base_model=base)
    other = shop.ready(name="other")
    TrainedModel.objects.filter(pk=other.pk).update(
        data_category="FRONT", created_by=dev, created_at=timezone.now() - timedelta(days=9)
    )
    assert found(q=str(other.pk)) == ["other"]
    assert found(q=f"#{other.pk}") == ["other"]
    assert found(category="FRONT") == ["other"]
    assert found(who=dev.pk) == ["other"]
    assert found(base="any") == ["child"]
    assert found(base="none") == ["other", "base"]
    assert found(base=base.pk) == ["child"]
    assert found(base="BAS") == ["child"]
    week = (timezone.localdate() - timedelta(days=7)).isoformat()
    assert found(until=week) == ["other"]
    assert found(since=week) == ["child", "base"]
    assert found(since="nonsense", until="2026-02-31") == ["other", "child", "base"]
    assert found(q="o", category="FRONT", base="none", state="SUCCEEDED") == ["other"]


def test_what_is_active_is_marked_and_filtered(shop, bobs, url, found, alice):
    model = shop.ready(name="champion")
    shop.ready(name="other")
    activating.activate(model, alice, "best", instead_of=None)
    assert found(active="1") == ["champion"]
    assert found(active="0") == ["other"]
    assert text(bobs.get(url("list"))).count("active-mark") == 1


def test_the_address_keeps_sort_and_size_through_a_filter(shop, bobs, url):
    shop.ready(name="alpha")
    page = text(bobs.get(url("list"), {"sort": "-name", "size": "50", "q": "alp"}))
    assert '<input type="hidden" name="sort" value="-name">' in page
    assert '<input type="hidden" name="size" value="50">' in page


def test_every_order_works_both_ways(shop, bobs, url):
    for name in ("b", "a"):
        shop.ready(name=name)
    for sort in ("id", "name", "model_type", "category", "state", "who", "when"):
        up, down = (names(bobs.get(url("list"), {"sort": f"{sign}{sort}"})) for sign in ("", "-"))
        assert sorted(up) == sorted(down) == ["a", "b"], sort
    assert names(bobs.get(url("list"), {"sort": "name"})) == ["a", "b"]


def test_pages_hold_what_their_size_says(shop, bobs, url):
    for number in range(23):
        shop.order(name=f"model {number:02}").start(shop.user)
    assert len(names(bobs.get(url("list")))) == 20
    assert names(bobs.get(url("list"), {"page": 2, "sort": "name"})) == ["model 20", "model 21", "model 22"]
    assert len(names(bobs.get(url("list"), {"size": 50}))) == 23


def test_the_last_validation_stands_beside_its_model(shop, bobs, url):
    model = shop.finished(name="judged", wrong=1)
    shop.validated(model)
    shop.ready(name="other")
    page = bobs.get(url("list"))
    figure = page.context["figures"][model.pk]
    assert (figure.name, figure.value, figure.on) == ("accuracy", 0.75, "parts-val")
    assert list(page.context["figures"]) == [model.pk]


# --- running rows ----------------------------------------------------------------------------------------------------


def test_only_rows_at_work_are_asked_about_again(shop, bobs, url):
    running = shop.order(name="running").start(shop.user)
    shop.ready(name="done")
    page = text(bobs.get(url("list")))
    assert f'hx-get="{url("states")}?model={running.pk}"' in page
    Job.objects.filter(pk=running.job_id).update(state=State.RUNNING, percentage=42, started_at=timezone.now())
    answer = text(bobs.get(url("states"), {"model": running.pk}, headers={"HX-Request": "true"}))
    assert "42 %" in answer
    assert f'id="state-{running.pk}" hx-swap-oob="true"' in answer
    assert f'hx-get="{url("states")}?model={running.pk}"' in answer
    Job.objects.filter(pk=running.job_id).update(state=State.SUCCEEDED, ended_at=timezone.now())
    answer = text(bobs.get(url("states"), {"model": running.pk}))
    assert "Succeeded" in answer
    assert "hx-get" not in answer


def test_states_of_models_elsewhere_are_not_told(shop, other_shop, bobs, url):
    model = other_shop.order(name="hidden").start(other_shop.user)
    assert "state-" not in text(bobs.get(url("states"), {"model": [model.pk, "x", ""]}))


# --- several at once -------------------------------------------------------------------------------------------------


def test_ticked_models_go_to_compare_and_to_deletion_by_their_ids(shop, client_of, dev, bobs, url):
    model = shop.ready()
    page = text(client_of(dev).get(url("list")))
    assert f'name="model" value="{model.pk}" form="chosen"' in page
    assert f'formaction="{url("list")}compare/"' in page
    assert f'formaction="{url("delete")}"' in page
    assert f'formaction="{url("delete")}"' not in text(bobs.get(url("list"))), "who may not delete is not offered it"


# --- many ------------------------------------------------------------------------------------------------------------


def test_the_list_asks_the_database_no_more_for_many_models(shop, bobs, url, django_assert_max_num_queries):
    for _number in range(6):
        shop.order().start(shop.user)
    bobs.get(url("list"))
    with django_assert_max_num_queries(25):
        bobs.get(url("list"))
