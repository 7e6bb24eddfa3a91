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


CLIENTS: list[subprocess.Popen[bytes]] = []  # kept, as the shim does, else the module itself would collect them


def contained(tmp_path: Path, script: str, code: int) -> Contained:
    """One whose tool answers so, and whose client has ended with this code."""
    tool = tmp_path / "tool"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    client = subprocess.Popen(["/bin/sh", "-c", f"exit {code}"])
    CLIENTS.append(client)
    running = [str(tool), "container", "inspect", "--format", "{{.State.Running}}", "name"]
    return Contained(client.pid, {"running": running, "attach": ["/bin/sleep", "60"]}, {}, 1)


def code_of(program: Contained, client: int) -> int | None:
    """What is known of its end once the client was collected."""
    deadline = time.monotonic() + 10
    while program.leader == client and time.monotonic() < deadline:
        if (code := program.reap()) is not None:
            return code
        time.sleep(0.01)
    return None


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("echo Cannot connect to the Docker daemon >&2; exit 1", 125),  # it is being restarted
        ("exit 125", 125),
        ("echo running true 0 1", 125),
        ("echo running true 0 1", 127),  # podman's monitor was killed
    ],
)
def test_a_client_that_failed_while_the_container_may_run_is_replaced(tmp_path: Path, script, code):
    program = contained(tmp_path, script, code)
    client = program.leader
    assert code_of(program, client) is None
    assert program.leader != client
    subprocess.run(["kill", "-9", str(program.leader)], check=True)


@pytest.mark.parametrize(
    ("script", "client", "code", "is_lost"),
    [
        ("echo exited false 3 0", 3, 3, False),
        ("echo exited false 137 0", 137, -9, False),
        ("echo exited false 4 0", 125, 4, False),  # the client failed, its container did not
        ("echo no such container >&2; exit 125", 125, 125, False),  # it never came up
        ("echo created false 0 0", 127, 127, False),  # nor did this one: its program is not there
        ("echo running true 0 0", 127, 127, True),  # its monitor was killed with it
    ],
)
def test_what_the_tool_says_of_an_end_counts_more_than_its_client(tmp_path: Path, script, client, code, is_lost):
    program = contained(tmp_path, script, client)
    assert code_of(program, program.leader) == code
    assert program.is_lost == is_lost
