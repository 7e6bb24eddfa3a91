"""What is complained of on the training page: in which words, at which place; and what of a model.json is left out."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests import fake_kernels
from tests.models.conftest import error_at, text

pytestmark = pytest.mark.django_db

PARAMS: dict[str, Any] = {
    "type": "object", "required": ["epochs"],
    "properties": {
        "epochs": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5},
        "rate": {"title": "Learning rate", "type": "number", "maximum": 1, "x-ko": {"title": "학습률"}},
        "augment": {
            "title": "Augmentation", "type": "object",
            "properties": {"flip": {"title": "Flip", "type": "number", "maximum": 1}},
        },
    },
}  # fmt: skip


@pytest.fixture
def send(page):
    """Sends the settings of a kernel, and only those that are given."""

    def send(schema: dict[str, Any], to: str, **changed: Any):
        kernel = fake_kernels.register(name="words", training_params=schema)
        bare = {f"params.{name}": None for name in fake_kernels.PROPERTIES}
        return page.post(to, **(bare | {"kernel": kernel.pk, "shown_kernel": kernel.pk, "start": None} | changed))

    return send


@pytest.fixture
def loose(send):
    return lambda to="train_check", **changed: send(PARAMS, to, **changed)


@pytest.fixture
def strict(send):
    """The kernel takes no setting that it does not name; of `extra` it knows that it is a number."""
    made = PARAMS | {"additionalProperties": False, "patternProperties": {"^extra": {"type": "number"}}}
    return lambda to="train_check", **changed: send(made, to, **changed)


def links(answer) -> dict[str, str]:
    """Of the list of what is wrong: where each line leads, and what it says."""
    found = re.findall(r'<a href="#id_([^"]+)" data-field="([^"]+)">([^<]+)</a>', text(answer))
    assert all(id_ == name for id_, name, _said in found)
    return {name: html.unescape(said) for _id, name, said in found}


def test_a_complaint_names_what_stands_beside_the_input(loose):
    answer = loose("train_check", **{"params.rate": "5", "params.augment.flip": "3", "params.epochs": "0"})
    assert error_at(answer, "params.rate") == "Learning rate must be at most 1; you gave 5."
    assert error_at(answer, "params.augment.flip") == "Augmentation › Flip must be at most 1; you gave 3."
    assert error_at(answer, "params.epochs") == "epochs must be at least 1; you gave 0."
    assert links(answer)["params.rate"] == "Learning rate must be at most 1; you gave 5."


def test_a_complaint_in_json_names_the_key_that_stands_there(loose):
    answer = loose("train_check", params_view="json", params_json='{"epochs": 1, "rate": 5}')
    assert error_at(answer, "params_json") == "Line 1: rate: must be at most 1; you gave 5"


def test_a_complaint_to_a_korean_names_the_korean_title(loose, page):
    page.client.cookies["django_language"] = "ko"
    answer = loose("train_check", **{"params.rate": "5"})
    assert error_at(answer, "params.rate").startswith("학습률")


# --- settings without a field ----------------------------------------------------------------------------------------


def test_an_unknown_setting_is_complained_of_at_its_row(strict):
    rows = {"extra_key": ["extra", "epoch"], "extra_value": ["1", "5"]}
    message = "“epoch” is not a setting of this kernel; did you mean “epochs”?"
    answer = strict(**rows)
    assert error_at(answer, "extra_key_1") == message
    assert error_at(answer, "extra_key_0") == error_at(answer, "params") == ""
    assert links(answer) == {"extra_key_1": message}
    shown = text(strict("train_form", **rows))
    assert 'id="id_extra_key_1" aria-label="Name of the setting" aria-describedby="error-extra_key_1"' in shown


def test_a_wrong_value_of_such_a_setting_is_complained_of_at_the_value(strict):
    answer = strict(extra_key=["", "extra", "extra_b"], extra_value=["", '"x"', "{"])
    assert error_at(answer, "extra_value_1") == "extra must be a number; you gave “x”."
    assert "extra_b cannot be read as JSON" in error_at(answer, "extra_value_2")
    twice = strict(extra_key=["extra", "extra"], extra_value=["1", "2"])
    assert error_at(twice, "extra_value_1") == "extra is set twice."


def test_a_setting_that_stands_in_its_field_and_in_a_row_says_where(strict):
    answer = strict(extra_key=["rate"], extra_value=["0.5"], **{"params.rate": "0.1"})
    told = "Learning rate is set twice: here and as “rate” among the other settings."
    assert error_at(answer, "params.rate") == told


def test_a_row_that_went_into_its_field_moves_no_complaint(strict):
    answer = strict(extra_key=["rate", "zzz"], extra_value=["0.5", "1"], **{"params.rate": ""})
    assert "“zzz” is not a setting" in error_at(answer, "extra_key_1")


# --- beside the settings of a model.json ------------------------------------------------------------------------------


def beside(answer) -> str:
    """The remark below the JSON text."""
    [found] = re.findall(r'<div id="json-beside".*?>(.*?)</div>\s*</div>\s*</div>', text(answer), re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>|\s+", " ", found)).strip()


def test_what_stands_beside_the_settings_of_a_model_json_is_said(loose, shop):
    document = {"training_type": "OD", "model_type": shop.model_type.code, "trainable_image_type": ["_A.png"],
                "epochs": 3, "training_params": {"epochs": 4}}  # fmt: skip
    said = beside(loose("train_check", params_view="json", params_json=json.dumps(document)))
    assert said == (
        "Only the settings of the model.json are used; for the rest the form counts: training_type, model_type, "
        "trainable_image_type. The model.json says training type OD; the form says CL. "
        "The model.json says image types _A.png; the form says nothing. "
        "Unknown in a model.json, and left out: “epochs”."
    )


def test_a_model_json_that_says_the_same_as_the_form_is_no_warning(loose, shop):
    same = {"training_type": "CL", "model_type": shop.model_type.code, "training_params": {"epochs": 4}}
    answer = loose("train_form", params_view="json", params_json=json.dumps(same))
    [remark] = answer.context["form"].beside()
    assert (remark.kind, "says" in remark.message) == ("info", False)
    back = loose("train_form", act="view:fields", params_view="json", params_json=json.dumps(same | {"more": 1}))
    assert "Unknown in a model.json, and left out: “more”." in html.unescape(text(back))


def test_the_settings_alone_are_no_model_json(loose):
    answer = loose("train_check", params_view="json", params_json='{"epochs": 4, "model_type": "X"}')
    assert 'id="json-beside"' in text(answer)
    assert answer.context["form"].beside() == []


def test_a_file_for_another_model_type_is_said_to_be(loose, shop):
    document = {"training_type": "CL", "model_type": "OD_VALVE", "training_params": {"epochs": 42}}
    answer = loose(
        "train_form", act="upload:", settings_file=SimpleUploadedFile("m.json", json.dumps(document).encode())
    )
    assert answer.context["form"].settings.values["epochs"] == 42
    told = f"The model.json says model type OD_VALVE; the form says {shop.model_type.code}."
    assert told in html.unescape(text(answer))
