"""The settings on the training page: fields of every kind, the same as JSON, what is set aside, origin and presets."""

from __future__ import annotations

import html
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from kernels_app.models import Kernel, KernelSwitch
from models_app.models import Preset, TrainedModel
from projects_app.models import Membership, ModelType
from tests import fake_kernels
from tests.models.conftest import error_at, text

pytestmark = pytest.mark.django_db

OPTIMIZERS = [{"const": "sgd", "title": "Plain SGD"}, {"const": "adam", "title": "Adam"}]
PARAMS: dict[str, Any] = {
    "type": "object", "required": ["epochs"],
    "properties": {
        "epochs": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5},
        "sizes": {"type": "array", "items": {"type": "integer"}, "default": [32, 64]},
        "stop": {"type": ["integer", "null"], "default": None, "minimum": 1},
        "optimizer": {
            "type": "object", "additionalProperties": False,
            "properties": {
                "name": {"oneOf": OPTIMIZERS, "default": "adam"},
                "lr": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.01},
            },
        },
        "mode": {"enum": ["fast", "careful"], "default": "fast"},
    },
    "allOf": [{
        "if": {"properties": {"mode": {"const": "careful"}}, "required": ["mode"]},
        "then": {"properties": {"checks": {"type": "integer", "minimum": 1}}},
    }],
}  # fmt: skip


@pytest.fixture
def rich(page, shop):
    """The page with a kernel whose settings are of every kind; sends only what is given beside the usual fields."""
    kernel = fake_kernels.register(name="rich", training_params=PARAMS)

    class Rich:
        kernel_pk = kernel.pk

        @staticmethod
        def send(to: str = "train_form", **changed: Any):
            bare = {f"params.{name}": None for name in fake_kernels.PROPERTIES}
            usual = {"kernel": kernel.pk, "shown_kernel": kernel.pk, "start": None}
            return page.post(to, **(bare | usual | changed))

    return Rich


def values(answer) -> dict[str, Any]:
    return answer.context["form"].settings.values


# --- fields ----------------------------------------------------------------------------------------------------------


def test_every_kind_of_setting_has_its_input(rich):
    shown = text(rich.send())
    for name in ("epochs", "sizes", "stop", "optimizer.name", "optimizer.lr", "mode"):
        assert f'name="params.{name}"' in shown, name
    assert 'name="mode.stop"' in shown
    assert "Plain SGD" in shown
    assert 'name="params.checks"' not in shown


def test_the_schema_of_the_kernel_is_there_to_read(rich):
    shown = html.unescape(text(rich.send(act="view:json"))).split('<details class="param-schema"')[1]
    assert (
        json.loads(shown.split("<pre")[1].split(">", 1)[1].split("</pre>")[0])["properties"]["training_params"]
        == PARAMS
    )


def test_a_setting_that_depends_on_another_comes_with_it(rich):
    answer = rich.send("train_check", **{"params.mode": "careful", "shape": "as it was"})
    assert 'name="params.checks"' in text(answer)
    assert "hx-swap-oob" in text(answer)


def test_what_was_typed_becomes_settings_of_every_kind(rich):
    typed = {
        "params.epochs": "7", "params.sizes": "8, 16", "mode.stop": "null", "params.optimizer.name": "sgd",
        "params.optimizer.lr": "1e-3", "params.mode": "fast",
    }  # fmt: skip
    found = values(rich.send(**typed))
    assert found == {
        "epochs": 7, "sizes": [8, 16], "stop": None, "optimizer": {"name": "sgd", "lr": 0.001}, "mode": "fast",
    }  # fmt: skip


def test_an_error_inside_a_group_stands_at_its_input(rich):
    answer = rich.send("train_check", **{"params.optimizer.lr": "5"})
    assert "must be at most 1" in error_at(answer, "params.optimizer.lr")


# --- as JSON ---------------------------------------------------------------------------------------------------------


def test_the_view_of_json_holds_the_same_value_and_back(rich):
    answer = rich.send(act="view:json", **{"params.epochs": "9"})
    shown = answer.context["form"].settings.text
    assert json.loads(shown)["epochs"] == 9
    back = rich.send(act="view:fields", params_view="json", params_json=shown.replace("9", "11"))
    assert values(back)["epochs"] == 11
    assert 'name="params.epochs"' in text(back)


def test_an_error_in_json_is_named_with_its_line(rich):
    written = '{\n  "epochs": 5,\n  "optimizer": {\n    "lr": 7\n  }\n}'
    answer = rich.send("train_check", params_view="json", params_json=written)
    assert "Line 4" in error_at(answer, "params_json")
    assert "must be at most 1" in error_at(answer, "params_json")
    assert 'class="is-bad"' in text(answer)


def test_json_that_is_none_says_where_and_stays_as_it_was_typed(rich, page):
    written = '{\n  "epochs": 5,,\n}'
    answer = rich.send("train", params_view="json", params_json=written, start="1")
    assert answer.status_code == 422
    assert "Line 2" in error_at(answer, "params_json")
    assert "&quot;epochs&quot;: 5,," in text(answer)
    assert not TrainedModel.objects.exists()
    refused = rich.send(act="view:fields", params_view="json", params_json=written)
    assert "mend it first" in text(refused)
    assert "&quot;epochs&quot;: 5,," in text(refused)


def test_a_training_starts_out_of_json(rich):
    answer = rich.send("train", params_view="json", params_json='{"epochs": 3, "stop": null}', start="1")
    assert answer.status_code == 302, text(answer)
    assert TrainedModel.objects.get().params == {"epochs": 3, "stop": None}


def test_a_pasted_model_json_is_taken_for_its_settings(rich):
    written = json.dumps({"training_type": "CL", "model_type": "X", "training_params": {"epochs": 4}})
    assert values(rich.send("train_check", params_view="json", params_json=written)) == {"epochs": 4}


def test_a_file_brings_its_settings_and_a_bad_one_changes_nothing(rich):
    good = SimpleUploadedFile("model.json", json.dumps({"training_params": {"epochs": 42}}).encode())
    assert values(rich.send(act="upload:", settings_file=good))["epochs"] == 42
    for content, says in ((b"{", "no JSON"), (b"\xff\xfe", "UTF-8"), (b"[1]", "JSON object")):
        answer = rich.send(act="upload:", settings_file=SimpleUploadedFile("x.json", content), **{"params.epochs": "8"})
        assert says in text(answer), content
        assert values(answer)["epochs"] == 8


def test_the_settings_are_downloaded_as_a_model_json(rich, shop):
    answer = rich.send("train", act="download", **{"params.epochs": "6"})
    assert "attachment" in answer["Content-Disposition"]
    found = json.loads(answer.content)
    assert (found["training_type"], found["model_type"]) == ("CL", shop.model_type.code)
    assert found["training_params"]["epochs"] == 6


# --- buttons ---------------------------------------------------------------------------------------------------------


def test_one_setting_goes_back_to_its_default_and_the_rest_stays(rich):
    answer = rich.send(act="reset:params.epochs", **{"params.epochs": "9", "params.mode": "careful"})
    assert (values(answer)["epochs"], values(answer)["mode"]) == (5, "careful")


def test_a_kernel_without_a_setting_sets_it_aside_and_another_brings_it_back(rich, page, shop):
    away = rich.send(kernel=shop.kernel.pk, shown_kernel=rich.kernel_pk, **{"params.epochs": "9"})
    assert "Set aside" in text(away)
    assert ("epochs", "9") in away.context["aside"]
    again = page.post("train_form", start=None, kernel=rich.kernel_pk, shown_kernel=shop.kernel.pk,
                      aside_key=["epochs"], aside_value=["9"])  # fmt: skip
    assert values(again)["epochs"] == 9
    assert not again.context["aside"] or "epochs" not in dict(again.context["aside"])


def test_what_was_typed_survives_a_model_type_without_a_kernel(page, shop):
    bare = ModelType.objects.create(project=shop.project, code="BARE", training_type="RC")
    for kernel in Kernel.objects.filter(training_types__contains=",RC,"):
        KernelSwitch.objects.create(kernel=kernel, project=shop.project, is_on=False)
    away = page.post("train_form", start=None, model_type=bare.pk, shown_kernel=shop.kernel.pk, **{"params.lr": "0.25"})
    form = away.context["form"]
    assert form.chosen_kernel is None
    carried = dict(form.carried())
    assert carried["params.lr"] == "0.25"
    assert 'name="params.lr" value="0.25"' in text(away)
    usual = {"start": None, "kernel": shop.kernel.pk, "shown_kernel": form.data["shown_kernel"]}
    back = page.post("train_form", **usual | carried)
    assert values(back)["lr"] == 0.25


def test_a_setting_under_a_condition_that_fails_is_set_aside_by_the_other_view(rich):
    typed = {"params.mode": "fast", "params.checks": "3"}
    answer = rich.send(act="view:json", **typed)
    assert ("checks", "3") in answer.context["aside"]


def test_huge_numbers_and_endless_texts_are_refused_not_raised(rich):
    assert rich.send("train", start="1", **{"params.epochs": "9" * 400}).status_code == 422
    assert rich.send("train", start="1", params_view="json", params_json="\n" * 9000 + "{}").status_code == 422
    many = "{" + ",".join(f'"a{n}": 1' for n in range(5000)) + "}"
    assert rich.send("train", start="1", params_view="json", params_json=many).status_code == 422


def test_an_unknown_button_changes_nothing(rich):
    for wish in ("nonsense", "reset:params.none", "origin:", "drop:99", "view:", "\0"):
        assert rich.send(act=wish, **{"params.epochs": "9"}).status_code == 200


# --- origin ----------------------------------------------------------------------------------------------------------


def test_what_differs_from_the_retrained_model_is_marked_and_goes_back(page, shop):
    model = shop.ready(lr=0.5)
    typed = {"origin": model.pk, "retrained_from": model.pk, "start": None, "params.lr": "0.25"}
    answer = page.post("train_form", **typed)
    [field] = [field for field in answer.context["form"].params if field.name == "lr"]
    assert (field.differs, field.origin) == (True, "0.5")
    assert 'data-origin="0.5"' in text(answer)
    back = page.post("train_form", act="origin:params.lr", **typed)
    assert values(back)["lr"] == 0.5
    [field] = [field for field in back.context["form"].params if field.name == "lr"]
    assert not field.differs


def test_other_data_and_devices_than_the_retrained_model_had_are_marked_and_go_back(page, shop):
    model = shop.ready()
    typed = {"origin": model.pk, "retrained_from": model.pk, "start": None, "train": [shop.val.pk]}
    answer = page.post("train_form", **typed)
    assert answer.context["marks"] == {"train": shop.train.name}
    assert f"was {shop.train.name}" in text(answer)
    live = page.typing("train", **typed)
    assert f"was {shop.train.name}" in text(live)
    back = page.post("train_form", act="origin:train", **typed)
    assert back.context["form"].chosen_train == {shop.train.pk}
    assert back.context["marks"] == {}


def test_a_model_of_another_project_is_no_origin(page, other_shop):
    model = other_shop.ready(lr=0.5)
    answer = page.post("train_form", start=None, origin=model.pk)
    assert answer.context["form"].origin_model is None


# --- presets ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def as_role(shop):
    def change(role: str) -> None:
        Membership.objects.filter(project=shop.project, user=shop.user).update(role=role)

    return change


def test_a_saved_preset_is_what_the_next_form_starts_from(page, shop, as_role):
    as_role("developer")
    page.post("train_form", start=None, act="preset:", **{"params.lr": "0.125"})
    assert Preset.objects.get().params["lr"] == 0.125
    fresh = page.client.get(page.url(), {"kernel": shop.kernel.pk})
    assert values(fresh)["lr"] == 0.125
    assert "preset" in text(fresh)
    page.post("train_form", start=None, act="forget:")
    assert values(page.client.get(page.url(), {"kernel": shop.kernel.pk}))["lr"] == 0.01


def test_a_preset_with_errors_is_not_saved(page, as_role):
    as_role("developer")
    answer = page.post("train_form", start=None, act="preset:", **{"params.lr": "5"})
    assert "must be at most 1" in text(answer)
    assert not Preset.objects.exists()


def test_a_labeller_cannot_save_a_preset(page, as_role):
    as_role("labeller")
    page.post("train_form", start=None, act="preset:")
    assert not Preset.objects.exists()


def test_a_preset_that_a_newer_kernel_does_not_know_does_no_harm(page, shop):
    Preset.objects.create(
        project=shop.project, kernel_name=shop.kernel.name, model_type=shop.model_type, params={"lr": 9, "gone": 1}
    )
    found = values(page.client.get(page.url(), {"kernel": shop.kernel.pk}))
    assert found["lr"] == 0.01
    assert "gone" not in found


def test_another_model_type_brings_its_own_settings_where_nothing_was_changed(page, shop):
    second = ModelType.objects.create(project=shop.project, code="SECOND", name="Second", training_type="CL")
    second.learn(shop.model_type.annotation_types.get())
    preset = {"project": shop.project, "kernel_name": shop.kernel.name, "model_type": second}
    Preset.objects.create(**preset, params=fake_kernels.params(rows=7))

    def rows(**posted) -> int:
        return values(page.post("train_form", start=None, **posted))["rows"]

    kinds = {"model_type": second.pk, "shown_type": shop.model_type.pk}
    assert rows(**kinds) == 7
    back = {"model_type": shop.model_type.pk, "shown_type": second.pk}
    assert rows(**back, **{"params.rows": "7"}) == 3
    assert rows(**kinds, **{"params.rows": "5"}) == 5, "what was typed stays"
