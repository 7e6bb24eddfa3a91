"""Files of a model or a validation, for download: never a path that leads out of its folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from django.http import FileResponse, Http404


def listed(folder: Path, limit: int = 500) -> list[tuple[str, int]]:
    """Names relative to `folder`, and sizes in bytes, by name; at most `limit`."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
            found.append((path.relative_to(folder).as_posix(), path.stat().st_size))
            if len(found) >= limit:
                break
    return found


@dataclass(frozen=True)
class Contents:
    """What stands at the root of a folder: files with bytes, and names of folders."""

    files: list[tuple[str, int]]
    folders: list[str]


def at_root(folder: Path) -> Contents:
    """Without looking into its folders, which may hold a file for each image."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return Contents([], [])
    shown = [entry for entry in entries if not entry.is_symlink() and not entry.name.startswith(".")]
    files = [(entry.name, entry.stat().st_size) for entry in shown if entry.is_file()]
    return Contents(files, [entry.name for entry in shown if entry.is_dir()])


def download(folder: Path, name: str) -> FileResponse:
    """The file `name` below `folder` as an attachment; 404 for anything else."""
    if "\0" in name:
        raise Http404
    try:
        path = (folder / name).resolve()
        is_there = path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        is_there = False
    if not is_there:
        raise Http404
    response = FileResponse(path.open("rb"), as_attachment=True, filename=path.name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "sandbox"
    return response
