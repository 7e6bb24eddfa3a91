"""From the run folder to where results stay: one rename, so that they are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from jobs import runfolder

SCRATCH = (runfolder.DATASET, runfolder.TEMPORARY, runfolder.IMAGES)


def publish(folder: Path, target: Path) -> None:
    """Move the run's output to `target` and leave a link in its place. Finding it done before does no harm."""
    output = folder / runfolder.OUTPUT
    target.parent.mkdir(parents=True, exist_ok=True)
    if output.is_dir() and not output.is_symlink():
        if target.exists():  # what an earlier job of the same model left: this run started from it
            shutil.rmtree(target)
        output.rename(target)
    if target.is_dir() and not output.is_symlink():
        output.symlink_to(os.path.relpath(target, folder), target_is_directory=True)
    for name in SCRATCH:
        shutil.rmtree(folder / name, ignore_errors=True)


def size_of(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
