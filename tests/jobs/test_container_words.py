"""What a container's tool says of it, and what it does not say: no state is made up."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jobs import hosts, reaper
from jobs.enclosure import processes
from jobs.launchers import container, local, shim
from jobs.launchers.errors import LaunchFailed
from jobs.launchers.local import Lost
from jobs.models import Host


@pytest.fixture
def said(tmp_path: Path):
    """An order whose tool says this."""

    def order(out: str = "", err: str = "", code: int = 0) -> dict:
        tool = tmp_path / "tool"
        tool.write_text(f"#!/bin/sh\nprintf '%s' '{out}'\nprintf '%s' '{err}' >&2\nexit {code}\n")
        tool.chmod(0o755)
        words = [str(tool), "container", "inspect", "--format", "{{.State.Running}}", "name"]
        return {"sandbox": "podman", "container": dict.fromkeys(("running", "remove", "kill", "stop"), words)}

    return order


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ({"out": "exited false 0 0"}, (False, 0)),
        ({"out": "exited false 143 0"}, (False, -15)),
        ({"out": "exited false 255 0"}, (False, 255)),  # no signal has this number
        ({"out": "created false 0 0"}, (False, None)),  # after a power cut
        ({"out": f"running true 0 {os.getpid()}"}, (True, None)),
        ({"err": "Error: inspecting object: no such container name", "code": 125}, (False, None)),
        ({"err": "Error: database is locked", "code": 125}, (True, None)),
    ],
)
def test_only_an_end_that_the_tool_tells_of_is_one(said, words, state):
    assert container.state_of(said(**words)) == state


def test_a_tool_that_is_away_says_nothing_of_an_end():
    order = {"sandbox": "podman", "container": {"running": ["/nowhere/tool", "--format", "x", "name"]}}
    assert container.state_of(order) == (True, None)


def test_what_may_still_be_there_is_not_forgotten(said, tmp_path):
    container.remove(said(err="no such container", code=1))
    (tmp_path / shim.ORDER).write_text(json.dumps(said(err="database is locked", code=125)))
    with pytest.raises(LaunchFailed):
        local.clear(tmp_path)
    assert (tmp_path / shim.ORDER).exists()
    assert local.poll({"folder": str(tmp_path)}) is None


@pytest.mark.parametrize(("boot", "is_known"), [(processes.boot_id(), True), ("an-earlier-boot", False)])
def test_an_exit_code_of_an_earlier_boot_is_none(said, tmp_path, boot, is_known):
    (tmp_path / shim.ORDER).write_text(json.dumps(said(out="exited false 0 0")))
    (tmp_path / shim.STARTED).write_text(json.dumps({"shim": [1, f"{boot}/1"]}))
    if is_known:
        assert local.poll({"folder": str(tmp_path)}) == 0
    else:
        with pytest.raises(Lost):
            local.poll({"folder": str(tmp_path)})
        assert not (tmp_path / shim.EXIT).exists()


@pytest.mark.django_db
def test_the_sweep_ends_a_container_that_nobody_watches_before_the_host_is_trusted_again(said, home, host):
    Host.objects.filter(pk=host.pk).update(is_stale=True)
    host.refresh_from_db()
    folder = home / "runs" / "4711"
    folder.mkdir(parents=True)
    (folder / shim.ORDER).write_text(json.dumps(said(out=f"running true 0 {os.getpid()}") | {"host": hosts.name()}))
    reaper.sweep(host)
    assert Host.objects.get(pk=host.pk).is_stale
    (folder / shim.ORDER).write_text(json.dumps(said(err="no such container", code=125) | {"host": hosts.name()}))
    reaper.sweep(host)
    assert not Host.objects.get(pk=host.pk).is_stale
    assert not (folder / shim.ORDER).exists()


@pytest.mark.django_db
def test_one_folder_that_cannot_be_judged_keeps_nobody_from_the_others(said, home, host):
    Host.objects.filter(pk=host.pk).update(is_stale=True)
    host.refresh_from_db()
    orders = {"4711": "[1, 2]", "²": json.dumps({"host": hosts.name()}), "4712": "[" * 99_999}
    orders["4713"] = json.dumps({"host": hosts.name(), "container": {"running": []}, "sandbox": "podman"})
    orders["4714"] = json.dumps(said(err="no such container", code=125) | {"host": hosts.name()})
    for name, text in orders.items():
        (home / "runs" / name).mkdir(parents=True)
        (home / "runs" / name / shim.ORDER).write_text(text)
    reaper.sweep(host)
    assert not (home / "runs" / "4714" / shim.ORDER).exists()
    assert not Host.objects.get(pk=host.pk).is_stale


@pytest.mark.django_db
def test_a_trial_of_an_import_that_is_nobody_s_is_swept_too(said, home, host):
    folder = home / "runs" / "4711" / "trials" / "CL" / "train"
    folder.mkdir(parents=True)
    (folder / shim.ORDER).write_text(json.dumps(said(err="no such container", code=125) | {"host": hosts.name()}))
    reaper.sweep(host)
    assert not (folder / shim.ORDER).exists()
