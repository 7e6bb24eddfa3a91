"""The shim: no process is left, whatever the program does."""

from __future__ import annotations

import os

import pytest

from jobs import locks
from jobs.kinds import Launch
from jobs.launchers import local, shim
from jobs.launchers.errors import LaunchFailed, Lost
from tests.jobs.conftest import wait_for


def alive(mark: str) -> list[str]:
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if mark in " ".join(process.cmdline()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_the_exit_code_is_kept_in_a_file(start, tmp_path):
    handle = start("import sys; sys.exit(5)")
    wait_for(lambda: local.poll(handle) is not None)
    assert local.poll(handle) == 5


def test_the_lock_is_held_while_it_lives(start, tmp_path):
    handle = start("import time; time.sleep(0.5)")
    assert locks.is_held(tmp_path / shim.LOCK)
    assert local.poll(handle) is None
    wait_for(lambda: local.poll(handle) == 0)


def test_a_program_that_does_not_exist_ends_with_127(tmp_path):
    launch = Launch(["/no/such/program"], {}, tmp_path, tmp_path, "key")
    handle = local.start(launch, attempt=0, grace=1.0)
    wait_for(lambda: local.poll(handle) == 127)
    assert "could not be started" in (tmp_path / shim.LOG).read_text()


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace(start, tmp_path):
    handle = start(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)", grace=0.5
    )
    wait_for(lambda: "up" in (tmp_path / shim.LOG).read_text())
    local.stop(handle)
    local.stop(handle)
    wait_for(lambda: local.poll(handle) is not None, 5)
    assert local.poll(handle) == -9


def test_children_in_sessions_of_their_own_are_swept_too(start, tmp_path):
    mark = f"mark-{tmp_path.name}"
    handle = start(
        f"""
import os, signal, subprocess, sys, time
code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", code, {mark!r}], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv(sys.executable, [sys.executable, "-c", code, {mark!r}])
    os._exit(0)
time.sleep(60)
""",
        grace=0.5,
    )
    wait_for(lambda: len(alive(mark)) >= 2)
    local.stop(handle)
    wait_for(lambda: local.poll(handle) is not None, 8)
    assert alive(mark) == []


def test_what_a_finished_leader_leaves_behind_keeps_the_lock_until_it_is_swept(start, tmp_path):
    mark = f"mark-{tmp_path.name}"
    handle = start(
        f"""
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", {mark!r}], start_new_session=True)
""",
        grace=0.8,
    )
    wait_for(lambda: (tmp_path / shim.EXIT).exists())
    assert local.poll(handle) is None
    wait_for(lambda: local.poll(handle) == 0, 5)
    assert alive(mark) == []


def test_a_second_start_while_the_first_lives_is_refused(start):
    handle = start("import time; time.sleep(5)")
    with pytest.raises(LaunchFailed):
        start("pass")
    local.stop(handle)
    wait_for(lambda: local.poll(handle) is not None)


def test_the_handle_of_this_attempt_is_found_and_that_of_another_is_not(start, tmp_path):
    handle = start("pass")
    wait_for(lambda: local.poll(handle) is not None)
    assert local.find(tmp_path, 0) == handle
    assert local.find(tmp_path, 1) is None


def test_a_program_nobody_knows_the_end_of_is_lost(tmp_path):
    with pytest.raises(Lost):
        local.poll({"launcher": "local", "folder": str(tmp_path)})


def test_a_leader_that_saves_its_checkpoint_gets_sigterm_once(start, tmp_path):
    handle = start(
        "import pathlib, signal, time\n"
        "def count(*_):\n"
        "    with open('terms', 'a') as file: file.write('x')\n"
        "signal.signal(15, count)\n"
        "pathlib.Path('up').touch()\n"
        "end = time.monotonic() + 1.5\n"
        "while time.monotonic() < end: time.sleep(0.05)\n",
        grace=3.0,
    )
    wait_for(lambda: (tmp_path / "up").exists())
    local.stop(handle)
    wait_for(lambda: local.poll(handle) == 0)
    assert (tmp_path / "terms").read_text() == "x"


def test_kill_ends_everything_even_without_the_shim(start, tmp_path):
    mark = f"mark-{tmp_path.name}"
    handle = start(
        f"""
import pathlib, signal, subprocess, sys, time
signal.signal(15, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", {mark!r}], start_new_session=True)
pathlib.Path("up").touch()
time.sleep(60)
"""
    )
    wait_for(lambda: (tmp_path / "up").exists())
    os.kill(local._read(tmp_path / shim.STARTED)["shim"][0], 9)
    local.kill(handle)
    wait_for(lambda: not locks.is_held(tmp_path / shim.LOCK))
    wait_for(lambda: alive(mark) == [])


def test_a_start_that_cannot_be_written_down_leaves_nothing_alive(start, tmp_path, monkeypatch):
    """As on a disk that is full: what nobody can be told of nobody could end."""
    (tmp_path / shim.STARTED).mkdir()
    monkeypatch.setattr(local, "clear", lambda folder: None)
    mark = f"mark-{tmp_path.name}"
    handle = start(f"import time; {mark!r}; time.sleep(60)")
    wait_for((tmp_path / shim.EXIT).exists)
    wait_for(lambda: local.poll(handle) == 127)
    assert alive(mark) == []
    assert "could not be started" in (tmp_path / shim.LOG).read_text()


def test_kill_finds_what_a_shim_started_that_died_before_it_could_say_so(start, tmp_path):
    mark = f"mark-{tmp_path.name}"
    handle = start(f"import pathlib, time; {mark!r}; pathlib.Path('up').touch(); time.sleep(60)")
    wait_for(lambda: (tmp_path / "up").exists())
    os.kill(local._read(tmp_path / shim.STARTED)["shim"][0], 9)
    (tmp_path / shim.STARTED).unlink()
    with (tmp_path / shim.LOCK).open():  # who merely has it open, as whoever asks about it, is left alone
        local.kill(handle)
    wait_for(lambda: not locks.is_held(tmp_path / shim.LOCK))
    assert alive(mark) == []
