"""What is a kernel's schema, and what is said of settings that break it: a sentence for each kind of rule."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from django.utils import translation

from kernels_app import fields, schema
from kernels_app.bundled import packing

PROPERTIES = {
    "epochs": {"type": "integer", "minimum": 1, "maximum": 100, "default": 5},
    "lr": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "default": 0.1},
    "size": {"type": "integer", "multipleOf": 32, "default": 64},
    "optimizer": {"type": "string", "enum": ["sgd", "adam"], "default": "sgd"},
    "format": {"const": 2},
    "tag": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
    "flip": {"type": "boolean", "default": False},
    "sizes": {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 2, "uniqueItems": True},
    "nested": {"type": "object", "properties": {"deep": {"type": "integer"}}, "required": ["deep"]},
    "either": {"type": ["integer", "null"], "default": None},
    "one": {"oneOf": [{"type": "integer"}, {"const": "auto"}]},
}


def make(properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    section = {"type": "object", "properties": PROPERTIES if properties is None else properties}
    section |= {"additionalProperties": False, "required": more.pop("required", [])}
    return {
        "properties": {"training_type": {"const": "CL"}, "model_type": {"type": "string"}, "training_params": section}
        | more
    }


def said(params: dict[str, Any], **more: Any) -> list[tuple[str, str]]:
    return [(problem.name, problem.message) for problem in schema.check_params(make(**more), params)]


# --- settings --------------------------------------------------------------------------------------------------------


def test_settings_that_satisfy_the_schema_have_no_problem():
    good = {"epochs": 5, "lr": 0.5, "size": 96, "optimizer": "adam", "format": 2, "tag": "abc", "flip": True}
    assert said(good | {"sizes": [1, 2], "nested": {"deep": 1}, "either": None, "one": "auto"}) == []


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("epochs", 0, "epochs: must be at least 1; you gave 0"),
        ("epochs", 101, "epochs: must be at most 100; you gave 101"),
        ("epochs", 2.5, "epochs: must be a whole number; you gave 2.5"),
        ("epochs", "many", "epochs: must be a whole number; you gave “many”"),
        ("epochs", True, "epochs: must be a whole number; you gave true"),
        ("epochs", None, "epochs: must be a whole number; you gave nothing (null)"),
        ("lr", 0, "lr: must be more than 0; you gave 0"),
        ("lr", 1, "lr: must be less than 1; you gave 1"),
        ("lr", "fast", "lr: must be a number; you gave “fast”"),
        ("size", 33, "size: must be a multiple of 32; you gave 33"),
        ("optimizer", "lion", "optimizer: must be one of “sgd”, “adam”; you gave “lion”"),
        ("format", 3, "format: must be 2; you gave 3"),
        ("tag", "a", "tag: must have at least 2 characters; you gave “a”"),
        ("tag", "abcde", "tag: must have at most 4 characters; you gave “abcde”"),
        ("tag", "ABC", "tag: must match the pattern “^[a-z]+$”; you gave “ABC”"),
        ("flip", "yes", "flip: must be yes or no; you gave “yes”"),
        ("sizes", [], "sizes: must have at least 1 entry; you gave []"),
        ("sizes", [1, 2, 3], "sizes: must have at most 2 entries; you gave [1, 2, 3]"),
        ("sizes", [1, 1], "sizes: must not hold the same value twice; you gave [1, 1]"),
        ("sizes", [1, "x"], "sizes.1: must be a whole number; you gave “x”"),
        ("nested", {"deep": "x"}, "nested.deep: must be a whole number; you gave “x”"),
        ("nested", 3, "nested: must be an object; you gave 3"),
        ("either", "x", "either: must be a whole number or nothing (null); you gave “x”"),
        ("one", 1.5, "one: must be one of these: a whole number, “auto”; you gave 1.5"),
    ],
)
def test_what_breaks_a_rule_is_said_with_the_rule_and_the_value(name, value, sentence):
    assert said({name: value}) == [(sentence.partition(":")[0], sentence)]


def test_a_setting_that_is_missing_is_named():
    assert said({}, required=["epochs"]) == [("epochs", "epochs is required.")]
    assert said({"nested": {}}) == [("nested.deep", "nested.deep is required.")]


def test_a_setting_nobody_knows_is_named_with_the_one_that_was_meant():
    message = "“epoch” is not a setting of this kernel; did you mean “epochs”?"
    assert said({"epoch": 5}) == [("epoch", message)]
    assert said({"zzz": 5}) == [("zzz", "“zzz” is not a setting of this kernel.")]


def test_every_problem_is_said_at_once_and_once():
    found = said({"epochs": 0, "lr": 5, "zzz": 1}, required=["size"])
    assert [name for name, _message in found] == ["zzz", "size", "epochs", "lr"] or len(found) == 4
    assert len(set(found)) == 4


def test_a_long_value_is_cut_in_the_sentence():
    [(_name, message)] = said({"tag": "x" * 10_000})
    assert len(message) < 200


def test_the_document_around_the_settings_is_checked_too():
    document = {"training_type": "OD", "model_type": 3, "training_params": {}}
    found = {problem.pointer: problem.message for problem in schema.check(make(), document)}
    assert found["/training_type"] == "training_type: must be “CL”; you gave “OD”"
    assert found["/model_type"] == "model_type: must be a text; you gave 3"


def test_sections_that_are_only_read_are_never_demanded():
    made = make(supported_gpu_count={"type": "integer", "minimum": 1}, supported_operations={"const": "training"})
    document = {"training_type": "CL", "model_type": "CL_X", "training_params": {}}
    assert schema.check(made, document) == []


def test_the_originals_array_of_image_types_reads_as_a_choice():
    made = make(trainable_image_type=["_A.png", "_X.png"])
    document = {"training_type": "CL", "model_type": "CL_X", "training_params": {}}
    assert schema.check(made, document | {"trainable_image_type": ["_A.png"]}) == []
    assert len(schema.check(made, document | {"trainable_image_type": ["_B.png"]})) == 1


def test_sentences_are_korean_for_koreans():
    with translation.override("ko"):
        [(_name, message)] = said({"epochs": 0})
    assert message != "epochs: must be at least 1; you gave 0"
    assert "1" in message


def test_the_particle_fits_the_word_in_korean():
    with translation.override("ko"):
        assert said({"learnin": 5})[0][1].startswith("“learnin”은 ")
        assert said({"rate": 5})[0][1].startswith("“rate”는 ")
        assert "“flip”이(가)" in said({"flipp": 5})[0][1], "nobody can tell how it is read"


def messages(part: Any, value: Any, **section: Any) -> list[str]:
    made = make({"x": part})
    made["properties"]["training_params"] |= section
    return [problem.message for problem in schema.check_params(made, {"x": value})]


NUMBER, TEXT = {"type": "number"}, {"type": "string"}


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        (False, 1, "x: cannot be set here; you gave 1"),
        ({"minLength": 1}, "", "x: must have at least 1 character; you gave “”"),
        ({"maxLength": 1}, "ab", "x: must have at most 1 character; you gave “ab”"),
        ({"maxItems": 1}, [1, 2], "x: must have at most 1 entry; you gave [1, 2]"),
        ({"minProperties": 1}, {}, "x: must have at least 1 entry; you gave {}"),
        ({"maxProperties": 0}, {"a": 1}, 'x: must have at most 0 entries; you gave {"a": 1}'),
        ({"contains": TEXT}, [1], "x: lacks an entry that the kernel asks for; you gave [1]"),
        ({"contains": TEXT, "minContains": 2}, ["a"],
         "x: needs at least 2 entries of a certain kind; you gave [\"a\"]"),
        ({"contains": TEXT, "maxContains": 1}, ["a", "b"],
         "x: may have at most 1 entry of a certain kind; you gave [\"a\", \"b\"]"),
        ({"prefixItems": [NUMBER], "items": False}, [1, 2], "x: has more entries than are allowed; you gave [1, 2]"),
        ({"prefixItems": [NUMBER], "unevaluatedItems": False}, [1, 2],
         "x: has more entries than are allowed; you gave [1, 2]"),
        ({"prefixItems": [NUMBER]}, ["a"], "x.0: must be a number; you gave “a”"),
        ({"not": {"const": 0}}, 0, "x: must not be 0; you gave 0"),
        ({"not": {"minimum": 3}}, 5, "x: is not allowed here; you gave 5"),
        ({"oneOf": [{"const": "a", "title": "A"}, {"const": 2}]}, "b", "x: must be one of “a”, 2; you gave “b”"),
        ({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}, 0, "x: must be at least 1; you gave 0"),
        ({"anyOf": [NUMBER, {"type": "null"}]}, "a",
         "x: must be one of these: a number, nothing (null); you gave “a”"),
        ({"oneOf": [{"type": "integer"}, NUMBER]}, 1, "x: fits more than one of the forms it may have; you gave 1"),
        ({"anyOf": [{"minimum": 3}, {"maximum": 1}]}, 2, "x: has none of the forms it may have; you gave 2"),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "x: the name “ab” is not allowed here"),
        ({"patternProperties": {"^a": NUMBER}}, {"ab": "c"}, "x.ab: must be a number; you gave “c”"),
        ({"patternProperties": {"^a": NUMBER}, "additionalProperties": False}, {"b": 1},
         "“x.b” is not a setting of this kernel."),
        ({"properties": {"near": {}}, "additionalProperties": False}, {"nera": 1},
         "“x.nera” is not a setting of this kernel; did you mean “x.near”?"),
        ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"b": 1}, "“x.b” is not a setting of this kernel."),
        ({"dependentRequired": {"a": ["b"]}}, {"a": 1}, "x.b is required when x.a is set."),
        ({"dependentSchemas": {"a": {"required": ["b"]}}}, {"a": 1}, "x.b is required."),
        ({"allOf": [{"minimum": 3}]}, 2, "x: must be at least 3; you gave 2"),
    ],
)  # fmt: skip
def test_no_keyword_speaks_in_a_raw_message(part, value, said):
    assert messages(part, value) == [said]


def test_a_rule_that_holds_under_a_condition_names_the_condition():
    rule = {"if": {"properties": {"x": {"const": "sgd"}}}, "then": {"required": ["momentum"]}}
    assert messages(TEXT, "sgd", **rule) == ["momentum is required when x is “sgd”."]
    rule |= {"then": {"properties": {"x": {"maxLength": 2}}}, "else": {"properties": {"x": {"maxLength": 1}}}}
    assert messages(TEXT, "sgd", allOf=[rule]) == [
        "x: must have at most 2 characters; you gave “sgd” (because x is “sgd”)"
    ]
    assert messages(TEXT, "adam", allOf=[rule]) == [
        "x: must have at most 1 character; you gave “adam” (because x is not “sgd”)"
    ]


def test_a_setting_that_belongs_to_other_choices_is_not_called_unknown():
    then = {"properties": {"momentum": {"type": "number"}}}
    made = make({"solver": {}})
    section = made["properties"]["training_params"]
    del section["additionalProperties"]
    section |= {"if": {"properties": {"solver": {"const": "sgd"}}}, "then": then, "unevaluatedProperties": False}
    [problem] = schema.check_params(made, {"solver": "adam", "momentum": 0.9})
    assert problem.message == "“momentum” does not apply with the other settings as they are."
    assert schema.check_params(made, {"solver": "sgd", "momentum": 0.9}) == []


def named(params: dict[str, Any], **section: Any) -> list[str]:
    """What is said to somebody who sees titles."""
    flip = {"title": "Flip", "type": "boolean", "x-ko": {"title": "뒤집기"}}
    made = make({
        "lr": {"title": "Learning rate", "type": "number", "maximum": 1, "x-ko": {"title": "학습률"}},
        "solver": {"title": "Solver"},
        "augment": {"title": "Augmentation", "type": "object", "properties": {"flip": flip, "p": {"maximum": 1}},
                    "additionalProperties": False, "x-ko": {"title": "증강"}},
        "sizes": {"title": "Sizes", "type": "array", "items": {"type": "integer"}},
        "bare_name": {"type": "number"},
    })  # fmt: skip
    made["properties"]["training_params"] |= section
    return [problem.message for problem in schema.check_params(made, params, label=fields.labels(made))]


def test_who_sees_titles_is_told_titles():
    assert named({"lr": 5}) == ["Learning rate must be at most 1; you gave 5."]
    assert named({"augment": {"flip": 3}}) == ["Augmentation › Flip must be yes or no; you gave 3."]
    assert named({"augment": {"p": 3}}) == ["Augmentation › p must be at most 1; you gave 3."]
    assert named({"sizes": [1, "x"]}) == ["Sizes › entry 2 must be a whole number; you gave “x”."]
    assert named({"bare_name": "x"}) == ["bare_name must be a number; you gave “x”."]
    assert named({}, required=["lr"]) == ["Learning rate is required."]
    assert named({}, minProperties=1) == ["Hyperparameters must have at least 1 entry; you gave {}."]


def test_unknown_names_stay_as_they_were_typed():
    assert named({"zzz": 5}) == ["“zzz” is not a setting of this kernel."]
    assert named({"solvr": 5}) == ["“solvr” is not a setting of this kernel; did you mean “solver”?"]
    assert named({"augment": {"flop": 5}}) == [
        "“augment.flop” is not a setting of this kernel; did you mean “augment.flip”?"
    ]


def test_a_condition_names_titles_too():
    rule = {"if": {"properties": {"solver": {"const": "sgd"}}}, "then": {"required": ["lr"]}}
    assert named({"solver": "sgd"}, **rule) == ["Learning rate is required when Solver is “sgd”."]
    assert named({"lr": 1}, dependentRequired={"lr": ["sizes"]}) == ["Sizes is required when Learning rate is set."]


def test_a_condition_inside_a_group_names_the_way_to_it():
    part = {
        "title": "Group", "properties": {"a": {"title": "Switch"}, "b": {"title": "Other"}},
        "if": {"properties": {"a": {"const": 1}}, "required": ["a"]}, "then": {"properties": {"b": {"maximum": 1}}},
    }  # fmt: skip
    made = make({"x": part | {"type": "object"}})
    [problem] = schema.check_params(made, {"x": {"a": 1, "b": 2}}, label=fields.labels(made))
    assert problem.message == "Group › Other must be at most 1; you gave 2 (because Group › Switch is 1)."


def test_titles_are_those_of_the_readers_language():
    with translation.override("ko"):
        [said_of_rate, said_of_flip] = named({"lr": 5, "augment": {"flip": 3}})
    assert said_of_rate.startswith("학습률은 1 ")
    assert said_of_flip.startswith("증강 › 뒤집기는 ")


def test_pointers_are_exact_and_names_are_dotted():
    part = {"type": "object", "properties": {"b/c": {"type": "array", "items": {"type": "integer"}}}}
    [problem] = schema.check_params(make({"a.b": part}), {"a.b": {"b/c": [1, "x"]}})
    assert (problem.pointer, problem.name) == ("/training_params/a.b/b~1c/1", "a.b.b/c.1")


def test_half_a_character_is_spelled_out_in_the_sentence():
    [message] = messages({"const": 1}, "\ud800")
    assert message.encode()
    assert messages({"pattern": "^x$"}, "\ud800")


def test_problems_stand_in_the_order_of_the_settings():
    assert [name for name, _message in said({"tag": "x", "epochs": 0, "lr": 5})] == ["epochs", "lr", "tag"]


def test_a_hostile_pattern_does_not_hang_among_names_either():
    made = make({"x": {"patternProperties": {"^(a+)+$": False}, "additionalProperties": False}})
    assert len(schema.check_params(made, {"x": {"a" * 5000 + "!": 1}})) == 1
    assert schema.faults(make({"x": {"patternProperties": {"(?=a)": {}}}}))
    assert schema.faults(make({"x": {"patternProperties": {"a": {}}, "unevaluatedProperties": False}}))


def test_a_hostile_pattern_does_not_hang():
    made = make({"tag": {"type": "string", "pattern": "^(a+)+$"}})
    assert len(schema.check_params(made, {"tag": "a" * 5000 + "!"})) == 1


# --- schemas ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "pointer"),
    [
        ([], ""),
        ({}, "/properties"),
        ({"properties": {}}, "/properties"),
        ({"properties": {"training_type": {"const": "CL"}, "model_type": {}}}, "/properties/training_params"),
        (make(training_type={"const": "XX"}), "/properties/training_type"),
        (make(training_type={}), "/properties/training_type"),
        (make({"epochs": {"type": "whole"}}), "/properties/training_params/properties/epochs/type"),
        (make({"epochs": {"minimum": "one"}}), "/properties/training_params/properties/epochs/minimum"),
        (make({"epochs": {"maximum": 3, "default": 4}}), "/properties/training_params/properties/epochs/default"),
        (make({"tag": {"pattern": "(?=a)b"}}), "/properties/training_params/properties/tag/pattern"),
        (make({"tag": {"pattern": r"(a)\1"}}), "/properties/training_params/properties/tag/pattern"),
        (make({"x": {"$ref": "http://example.org/s.json"}}), "/properties/training_params/properties/x/$ref"),
        (make({"x": {"$ref": "file:///etc/passwd"}}), "/properties/training_params/properties/x/$ref"),
    ],
)
def test_a_schema_that_is_none_is_refused_with_place_and_reason(found, pointer):
    faults = schema.faults(found)
    assert faults
    assert faults[0].pointer.startswith(pointer)
    assert all(fault.message for fault in faults)


def test_a_schema_nested_without_end_is_refused():
    deep: dict[str, Any] = {}
    for _level in range(60):
        deep = {"properties": {"x": deep}}
    assert "nested too deeply" in schema.faults(make({"x": deep}))[0].message


@pytest.mark.parametrize(
    "ref", ["#/nowhere", "#/$defs/missing", "#/properties/training_params/properties/x", "#anchor"]
)
def test_a_reference_that_leads_nowhere_or_round_is_refused_not_raised(ref):
    assert schema.faults(make({"x": {"$ref": ref, "default": 1}}))


def test_a_reference_within_the_schema_is_followed():
    made = make({"epochs": {"$ref": "#/$defs/count", "default": 4}})
    made["$defs"] = {"count": {"type": "integer", "minimum": 3}}
    assert schema.faults(made) == []
    assert schema.defaults(made) == {"epochs": 4}
    assert [problem.message for problem in schema.check_params(made, {"epochs": 1})] == [
        "epochs: must be at least 3; you gave 1"
    ]


def test_the_whole_section_may_be_a_reference():
    made = make()
    made["$defs"] = {"params": made["properties"]["training_params"]}
    made["properties"]["training_params"] = {"$ref": "#/$defs/params"}
    assert schema.faults(made) == []
    assert schema.defaults(made)["epochs"] == 5


def test_a_setting_without_a_default_is_no_fault():
    assert schema.faults(make({"epochs": {"type": "integer"}}, required=["epochs"])) == []


def test_the_section_where_training_types_are_is_an_enum_or_a_const():
    assert schema.training_types(make(training_type={"enum": ["OD", "SEG", "XX"]})) == ["OD", "SEG"]
    assert schema.training_types(make()) == ["CL"]


def test_defaults_are_copies_and_a_const_counts():
    made = make(PROPERTIES | {"sizes": {"type": "array", "default": [1]}})
    schema.defaults(made)["sizes"].append(2)
    assert schema.defaults(made)["sizes"] == [1]
    assert schema.defaults(made)["format"] == 2


def test_checking_changes_nothing():
    made = make(supported_operations={"const": "training"})
    before = copy.deepcopy(made)
    schema.check_params(made, {"epochs": 0})
    assert made == before


@pytest.mark.parametrize("name", packing.BUNDLED)
def test_the_bundled_schemas_are_schemas_and_their_defaults_satisfy_them(name):
    found = json.loads(packing.package_files(name)["model_schema.json"])
    assert schema.faults(found) == []
    assert schema.check_params(found, schema.defaults(found)) == []


def test_titles_come_in_the_language_of_the_reader():
    part = {"title": "Epochs", "description": "How often.", "x-ko": {"title": "에폭 수"}}
    assert schema.title(part, "epochs") == "Epochs"
    with translation.override("ko"):
        assert (schema.title(part, "epochs"), schema.description(part)) == ("에폭 수", "How often.")
    assert schema.title({}, "weight_decay") == "weight decay"
