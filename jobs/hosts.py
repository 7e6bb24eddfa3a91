"""This machine as a host of jobs: what it has, and that it lives."""

from __future__ import annotations

import contextlib
import os
import shutil
from functools import cache
from pathlib import Path

from django.conf import settings

from jobs import clock
from jobs.enclosure import processes, tuning
from jobs.launchers import sandbox
from jobs.launchers.errors import LaunchFailed
from jobs.models import DeviceKind, Host

# What a container may take, as it sees itself: of control groups version 2 and 1.
MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
DRIVER_FILES = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-caps")

OOM_COUNTERS = ("/proc/vmstat", "/sys/fs/cgroup/memory.events")


def name() -> str:
    """What this machine is called among the hosts."""
    found: str = settings.TRAINPORTAL_HOST_NAME
    return found


def beat() -> Host:
    """Say that this host lives, and what it has. Returns its row."""
    names = gpu_names()
    facts = {
        "boot_id": processes.boot_id(),
        "device_kind": DeviceKind.GPU if names else DeviceKind.CPU,
        "devices": len(names) or settings.TRAINPORTAL_CPU_SLOTS,
        "device_names": list(names),
        "cores": os.cpu_count() or 1,
        "memory_bytes": memory_bytes(),
        "free_bytes": free_bytes(),
        "sandbox": _sandbox(),
        "seen_at": clock.now(),
    }
    host, _created = Host.objects.update_or_create(name=name(), defaults=facts)
    return host


def _sandbox() -> str:
    """What encloses kernels here; nothing where it should and cannot, which a start will say."""
    with contextlib.suppress(LaunchFailed):
        return sandbox.name()
    return ""


@cache
def gpu_names() -> tuple[str, ...]:
    """Names of the NVIDIA GPUs, by index; empty on a machine without one (or without its driver)."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return ()
    try:
        count = pynvml.nvmlDeviceGetCount()
        return tuple(str(pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(n))) for n in range(count))
    finally:
        pynvml.nvmlShutdown()


def gpu_files(devices: list[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The device files of these GPUs and of the driver, and the GPUs' own names; nothing on a machine without one.

    Numbers count what a process can see, so one that sees some of the GPUs alone has to call them by name.
    """
    import pynvml

    if not devices or not gpu_names():
        return (), ()
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return (), ()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(device) for device in devices]
        files = [f"/dev/nvidia{pynvml.nvmlDeviceGetMinorNumber(handle)}" for handle in handles]
        return (*files, *DRIVER_FILES), tuple(str(pynvml.nvmlDeviceGetUUID(handle)) for handle in handles)
    finally:
        pynvml.nvmlShutdown()


def memory_bytes() -> int:
    """Of this machine, or of the container that the worker is in."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in MEMORY_LIMITS:
        with contextlib.suppress(OSError, ValueError):  # not there, or "max"
            found.append(int(Path(name).read_text(encoding="ascii")))
    return min(found)


def free_bytes() -> int:
    """Of the disk that runs write to."""
    return shutil.disk_usage(settings.TRAINPORTAL_HOME).free


def oom_kills() -> int:
    """How many processes the system ended for want of memory since it started, on this machine or in this container."""
    found = 0
    for name in OOM_COUNTERS:
        with contextlib.suppress(OSError, ValueError):
            words = Path(name).read_text(encoding="ascii").split()
            found += int(words[words.index("oom_kill") + 1])
    return found


def environment(devices: list[int], temporary: Path) -> dict[str, str]:
    """The environment of a kernel: nothing of the portal's own, the leased devices, its share of the threads."""
    cores = os.cpu_count() or 1
    gpus = gpu_names()
    slots = len(gpus) or settings.TRAINPORTAL_CPU_SLOTS
    threads = max(1, cores // slots * len(devices))  # two jobs with all threads each are three times slower together
    kept = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "CUDA_HOME")
    known = {name: os.environ[name] for name in kept if name in os.environ}
    return (
        known
        | tuning.ENVIRONMENT
        | {
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "CUDA_VISIBLE_DEVICES": ",".join(map(str, devices)) if gpus else "",
            "OMP_NUM_THREADS": str(threads),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONPATH": str(settings.BASE_DIR),
        }
    )
