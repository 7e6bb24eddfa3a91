"""Which input each setting gets, what its text means, and what comes and goes with the other settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.http import QueryDict
from django.utils import translation

from kernels_app import fields, schema
from kernels_app.bundled import packing

RATE = {"type": "number", "minimum": 0, "maximum": 1}
SOLVER = {"type": "string", "enum": ["sgd", "adam"], "default": "sgd"}


def make(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    section = {"type": "object", "properties": properties} | more
    return {"properties": {"training_type": {"const": "CL"}, "model_type": {}, "training_params": section}}


def when(name: str, value: Any, then: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": then} | other


def field(part: Any, *, origin: dict[str, Any] | None = None, **texts: str) -> fields.Field:
    data = {fields.PREFIX + name: text for name, text in texts.items()}
    return fields.fields(make({"x": part}), data, origin)[0]


def value(part: Any, text: str, mode: str = "") -> Any:
    return fields.decode(make({"x": part}), {"params.x": text, "mode.x": mode}).values.get("x", "absent")


def values(made: dict[str, Any], data: Any) -> dict[str, Any]:
    return fields.decode(made, fields.fill_defaults(made, data)).values


# --- kinds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "integer"}, "integer"),
        ({"type": "number"}, "number"),
        ({"type": "string"}, "string"),
        ({"type": "boolean"}, "boolean"),
        ({"enum": ["a", 1, True]}, "enum"),
        ({"oneOf": [{"const": 1, "title": "One"}, {"const": 2}]}, "enum"),
        ({"anyOf": [{"const": "a"}, {"const": 2}, {"const": None}]}, "enum"),
        ({"const": 3}, "const"),
        ({"type": "array", "items": {"type": "integer"}}, "array"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "array"),
        ({"type": "object", "properties": {"y": {}}}, "group"),
        ({"type": ["integer", "null"]}, "integer"),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, "number"),
        ({"allOf": [{"$ref": "#/$defs/count"}], "default": 1}, "integer"),
        ({"enum": [[1], [2]]}, "json"),
        ({"type": "array"}, "json"),
        ({"type": "array", "items": {"type": "array"}}, "json"),
        ({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "integer"}}, "json"),
        ({"type": "object"}, "json"),
        ({"type": ["integer", "string"]}, "json"),
        ({"oneOf": [{"type": "integer"}, {"const": "auto"}]}, "json"),
        ({"$ref": "#/$defs/nowhere"}, "json"),
        ({}, "json"),
        (True, "json"),
    ],
)
def test_each_kind_of_setting_has_its_input_and_what_is_beyond_them_is_json(part, kind):
    made = make({"x": part}) | {"$defs": {"count": {"type": "integer"}}}
    assert fields.fields(made, {})[0].kind == kind


def test_a_schema_that_refers_to_itself_ends_in_a_json_field():
    node = {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}, "n": {"type": "integer"}}}
    made = make({"tree": {"$ref": "#/$defs/node"}}) | {"$defs": {"node": node}}
    [shown] = fields.fields(made, {})
    assert [(one.name, one.kind) for one in shown.children] == [("tree.child", "json"), ("tree.n", "integer")]
    deep = {"tree": {"child": {"child": {"n": 1}}, "n": 2}}
    assert fields.decode(made, fields.encode(made, deep)).values == deep


def test_references_that_multiply_do_not_multiply_the_fields_without_end():
    levels = {
        f"l{n}": {"type": "object", "properties": {f"p{m}": {"$ref": f"#/$defs/l{n + 1}"} for m in range(9)}}
        for n in range(9)
    }
    made = make({"x": {"$ref": "#/$defs/l0"}}) | {"$defs": {**levels, "l9": {"type": "integer"}}}
    assert fields.fields(made, {})[0].kind == "group"


@pytest.mark.parametrize(
    ("part", "text", "expected"),
    [
        ({"type": "integer"}, " 5 ", 5),
        ({"type": "integer"}, "5.0", 5),
        ({"type": "integer"}, "5.5", 5.5),
        ({"type": "integer"}, "1e3", 1000),
        ({"type": "integer"}, "true", "true"),
        ({"type": "integer"}, "null", "null"),
        ({"type": "integer"}, "9" * 5000, "9" * 5000),
        ({"type": "number"}, "3e-4", 0.0003),
        ({"type": "number"}, ".5", 0.5),
        ({"type": "number"}, "0,5", "0,5"),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "number"}, "1e999", "1e999"),
        ({"type": "string"}, "5", "5"),
        ({"type": "string"}, "null", "null"),
        ({"type": "string"}, "", "absent"),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "perhaps", "perhaps"),
        ({"enum": [1, 2]}, "2", 2),
        ({"enum": ["1", 1]}, '"1"', "1"),
        ({"enum": ["a"]}, "b", "b"),
        ({"type": "array", "items": {"type": "integer"}}, "1, 2 3;4\n5", [1, 2, 3, 4, 5]),
        ({"type": "array", "items": {"type": "integer"}}, "1, x", [1, "x"]),
        ({"type": "array", "items": {"type": "integer"}}, "[]", []),
        ({"type": "array", "items": {"type": "string"}}, "one, two\r\n three \r\n", ["one, two", "three"]),
        ({"type": "array", "items": {"type": "boolean"}}, "true false", [True, False]),
        ({}, '{"a": [1]}', {"a": [1]}),
    ],
)
def test_what_was_typed_becomes_a_value_or_stays_text(part, text, expected):
    found = value(part, text)
    assert found == expected
    assert type(found) is type(expected)


def test_null_is_a_choice_of_its_own_beside_an_empty_field_and_an_empty_text():
    part = {"type": ["string", "null"]}
    assert value(part, "") == "absent"
    assert value(part, "", "null") is None
    assert value(part, '""', "json") == ""
    assert field(part).nullable
    for given in (None, "", "null", '""', " a "):
        made = make({"x": part})
        assert fields.decode(made, fields.encode(made, {"x": given})).values == {"x": given}


def test_an_empty_input_is_no_setting_and_an_absent_one_has_its_default():
    made = make({"x": {"type": "integer", "default": 5}, "y": {"type": ["integer", "null"], "default": None}})
    assert values(made, {}) == {"x": 5, "y": None}
    assert values(made, {"params.x": "", "params.y": " "}) == {}


def test_a_json_text_that_is_none_is_a_problem_and_stays_as_it_was_typed():
    made = make({"x": {"type": "object"}})
    found = fields.decode(made, {"params.x": '{"a": 1,}'})
    assert found.values == {}
    [problem] = found.problems
    assert (problem.pointer, problem.name) == ("/training_params/x", "x")
    assert problem.message == (
        "x cannot be read as JSON. Line 1, column 8: There must be no comma after the last entry."
    )
    assert fields.fields(made, {"params.x": '{"a": 1,}'})[0].text == '{"a": 1,}'


def test_a_request_takes_the_way_of_a_dict():
    made = make({"x": {"type": "integer", "default": 5}, "y": {"type": "integer", "default": 6}})
    data = QueryDict("params.x=7&name=m&train=1&train=2")
    filled = fields.fill_defaults(made, data)
    assert (filled.getlist("train"), filled["name"], filled["params.y"]) == (["1", "2"], "m", "6")
    assert fields.decode(made, filled).values == {"x": 7, "y": 6}
    assert "params.y" not in data


# --- names and extras ------------------------------------------------------------------------------------------------


def test_names_with_dots_and_slashes_keep_apart():
    made = make({"a": {"type": "object", "properties": {"b": {"type": "integer"}}}, "a.b": {"type": "integer"}})
    settings = {"a": {"b": 1}, "a.b": 2}
    assert fields.encode(made, settings) == {"params.a.b": ["1"], "params.a~2b": ["2"]}
    assert fields.html_name_of("/training_params/a~1b/c.d") == "params.a/b.c~2d"
    assert fields.html_name_of("/model_type") == ""


def test_a_text_that_is_no_json_is_named_by_its_title():
    made = make({"x": {"title": "Shape", "type": "object"}})
    [problem] = fields.decode(made, {"params.x": "{"}).problems
    assert problem.message.startswith("Shape cannot be read as JSON. Line 1")


def test_a_problem_within_a_list_or_a_json_text_belongs_to_the_field_that_shows_it():
    group = {"type": "object", "properties": {"sizes": {"type": "array", "items": {"type": "integer"}}}}
    made = make({"g": group})
    [shown] = fields.fields(made, {})
    assert not shown.covers("/training_params/g/sizes/1")
    assert shown.children[0].covers("/training_params/g/sizes/1")
    [shown] = fields.fields(made, fields.encode(made, {"g": {"sizes": [1], "odd": 2}}))
    assert (shown.mode, shown.children) == ("json", ())
    assert shown.covers("/training_params/g/sizes/1")


def test_settings_without_a_field_are_kept_beside_the_fields():
    made = make({"x": {"type": "integer"}})
    data = fields.encode(made, {"x": 1, "note": "밸브", "deep": {"a": [1]}})
    assert data[fields.EXTRA_KEY] == ["note", "deep"]
    assert data[fields.EXTRA_VALUE] == ['"밸브"', '{"a": [1]}']
    assert fields.decode(made, data).values == {"x": 1, "note": "밸브", "deep": {"a": [1]}}
    assert fields.allows_extra(made)
    assert not fields.allows_extra(make({}, additionalProperties=False))
    assert not fields.allows_extra(make({}, unevaluatedProperties=False))


def test_extra_settings_that_cannot_be_read_or_stand_twice_are_problems():
    made = make({"x": {"type": "integer"}})
    data = {"extra_key": ["a", "b", "b", "x", "c"], "extra_value": ["adam", "1", "2", "3"], "params.x": ["1"]}
    found = fields.decode(made, data)
    assert [problem.name for problem in found.problems] == ["a", "b", "x"]
    assert 'double quotes: "adam"' in found.problems[0].message


# --- groups ----------------------------------------------------------------------------------------------------------


def test_a_group_is_there_when_anything_in_it_is():
    group = {"type": "object", "properties": {"p": RATE, "q": {"type": "integer", "default": 2}}}
    made = make({"g": group})
    assert values(made, {}) == {"g": {"q": 2}}
    assert values(made, {"params.g.q": ""}) == {}
    assert values(made, {"params.g.p": "0.5"}) == {"g": {"p": 0.5, "q": 2}}


def test_the_default_of_a_group_goes_before_those_of_its_settings():
    made = make({"g": {"type": "object", "default": {"p": 1}, "properties": {"p": RATE, "q": RATE | {"default": 0.5}}}})
    assert values(made, {}) == {"g": {"p": 1}}
    shown = fields.fields(made, {})[0]
    assert [one.text for one in shown.children] == ["1", ""]


@pytest.mark.parametrize("given", [{}, {"odd": 1}, {"p": {}}, None, [], 5, {"p": None}])
def test_a_group_holds_what_its_inputs_cannot_say(given):
    made = make({"g": {"type": "object", "properties": {"p": RATE}}})
    assert fields.decode(made, fields.encode(made, {"g": given})).values == {"g": given}


# --- what depends on other settings ----------------------------------------------------------------------------------

MOMENTUM = {"properties": {"momentum": RATE | {"default": 0.9}}, "required": ["momentum"]}
DEPENDENT = make({"solver": SOLVER, "epochs": {"type": "integer", "default": 5}}, **when("solver", "sgd", MOMENTUM))


def test_a_dependent_setting_appears_with_its_condition_below_what_it_depends_on():
    assert [one.name for one in fields.fields(DEPENDENT, {})] == ["solver", "momentum", "epochs"]
    assert values(DEPENDENT, {}) == {"solver": "sgd", "momentum": 0.9, "epochs": 5}
    shown = fields.fields(DEPENDENT, {})[1]
    assert (shown.required, shown.applies, shown.text) == (True, True, "0.9")
    assert [one.name for one in fields.fields(DEPENDENT, {"params.solver": "adam"})] == ["solver", "epochs"]


def test_what_was_typed_is_set_aside_while_the_condition_does_not_hold_and_comes_back_with_it():
    data = fields.fill_defaults(DEPENDENT, {"params.momentum": "0.5", "params.solver": "adam"})
    found = fields.decode(DEPENDENT, data)
    assert found.values == {"solver": "adam", "epochs": 5}
    assert found.aside == {"momentum": 0.5}
    shown = next(one for one in fields.fields(DEPENDENT, data) if one.name == "momentum")
    assert (shown.applies, shown.text) == (False, "0.5")
    assert values(DEPENDENT, data | {"params.solver": ["sgd"]})["momentum"] == 0.5


def test_nonsense_in_a_field_that_does_not_count_blocks_nothing():
    made = make({"solver": SOLVER}, **when("solver", "sgd", {"properties": {"more": {"type": "object"}}}))
    found = fields.decode(made, {"params.solver": "adam", "params.more": "{"})
    assert (found.problems, found.aside) == ([], {"more": "{"})
    assert fields.decode(made, {"params.solver": "sgd", "params.more": "{"}).problems


def test_a_value_whose_condition_does_not_hold_survives_the_form():
    given = {"solver": "adam", "momentum": 0.5}
    data = fields.encode(DEPENDENT, given)
    assert data[fields.EXTRA_KEY] == ["momentum"]
    assert fields.decode(DEPENDENT, data).values == given


def test_a_rule_narrows_a_setting_while_it_holds():
    rule = when("solver", "adam", {"properties": {"lr": {"maximum": 0.1}, "kind": {"enum": ["a"]}}, "required": ["lr"]})
    kind = {"type": "string", "enum": ["a", "b"]}
    made = make({"solver": SOLVER, "lr": RATE, "kind": kind}, allOf=[rule])
    loose = {one.name: one for one in fields.fields(made, {"params.solver": "sgd"})}
    tight = {one.name: one for one in fields.fields(made, {"params.solver": "adam"})}
    assert (loose["lr"].hint, loose["lr"].required, loose["lr"].high) == ("0 to 1", False, 1)
    assert (tight["lr"].hint, tight["lr"].required, tight["lr"].high) == ("0 to 0.1", True, 0.1)
    assert [text for text, _label in loose["kind"].choices] == ["a", "b"]
    assert [text for text, _label in tight["kind"].choices] == ["a"]


def test_else_and_rules_within_rules_count():
    inner = when("warm", True, {"properties": {"steps": {"type": "integer"}}})
    branch = {"properties": {"warm": {"type": "boolean", "default": True}}} | inner
    made = make({"solver": SOLVER}, **when("solver", "sgd", {}, **{"else": branch}))
    assert [one.name for one in fields.fields(made, {"params.solver": "adam"})] == ["solver", "warm", "steps"]
    assert [one.name for one in fields.fields(made, {})] == ["solver"]


def test_a_dependent_setting_of_a_group_depends_on_the_group():
    group = {"type": "object", "properties": {"solver": SOLVER}} | when("solver", "sgd", MOMENTUM)
    made = make({"g": group})
    assert values(made, {}) == {"g": {"solver": "sgd", "momentum": 0.9}}
    found = fields.decode(made, {"params.g.solver": "adam", "params.g.momentum": "0.1"})
    assert (found.values, found.aside) == ({"g": {"solver": "adam"}}, {"g": {"momentum": 0.1}})


# --- what a field says -----------------------------------------------------------------------------------------------


def test_a_field_says_range_unit_and_default():
    made = field({"type": "integer", "minimum": 1, "maximum": 9, "default": 3, "x-unit": "px", "x-advanced": True})
    assert (made.hint, made.unit, made.advanced, made.default) == ("1 to 9 · default 3", "px", True, "3")
    assert (made.low, made.high, made.step) == (1, 9, "1")
    assert field({"type": "number", "exclusiveMinimum": 0}).hint == "more than 0"
    assert field({"type": "integer", "exclusiveMinimum": 0}).low == 1
    assert field({"type": "integer", "minimum": 32, "multipleOf": 32}).step == "any"
    assert field({"type": "boolean", "default": True}).hint == "default Yes"
    assert field({"type": ["integer", "null"]}).hint == "may be null"
    assert field({"type": "number", "x-log": True}).log


def test_a_unit_is_in_the_language_of_the_reader_where_it_is_a_word():
    part = {"type": "integer", "x-unit": "images", "x-ko": {"unit": "장"}}
    assert field(part).unit == "images"
    with translation.override("ko"):
        assert (field(part).unit, field({"type": "integer", "x-unit": "px"}).unit) == ("장", "px")


def test_choices_have_their_titles_in_the_language_of_the_reader():
    part = {"oneOf": [{"const": 1, "title": "One", "x-ko": {"title": "하나"}}, {"const": "auto"}], "title": "N"}
    assert field(part).choices == (("1", "One"), ("auto", "auto"))
    with translation.override("ko"):
        assert field(part).choices == (("1", "하나"), ("auto", "auto"))


def test_a_field_knows_whether_it_was_changed_and_whether_it_differs_from_its_origin():
    part = {"type": "integer", "default": 3}
    assert not field(part).is_changed
    assert not field(part, x="3.0").is_changed
    assert field(part, x="4").is_changed
    assert field(part, x="").is_changed
    assert field(part, x="4").origin is None
    assert not field(part, x="4").differs
    assert not field(part, x="4", origin={"x": 4}).differs
    changed = field(part, origin={"x": 4})
    assert (changed.differs, changed.origin) == (True, "4")
    assert field({"type": "object"}, x="{", origin={"x": {}}).differs


@pytest.mark.parametrize("name", packing.BUNDLED)
def test_the_bundled_kernels_have_no_json_field_and_keep_their_defaults(name):
    made = json.loads(packing.package_files(name)["model_schema.json"])
    assert "json" not in {one.kind for one in fields.fields(made, {})}
    assert values(made, {}) == schema.defaults(made)


# --- reset and another kernel ----------------------------------------------------------------------------------------


def test_a_field_goes_back_to_its_default_and_the_others_stay():
    group = {"type": "object", "properties": {"p": RATE | {"default": 0.1}, "q": RATE | {"default": 0.2}}}
    made = make({"x": {"type": ["integer", "null"], "default": 5}, "g": group})
    data = {"params.x": ["7"], "mode.x": ["json"], "params.g.p": ["1"], "params.g.q": ["1"], "name": ["m"]}
    assert values(made, fields.reset(made, data, "params.x")) == {"x": 5, "g": {"p": 1, "q": 1}}
    assert values(made, fields.reset(made, data, "params.g.p"))["g"] == {"p": 0.1, "q": 1}
    assert values(made, fields.reset(made, data, "params.g"))["g"] == {"p": 0.1, "q": 0.2}
    assert values(made, fields.reset(made, data, "params.x", {"x": None}))["x"] is None
    assert "x" not in values(made, fields.reset(made, data, "params.x", {}))
    assert fields.reset(made, data, "params.nowhere") == data
    assert fields.reset(made, data, "params.x")["name"] == ["m"]


OLD = make({
    "epochs": {"type": "integer", "default": 5}, "lr": RATE | {"default": 0.1}, "solver": SOLVER,
    "size": {"type": "integer", "default": 64}, "only_old": {"type": "string", "default": "x"},
})  # fmt: skip
NEW = make({
    "epochs": {"type": "integer", "default": 50}, "lr": {"type": "number", "maximum": 0.5, "default": 0.01},
    "solver": {"enum": ["lion", "adam"], "default": "lion"}, "size": {"type": "integer", "default": 128},
})  # fmt: skip


def test_another_kernel_keeps_what_was_typed_and_fits_and_sets_the_rest_aside():
    typed = {"params.epochs": "7", "params.lr": "0.9", "params.solver": "adam", "params.only_old": "밸브", "name": "m"}
    moved = fields.move(OLD, NEW, typed)
    assert fields.decode(NEW, moved.data).values == {"epochs": 7, "lr": 0.01, "solver": "adam", "size": 128}
    assert moved.aside == {"lr": 0.9, "only_old": "밸브"}
    assert fields.decode(NEW, moved.data).aside == moved.aside
    assert moved.data["name"] == ["m"]
    back = fields.move(NEW, OLD, moved.data)
    assert fields.decode(OLD, back.data).values == {
        "epochs": 7, "lr": 0.9, "solver": "adam", "size": 64, "only_old": "밸브",
    }  # fmt: skip
    assert back.aside == {}
    assert "aside_key" not in back.data


def test_what_stood_at_the_old_default_gives_way_to_the_new_one():
    moved = fields.move(OLD, NEW, fields.fill_defaults(OLD, {}))
    assert fields.decode(NEW, moved.data).values == schema.defaults(NEW)
    assert moved.aside == {}


def test_nonsense_is_not_lost_either():
    made = make({"x": {"type": "object"}, "epochs": {"type": "integer"}})
    moved = fields.move(made, NEW, {"params.x": "{oops", "params.epochs": "many"})
    assert moved.aside == {"x": "{oops", "epochs": "many"}


def test_an_emptied_field_stays_empty_and_groups_move_part_by_part():
    old = make({"g": {"type": "object", "properties": {"p": RATE | {"default": 0.1}, "q": {"type": "string"}}}})
    new = make({"g": {"type": "object", "properties": {"p": RATE | {"default": 0.3}, "q": {"enum": ["a"]}}}})
    moved = fields.move(old, new, {"params.g.q": "b"})
    assert fields.decode(new, moved.data).values == {"g": {"p": 0.3}}
    assert moved.aside == {"g": {"q": "b"}}
    assert fields.decode(new, fields.move(old, new, {"params.g.p": "", "params.g.q": "a"}).data).values == {
        "g": {"q": "a"}
    }
    back = fields.move(new, old, moved.data)
    assert (fields.decode(old, back.data).values, back.aside) == ({"g": {"p": 0.1, "q": "b"}}, {})


def test_added_settings_find_their_field_or_stay_added_or_are_set_aside():
    extra = {"extra_key": ["epochs", "note"], "extra_value": ["9", "1"]}
    made = make({"x": {"type": "integer"}})
    moved = fields.move(made, NEW, extra)
    assert fields.decode(NEW, moved.data).values["epochs"] == 9
    assert fields.decode(NEW, moved.data).values["note"] == 1
    closed = make({"x": {"type": "integer"}}, additionalProperties=False)
    assert fields.move(made, closed, extra).aside == {"epochs": 9, "note": 1}


def test_a_schema_that_is_loaded_anew_is_the_same_schema():
    first, again = make({"x": RATE}), make({"x": RATE})
    assert schema.compiled(first) is schema.compiled(again)
    first["properties"]["training_params"]["properties"]["y"] = RATE
    assert [one.name for one in fields.fields(first, {})] == ["x", "y"]
