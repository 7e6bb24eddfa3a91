"""Which model is in use: one a model type, with who, when and why kept, and never two because two people were quick."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from models_app import activating, champion
from models_app.activating import ActivationRefused
from models_app.models import Activation, TrainedModel

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(shop):
    return lambda name, *args: reverse(f"models:{name}", args=[shop.project.code, *args])


@pytest.fixture
def managers(alice, client_of):
    return client_of(alice)


@pytest.fixture
def activate(alice):
    return lambda model, reason="better", instead_of=None: activating.activate(
        model, alice, reason, instead_of=instead_of
    )


def text(answer) -> str:
    return answer.content.decode()


def in_use() -> list[str]:
    return list(Activation.objects.current().values_list("model_name", flat=True))


# --- the rule --------------------------------------------------------------------------------------------------------


def test_one_model_is_active_and_the_next_takes_its_place(shop, activate, alice):
    old, new = shop.ready(name="old"), shop.ready(name="new")
    first = activate(old, "the first")
    second = activate(new, "fewer misses", first.pk)
    first.refresh_from_db()
    assert in_use() == ["new"]
    assert (first.ended_by, first.end_reason, first.replaced_by) == (alice, "fewer misses", second)
    assert first.ended_at <= second.started_at
    assert (old.activation, new.activation) == (None, second)


def test_who_saw_another_champion_than_there_is_decides_anew(shop, activate):
    models = [shop.ready(name=name) for name in "abc"]
    first = activate(models[0])
    activate(models[1], instead_of=first.pk)
    for seen in (first.pk, None):
        with pytest.raises(ActivationRefused, match="meanwhile"):
            activate(models[2], instead_of=seen)
    assert in_use() == ["b"]
    assert Activation.objects.count() == 2


def test_the_database_itself_lets_no_two_be_active(shop, activate, alice):
    model = shop.ready()
    activate(model)
    with pytest.raises(IntegrityError), transaction.atomic():
        Activation.objects.create(
            project=shop.project, model_type=shop.model_type, model=model, model_name="x", started_by=alice,
            started_at=timezone.now(), reason="x",
        )  # fmt: skip


def test_each_model_type_has_its_own(shop, make_shop, activate):
    boxes = make_shop("OD", name="boxes")
    activate(shop.ready(name="cl"))
    activate(boxes.ready(name="od"))
    assert sorted(in_use()) == ["cl", "od"]


def test_a_model_that_cannot_be_used_is_refused(shop, activate):
    running = shop.order().start(shop.user)
    failed = shop.trained(behaviour="exit3")
    bare = shop.ready()
    (bare.folder / "save/checkpoint.pth").unlink()
    for model in (running, failed, bare):
        with pytest.raises(ActivationRefused):
            activate(model)
    good = shop.ready()
    activate(good)
    with pytest.raises(ActivationRefused, match="already"):
        activate(good, instead_of=good.activation.pk)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501])
def test_a_reason_is_needed(shop, activate, reason):
    with pytest.raises(ActivationRefused):
        activate(shop.ready(), reason)
    assert in_use() == []


def test_a_model_that_was_deleted_meanwhile_is_refused(shop, activate):
    model = shop.ready()
    TrainedModel.objects.filter(pk=model.pk).delete()
    with pytest.raises(ActivationRefused, match="deleted"):
        activate(model)


def test_deactivating_twice_is_refused_once(shop, activate, alice):
    model = shop.ready()
    activate(model)
    activating.deactivate(model, alice, "bad lighting")
    with pytest.raises(ActivationRefused, match="meanwhile"):
        activating.deactivate(model, alice, "again")
    assert Activation.objects.get().end_reason == "bad lighting"


# --- what to think of before -----------------------------------------------------------------------------------------


def test_a_model_that_was_never_validated_is_warned_of(shop):
    [warning] = champion.contest(shop.ready(), None).warnings
    assert "not been validated" in warning


def test_models_are_compared_over_exactly_the_same_data(shop):
    worse, better = shop.finished(wrong=2), shop.finished(wrong=0)
    for model in (worse, better):
        shop.validated(model)
    found = champion.contest(worse, better)
    line = next(line for line in found.lines if line.name == "accuracy")
    assert (line.on, line.candidate, line.champion, line.is_worse) == ("parts-val", 0.5, 1.0, True)
    assert found.warnings == ["accuracy on parts-val is lower than that of the active model."]
    assert champion.contest(better, worse).warnings == []


def test_figures_over_other_data_are_not_put_beside_each_other(shop):
    one, other = shop.finished(), shop.finished()
    shop.validated(one)
    shop.validated(other, datasets=[shop.train])
    found = champion.contest(one, other)
    assert not any(line.is_shared for line in found.lines)
    assert {line.on for line in found.lines} == {"parts-val", "parts-train"}
    assert "never validated on the same data" in found.warnings[0]


def test_other_classes_than_those_of_the_active_model_are_warned_of(shop):
    model, held = shop.finished(), shop.finished()
    for one in (model, held):
        shop.validated(one)
    held.classes = ["GOOD", "OLD"]
    said = " ".join(champion.contest(model, held).warnings)
    assert "classes that the active model does not: BAD" in said
    assert "does not know classes that the active model does: OLD" in said
    held.classes = list(reversed(model.classes))
    assert "another order" in " ".join(champion.contest(model, held).warnings)


# --- the pages -------------------------------------------------------------------------------------------------------


def test_activation_on_the_page(shop, managers, url, alice):
    model = shop.finished(name="valve")
    page = text(managers.get(url("activate", model.pk)))
    assert "not been validated" in page
    assert "Activate anyway" in page
    assert not Activation.objects.exists()
    answer = managers.post(url("activate", model.pk), {"reason": " good enough ", "instead_of": ""}, follow=True)
    assert f"“valve” is active for {shop.model_type.code} now." in text(answer)
    assert "This is the model in use" in text(answer)
    kept = Activation.objects.get()
    assert (kept.started_by, kept.reason) == (alice, "good enough")


def test_the_page_shows_the_champion_and_posts_what_was_seen(shop, managers, url, activate):
    held = activate(shop.ready(name="champion"), "the old one")
    model = shop.ready(name="candidate")
    page = text(managers.get(url("activate", model.pk)))
    assert "champion" in page
    assert "the old one" in page
    assert f'name="instead_of" value="{held.pk}"' in page
    answer = managers.post(url("activate", model.pk), {"reason": "why", "instead_of": ""})
    assert answer.status_code == 422
    assert "Somebody changed what is active meanwhile" in text(answer)
    assert in_use() == ["champion"]
    managers.post(url("activate", model.pk), {"reason": "why", "instead_of": held.pk})
    assert in_use() == ["candidate"]


def test_without_a_reason_the_page_asks_for_one(shop, managers, url):
    model = shop.ready()
    answer = managers.post(url("activate", model.pk), {"reason": " ", "instead_of": ""})
    assert answer.status_code == 422
    assert "reason" in answer.context["form"].errors


def test_a_model_that_cannot_be_used_leads_back_with_the_reason(shop, managers, url):
    model = shop.trained(behaviour="exit3")
    answer = managers.get(url("activate", model.pk), follow=True)
    assert "Only a finished model can be activated" in text(answer)
    assert url("activate", model.pk) not in text(answer)


def test_deactivation_on_the_page_keeps_who_and_why(shop, managers, url, activate, alice):
    model = shop.ready(name="valve")
    activate(model, "best")
    assert "best" in text(managers.get(url("deactivate", model.pk)))
    answer = managers.post(url("deactivate", model.pk), {"reason": "false alarms"}, follow=True)
    assert "“valve” is not active any more." in text(answer)
    assert "false alarms" in text(answer), "the history on the model's page"
    assert (Activation.objects.get().ended_by, in_use()) == (alice, [])
    assert "is not active" in text(managers.get(url("deactivate", model.pk), follow=True))


def test_the_page_of_active_models_says_what_since_when_by_whom_and_why(
    shop, make_shop, client_of, vera, url, activate
):
    boxes = make_shop("OD", name="boxes")
    boxes.ready()
    old, new = shop.ready(name="old"), shop.ready(name="new")
    first = activate(old, "the first")
    activate(new, "fewer misses", first.pk)
    answer = client_of(vera).get(url("active"))
    shown = {kind.code: held and held.model_name for kind, held in answer.context["rows"]}
    assert shown == {shop.model_type.code: "new", boxes.model_type.code: None}
    assert answer.context["finished"] == {boxes.model_type.pk: 1}
    page = text(answer)
    for part in ("fewer misses", "alice", "Replaced by “new”", "1 finished model to choose from"):
        assert part in page
    assert url("deactivate", new.pk) not in page, "a viewer changes nothing"


def test_only_a_manager_activates(shop, client_of, dev, url, activate):
    model = shop.ready()
    assert client_of(dev).post(url("activate", model.pk), {"reason": "x"}).status_code == 403
    assert "A manager of the project can activate it." in text(client_of(dev).get(model.get_absolute_url()))
    activate(model)
    assert client_of(dev).post(url("deactivate", model.pk), {"reason": "x"}).status_code == 403
    assert in_use() == [model.name]


@pytest.mark.django_db(transaction=True)
def test_of_two_who_activate_at_the_same_moment_one_is_told(shop, alice):
    champion_, first, second = shop.ready(name="champion"), shop.ready(name="first"), shop.ready(name="second")
    seen = activating.activate(champion_, alice, "old", instead_of=None).pk
    start, said = threading.Barrier(2), []

    def press(model: TrainedModel) -> None:
        start.wait()
        try:
            activating.activate(model, alice, "new", instead_of=seen)
            said.append("done")
        except ActivationRefused as refusal:
            said.append(str(refusal))
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=[model]) for model in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(text.startswith("Somebody changed") for text in said) == [False, True]
    assert len(in_use()) == 1
    assert Activation.objects.count() == 2
