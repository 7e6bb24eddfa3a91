"""The extra files of a training, on their way from the form to the kernel's `etc_path`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from django.core.files.uploadedfile import UploadedFile

from jobs import runfolder
from jobs.models import Job

NAME_BYTES = 255  # of a file's name: what file systems take


def keep(job: Job, files: Iterable[UploadedFile]) -> None:
    """Write them into the run folder of a new job. What lies there already was left by a start that failed."""
    shutil.rmtree(runfolder.of(job), ignore_errors=True)
    folder = runfolder.of(job) / runfolder.EXTRA
    folder.mkdir(parents=True)
    for file in files:
        with (folder / _free_name(folder, str(file.name))).open("xb") as target:
            for chunk in file.chunks():
                target.write(chunk)


def kept(job: Job) -> list[UploadedFile]:
    """Those of an earlier job, opened, for another one."""
    folder = runfolder.of(job) / runfolder.EXTRA
    paths = sorted(path for path in folder.glob("*") if path.is_file()) if folder.is_dir() else []
    return [UploadedFile(path.open("rb"), path.name, size=path.stat().st_size) for path in paths]


def drop(job: Job) -> None:
    """The start failed: files know nothing of transactions."""
    shutil.rmtree(runfolder.of(job), ignore_errors=True)


def _free_name(folder: Path, wanted: str) -> str:
    """A name that is free in `folder`, without a path, not too long for a file system, with its suffix."""
    stem, suffix = os.path.splitext(wanted.replace("/", "_"))  # noqa: PTH122 (it is no path)
    if len(suffix.encode()) > NAME_BYTES // 2:
        stem, suffix = stem + suffix, ""
    ends = (f"-{number}{suffix}" if number else suffix for number in count())
    names = (_cut(stem, NAME_BYTES - len(end.encode())) + end for end in ends)
    return next(name for name in names if not (folder / name).exists())


def _cut(text: str, most: int) -> str:
    """At most so many bytes of it, whole characters."""
    return text.encode()[:most].decode(errors="ignore")
