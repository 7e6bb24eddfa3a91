"""What is wrong with a JSON text, in plain words and at its place, and where each value stands."""

from __future__ import annotations

import json

import pytest

from kernels_app import jsontext

TEXT = """{
  "epochs": 5,
  "sizes": [
    1,
    2
  ],
  "a/b": {"c~d": {"x": 1}}
}"""


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        ("", 1),
        ("/epochs", 2),
        ("/sizes", 3),
        ("/sizes/0", 4),
        ("/sizes/1", 5),
        ("/sizes/7", 3),
        ("/a~1b/c~0d/x", 7),
        ("/nowhere/at/all", 1),
    ],
)
def test_each_value_has_its_line_and_what_is_not_there_that_of_its_parent(pointer, line):
    assert jsontext.read(TEXT).line_of(pointer) == line


def test_a_setting_is_found_in_a_whole_document_and_in_the_settings_alone():
    whole = '{"training_type": "CL",\n"training_params":\n{"epochs": 5}}'
    assert jsontext.read(whole).line_of_setting("/training_params/epochs") == 3
    assert jsontext.read(TEXT).line_of_setting("/training_params/epochs") == 2


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_in_an_editor(end):
    assert jsontext.read(f"[{end}1,{end}2]").line_of("/1") == 3


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("", 1, 1, "nothing here yet"),
        ('{\n"a": 1,\n}', 2, 7, "no comma after the last entry"),
        ("[1, 2,]", 1, 6, "no comma after the last entry"),
        ("{'a': 1}", 1, 2, "straight double quotes"),
        ("{“a”: 1}", 1, 2, "straight double quotes"),
        ("{a: 1}", 1, 2, 'double quotes: "a"'),
        ('{"a": adam}', 1, 7, 'double quotes: "adam"'),
        ('{"a": 1} // why', 1, 10, "no comments"),
        ('{\n# why\n"a": 1}', 2, 1, "no comments"),
        ('{"a": 1, /* why */ "b": 2}', 1, 10, "no comments"),
        ('{"a": NaN}', 1, 7, "NaN and Infinity"),
        ('{"a": -Infinity}', 1, 7, "NaN and Infinity"),
        ('{"a": True}', 1, 7, "true instead of True"),
        ('{"a": None}', 1, 7, "null instead of None"),
        ('{"a": 1,\n "a": 2}', 2, 2, "“a” stands here twice"),
        ('{"a": 1 "b": 2}', 1, 9, "comma is missing"),
        ('{"a" 1}', 1, 6, "colon is missing after “a”"),
        ('{"a": }', 1, 7, "value is missing"),
        ('{\n"a": [1, 2', 2, 11, "] is missing; what it closes begins in line 2"),
        ('{\n"a": 1', 2, 7, "} is missing; what it closes begins in line 1"),
        ('{"a": [1}', 1, 9, "] is missing"),
        ('{"a": "x\n"}', 1, 9, "closing quote"),
        ('{"a": "x', 1, 7, "closing quote"),
        (r'{"a": "C:\data"}', 1, 10, "backslash"),
        ('["a\tb"]', 1, 4, "tab"),
        ("[.5]", 1, 2, "no number in JSON"),
        ("[05]", 1, 2, "no number in JSON"),
        ("[1e999]", 1, 2, "too large"),
        ("9" * 5000, 1, 1, "too large"),
        ("{} {}", 1, 4, "follows after the end"),
        ("\u00a0{}", 1, 1, "special space"),
        ('"\\ud800"', 1, 1, "half of a character"),
        ("[" * 100_000, 1, 101, "nested too deeply"),
        ("x" * 1_000_001, 1, 1, "longer than 1,000,000"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words_at_its_place(text, line, column, words):
    found = jsontext.read(text)
    assert found.value is None
    assert found.error
    assert words in found.error.message
    assert (found.error.line, found.error.column) == (line, column)


def test_what_stands_before_the_error_has_its_lines():
    assert jsontext.read('{"a": 1,\n"b": 2,\n"c": oops').line_of("/b") == 2


def test_a_mark_at_the_start_of_a_file_does_no_harm():
    assert jsontext.read('\ufeff{"a": 1}').value == {"a": 1}


def test_a_large_text_is_read():
    text = json.dumps({f"key {n}": [n, str(n), {"x": n / 3}] for n in range(10_000)})
    assert jsontext.read(text).value == json.loads(text)


def test_settings_are_the_section_of_a_whole_document_or_the_object_itself():
    assert jsontext.settings_of({"training_type": "CL", "training_params": {"a": 1}}) == {"a": 1}
    assert jsontext.settings_of({"a": 1}) == {"a": 1}
    assert jsontext.settings_of({"training_params": 5}) == {"training_params": 5}
    for other in ([1], 5, None, "x"):
        with pytest.raises(ValueError, match="JSON object"):
            jsontext.settings_of(other)


def test_json_is_written_short_on_one_line_and_long_on_several():
    assert jsontext.write({"밸브": 1}) == '{"밸브": 1}'
    assert jsontext.write(list(range(100))).count("\n") > 99
    assert jsontext.write("\ud800").encode() == b'"\\ud800"'
