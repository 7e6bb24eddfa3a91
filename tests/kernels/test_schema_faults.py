"""What a schema must not be: where, in which line, why, and how to mend it; and none of it takes long to say."""

from __future__ import annotations

import json
import time

import pytest

from kernels_app import schema
from kernels_app.bundled import packing
from tests import fake_kernels


def with_params(params: dict, **more) -> dict:
    section = {"type": "object", "properties": params}
    return {
        "properties": {"training_type": {"const": "CL"}, "model_type": {"type": "string"}, "training_params": section},
        **more,
    }


def of(document) -> list:
    return schema.faults_of_text(json.dumps(document, indent=1))[1]


@pytest.mark.parametrize("name", packing.BUNDLED)
def test_those_of_the_bundled_kernels_are_sound(name):
    text = packing.package_files(name)["model_schema.json"].decode()
    assert schema.faults_of_text(text)[1] == []


def test_a_fault_has_pointer_line_and_what_to_do():
    text = json.dumps(with_params({"size": {"type": "integer", "maximum": 4, "default": 9}}), indent=1)
    (fault,) = schema.faults_of_text(text)[1]
    assert fault.pointer == "/properties/training_params/properties/size/default"
    assert '"default": 9' in text.splitlines()[fault.line - 1]
    assert "must be at most 4; you gave 9" in fault.message
    assert fault.mend == "Change the default, or allow it."
    assert str(fault).startswith(f"line {fault.line}, {fault.pointer}: ")


def test_what_is_no_json_is_named_by_its_line():
    (fault,) = schema.faults_of_text('{\n "properties": {\n  "x": 1,\n }\n}')[1]
    assert (fault.line, fault.message) == (3, "There must be no comma after the last entry.")


@pytest.mark.parametrize(
    ("part", "pointer", "words"),
    [
        ({"pattern": "(?=x)y"}, "/pattern", "look-around"),
        ({"pattern": r"(a)\1"}, "/pattern", "look-around"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "/$ref", "within the schema"),
        ({"$ref": "file:///etc/passwd"}, "/$ref", "within the schema"),
        ({"$ref": "other.json#/a"}, "/$ref", "within the schema"),
        ({"$ref": "#/$defs/none"}, "/$ref", "has nothing at"),
        ({"$id": "https://example.com/a"}, "/$id", "at the top alone"),
        ({"type": "whole"}, "/type", "whole"),
        ({"$ref": "#/properties/training_params/properties/x"}, "", "refers to itself"),
    ],
)
def test_a_part_that_cannot_be_is_found_in_its_place(part, pointer, words):
    (fault,) = of(with_params({"x": part}))
    assert fault.pointer == f"/properties/training_params/properties/x{pointer}"
    assert words in fault.message
    assert fault.mend
    assert fault.line > 1


@pytest.mark.parametrize(
    ("section", "value", "words"),
    [
        ("supported_operations", {"const": "training, cooking"}, "“cooking” is no operation"),
        ("supported_operations", 7, "no operations"),
        ("supported_gpu_count", {"minimum": 4, "maximum": 2}, "numbers of devices"),
        ("supported_gpu_count", {"minimum": 0}, "numbers of devices"),
        ("model_type", {"enum": ["A B"]}, "without spaces"),
        ("batchable_params", {"properties": {"lr": True}}, "“lr” may vary"),
    ],
)
def test_a_section_that_says_nothing_is_refused(section, value, words):
    document = with_params({"rate": {"type": "number"}})
    document["properties"][section] = value
    (fault,) = of(document)
    assert fault.pointer == f"/properties/{section}"
    assert words in fault.message
    assert fault.mend


@pytest.mark.parametrize("entries", [{}, [{"file": "loss.csv"}], [{"file": "a", "column": "b", "goal": "up"}], [3]])
def test_metrics_that_nobody_can_read_are_refused(entries):
    assert of(with_params({}, **{"x-metrics": entries}))[0].pointer.startswith("/x-metrics")


@pytest.mark.parametrize("missing", ["training_type", "model_type", "training_params"])
def test_a_section_that_is_missing_is_named(missing):
    document = with_params({})
    del document["properties"][missing]
    (fault,) = of(document)
    assert (fault.pointer, f"“{missing}” is missing" in fault.message) == (f"/properties/{missing}", True)


def test_rules_that_double_with_every_step_are_refused_at_once():
    steps = {f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(40)} | {"s40": {"type": "string"}}
    began = time.monotonic()
    (fault,) = of(with_params({"x": {"$ref": "#/$defs/s0"}}, **{"$defs": steps}))
    assert "more than 2000 rules" in fault.message
    assert time.monotonic() - began < 2


def test_anchors_that_lead_in_a_circle_are_refused():
    defs = {"a": {"$anchor": "here", "allOf": [{"$ref": "#here"}]}}
    (fault,) = of(with_params({"x": {"$ref": "#here"}}, **{"$defs": defs}))
    assert "refers to itself" in fault.message


def test_a_tree_of_settings_may_refer_to_itself_further_down():
    tree = {"type": "object", "properties": {"inside": {"$ref": "#/$defs/tree"}}}
    assert of(with_params({"x": {"$ref": "#/$defs/tree"}}, **{"$defs": {"tree": tree}})) == []


def test_a_schema_of_thousands_of_parts_is_refused():
    assert "5000 parts" in of(with_params({f"p{n}": {"type": "string"} for n in range(6000)}))[0].message


def test_a_pattern_that_would_hang_answers_at_once():
    document = fake_kernels.make_schema()
    document["properties"]["training_params"]["properties"]["x"] = {"type": "string", "pattern": "^(a+)+$"}
    assert schema.faults(document) == []
    began = time.monotonic()
    assert schema.check_params(document, fake_kernels.params(x="a" * 900 + "!"))
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("reference", ["#/$defs/s%20{n}", "#s{n}"])
def test_rules_that_double_are_counted_as_references_are_followed(reference):
    """However they are spelled, and whatever a default has that looks like their name."""
    steps = {f"s {n}": {"$anchor": f"s{n}", "allOf": [{"$ref": reference.format(n=n + 1)}] * 2} for n in range(40)} | {
        "s 40": {"$anchor": "s40", "type": "string"}
    }
    decoys = [{"$anchor": f"s{n}"} for n in range(40)]
    (fault,) = of(with_params({"x": {"$ref": reference.format(n=0)}}, **{"$defs": steps, "default": decoys}))
    assert "more than 2000 rules" in fault.message


def test_patterns_never_reach_an_engine_that_can_hang():
    inside = {"unevaluatedProperties": False, "allOf": [{"patternProperties": {"^(a+)+$": {}}}]}
    (fault,) = of(with_params({"x": inside}))
    assert fault.pointer == "/properties/training_params/properties/x/unevaluatedProperties"
    assert of(with_params({"x": {"unevaluatedProperties": False}})) == []


def test_a_setting_may_be_called_as_a_keyword_is():
    assert of(with_params({"$anchor": {"type": "string"}})) == []


def test_training_types_that_are_no_list_are_named():
    document = with_params({})
    document["properties"]["training_type"] = {"enum": 5}
    (fault,) = of(document)
    assert fault.pointer == "/properties/training_type"


def test_a_thousand_references_in_a_row_are_refused():
    steps = {f"s{n}": {"$ref": f"#/$defs/s{n + 1}"} for n in range(1200)} | {"s1200": {"type": "string"}}
    (fault,) = of(with_params({"x": {"$ref": "#/$defs/s0"}}, **{"$defs": steps}))
    assert "without end" in fault.message
