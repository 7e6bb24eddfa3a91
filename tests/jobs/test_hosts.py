"""What a kernel is given of its host: its devices and its share of the threads, nothing of the portal's own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from jobs import hosts
from jobs.kinds import Launch
from jobs.launchers import sandbox


def test_a_kernel_sees_nothing_of_the_portals_own_settings(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    monkeypatch.setenv("TRAINPORTAL_SECRET_KEY", "secret")
    given = hosts.environment([0], tmp_path)
    assert "secret" not in str(given)
    assert given["HOME"] == given["TMPDIR"] == str(tmp_path)


def test_threads_are_divided_among_the_slots(tmp_path, settings, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr(hosts, "gpu_names", lambda: ())
    settings.TRAINPORTAL_CPU_SLOTS = 4
    assert hosts.environment([1], tmp_path)["OMP_NUM_THREADS"] == "2"
    assert hosts.environment([1, 2], tmp_path)["OMP_NUM_THREADS"] == "4"


def test_threads_wait_awake_only_for_a_moment(tmp_path):
    """0 makes small convolutions a third slower, waiting long takes the cores from the next job."""
    assert 0 < int(hosts.environment([0], tmp_path)["GOMP_SPINCOUNT"]) <= 5000


def test_freed_memory_stays_with_the_kernel(tmp_path):
    """Pages that are given back and taken again in every step cost a fifth of a training's CPU time."""
    program = """
import resource
import numpy
def step():
    for _ in range(20):
        numpy.ones(4 * 2**20)  # 32 MB
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    faults = {
        name: int(subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, check=True).stdout)
        for name, env in (("plain", {}), ("kernel", hosts.environment([0], tmp_path)))
    }
    if faults["plain"] < 1000:
        pytest.skip("this system's C library gives nothing back anyway")
    assert faults["kernel"] < faults["plain"] / 20


def test_only_leased_gpus_are_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "gpu_names", lambda: ("H200", "H200", "H200"))
    assert hosts.environment([0, 2], tmp_path)["CUDA_VISIBLE_DEVICES"] == "0,2"


def test_a_sandbox_lets_the_leased_gpus_in_and_calls_them_by_name(home):
    """Numbers count what can be seen; no other GPU's file is there to be opened."""
    folder = home / "runs" / "1"
    folder.mkdir(parents=True)
    gpus = (("/dev/nvidia2", "/dev/nvidiactl"), ("GPU-of-that-name",))
    inside = sandbox.enclose(Launch(["train"], {"CUDA_VISIBLE_DEVICES": "2"}, folder, folder / "out", "key", gpus=gpus))
    seen = [word for word in inside.argv if word.startswith("/dev/nvidia")]
    assert seen == ["/dev/nvidia2"] * 2 + ["/dev/nvidiactl"] * 2
    assert inside.environment["CUDA_VISIBLE_DEVICES"] == "GPU-of-that-name"
    without = sandbox.enclose(Launch(["train"], {}, folder, folder / "out", "key"))
    assert not [word for word in without.argv if word.startswith("/dev/nvidia")]
