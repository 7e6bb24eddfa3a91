"""A batch out of a form's data: values, counts, draws, names; and garbage that says what is allowed instead."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise

import pytest
from django.http import QueryDict

from models_app.sweeps.plan import SweepPlan, axes_for_form, names
from tests import fake_kernels

PARAMETERS = {
    "lr": fake_kernels.PROPERTIES["lr"],
    "rows": fake_kernels.PROPERTIES["rows"],
    "size": {"type": "integer", "minimum": 32, "maximum": 512, "multipleOf": 32, "x-ko": {"title": "이미지 크기"}},
    "flip": {"type": "boolean"},
    "mode": {"enum": ["auto", "off", 3]},
    "rate": {"oneOf": [{"const": 0.1, "title": "Slow"}, {"const": 0.5, "title": "Fast"}]},
    "note": {"type": "string", "maxLength": 5},
    "shape": {"type": "array", "items": {"type": "integer"}},
    "warm": {"type": ["number", "null"], "minimum": 0},
    "fixed": {"type": "integer"},
}
SCHEMA = fake_kernels.make_schema(
    batchable_params={"properties": {n: n != "fixed" for n in PARAMETERS} | {"gone": True}}
)
SCHEMA["properties"]["training_params"] = {"type": "object", "required": ["lr", "rows"], "properties": PARAMETERS}


def read(*axes: str, **more: str) -> SweepPlan:
    """`"lr range 0.1 0.3 step=0.1"`, `"rows list 1,2"`; `more`: the other inputs."""
    data = QueryDict(mutable=True)
    for axis in axes:
        name, mode, *rest = axis.split(" ", 2)
        data[f"batch.{name}.mode"] = mode
        words = rest[0].split(" ") if rest else []
        if mode == "range":
            data[f"batch.{name}.min"], data[f"batch.{name}.max"] = words[:2]
            for word in words[2:]:
                what, _equals, value = word.partition("=")
                data[f"batch.{name}.{what}"] = value or "1"
        elif rest:
            data.setlist(f"batch.{name}.values", [rest[0]] if name not in ("flip", "mode", "rate") else words)
    data.update({f"batch_{what}": value for what, value in more.items()})
    return SweepPlan.read(SCHEMA, data)


def values(plan: SweepPlan, name: str) -> list:
    assert plan.problems == []
    return [point[name] for point in plan.points()]


# --- values ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axis", "found"),
    [
        ("lr range 0.1 0.3 step=0.1", [0.1, 0.2, 0.3]),
        ("lr range 0.1 0.35 step=0.1", [0.1, 0.2, 0.3]),
        ("lr range 0.1 0.7 count=4", [0.1, 0.3, 0.5, 0.7]),
        ("lr range 0.001 0.1 count=3 log", [0.001, 0.01, 0.1]),
        ("lr range 1e-4 1e-1 step=10 log", [0.0001, 0.001, 0.01, 0.1]),
        ("lr range 0.5 0.5", [0.5]),
        ("lr range 0.5 0.9 count=1", [0.5]),
        ("rows range 1 4", [1, 2, 3, 4]),
        ("rows range 4 64 step=2 log", [4, 8, 16, 32, 64]),
        ("rows range 1 3 count=9", [1, 2, 3]),
        ("rows range 1 100 count=3 log", [1, 10, 100]),
        ("size range 32 128", [32, 64, 96, 128]),
        ("size range 32 512 count=3", [32, 288, 512]),
        ("warm range 0 1 count=3", [0.0, 0.5, 1.0]),
        ("rows list 1, 2\n3 , 2.0", [1, 2, 3]),
        ("lr list 1e-3,0.01", [0.001, 0.01]),
        ("warm list null,0.5", [None, 0.5]),
        ("flip list true false", [True, False]),
        ("mode list off 3", ["off", 3]),
        ("rate list 0.5 0.1", [0.5, 0.1]),
        ("note list 밸브, b c", ["밸브", "b c"]),
        ("shape list [1, 2]\n[3]", [[1, 2], [3]]),
    ],
)
def test_an_axis_takes_these_values(axis, found):
    plan = read(axis)
    got = values(plan, axis.split(" ")[0])
    assert got == found
    assert [type(value) for value in got] == [type(value) for value in found]
    assert plan.count == len(found)


@pytest.mark.parametrize(
    ("axis", "place", "says"),
    [
        ("lr range 0.1 0.3", "step", "Step or “How many” is needed."),
        ("lr range 0.1 0.3 step=0.1 count=2", "count", "How many must be empty while “Step” is filled in."),
        ("lr range 0.3 0.1 count=2", "max", "To must be at least “From” (0.3); you gave 0.1."),
        ("lr range x 0.1 count=2", "min", "must be a number; you gave “x”"),
        ("lr range 0,1 0.1 count=2", "min", "must be a number; you gave “0,1”"),
        ("lr range 0 1 count=2", "min", "must be more than 0; you gave 0"),
        ("lr range 0.1 5 count=2", "max", "must be at most 1; you gave 5"),
        ("lr range 1e999999999999 1 count=2", "min", "must be a number"),
        ("lr range nan inf count=2", "min", "must be a number; you gave “nan”"),
        ("lr range 0.1 0.3 step=0", "step", "above 0; you gave 0"),
        (
            "lr range 0.1 0.3 step=1 log",
            "step",
            "Learning rate › Step must be a factor above 1 on a log scale; you gave 1.",
        ),
        ("lr range 0.1 0.3 step=1.0000000001 log", "step", "more than 1,000 values"),
        ("lr range 0.1 0.3 count=0", "count", "from 1 to 1,000; you gave 0"),
        ("lr range 0.1 0.3 count=²", "count", "from 1 to 1,000; you gave “²”."),
        ("lr range 0.1 0.3 step=1e-300", "step", "more than 1,000,000,000 values"),
        ("rows range 1.5 3", "min", "you gave 1.5"),
        ("rows range 1 9 step=0.5", "step", "must be a multiple of 1; you gave 0.5"),
        ("size range 33 128", "min", "multiple of 32; you gave 33"),
        ("size range 32 128 step=16", "step", "multiple of 32; you gave 16"),
        ("warm range 0 1 count=3 log", "min", "more than 0 on a log scale; you gave 0"),
        ("rows list", "values", "Values must have at least one value."),
        ("rows list ,, ,", "values", "must have at least one value"),
        ("rows list 1,many", "values", "you gave “many”"),
        ("rows list 0,1", "values", "must be at least 1; you gave 0"),
        ("rows list " + ",".join(map(str, range(1, 1010))), "values", "at most 1,000 values"),
        ("mode list auto forged", "values", "you gave “forged”"),
        ("note list abcdefgh", "values", "you gave “abcdefgh”"),
        ("note list a\ud800", "values", "characters that cannot be kept"),
        ('shape list ["\\u0000"]', "values", "characters that cannot be kept"),
        ("shape list [1,", "values", "must be a list"),
        ('shape list ["x"]', "values", "Values › entry 1 must be a whole number; you gave “x”."),
        ("shape list " + "[" * 5000, "values", "must be a list"),
    ],
)
def test_what_cannot_be_is_said_at_its_input(axis, place, says):
    plan = read(axis)
    assert plan.is_on
    assert plan.count == 0
    assert plan.points() == []
    name, sentence = plan.problems[0]
    assert name == f"batch.{axis.split(' ')[0]}.{place}"
    assert says in sentence


def test_a_parameter_that_may_not_vary_does_not():
    plan = read("fixed range 1 3", "gone list 1", "unknown list 1", "lr sideways")
    assert (plan.is_on, plan.count, plan.problems) == (False, 0, [])


def test_a_list_serves_a_parameter_that_has_no_range():
    assert not read("flip range true false").axes
    assert read("flip range true false").problems[0][0] == "batch.flip.values"


@pytest.mark.parametrize("schema", [{}, {"properties": {}}, {"properties": {"batchable_params": ["lr"]}}])
def test_a_kernel_that_lets_nothing_vary_has_no_batch(schema):
    data = QueryDict("batch.lr.mode=list&batch.lr.values=1")
    assert not SweepPlan.read(schema, data).is_on
    assert axes_for_form(schema, data) == []


# --- counts ----------------------------------------------------------------------------------------------------------


def test_all_combinations_are_counted_and_made_the_last_one_first():
    plan = read("lr list 0.1,0.2", "rows range 1 3")
    assert (plan.count, plan.factors) == (6, "2 × 3")
    assert plan.points()[:2] == [{"lr": 0.1, "rows": 1}, {"lr": 0.1, "rows": 2}]


def test_an_enormous_product_is_exact_and_costs_nothing():
    plan = read("rows range 1 1000000", "lr range 0.000001 1 step=0.00001", "warm range 0 999 step=0.001")
    assert plan.count == 10**6 * 100_000 * 999_001
    assert plan.count_text == f"{Decimal(plan.count):.1e}"
    assert len(plan.points()) == 10_000


# --- draws -----------------------------------------------------------------------------------------------------------


def test_a_draw_is_repeated_by_its_seed_alone():
    axes = ("lr range 0.0001 1 log", "rows range 1 1000 log", "flip list true false")
    first, again, other = (read(*axes, random="20", seed=seed).points() for seed in ("7", "7", "8"))
    assert first == again != other
    assert len({str(point) for point in first}) == 20


def test_drawn_values_stay_in_their_ranges_and_on_their_grid():
    plan = read("lr range 0.001 0.1", "rows range 1 9", "size range 32 512", random="40")
    for point in plan.points():
        assert 0.001 <= point["lr"] <= 0.1
        assert isinstance(point["rows"], int)
        assert point["size"] % 32 == 0


def test_a_log_scale_draws_every_power_alike():
    drawn = values(read("lr range 0.0001 1 log", random="400"), "lr")
    powers = [sum(math.floor(math.log10(value)) == power for value in drawn) for power in (-4, -3, -2, -1)]
    assert all(60 < count < 140 for count in powers), powers


def test_a_draw_of_as_many_as_there_are_finds_all_of_them():
    all_of_them = read("rows range 1 3", "flip list true false", random="6").points()
    assert len({str(point) for point in all_of_them}) == 6


@pytest.mark.parametrize(
    ("more", "place", "says"),
    [
        ({"random": "7"}, "batch_random", "hold only 6 different trainings; you asked for 7"),
        ({"random": "0"}, "batch_random", "from 1 to 1,000,000,000; you gave 0"),
        (
            {"random": "many"},
            "batch_random",
            "“Draw at random” must be a whole number from 1 to 1,000,000,000; you gave “many”.",
        ),
        ({"random": "9" * 30}, "batch_random", "you gave 999"),
        ({"seed": "-1"}, "batch_seed", "from 0"),
        ({"keep": "0"}, "batch_keep", "from 1"),
        ({"keep": "½"}, "batch_keep", "from 1"),
    ],
)
def test_garbage_beside_the_axes_is_said(more, place, says):
    plan = read("rows range 1 3", "flip list true false", **more)
    assert [name for name, _sentence in plan.problems] == [place]
    assert says in plan.problems[0][1]


def test_garbage_does_not_matter_while_nothing_varies():
    assert read(random="many", seed="x", keep="-3").problems == []


def test_the_best_that_are_kept_are_read():
    assert read("rows range 1 3", keep="2").keep_best == 2
    assert read("rows range 1 3").keep_best is None


# --- names -----------------------------------------------------------------------------------------------------------


def test_names_carry_only_what_varies_in_short():
    points = [{"learning_rate": 0.01, "batch_size": size, "epochs": 3} for size in (4, 8)]
    assert names("valve", points) == ["valve bs_4", "valve bs_8"]
    points = [{"learning_rate": lr, "batch_size": 4, "epochs": n} for lr, n in ((0.01, 1), (1e-05, 2))]
    assert names("valve", points) == ["valve lr_0.01_epochs_1", "valve lr_1e-05_epochs_2"]


def test_short_names_that_would_be_the_same_are_not_short():
    points = [{"batch_size": n, "box_scale": n, "lr": n, "learning_rate": n} for n in (1, 2)]
    assert names("v", points)[0] == "v batch_size_1_box_scale_1_lr_1_learning_rate_1"


@pytest.mark.parametrize("stem", ["v", "밸" * 200])
def test_names_are_different_and_fit_whatever_varies(stem):
    points = [{"note": "x" * 40 + str(n), "other_" + "y" * 150: n} for n in range(30)]
    found = names(stem, points)
    assert len(set(found)) == 30
    assert all(len(name) <= 200 and name.startswith(stem[:40]) for name in found)


def test_one_training_has_the_name_itself():
    assert names("valve", [{"lr": 0.1}]) == ["valve"]


# --- the card --------------------------------------------------------------------------------------------------------


def test_the_card_has_a_row_for_each_parameter_that_may_vary():
    data = QueryDict("batch.lr.mode=range&batch.lr.min=abc&batch.lr.log=1&batch.mode.mode=list&batch.mode.values=off")
    fields = {axis.name: axis for axis in axes_for_form(SCHEMA, data)}
    assert list(fields) == [name for name in PARAMETERS if name != "fixed"]
    assert (fields["lr"].texts["min"], fields["lr"].is_log, fields["lr"].mode) == ("abc", True, "range")
    assert [choice.text for choice in fields["mode"].choices if choice.is_ticked] == ["off"]
    assert [choice.label for choice in fields["rate"].choices] == ["Slow", "Fast"]
    assert [key for key, _word in fields["flip"].modes] == ["", "list"]
    assert [key for key, _word in fields["warm"].modes] == ["", "range", "list"]


def test_a_log_parameter_begins_on_a_log_scale_until_somebody_says_otherwise():
    assert axes_for_form(SCHEMA, QueryDict(""))[0].is_log
    assert not axes_for_form(SCHEMA, QueryDict("batch.lr.mode="))[0].is_log


def test_evenly_spaced_values_rise():
    for axis in ("lr range 0.1 0.9 count=17", "rows range 1 1000 count=40 log", "size range 32 512 count=7"):
        assert all(low < high for low, high in pairwise(values(read(axis), axis.split(" ")[0])))
