"""The training form: what stands in it before anybody typed, and what it makes of what was typed."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from datasets_app.models import Dataset
from kernels_app.models import KernelSwitch
from models_app.choices import for_form, labelled_counts
from models_app.form_data import initial
from models_app.models import Origin
from models_app.train_form import TrainForm
from projects_app.models import Project
from tests import fake_kernels

pytestmark = pytest.mark.django_db

NO_NUMBERS = ("abc", "-1", "", "²", "1e3", "99999999999999999999999999", "1 OR 1=1", "\x00")


@pytest.fixture
def fresh(shop):
    """The form as somebody finds it who came by this address."""

    def make(query: str = "", project=shop.project) -> TrainForm:
        return TrainForm(project, initial(project, QueryDict(query)))

    return make


def texts(form: TrainForm) -> dict[str, str]:
    return {field.name: field.text for field in form.params}


# --- prefilled -------------------------------------------------------------------------------------------------------


def test_a_fresh_form_holds_what_is_usual(fresh, shop):
    form = fresh(f"kernel={shop.kernel.pk}")
    assert form.chosen_type == shop.model_type
    assert form.chosen_kernel == shop.kernel
    assert texts(form) == {
        "behaviour": "good", "judging": "good", "rows": "3", "lr": "0.01", "pause": "0", "wrong": "1", "flip": "true",
        "message": "",
    }  # fmt: skip
    assert (form.data["devices"], form.data["name"]) == ("1", f"{shop.model_type.code}-1")


def test_a_dataset_in_the_address_brings_its_model_type_and_its_validation_set(fresh, shop, make_shop):
    boxes = make_shop("OD", name="boxes")
    form = fresh(f"train={boxes.train.pk}")
    assert form.chosen_type == boxes.model_type
    assert boxes.model_type.training_type in form.chosen_kernel.types
    assert (form.chosen_train, form.chosen_validation) == ({boxes.train.pk}, {boxes.val.pk})
    assert form.data["name"] == f"{boxes.model_type.code}-boxes-train-1"


def test_several_datasets_a_name_and_a_description_come_from_the_address(fresh, shop):
    query = f"train={shop.train.pk}&train={shop.val.pk}&validation={shop.val.pk}&name=mine&description=why"
    form = fresh(query)
    assert form.chosen_train == {shop.train.pk, shop.val.pk}
    assert form.chosen_validation == {shop.val.pk}
    assert (form.data["name"], form.data["description"]) == ("mine", "why")


def test_a_proposed_name_is_free(fresh, shop):
    shop.order(name=f"{shop.model_type.code}-2").start(shop.user)
    assert fresh().data["name"] == f"{shop.model_type.code}-2.1"


def test_additional_training_starts_from_what_the_model_used(fresh, shop):
    base = shop.ready(rows=2, lr=0.5)
    form = fresh(f"base={base.pk}")
    assert (form.data["base_model"], form.data["retrained_from"]) == (str(base.pk), "")
    assert (texts(form)["rows"], texts(form)["lr"]) == ("2", "0.5")
    assert (form.chosen_train, form.chosen_validation) == ({shop.train.pk}, {shop.val.pk})
    assert form.data["name"] != base.name
    assert not form.report().errors
    order = form.order()
    assert (order.origin, order.base_model, order.params) == (Origin.ADDITIONAL, base, base.params)


def test_retraining_is_the_same_again(fresh, shop):
    base = shop.ready()
    model = shop.ready(base_model=base, rows=2, origin=Origin.ADDITIONAL, message="")
    form = fresh(f"retrain={model.pk}")
    assert not form.report().errors
    order = form.order()
    assert (order.origin, order.retrained_from, order.base_model) == (Origin.RETRAIN, model, base)
    assert order.params == model.params, "an empty text too"


def test_retraining_offers_the_very_version_that_was_used(fresh, shop):
    model = shop.ready()
    newer = fake_kernels.register(version="2")
    assert newer != shop.kernel
    assert fresh(f"retrain={model.pk}").chosen_kernel == shop.kernel
    assert fresh(f"model_type={shop.model_type.pk}&kernel={newer.pk}").chosen_kernel == newer


def test_a_model_of_another_project_prefills_nothing(fresh, other_shop):
    base = other_shop.ready(lr=0.5)
    form = fresh(f"base={base.pk}")
    assert not form.data.get("base_model")
    assert not form.chosen_train


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_nonsense_in_the_address_does_no_harm(fresh, value):
    for name in ("train", "validation", "model_type", "kernel", "base", "retrain", "devices"):
        query = QueryDict(mutable=True)
        query[name] = value
        form = fresh(query.urlencode())
        form.report()
        assert for_form(form).train.fitting


def test_a_project_without_anything_has_a_form_without_choices(fresh):
    form = fresh("", Project.objects.create(code="empty", name="Empty"))
    assert (form.chosen_type, form.order()) == (None, None)
    assert not for_form(form).train.fitting


# --- what is offered -------------------------------------------------------------------------------------------------


def test_kernels_that_do_not_fit_are_named_with_the_reason(fresh, shop):
    fake_kernels.register("OD")
    bound = fake_kernels.register(name="bound", model_type={"enum": ["CL_OTHER"]})
    form = fresh(f"model_type={shop.model_type.pk}")
    reasons = {kernel.name: reason for kernel, reason in form.not_offered}
    assert "trains OD, not" in reasons["fake-od"]
    assert bound.name in reasons
    assert shop.kernel in form.offered


def test_a_kernel_that_is_off_is_not_offered(fresh, shop):
    KernelSwitch.objects.create(kernel=shop.kernel, project=shop.project, is_on=False)
    form = fresh(f"kernel={shop.kernel.pk}")
    assert shop.kernel not in form.offered
    assert form.chosen_kernel != shop.kernel


def test_only_the_newest_version_is_offered(fresh, shop):
    newer = fake_kernels.register(version="2")
    offered = fresh().offered
    assert newer in offered
    assert shop.kernel not in offered


def test_base_models_are_those_that_left_weights(fresh, shop, make_shop):
    good, partial = shop.ready(), shop.trained(behaviour="exit3")
    shop.trained(behaviour="nothing")
    shop.order().start(shop.user)
    make_shop("OD", name="boxes").ready()
    found = for_form(fresh(f"model_type={shop.model_type.pk}")).base_models
    assert {row.model for row in found} == {good, partial}


def test_datasets_are_counted_by_what_can_teach_the_model_type(fresh, shop, make_shop):
    boxes = make_shop("OD", name="boxes")
    found = for_form(fresh(f"model_type={shop.model_type.pk}")).train
    counted = {card.dataset.name: (card.images, card.labelled) for card in [*found.fitting, *found.others]}
    nothing = (4, 0)
    assert counted == {"boxes-train": nothing, "boxes-val": nothing, "parts-train": (4, 4), "parts-val": (4, 4)}
    assert labelled_counts(shop.project, boxes.model_type) == {boxes.train.pk: 4, boxes.val.pk: 4}


# --- what was typed --------------------------------------------------------------------------------------------------


def typed(shop, **changed) -> TrainForm:
    """The form as it was filled in; `lr` and the like are parameters, None takes a field out."""
    data = QueryDict(mutable=True)
    usual = {
        "model_type": shop.model_type.pk, "kernel": shop.kernel.pk, "train": shop.train.pk, "validation": shop.val.pk,
        "name": "typed", "devices": 1, "params.behaviour": "good", "params.rows": "3", "params.lr": "0.01",
    }  # fmt: skip
    for name, value in (usual | changed).items():
        if value is not None:
            data[name] = str(value)
    return TrainForm(shop.project, data)


def test_what_was_typed_becomes_the_order(shop):
    form = typed(shop, **{"params.lr": "1e-3", "params.flip": "false", "description": "why"})
    assert not form.report().errors
    order = form.order()
    assert order.params == fake_kernels.params(lr=0.001, flip=False)
    assert (order.name, order.description, order.train, order.devices) == ("typed", "why", [shop.train], 1)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("params.lr", "5", "Learning rate must be at most 1; you gave 5."),
        ("params.lr", "0", "Learning rate must be more than 0; you gave 0."),
        ("params.lr", "fast", "Learning rate must be a number; you gave “fast”."),
        ("params.lr", "", "Learning rate is required."),
        ("params.rows", "2.5", "Rows must be a whole number; you gave 2.5."),
        ("params.behaviour", "dance", "Behaviour must be one of"),
        ("params.flip", "perhaps", "Flip must be yes or no; you gave “perhaps”."),
        ("devices", "2", "This kernel runs on 1 to 1 devices; you chose 2."),
        ("name", "", "Give the model a name."),
        ("train", None, "Choose at least one training dataset."),
        ("validation", None, "Choose at least one validation dataset."),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_is_said_once(shop, name, value, sentence):
    form = typed(shop, **{name: value})
    form.report()
    assert set(form.errors) == {name}
    said = form.errors[name]
    assert len(said) == 1
    assert sentence in said[0]


def test_a_second_look_says_nothing_twice(shop):
    form = typed(shop, **{"params.lr": "5"})
    form.report()
    before = dict(form.errors)
    form.order()
    assert dict(form.errors) == before


def test_a_dataset_of_another_project_cannot_be_chosen(shop, other_shop):
    form = typed(shop, train=other_shop.train.pk)
    form.report()
    assert "train" in form.errors


def test_a_base_model_of_another_project_cannot_be_chosen(shop, other_shop):
    form = typed(shop, base_model=other_shop.ready().pk)
    form.report()
    assert "base_model" in form.errors


def test_facts_say_what_will_be_learnt_from_what(shop):
    report = typed(shop).report()
    assert (report.facts.train.labelled, report.facts.validation.labelled) == (4, 4)
    assert [(code, train.labels, val.labels) for code, train, val in report.facts.by_class] == [
        ("GOOD", 2, 2),
        ("BAD", 2, 2),
    ]
    assert not typed(shop).report(with_data=False).facts


def test_data_that_is_both_is_warned_of_and_may_start(shop):
    report = typed(shop, validation=shop.train.pk).report()
    assert not report.errors
    assert any("at once" in warning for warning in report.warnings)


def test_datasets_are_never_written_by_the_form(shop):
    before = Dataset.objects.count()
    typed(shop).report()
    assert Dataset.objects.count() == before
