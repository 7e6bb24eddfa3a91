"""What one run may take: time, silence, log, disk. Settings of the installation; a kernel's own go first.

A limit that is reached is a sentence in the timeline, and the reason why the job ended.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from jobs import runfolder
from jobs.enclosure import logcut
from jobs.models import Job, Stop
from jobs.said import Said
from kernels_app.contract import results

WRITTEN = (runfolder.OUTPUT, runfolder.IMAGES, runfolder.TEMPORARY, runfolder.LOG, runfolder.STATUS)
FAILURES = {Stop.WALL: "wall", Stop.SILENCE: "silence", Stop.DISK: "disk"}  # of `failure_rules`
USAGE_LOOK = 5.0  # seconds from one look at the disk to the next
USAGE_COST = 50  # times as long as a look took: a folder with a million files is looked at rarely


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes; 0 is none."""

    wall: float
    silence: float
    silence_stop: float
    log: int
    disk: int


@dataclass(frozen=True)
class Reached:
    """Why a program is stopped, in a word and in a sentence."""

    reason: Stop
    text: Said


def of(job: Job) -> Limits:
    """Those of the installation, and the job's own where it has any."""
    usual = {
        "wall": settings.JOB_WALL_LIMIT,
        "silence": settings.JOB_SILENCE,
        "silence_stop": settings.JOB_SILENCE_STOP,
        "log": settings.JOB_LOG_LIMIT,
        "disk": settings.JOB_DISK_QUOTA,
    }
    own = {name: value for name, value in job.limits.items() if name in usual}
    return Limits(**(usual | own))


def faults(given: Any) -> list[str]:
    """What is wrong with limits as somebody wrote them, a sentence each."""
    if not isinstance(given, dict):
        return [gettext("limits must be a table")]
    known = [field.name for field in fields(Limits)]
    text = gettext("%(name)s is no limit; there are %(list)s")
    found = [text % {"name": name, "list": ", ".join(known)} for name in given if name not in known]
    for name in known:
        value = given.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**53:
            in_bytes = gettext("%(name)s must be a number of bytes, 0 for none")
            in_seconds = gettext("%(name)s must be a number of seconds, 0 for none")
            found.append((in_bytes if name in ("log", "disk") else in_seconds) % {"name": name})
    return found


class Guard:
    """Looks at one running program again and again. `age`: seconds since its start, None where nobody knows."""

    def __init__(self, limits: Limits, folder: Path, age: Callable[[], float | None]) -> None:
        self._limits, self._folder, self._age = limits, folder, age
        self._output: tuple[object, ...] = ()
        self._spoke = time.monotonic()
        self._is_warned = False
        self._usage, self._usage_due = 0, 0.0

    def remarks(self) -> list[Said]:
        """What the timeline should know, without an end."""
        self._listen()
        found: list[Said] = []
        silence = time.monotonic() - self._spoke
        if self._limits.silence and silence > self._limits.silence and not self._is_warned:
            self._is_warned = True
            found.append(Said(_("It has written nothing for %(time)s."), time=in_words(self._limits.silence)))
        if self._limits.log and logcut.cut_of(self._folder / runfolder.LOG):
            size = filesizeformat(self._limits.log)
            found.append(Said(_("Its log grew beyond %(size)s: the middle of it is cut out."), size=size))
        return found

    def reached(self) -> Reached | None:
        """The limit that ends it, if one is reached."""
        limits, age = self._limits, self._age()
        if limits.wall and age is not None and age > limits.wall:
            text = Said(_("Stopped at its time limit of %(time)s."), time=in_words(limits.wall))
            return Reached(Stop.WALL, text)
        if limits.silence_stop and time.monotonic() - self._spoke > limits.silence_stop:
            text = Said(_("Stopped because it wrote nothing for %(time)s."), time=in_words(limits.silence_stop))
            return Reached(Stop.SILENCE, text)
        if limits.disk and self._disk() > limits.disk:
            facts = {"size": filesizeformat(self._usage), "limit": filesizeformat(limits.disk)}
            text = Said(_("Stopped because it took %(size)s of the disk; a run may take %(limit)s."), **facts)
            return Reached(Stop.DISK, text)
        return None

    def _listen(self) -> None:
        """Whether any of the files that it speaks through has changed."""
        metrics = self._folder / runfolder.OUTPUT / results.METRICS
        spoken = [self._folder / runfolder.LOG, self._folder / runfolder.STATUS, *sorted(metrics.glob("*.csv"))[:100]]
        output = tuple(_size_of(path) for path in spoken)
        if output != self._output:
            self._output, self._spoke, self._is_warned = output, time.monotonic(), False

    def _disk(self) -> int:
        began = time.monotonic()
        if began >= self._usage_due:
            self._usage = usage(self._folder)
            took = time.monotonic() - began
            self._usage_due = began + max(USAGE_LOOK * settings.JOB_POLL, USAGE_COST * took)
        return self._usage


def usage(folder: Path) -> int:
    """Bytes of the disk that a run has written: not what it was given, nor what was cut out of its log."""
    return sum(found.st_blocks * 512 for name in WRITTEN for found in _files(folder / name))


def in_words(seconds: float) -> Said:
    """ "2 h", "90 min", "30 s"."""
    if seconds >= 7200 and seconds % 3600 == 0:
        return Said(_("%(n)d h"), n=seconds // 3600)
    if seconds >= 120:
        return Said(_("%(n)d min"), n=seconds // 60)
    return Said(_("%(n)g s"), n=seconds)


def _files(path: Path) -> Iterator[os.stat_result]:
    try:
        if path.is_symlink() or not path.is_dir():
            yield path.lstat()
            return
        with os.scandir(path) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path))
                else:
                    yield entry.stat(follow_symlinks=False)
    except OSError:  # it is not there, or went away meanwhile
        return


def _size_of(path: Path) -> tuple[str, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return path.name, found.st_size, found.st_mtime_ns
