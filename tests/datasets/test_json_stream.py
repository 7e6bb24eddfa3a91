"""Large JSON item by item: the same as Python's parser finds, wherever the pieces end that are read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets_app.formats import json_stream
from datasets_app.formats.json_stream import read_object
from datasets_app.formats.safe_files import UnreadableFile

leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)
documents = st.dictionaries(
    st.sampled_from(["images", "annotations", "info", "다른", 'a"b']),
    values | st.lists(values, max_size=12),
    max_size=5,
)


@pytest.fixture
def small(monkeypatch):
    """Pieces so small that each end falls somewhere."""

    def of(size: int) -> None:
        monkeypatch.setattr(json_stream, "_CHUNK", size)
        monkeypatch.setattr(json_stream, "_TAIL", 3 * size)

    return of


def read(path) -> dict[str, Any] | None:
    """The object, put together again."""
    lists: dict[str, list[Any]] = {"images": [], "annotations": []}
    found = read_object(path, {key: items.extend for key, items in lists.items()})
    return found and found | {key: items for key, items in lists.items() if found.get(key) == []}


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(documents, st.sampled_from([1, 2, 7, 64, 4096]), st.booleans(), st.sampled_from([None, 0, 2]))
def test_it_finds_what_the_parser_finds_in_the_whole(tmp_path, small, document, size, is_ascii, indent):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document, ensure_ascii=is_ascii, indent=indent), encoding="utf-8")
    small(size)
    assert (read(path) or {}) == document


@pytest.mark.parametrize("size", [1, 5, 4096])
@pytest.mark.parametrize(
    "text",
    ['{"images": [1, 2 ], "annotations" : [ {"a":1} ,\n {"b": {}} ,{}] , "n": -1.5e3 }  \n', "{}", ' {"images":[]}'],
)
def test_blanks_and_numbers_at_the_end_of_a_piece(tmp_path, small, text, size):
    path = tmp_path / "a.json"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    small(size)
    assert (read(path) or {}) == json.loads(text)


@pytest.mark.parametrize("size", [3, 4096])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"images": [\n{"a": 1}\n{"b": 2}]}', "line 3: no JSON (Expecting ',' delimiter)"),
        (b'{"images": [{"a": 1},\n{"a": tru}]}', "line 2: no JSON (Expecting value)"),
        (b'{"images": [{"a": 1}', "line 1: no JSON"),
        (b'{"images": [{"a": 1}]', "line 1: no JSON"),
        (b'{"images": [{"a": 1},]}', "line 1: no JSON"),
        (b'{"a": "\n"}', "line 1: no JSON (Invalid control character at)"),
        (b'{"a" 1}', "line 1: no JSON (Expecting ':' delimiter)"),
        (b'{1: 2}', "line 1: no JSON (Expecting property name enclosed in double quotes)"),
        (b'{"a": 1} \n\n x', "line 3: no JSON (Extra data)"),
        (b'{"images": [1], "images": [2]}', "'images' comes twice"),
        (b'{"images": [{"a": NaN}, {"a": 1}]}', "NaN is no JSON number"),
        (b'{"images": [{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"images": [\n"\xff"]}', "line 2: the text is not UTF-8"),
        (b'{"a": "\xec\x9d', "line 1: the text is not UTF-8"),
        (b'{"a": "cut', "line 1: no JSON (Unterminated string starting at)"),
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused_with_its_line(tmp_path, small, text, reason, size):
    path = tmp_path / "a.json"
    path.write_bytes(text)
    small(size)
    with pytest.raises(UnreadableFile) as refused:
        read(path)
    assert reason in str(refused.value)


def test_what_holds_no_object_is_none(tmp_path):
    path = tmp_path / "a.json"
    for text in ("[1, 2]", "3", "", "  "):
        path.write_text(text)
        assert read_object(path, {}) is None


def test_sizes_are_bounded(tmp_path, monkeypatch, small):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"images": [{"a": "x" * 50}] * 20, "info": "y" * 50}))
    small(16)
    monkeypatch.setattr(json_stream, "MAX_KEPT", 200)
    assert read(path)
    monkeypatch.setattr(json_stream, "MAX_KEPT", 40)
    with pytest.raises(UnreadableFile, match="one value is larger"):
        read(path)
    path.write_text(json.dumps({str(n): "y" * 10 for n in range(20)}))
    with pytest.raises(UnreadableFile, match="beside the lists"):
        read(path)
    monkeypatch.setattr(json_stream, "MAX_BYTES", 100)
    with pytest.raises(UnreadableFile, match="larger than"):
        read(path)
    with pytest.raises(UnreadableFile, match="No such file"):
        read_object(tmp_path / "gone.json", {})


def test_a_file_that_is_broken_at_its_beginning_is_not_read_to_its_end(tmp_path, small, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text('{"images": [{"a" 1}, ' + '{"a": 1}, ' * 10_000 + "1]}")
    small(64)
    monkeypatch.setattr(json_stream, "MAX_KEPT", 1000)
    with pytest.raises(UnreadableFile, match="line 1: no JSON"):
        read(path)


def test_a_million_small_members_are_too_much_as_well(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({f"key {n}": 0 for n in range(1000)}))
    monkeypatch.setattr(json_stream, "MAX_KEPT", 50_000)
    with pytest.raises(UnreadableFile, match="beside the lists"):
        read(path)
