"""Where the files of a job are, below `TRAINPORTAL_HOME/runs/<job>/`.

A job that left a lost host goes on in a folder of its own, `<job>.<n>`: that host may still be writing into the last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from django.conf import settings

from jobs.enclosure import logcut
from jobs.launchers import shim
from jobs.models import Job
from kernels_app.contract import results

RUNNER_LOCK = "runner.lock"
LOG = shim.LOG
STATUS = "status.jsonl"
CONFIG = "training.json"
SETTINGS = "model.json"
TRIALS = "trials"  # of an import, its kernel's runs on tiny data
OUTPUT = "out"
IMAGES = "images"
TEMPORARY = "tmp"
EXTRA = "etc"
DATASET = "dataset"
BASE = "base"
INHERITED = (LOG, LOG + logcut.SUFFIX, EXTRA, OUTPUT)


def of(job: Job) -> Path:
    """The run folder; not made here."""
    return _numbered(job, job.moves)


def output(job: Job) -> Path:
    """`model_write_path` of the job's kernel."""
    return of(job) / OUTPUT


def log(job: Job) -> Path:
    return of(job) / LOG


def all_of(job: Job) -> list[Path]:
    """The run folder, and those that it left behind on lost hosts."""
    return [_numbered(job, n) for n in range(job.moves + 1)]


def unused(job: Job, moves: int) -> int:
    """The first number of moves from this one on whose folder nobody has written into: after a restore from a backup
    there may be folders that the row knows nothing of."""
    while _numbered(job, moves).exists():
        moves += 1
    return moves


def inherit(job: Job) -> None:
    """Bring along what the attempt on a lost host left: copies, since that host may still be at it."""
    if not job.moves:
        return
    before, folder = _latest(all_of(job)[:-1]), of(job)
    for name in INHERITED:
        source, target, draft = before / name, folder / name, folder / f".{name}.tmp"
        if target.exists() or not source.exists() or source.is_symlink():
            continue
        if source.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
            _copy_files(source, draft)
        else:
            shutil.copy2(source, draft)
        draft.replace(target)


def _latest(folders: list[Path]) -> Path:
    """The one with the newest state to go on from; where none has any, the last."""
    states = [(folder / OUTPUT / results.RESUME, n) for n, folder in enumerate(folders)]
    written = [(state.stat().st_mtime, n) for state, n in states if state.is_file()]
    return folders[max(written)[1]] if written else folders[-1]


def drop_links(output: Path) -> None:
    """Take away the links in a run's results that lead out of them, which are not the run's, and the pipes."""
    top = output.resolve()
    for place, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = Path(place, name)
            leads_out = path.is_symlink() and not _leads_inside(path, top)
            if leads_out or not (path.is_symlink() or path.is_file() or path.is_dir()):
                path.unlink()


def _leads_inside(link: Path, top: Path) -> bool:
    try:
        return link.resolve().is_relative_to(top)
    except (OSError, RuntimeError):  # a circle
        return False


def _copy_files(source: Path, target: Path) -> None:
    """Regular files alone: links may lead anywhere, and a pipe would never end."""
    target.mkdir(parents=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            continue
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            with contextlib.suppress(FileNotFoundError):  # a draft that was renamed meanwhile
                shutil.copy2(path, place)


def _numbered(job: Job, moves: int) -> Path:
    return settings.TRAINPORTAL_HOME / "runs" / (f"{job.pk}.{moves}" if moves else str(job.pk))
