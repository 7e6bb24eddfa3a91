"""A log on a page: by byte offset, harmless, never in half a character."""

from __future__ import annotations

import pytest

from jobs import logs


def test_escape_sequences_and_control_characters_do_not_reach_the_page():
    text = logs.clean("\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07bell\x07 \x00nul \u202eevil\n")
    assert text == "red bell nul evil\n"


def test_of_a_bar_drawn_with_carriage_returns_only_the_last_state_is_shown():
    assert logs.clean("10%\r50%\r100%\r\nnext\n") == "100%\nnext\n"


def test_what_is_no_text_is_only_named(tmp_path):
    log = tmp_path / "kernel.log"
    log.write_bytes(b"before\n" + bytes(range(256)) * 40 + b"\nafter\n")
    texts = [line.text for line in logs.read(log, 0).lines]
    assert (texts[0], texts[-1]) == ("before", "after")
    assert any("bytes that are no text" in text for text in texts)
    assert not any("\x00" in text or "\ufffd" in text for text in texts if "no text" in text)


def test_a_few_strange_characters_leave_a_line_readable(tmp_path):
    log = tmp_path / "kernel.log"
    log.write_bytes("라인 \x07 결과".encode() + b" \xff ok\n")
    assert logs.read(log, 0).text == "라인  결과 � ok\n"


def test_a_line_without_end_is_shown_in_pieces_and_cut(tmp_path):
    log = tmp_path / "kernel.log"
    log.write_bytes(b"x" * (3 * logs.CHUNK) + b"\nend\n")
    part, shown = logs.read(log, 0), 0
    while part.lines:
        assert all(len(line.text) < logs.LONGEST + 100 for line in part.lines)
        shown += len(part.lines)
        part = logs.read(log, part.end)
    assert shown <= 5
    assert part.end == part.size
    assert "cut" in logs.read(log, 0).lines[0].text


def test_each_line_knows_where_it_begins(tmp_path):
    log = tmp_path / "kernel.log"
    log.write_text("가\n\x1b[31mred\x1b[0m\nlast\n")
    data = log.read_bytes()
    assert [data[line.at :].split(b"\n")[0].decode() for line in logs.read(log, 0).lines] == [
        "가",
        "\x1b[31mred\x1b[0m",
        "last",
    ]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("[rank0]: Traceback (most recent call last):", "error"),
        ("torch.OutOfMemoryError: CUDA out of memory.", "error"),
        ("2026-01-01 12:00:00 ERROR loader: broken", "error"),
        ("error: no such option", "error"),
        ("UserWarning: lr_scheduler.step() before optimizer.step()", "warning"),
        ("[WARN] low disk", "warning"),
        ("epoch 3 error_rate=0.2", ""),
        ("no errors found", ""),
    ],
)
def test_a_line_has_a_level(tmp_path, text, level):
    (tmp_path / "kernel.log").write_text(text + "\n")
    assert logs.read(tmp_path / "kernel.log", 0).lines[0].level == level


def test_a_search_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "HITS", 3)
    log = tmp_path / "kernel.log"
    log.write_text("".join(f"hit {n}\n" for n in range(7)))
    found, since = [], 0
    while since is not None:
        lines, since = logs.search(log, "HIT", "", since)
        found += [line.text for line in lines]
    assert found == [f"hit {n}" for n in range(7)]


def test_reading_goes_on_where_it_ended(tmp_path):
    log = tmp_path / "kernel.log"
    log.write_text("첫 줄\n둘째")
    part = logs.read(log, 0)
    assert (part.text, part.rest) == ("첫 줄\n", "둘째")
    with log.open("a") as file:
        file.write(" 줄\n")
    more = logs.read(log, part.end)
    assert more.text == "둘째 줄\n"
    assert more.end == more.size


def test_a_long_log_opens_at_its_tail(tmp_path):
    log = tmp_path / "kernel.log"
    log.write_text("".join(f"line {n}\n" for n in range(50_000)))
    part = logs.read(log, None)
    assert part.text.endswith("line 49999\n")
    assert len(part.text) <= logs.OPENING
    assert part.text.startswith("line ")
    assert part.end == part.size


def test_a_log_that_is_not_there_is_empty(tmp_path):
    assert logs.read(tmp_path / "none", None) == logs.Part([], 0, 0, 0)
