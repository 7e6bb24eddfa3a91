"""Labelled images come in: read a folder, propose a plan, commit it all or nothing. The page and the command meet here.

source = importing.Source(images, annotations)
reading = importing.read(source, options, split_file)
plan = importing.propose(project, name, reading, options)
datasets = importing.commit(project, user, source, reading, plan)
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from datasets_app import blobs, formats, pictures
from datasets_app.committing import Arrived, add_labels, write
from datasets_app.formats.metas import NAMES, read_metas
from datasets_app.formats.source import Source
from datasets_app.formats.splits import read_splits
from datasets_app.garbage import rarely_collected
from datasets_app.models import Dataset
from datasets_app.parts import Part, group
from datasets_app.plan_checks import check, check_labels, check_name
from datasets_app.plans import ImportRefused, Options, Plan, in_order, propose, propose_also
from datasets_app.problems import refusal
from datasets_app.records import FormatError, Problem, Reading
from projects_app.archive import ArchiveError, Limits, unpack
from projects_app.models import Project, User

__all__ = ["ImportRefused", "Options", "Plan", "Source", "check_name", "commit", "opened", "propose", "read"]

Progress = Callable[[float, str], None]  # percentage 0..100 and a short sentence; may raise to stop the import


def silent(percentage: float, sentence: str) -> None:
    """Nobody wants to know."""


@rarely_collected()
def read(
    source: Source, options: Options | None = None, split_file: Path | None = None, meta_file: Path | None = None
) -> Reading:
    """What is in the source, with the splits and meta data that the files say. Raises ImportRefused."""
    options = options or Options()
    try:
        reading = in_order(formats.read(source, options.format or None), options)
        if split_file := split_file or _split_file_inside(source):
            reading = _with_splits(reading, source, split_file)
        return _with_metas(reading, source, meta_file)
    except FormatError as error:
        fields = {"split": "split_file", "meta": "meta_file"}
        raise ImportRefused((fields.get(error.code.split("_")[0], "images"), refusal(error))) from error


@contextmanager
def opened(path: Path, field: str = "images") -> Iterator[Path]:
    """The folder to read: `path` itself, or what is in the archive `path`, for as long as the context lasts.

    Raises ImportRefused.
    """
    if path.is_dir():
        yield path
        return
    folder = settings.TRAINPORTAL_HOME / "tmp" / f"unpacked-{uuid.uuid4().hex}"
    try:
        unpack_into(path, folder, field)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def limits() -> Limits:
    """Where this installation stops unpacking."""
    return Limits(
        entries=settings.ARCHIVE_ENTRIES,
        total=settings.ARCHIVE_BYTES,
        file=settings.ARCHIVE_FILE_BYTES,
        ratio=settings.ARCHIVE_RATIO,
    )


def unpack_into(archive: Path, folder: Path, field: str = "images") -> None:
    """Raises ImportRefused; then `folder` is empty."""
    try:
        unpack(archive, folder, limits=limits())
    except ArchiveError as error:
        raise ImportRefused((field, refusal(error))) from error
    except OSError as error:
        raise ImportRefused(
            (field, _("%(path)s cannot be read: %(why)s.") % {"path": archive, "why": error.strerror})
        ) from error


@rarely_collected()
def commit(
    project: Project,
    user: User | None,
    source: Source,
    reading: Reading,
    plan: Plan,
    *,
    progress: Progress = silent,
    done: Callable[[list[Dataset]], None] = lambda datasets: None,
    first: Callable[[], None] = lambda: None,
    also: Iterable[tuple[Reading, Plan]] = (),
    is_synthetic: bool = False,
) -> list[Dataset]:
    """Make the datasets, all or nothing; `first` is called at the beginning and `done` at the end of the transaction.

    `also` are labels of other training types for the same images. Raises ImportRefused; whatever is raised, no row and
    no file is left behind.
    """
    check(project, plan, {image.split for image in reading.images})
    grouped = group(reading, plan.image_types)
    reading = replace(reading, problems=(*reading.problems, *grouped.problems))
    staging = settings.TRAINPORTAL_HOME / "tmp" / f"import-{uuid.uuid4().hex}"
    arrived: list[Arrived] = []
    try:
        arrived = list(_arrive(source, grouped.parts, staging, progress))
        progress(90, _("Writing %(count)d images") % {"count": len(arrived)})
        with transaction.atomic():
            list(Project.objects.select_for_update(no_key=True).filter(pk=project.pk))  # one import at a time
            first()
            check_labels(project, plan)  # labels may have been made or taken away while the pictures were read
            blobs.keep_staged(file for one in arrived for file in one.files)
            datasets = write(project, user, reading, plan, arrived, is_synthetic=is_synthetic)
            for other_reading, other_plan in (*also, *propose_also(project, reading, plan)):
                check_labels(project, other_plan)
                add_labels(project, datasets, other_reading, other_plan)
            done(datasets)
        return datasets
    except BaseException as error:
        blobs.release_unused(file.sha256 for one in arrived for file in one.files)
        if isinstance(error, IntegrityError):  # somebody took a name while the images were read
            raise ImportRefused(
                ("name", _("Somebody used the name or a code at the same moment. Try again."))
            ) from error
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _arrive(source: Source, parts: list[Part], staging: Path, progress: Progress) -> Iterator[Arrived]:
    """Look at every picture, and stage those that are ones. Raises ImportRefused where none is."""
    readable = 0
    copy_to = None if source.images_root.is_relative_to(settings.TRAINPORTAL_HOME) else staging
    for number, part in enumerate(parts, 1):
        if number % 20 == 1:
            sentence = _("Reading image %(number)d of %(count)d") % {"number": number, "count": len(parts)}
            progress(90 * number / len(parts), sentence)
        arrived = _arrive_one(source, part, copy_to)
        readable += arrived.picture is not None
        yield arrived
    if not readable:
        raise ImportRefused(("images", _("None of the %(count)d images can be read.") % {"count": len(parts)}))


def _arrive_one(source: Source, part: Part, copy_to: Path | None) -> Arrived:
    """One part with its pictures; without a picture where its first one cannot be read."""
    problems: list[Problem] = []
    found = {}
    for suffix, path in (("", part.record.path), *part.siblings):
        try:
            picture = pictures.look(source.image_path(path))
            found[suffix] = picture, blobs.stage(source.image_path(path), picture.content_type, copy_to)
        except pictures.BadPicture as error:
            problems.append(Problem(path, error.code, str(error)))
        except OSError as error:
            problems.append(Problem(path, "unreadable_image", error.strerror or ""))
    if "" not in found:
        return Arrived(part, problems=tuple(problems))
    siblings = {suffix: file for suffix, (_picture, file) in found.items() if suffix}
    return Arrived(part, *found[""], siblings=siblings, problems=tuple(problems))


def _split_file_inside(source: Source) -> Path | None:
    """A CSV that came along with the images and names the split of most of them."""
    folders = [folder for folder in (source.images_root, source.annotations_root) if folder]
    beside = (path for folder in folders for path in sorted(folder.glob("*.csv")))
    for path in (*beside, *filter(None, [_meta_file_inside(source)])):
        try:
            named = read_splits(path, source).by_image
        except FormatError:
            continue
        if len(named) > len(source.images) / 2:
            return path
    return None


def _with_splits(reading: Reading, source: Source, split_file: Path) -> Reading:
    """The split file counts where it names an image, else what the source says."""
    splits = read_splits(split_file, source)
    images = (replace(image, split=splits.by_image.get(image.path, image.split)) for image in reading.images)
    return replace(reading, images=tuple(images), problems=(*reading.problems, *splits.problems))


def _meta_file_inside(source: Source) -> Path | None:
    """The table of meta data that came along, where its place says that it is one."""
    folders = [folder for folder in (source.images_root, source.annotations_root) if folder]
    return next((path for folder in folders for name in NAMES if (path := folder / name).is_file()), None)


def _with_metas(reading: Reading, source: Source, meta_file: Path | None) -> Reading:
    """Of the table that was given, which has to be right, else of one that came along, which may be of something else.

    Raises FormatError.
    """
    path = meta_file or _meta_file_inside(source)
    if path is None:
        return reading
    try:
        metas = read_metas(path, source)
    except FormatError as error:
        if meta_file:
            raise
        return replace(reading, problems=(*reading.problems, Problem(path.name, "meta_ignored", str(error))))
    images = (replace(image, meta=metas.by_image.get(image.path, {})) for image in reading.images)
    return replace(reading, images=tuple(images), problems=(*reading.problems, *metas.problems))


def hashes_of(datasets: Iterable[Dataset]) -> set[str]:
    """The files that these datasets use."""
    found: set[str] = set()
    for dataset in datasets:
        found.update(dataset.images.values_list("blob", flat=True))
        found.update(dataset.images.filter(siblings__isnull=False).values_list("siblings__blob", flat=True))
    return found
