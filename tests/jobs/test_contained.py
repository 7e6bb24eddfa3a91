"""Who hears of the end of a container: each of its processes once."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from jobs.enclosure import processes
from jobs.enclosure.program import Contained


@pytest.mark.parametrize(("first", "told"), [("catatonit", True), ("program", False)])
def test_what_the_client_hands_the_signal_on_to_was_told(tmp_path: Path, first: str, told: bool):
    """A monitor with a first process inside, and what that started: through an init it is the program."""
    inside = tmp_path / first
    shutil.copy("/bin/sh", inside)
    client = subprocess.Popen(["/bin/sleep", "60"])
    monitor = subprocess.Popen(["/bin/sh", "-c", f"{inside} -c '/bin/sleep 60; true'; true"])
    try:
        deadline = time.monotonic() + 10
        while len(below := processes.descendants(monitor.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # each runs what it was started for
        heard = Contained(client.pid, {}, {}, 1).tell()
        assert heard[0] == client.pid
        assert below[0] in heard
        assert (below[1] in heard) == told
        assert client.wait(10) < 0
        assert all(processes.birth_of(pid) for pid in below), "the client hands it on, nobody else"
    finally:
        for pid in [*processes.descendants(monitor.pid), monitor.pid]:
            subprocess.run(["kill", "-9", str(pid)], check=False)
        monitor.wait(10)


def test_a_client_that_failed_while_the_container_runs_is_replaced(tmp_path: Path):
    """The tool is busy at the first question."""
    tool = tmp_path / "tool"
    tool.write_text(f"#!/bin/sh\n[ -e {tmp_path}/asked ] || {{ touch {tmp_path}/asked; exit 125; }}\necho true\n")
    tool.chmod(0o755)
    client = subprocess.Popen(["/bin/sh", "-c", "exit 125"])
    program = Contained(client.pid, {"running": [str(tool)], "attach": ["/bin/sleep", "60"]}, {}, 1)
    deadline = time.monotonic() + 10
    while program.leader == client.pid and time.monotonic() < deadline:
        assert program.reap() is None
        time.sleep(0.01)
    assert program.leader != client.pid
    for one in program._clients:
        one.kill()
        one.wait()
