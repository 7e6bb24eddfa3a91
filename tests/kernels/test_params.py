"""Fields out of a schema, and settings back out of what was typed into them."""

from __future__ import annotations

from typing import Any

import pytest

from kernels_app import params, schema


def make(**properties: Any) -> dict[str, Any]:
    return {"properties": {"training_params": {"type": "object", "properties": properties}}}


def value(part: dict[str, Any], text: str) -> Any:
    return params.values(make(x=part), {"x": text}).get("x")


def field(part: dict[str, Any], **texts: str) -> params.ParamField:
    return params.fields(make(x=part), texts)[0]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "integer"}, "integer"),
        ({"type": "number"}, "number"),
        ({"type": "string"}, "string"),
        ({"type": "boolean"}, "boolean"),
        ({"enum": ["a", 1, True]}, "enum"),
        ({"enum": [[1], [2]]}, "json"),
        ({"type": "array"}, "json"),
        ({"type": "object"}, "json"),
        ({"type": ["integer", "null"]}, "json"),
        ({}, "json"),
    ],
)
def test_each_kind_of_setting_has_its_input(part, kind):
    assert field(part).kind == kind


@pytest.mark.parametrize(
    ("part", "text", "expected"),
    [
        ({"type": "integer"}, "5", 5),
        ({"type": "integer"}, " 5 ", 5),
        ({"type": "integer"}, "5.0", 5),
        ({"type": "integer"}, "5.5", 5.5),
        ({"type": "integer"}, "1e3", 1000),
        ({"type": "number"}, "3e-4", 0.0003),
        ({"type": "number"}, "0,5", "0,5"),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "number"}, "Infinity", "Infinity"),
        ({"type": "number"}, "fast", "fast"),
        ({"type": "string"}, "5", "5"),
        ({"type": "string"}, "true", "true"),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "perhaps", "perhaps"),
        ({"enum": ["1", 1, True]}, "1", "1"),
        ({"enum": [1, 2]}, "2", 2),
        ({"enum": [0.5, True]}, "true", True),
        ({"enum": ["a"]}, "b", "b"),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({"type": "array"}, "[1, 2", "[1, 2"),
        ({"type": ["integer", "null"]}, "null", None),
        ({"type": "object"}, "[" * 100_000, "[" * 100_000),
        ({"type": "integer"}, "9" * 5000, "9" * 5000),
        ({"type": "number"}, "1e999", "1e999"),
    ],
)
def test_what_was_typed_becomes_a_value_or_stays_text(part, text, expected):
    found = value(part, text)
    assert found == expected
    assert type(found) is type(expected)


def test_what_stays_text_is_refused_in_words_by_the_check():
    made = make(lr={"type": "number"})
    made["properties"] |= {"training_type": {"const": "CL"}, "model_type": {}}
    for text in ("NaN", "fast", "1e999"):
        [problem] = schema.check_params(made, params.values(made, {"lr": text}))
        assert problem.message == f"lr: must be a number; you gave “{text}”"


def test_an_empty_input_is_no_setting_and_an_absent_one_has_its_default():
    made = make(x={"type": "integer", "default": 5})
    assert params.values(made, {"x": ""}) == {}
    assert params.values(made, {"x": "  "}) == {}
    assert params.values(made, {}) == {"x": 5}


def test_names_that_the_schema_does_not_know_are_left_out():
    assert params.values(make(x={"type": "integer"}), {"x": "1", "y": "2"}) == {"x": 1}


def test_defaults_survive_the_way_through_the_form():
    defaults = {
        "i": 0, "f": 0.1, "tiny": 1e-12, "s": "text", "b": False, "e": "b",
        "a": [1, "x"], "o": {"k": None}, "korean": "밸브",
    }  # fmt: skip
    kinds = {"i": "integer", "f": "number", "tiny": "number", "s": "string", "b": "boolean", "korean": "string"}
    made = make(**{
        name: {"default": given, "enum": ["a", "b"]} if name == "e" else
        {"default": given, "type": kinds.get(name, ["array", "object"])}
        for name, given in defaults.items()
    })  # fmt: skip
    shown = {one.name: one.text for one in params.fields(made, {})}
    assert params.values(made, shown) == defaults
    assert params.texts_of(defaults) == shown


def test_a_field_says_range_unit_and_default():
    made = field({"type": "integer", "minimum": 1, "maximum": 9, "default": 3, "x-unit": "px", "x-advanced": True})
    assert (made.hint, made.unit, made.advanced) == (
        "1 to 9 · default 3",
        "px",
        True,
    )
    assert field({"type": "number", "minimum": 1}).hint == "at least 1"
    assert field({"type": "number", "maximum": 1}).hint == "at most 1"
    assert field({"type": "string"}).hint == ""


def test_a_field_knows_whether_it_was_changed():
    part = {"type": "integer", "default": 3}
    assert not field(part).is_changed
    assert field(part, x="4").is_changed
    assert field(part, x="").is_changed


def test_only_what_begins_as_a_parameter_is_one():
    assert params.typed({"params.lr": "1", "name": "x", "params.": "", "xparams.y": "2"}) == {"lr": "1", "": ""}
