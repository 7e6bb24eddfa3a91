"""A log on a page: by byte offset, harmless, never in half a character."""

from __future__ import annotations

from jobs import logs


def test_escape_sequences_and_control_characters_do_not_reach_the_page():
    text = logs.clean("\x1b[31mred\x1b[0m \x1b]52;c;aGk=\x07bell\x07 \x00nul \u202eevil\n")
    assert text == "red bell nul evil\n"


def test_of_a_bar_drawn_with_carriage_returns_only_the_last_state_is_shown():
    assert logs.clean("10%\r50%\r100%\r\nnext\n") == "100%\nnext\n"


def test_reading_goes_on_where_it_ended(tmp_path):
    log = tmp_path / "kernel.log"
    log.write_text("첫 줄\n둘째")
    text, end, size = logs.read(log, 0)
    assert text == "첫 줄\n"
    with log.open("a") as file:
        file.write(" 줄\n")
    more, end, size = logs.read(log, end)
    assert more == "둘째 줄\n"
    assert end == size


def test_a_long_log_opens_at_its_tail(tmp_path):
    log = tmp_path / "kernel.log"
    log.write_text("".join(f"line {n}\n" for n in range(50_000)))
    text, end, size = logs.read(log, None)
    assert text.endswith("line 49999\n")
    assert len(text) <= logs.OPENING
    assert text.startswith("line ")
    assert end == size


def test_a_log_that_is_not_there_is_empty(tmp_path):
    assert logs.read(tmp_path / "none", None) == ("", 0, 0)
