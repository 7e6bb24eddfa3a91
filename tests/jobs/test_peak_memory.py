"""How much memory a program had at most: looked at by the shim, kept on the job. Programs that really take it."""

from __future__ import annotations

import json
import os

import pytest
from django.utils import timezone

from jobs import hosts, launchers, queue, runfolder, runner
from jobs.enclosure import memory as memory_module
from jobs.launchers import local, shim
from jobs.models import Host, State
from tests.jobs.conftest import wait_for

MB = 2**20
TAKE = "import os, sys, time\ntaken = bytearray(os.urandom(1)) * (200 << 20)\n"
DONE = "say(cmd='training_status', status='training_done')\n"


@pytest.fixture
def peak(start):
    """Runs a program to its end; what it had at most, in MB."""

    def run(code: str) -> float:
        handle = start(code)
        wait_for(lambda: local.poll(handle) is not None, 20)
        assert local.poll(handle) == 0
        return (local.peak_memory(handle) or 0) / MB

    return run


# --- the shim --------------------------------------------------------------------------------------------------------


def test_a_program_too_short_to_be_looked_at_has_a_figure(peak):
    assert 200 < peak(TAKE) < 240


def test_what_was_given_back_before_anybody_looked_counts(peak):
    assert 200 < peak(TAKE + "del taken\ntime.sleep(0.8)") < 240


def test_a_rise_between_two_looks_counts(peak):
    assert 200 < peak("import time\ntime.sleep(0.8)\n" + TAKE + "del taken\ntime.sleep(0.1)") < 240


def test_processes_that_live_together_are_added_up(peak):
    code = TAKE + "time.sleep(2.5)"
    both = f"import subprocess, sys\nfor one in [subprocess.Popen([sys.executable, '-c', {code!r}]) for _ in 'ab']: "
    assert 400 < peak(both + "one.wait()") < 480


def test_what_forked_processes_share_counts_once(peak):
    forks = "for _ in range(4):\n    if os.fork() == 0:\n        time.sleep(2)\n        os._exit(0)\n"
    assert 200 < peak(TAKE + forks + "time.sleep(2.2)") < 260


def test_pages_of_a_mapped_file_do_not_count(peak, tmp_path):
    (tmp_path / "images").write_bytes(os.urandom(MB) * 200)
    code = "import mmap, time\nfile = open('images', 'r+b')\nseen = mmap.mmap(file.fileno(), 0)\nsum(seen[::4096])\n"
    assert 1 < peak(code + "time.sleep(2)") < 60


@pytest.mark.parametrize(("age", "cost", "pause"), [(0, 0.0, 0.5), (4, 0.0, 1), (999, 0.0, 5), (999, 0.1, 25)])
def test_looks_are_rare_where_a_program_is_old_or_a_look_is_dear(monkeypatch, age, cost, pause):
    memory = memory_module.Memory()
    memory.began -= age
    memory.due = 0.0
    spent = iter((0.0, cost))
    monkeypatch.setattr(memory_module.time, "process_time", lambda: next(spent))
    monkeypatch.setattr(shim, "descendants", lambda root: [])
    assert memory.look() == pytest.approx(min(pause, memory_module.LOOK[1]), abs=0.2)
    assert memory.due - memory.began - age == pytest.approx(pause, abs=0.2)


@pytest.mark.parametrize("said", [{}, {"peak_memory": "much"}, {"peak_memory": -1}, {"peak_memory": 10**30}])
def test_a_figure_that_is_not_there_or_none_is_unknown(tmp_path, said):
    shim.write_json(tmp_path / shim.EXIT, {"code": 0, "at": 0.0} | said)
    assert local.peak_memory({"folder": str(tmp_path)}) is None


def test_a_process_that_is_gone_has_nothing():
    assert memory_module._sizes(2**22 + 1, "status") == {}


# --- the job ---------------------------------------------------------------------------------------------------------


def test_the_job_keeps_what_its_program_had(run):
    job = run(TAKE + DONE)
    assert job.state == State.SUCCEEDED
    assert 200 * MB < job.peak_memory < 240 * MB
    exit_json = json.loads((runfolder.of(job) / shim.EXIT).read_text())
    assert exit_json["peak_memory"] == job.peak_memory


def test_a_program_that_failed_is_kept_as_well(run):
    job = run(TAKE + "sys.exit(3)")
    assert job.state == State.FAILED
    assert job.peak_memory > 200 * MB


@pytest.mark.parametrize(("before", "least", "most"), [(None, 200, 240), (9, 200, 240), (900 * MB, 900, 900)])
def test_of_the_runs_of_an_interrupted_job_the_larger_counts(submit, host, before, least, most):
    job = submit(TAKE + DONE)
    job.peak_memory = before
    job.save(update_fields=["peak_memory"])
    assert queue.claim(job, host)
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert least * MB <= job.peak_memory <= most * MB


def test_an_adopted_program_is_asked_too(submit, host, script_kind):
    job = submit(TAKE + DONE)
    assert queue.claim(job, host)
    folder = runfolder.of(job)
    folder.mkdir(parents=True, exist_ok=True)
    launchers.local.start(script_kind.prepare(job, folder, resume=False), attempt=0, grace=3.0)
    wait_for(lambda: (folder / shim.EXIT).exists())
    runner.run(job.pk, job.epoch)  # another runner than the one that started it
    job.refresh_from_db()
    assert job.peak_memory > 200 * MB


def test_an_exit_without_a_figure_leaves_what_is_known(run, monkeypatch):
    monkeypatch.setattr(local, "peak_memory", lambda handle: None)
    assert run(DONE).peak_memory is None


# --- the host and the page -------------------------------------------------------------------------------------------


def test_a_worker_says_how_much_memory_its_machine_has(host):
    assert Host.objects.get().memory_bytes == hosts.memory_bytes() > 100 * MB


@pytest.mark.parametrize(("limit", "expected"), [("1048576", 2**20), ("max", None), (str(2**63 - 4096), None)])
def test_the_limit_of_a_container_is_its_memory(tmp_path, monkeypatch, limit, expected):
    monkeypatch.setattr(hosts, "MEMORY_LIMITS", ())
    machine = hosts.memory_bytes()
    (tmp_path / "memory.max").write_text(limit + "\n")
    monkeypatch.setattr(hosts, "MEMORY_LIMITS", (str(tmp_path / "no such file"), str(tmp_path / "memory.max")))
    assert hosts.memory_bytes() == (expected or machine)


def test_the_page_of_a_job_shows_it(run, client_of, alice):
    job = run(DONE)
    job.peak_memory = 3 * 2**30
    job.save(update_fields=["peak_memory"])
    page = client_of(alice).get(job.get_absolute_url()).content.decode().replace("\xa0", " ")
    assert "<dt>Peak memory</dt><dd>3.0 GB</dd>" in page
    job.host = Host.objects.create(name="gpus", device_kind="gpu", seen_at=timezone.now())
    job.save(update_fields=["host"])
    page = client_of(alice).get(job.get_absolute_url()).content.decode().replace("\xa0", " ")
    assert "<dt>Peak memory</dt><dd>3.0 GB, of the machine, not of its GPUs</dd>" in page
