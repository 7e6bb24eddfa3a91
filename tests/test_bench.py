"""The bench's arithmetic and its table; what it measures is `make bench`'s affair."""

from __future__ import annotations

import pytest

from bench import table
from bench.processes import spent
from bench.table import MeasurementFailed, Row
from bench.web import FormFields

PAGE = """
<form id="other"><input name="no" value="1"></form>
<form id="train">
  <input type="hidden" name="csrfmiddlewaretoken" value="abc"><input name="name" value="proposed">
  <input type="checkbox" name="train" value="1" checked><input type="checkbox" name="train" value="2">
  <select name="kernel"><option value="5">a</option><option value="6" selected>b</option></select>
  <select name="base"><option value="">none</option><option value="3">x</option></select>
  <input type="file" name="etc"><button name="check" value="1">Check</button>
</form>
<input name="outside" value="1">
"""


@pytest.mark.parametrize(("percent", "expected"), [(0, 1), (50, 3), (95, 4.8), (100, 5)])
def test_a_percentile_lies_between_the_nearest_ranks(percent, expected):
    assert table.percentile([5, 1, 3, 2, 4], percent) == pytest.approx(expected)


def test_one_value_is_every_percentile():
    assert table.percentile([7.0], 95) == table.median([7.0]) == 7.0


def test_no_values_are_a_failed_measurement():
    with pytest.raises(MeasurementFailed):
        table.percentile([], 50)


def test_the_goal_itself_is_still_ok():
    assert [Row("a", value, "s", 2.0).verdict for value in (1.0, 2.0, 2.01)] == ["ok", "ok", "over"]
    assert [Row("a", value, "x", 1.5, is_least=True).verdict for value in (1.6, 1.5, 1.49)] == ["ok", "ok", "under"]
    assert Row("a", 9.0, "s").verdict == ""


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.254, "s", "1.25 s"), (0.0621, "s", "0.062 s"), (1.0204, "x", "1.020x"), (6.84, "%", "6.84%"), (16, "", "16")],
)
def test_numbers_have_the_digits_that_matter(value, unit, text):
    assert table.number(value, unit) == text


def test_the_table_is_aligned():
    rows = [
        Row("start, p50", 1.25, "s", 2.0), Row("wall", 1.031, "x", 1.02), Row("speed", 1.6, "x", 1.5, is_least=True),
        Row("rows", 16, ""),
    ]  # fmt: skip
    assert table.lines(rows) == [
        "             value      goal",
        "start, p50  1.25 s  ≤ 2.00 s  ok",
        "wall        1.031x  ≤ 1.020x  over",
        "speed       1.600x  ≥ 1.500x  ok",
        "rows            16",
    ]


def test_a_process_that_came_later_counts_from_nothing():
    assert spent({"web": 2.0}, {"web": 2.5, "runner": 0.7}) == pytest.approx({"web": 0.5, "runner": 0.7})


def test_a_form_is_sent_as_a_browser_would():
    form = FormFields(PAGE, "train")
    assert form.changed({"name": "mine"}) == [
        ("csrfmiddlewaretoken", "abc"), ("train", "1"), ("kernel", "6"), ("base", ""), ("name", "mine"),
    ]  # fmt: skip
