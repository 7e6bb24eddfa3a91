"""Any settings survive the way through the form, and the verdict on them is jsonschema's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kernels_app import fields, jsontext, schema
from kernels_app.fields.growing import tree
from kernels_app.fields.texts import same

pytestmark = pytest.mark.one_database

quick = settings(max_examples=120, deadline=None, derandomize=True, database=None)

NAMES = st.sampled_from(["lr", "epochs", "a.b", "x~y", "solver", "크기", "n/m", "mode"])
NUMBERS = st.integers(-50, 50) | st.floats(-5, 5, allow_nan=False)
WORDS = st.sampled_from(["sgd", "adam", "1", "true", "null", "[1]", "", " a ", "한글", "two words", '"q"', "a\nb"])
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=6)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | WORDS, inner, max_size=3), max_leaves=6
)


def numeric(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    bounds = {
        "minimum": st.integers(-9, 2), "maximum": st.integers(3, 20), "exclusiveMinimum": st.integers(-9, 2),
        "multipleOf": st.sampled_from([1, 2, 0.5]), "default": NUMBERS,
    }  # fmt: skip
    return st.fixed_dictionaries({"type": st.just(kind)}, optional=bounds)


STRINGS = st.fixed_dictionaries(
    {"type": st.just("string")},
    optional={"minLength": st.integers(0, 3), "pattern": st.sampled_from(["^[a-z]+$", "a|b", "^$"]), "default": WORDS},
)
CONSTANTS = st.lists(st.booleans() | NUMBERS | WORDS | st.none(), min_size=1, max_size=4)
TITLED = CONSTANTS.map(lambda found: [{"const": value, "title": f"It is {value}"} for value in found])
CHOICES = (
    CONSTANTS.map(lambda found: {"enum": found})
    | TITLED.map(lambda found: {"oneOf": found})
    | TITLED.map(lambda found: {"anyOf": found})
    | SCALARS.map(lambda value: {"const": value})
)
SIMPLE = numeric("integer") | numeric("number") | STRINGS | st.just({"type": "boolean"}) | CHOICES
ARRAYS = st.fixed_dictionaries(
    {"type": st.just("array"), "items": SIMPLE},
    optional={"minItems": st.integers(0, 2), "maxItems": st.integers(1, 3), "uniqueItems": st.booleans()},
)
NULLABLE = st.builds(lambda part: {"anyOf": [part, {"type": "null"}]}, SIMPLE | ARRAYS) | st.sampled_from(
    [{"type": ["integer", "null"], "default": None}, {"type": ["string", "null"]}, {"enum": ["a", None]}]
)
ODD = st.sampled_from([{}, True, {"type": "object"}, {"type": ["integer", "string"]}, {"prefixItems": [{}]}])


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    properties = st.dictionaries(NAMES, inner, min_size=1, max_size=4)
    condition = st.builds(
        lambda name, value, needed: {"properties": {name: value}} | ({"required": [name]} if needed else {}),
        NAMES, CHOICES | numeric("integer"), st.booleans(),
    )  # fmt: skip
    branch = st.fixed_dictionaries(
        {"properties": st.dictionaries(NAMES, inner | st.just(False), max_size=2)},
        optional={"required": st.lists(NAMES, max_size=2, unique=True)},
    )
    rule = st.fixed_dictionaries({"if": condition, "then": branch}, optional={"else": branch})
    return st.fixed_dictionaries(
        {"type": st.just("object"), "properties": properties},
        optional={
            "required": st.lists(NAMES, max_size=2, unique=True),
            "additionalProperties": st.booleans(),
            "allOf": st.lists(rule, min_size=1, max_size=2),
            "dependentRequired": st.just({"lr": ["epochs"]}),
        },
    )


PARTS = SIMPLE | ARRAYS | NULLABLE | ODD
SECTIONS = objects(PARTS | objects(PARTS | objects(SIMPLE)))


def make(section: dict[str, Any]) -> dict[str, Any]:
    return {
        "properties": {"training_type": {"const": "CL"}, "model_type": {"type": "string"}, "training_params": section}
    }


def likely(part: Any) -> st.SearchStrategy[Any]:
    """Values that have a fair chance to satisfy a part."""
    if not isinstance(part, dict):
        return JSON
    for keyword in ("oneOf", "anyOf"):
        if keyword in part:
            return st.one_of([likely(one) for one in part[keyword]])
    if "enum" in part or "const" in part:
        return st.sampled_from(part.get("enum", [part.get("const")]))
    if part.get("type") == "array":
        return st.lists(likely(part["items"]), max_size=3)
    if part.get("type") == "object" and "properties" in part:
        found = {name: likely(inner) for name, inner in part["properties"].items()}
        for rule in part.get("allOf", []):
            found |= {name: likely(inner) for name, inner in rule["then"]["properties"].items() if name not in found}
        return st.fixed_dictionaries({}, optional=found)
    kinds = {"integer": st.integers(-9, 20), "number": NUMBERS, "string": WORDS, "boolean": st.booleans()}
    return kinds.get(part["type"], JSON) if isinstance(part.get("type"), str) else JSON


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    section = draw(SECTIONS)
    values = draw(likely(section) | st.dictionaries(NAMES | WORDS, JSON, max_size=4))
    return make(section), values


@given(cases())
@quick
def test_settings_come_back_from_the_form_as_they_went_in(case):
    made, values = case
    data = fields.encode(made, values)
    found = fields.decode(made, data)
    assert same(found.values, values), found.values
    assert found.problems == []
    assert found.aside == {}


@given(cases())
@quick
def test_filling_in_defaults_does_not_touch_settings_that_were_encoded(case):
    made, values = case
    assume(not _is_circular(made["properties"]["training_params"]))
    data = fields.fill_defaults(made, fields.encode(made, values))
    assert same(fields.decode(made, data).values, values)


def _is_circular(section: Any) -> bool:
    """Whether a rule changes what rules look at: then it may hold only as long as it does not."""
    if not isinstance(section, dict):
        return False
    rules = section.get("allOf", [])
    changed = {name for rule in rules for key in ("then", "else") for name in rule.get(key, {}).get("properties", {})}
    looked_at = {name for rule in rules for name in rule["if"]["properties"]}
    parts = [*section.get("properties", {}).values()]
    parts += [
        part for rule in rules for key in ("then", "else") for part in rule.get(key, {}).get("properties", {}).values()
    ]
    return bool(changed & looked_at) or any(map(_is_circular, parts))


@given(cases())
@quick
def test_the_verdict_is_that_of_jsonschema(case):
    made, values = case
    document = {"training_type": "CL", "model_type": "X", "training_params": values}
    problems = schema.check(made, document)
    assert (problems == []) is Draft202012Validator(made).is_valid(document), problems
    for problem in problems:
        assert problem.pointer.startswith("/training_params")
        assert problem.message
        assert "is not valid under" not in problem.message


@given(cases())
@quick
def test_the_fields_show_every_setting_and_nothing_differs_from_itself(case):
    made, values = case
    data = fields.encode(made, values)
    shown = fields.fields(made, data, origin=values)
    assert not any(one.differs for one in shown)
    extra = set(data.get(fields.EXTRA_KEY, []))
    assert {one.path[0] for one in shown if one.text or one.mode or one.children} | extra >= set(values)


@given(cases(), cases())
@quick
def test_moving_to_another_kernel_and_back_loses_nothing(case, other):
    made, values = case
    there = fields.move(made, other[0], fields.fill_defaults(made, fields.encode(made, values)))
    back = fields.move(other[0], made, there.data)
    fields.fields(made, back.data)
    found = fields.decode(made, back.data)
    everything = json.dumps(found.values, sort_keys=True) + json.dumps(found.aside, sort_keys=True)
    for name in values:
        assert json.dumps(name)[1:-1] in everything or _has_default(made, name) or _has_default(other[0], name)


def _has_default(made: dict[str, Any], name: str) -> bool:
    """Whether a value of the setting may give way because it stood at a default."""
    node = tree(made).nodes.get(name)
    return node is not None and any(word in json.dumps(dict(node.part)) for word in ('"default"', '"const"'))


PARAMS = ["params.", "params.lr", "params.epochs", "params.solver", "params.solver.lr", "params.a~2b", "params.크기"]
KEYS = st.sampled_from(
    [
        *PARAMS,
        "mode.lr",
        "mode.epochs",
        "mode.solver",
        "mode.a~2b",
        "extra_key",
        "extra_value",
        "aside_key",
        "aside_value",
    ]
)
TEXTS = st.sampled_from(["", "null", "json", "{", "[1", '{"a": 1}', "1e999", "\0", "5"]) | st.text(max_size=5)


@given(SECTIONS, st.dictionaries(KEYS, st.lists(TEXTS, max_size=3)))
@quick
def test_no_forged_data_breaks_the_form(section, data):
    made = make(section)
    filled = fields.fill_defaults(made, data)
    found = fields.decode(made, filled)
    schema.check_params(made, found.values)
    fields.fields(made, filled, origin={"lr": 1})
    for name in ("params.lr", "params.nowhere", "", "params.solver.lr"):
        fields.reset(made, filled, name)
    assert all(isinstance(key, str) for key in found.values)


@given(JSON)
@quick
def test_what_json_writes_is_read_as_the_standard_library_reads_it(value):
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False), jsontext.write(value)):
        found = jsontext.read(text)
        assert found.error is None
        assert same(found.value, value)


@given(st.text(alphabet='{}[]",:019.-eE truefalsnl\\/\n', max_size=12))
@quick
def test_a_text_is_json_where_the_standard_library_says_so(text):
    found = jsontext.read(text)
    try:
        expected = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except ValueError:
        assert found.error
        assert found.error.message
        return
    assert found.error is None or "too large" in found.error.message
    assert found.error or same(found.value, expected)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _value in pairs}) < len(pairs):
        raise ValueError("twice")
    return dict(pairs)
