"""From the run folder to where results stay: one rename, so that they are there whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from jobs import runfolder

SCRATCH = (runfolder.DATASET, runfolder.TEMPORARY)


def publish(folder: Path, target: Path) -> None:
    """Move the run's output to `target` and leave a link in its place. Finding it done before does no harm."""
    output = folder / runfolder.OUTPUT
    target.parent.mkdir(parents=True, exist_ok=True)
    _take_images(folder / runfolder.IMAGES, output)
    if output.is_dir() and not output.is_symlink():
        if target.exists():  # what an earlier job of the same model left: this run started from it
            shutil.rmtree(target)
        output.rename(target)
    heal(folder, target)
    for name in SCRATCH:
        shutil.rmtree(folder / name, ignore_errors=True)


def heal(folder: Path, target: Path) -> None:
    """Make the links that are missing where a crash fell between a rename and its link."""
    for link, place in (
        (folder / runfolder.OUTPUT, target),
        (folder / runfolder.IMAGES, target / runfolder.IMAGES),
    ):
        if place.is_dir() and not os.path.lexists(link):
            link.symlink_to(os.path.relpath(place, folder), target_is_directory=True)


def size_of(folder: Path) -> int:
    """Bytes of all files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _take_images(images: Path, output: Path) -> None:
    """What the run wrote to `image_write_path` is a result too: it goes with the output, unless that has its own."""
    if images.is_symlink() or not images.is_dir():
        return
    if next(images.iterdir(), None) is None:
        images.rmdir()
    elif output.is_dir():
        with contextlib.suppress(OSError):  # then they stay where they are
            images.rename(output / runfolder.IMAGES)
