"""Gets the files of a kernel to where they are looked at: plain files alone, within limits."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from kernels_app import images, packages
from kernels_app.bundled import packing
from kernels_app.contract.files import is_text
from kernels_app.imports.git import BadSource, Repository, clone
from projects_app import archive, archive_words

LIMITS = archive.Limits(entries=20_000, total=32 * 2**30, file=24 * 2**30, programs=True)  # an image of torch: 10 GB
IMAGE = "image.tar"  # in the package, of what was sent as an image alone
UPLOAD, RAW, PACKAGE = "upload", "raw", "package"  # below the folder of one import

Tick = Callable[[], None]
Say = Callable[[str], None]


def fetch(source: dict[str, Any], stage: Path, tick: Tick, say: Say) -> dict[str, Any]:
    """The files of `source` in `stage/package`; the source, with the commit that it was. Raises BadSource."""
    for name in (RAW, PACKAGE):
        shutil.rmtree(stage / name, ignore_errors=True)
    if source["kind"] == "git":
        repository = Repository(source["url"], source["branch"], source["folder"])
        commit = clone(repository, stage / RAW, limit=LIMITS.total, tick=tick, say=say)
        top = stage / RAW / source["folder"].strip("/")
        if not top.is_dir():
            raise BadSource(_("There is no folder “%(name)s” in the repository.") % {"name": source["folder"]})
        source = source | {"commit": commit}
    else:
        say(f"unpacking {source['file']}")
        top = _unpacked(stage)
    count = _copy(_root(top), stage / PACKAGE)
    say(f"{count} files")
    shutil.rmtree(stage / RAW, ignore_errors=True)
    return source


def _unpacked(stage: Path) -> Path:
    if images.is_image(stage / UPLOAD):
        (stage / RAW).mkdir()
        shutil.copyfile(stage / UPLOAD, stage / RAW / IMAGE)
        return stage / RAW
    try:
        archive.unpack(stage / UPLOAD, stage / RAW, limits=LIMITS)
    except archive.ArchiveError as error:
        raise BadSource(archive_words.explained(error)) from error
    return stage / RAW


def _root(top: Path) -> Path:
    """Where the schema is: at the top, or in the one folder that everything was packed in."""
    inside = [path for path in top.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    is_wrapped = len(inside) == 1 and inside[0].is_dir() and not (top / packages.SCHEMA).exists()
    return inside[0] if is_wrapped else top


def _copy(top: Path, target: Path) -> int:
    """Sources alone: no caches, nothing hidden, no links. Raises BadSource where there is nothing, or too much."""
    count = total = 0
    for path in packing.sources(top):
        if path.is_symlink():
            continue
        count, total = count + 1, total + path.stat().st_size
        if count > LIMITS.entries or total > LIMITS.total:
            raise BadSource(_("There are more files than a kernel may have."))
        name = path.relative_to(top).as_posix()
        if not is_text(name):
            raise BadSource(_("A file has a name that is no text in UTF-8: %(name)s") % {"name": repr(name)})
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        place.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    if not count:
        raise BadSource(_("There are no files in it."))
    return count
