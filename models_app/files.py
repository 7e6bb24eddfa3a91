"""Files of a model or a validation, for download: never a path that leads out of its folder."""

from __future__ import annotations

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
