"""A snapshot goes out as an archive, in any format that holds labels of its training type: the images and labels as a
run saw them, each in its set. What the format has no place for is said before."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from datasets_app import archives, exporting, snapshot_tiles
from datasets_app.archives import SNAPSHOT, Export
from datasets_app.exporting import WHOLE, ExportRefused, Loss
from datasets_app.formats.writing import WRITERS
from datasets_app.formats.writing.outgoing import (
    CATEGORIES,
    POLYGONS,
    RECTANGLES,
    ROIS,
    SCORES,
    VERDICTS,
    Classes,
    Outgoing,
    Sink,
)
from datasets_app.models import Blob, Snapshot
from datasets_app.records import Shape
from datasets_app.snapshot_reading import SETS, Contents, Label, Picture, Unreadable, read, tidy_name
from jobs.kinds import JobError, Progress
from jobs.models import Job
from jobs.said import Said
from projects_app.models import TrainingType, User

_SPLITS = {"train": "train", "validation": "val"}


def losses(contents: Contents, format: str, missing: int) -> list[Loss]:
    """What an export would leave out or change; `missing` pictures are not here. Raises ExportRefused."""
    _check(contents, format)
    labels = [label for image in contents.all for label in image.labels or ()]
    rois = sum(label.is_roi for label in labels)
    counted = {
        POLYGONS: sum(label.kind == "polygon" and not label.is_roi for label in labels),
        VERDICTS: sum(label.verdict is not None for label in labels),
        ROIS: rois,
        SCORES: sum(len(image.scores) for image in contents.all),
        "unjudged": _unjudged(contents, labels) if format == WHOLE else 0,
        "siblings": sum(len(image.siblings) for image in contents.all),
        "single_class": int(format == "folders" and _is_single(contents)),
        "picture_gone": missing,
    }
    return [Loss(code, count) for code, count in counted.items() if count and code not in WRITERS[format].KEEPS]


def start(snapshot: Snapshot, contents: Contents, format: str, user: User) -> Job:
    """Queue the export; the one of the same that is under way where there is one. Raises ExportRefused."""
    _check(contents, format)
    args = {"snapshot": snapshot.pk, "hash": snapshot.sha256[:12], "format": format}
    title = _("Export the snapshot %(hash)s") % {"hash": args["hash"]}
    return archives.ask(snapshot.project, SNAPSHOT, title, args, user)


def of(snapshot: Snapshot) -> list[Export]:
    """Those that are at work, failed or still to be had, the newest first."""
    return archives.of(snapshot.project, SNAPSHOT, snapshot=snapshot.pk)


def build(job: Job, progress: Progress) -> None:
    """Write the archive of a job, whole or not at all. Raises JobError."""
    snapshot = Snapshot.objects.filter(project=job.project, pk=job.args["snapshot"]).first()
    if snapshot is None:
        raise JobError(Said(gettext_noop("The snapshot is gone: the last model that used it was deleted.")))
    with archives.packing(job, ExportRefused, Unreadable) as path:
        write(snapshot, read(snapshot), job.args["format"], path, progress)


def write(snapshot: Snapshot, contents: Contents, format: str, target: Path, progress: Progress) -> None:
    """Write the archive. Raises ExportRefused, and OSError."""
    _check(contents, format)
    leaving = _Leaving(contents, format, missing(snapshot, contents))
    draft = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            sink = Sink(archive)
            WRITERS[format].write(leaving.images(progress), leaving.classes(), sink)
            sink.finish("meta/meta.csv" if format == WHOLE else "meta.csv")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _check(contents: Contents, format: str) -> None:
    """Raises ExportRefused."""
    kind = contents.training_type
    if format not in WRITERS:
        raise ExportRefused(_("There is no format “%(format)s”.") % {"format": format})
    if not WRITERS[format].KEEPS & ({CATEGORIES} if kind == TrainingType.CL else {RECTANGLES}):
        raise ExportRefused(_("This format has no place for labels of %(type)s.") % {"type": kind.label})
    exporting.check_names(_questions(contents), format)


def _questions(contents: Contents) -> dict[str, tuple[str, ...]]:
    """The one question of CL, by the labels that answer it."""
    answers = [label for image in contents.all for label in image.labels or () if label.category]
    return {answers[0].code: tuple(contents.classes)} if answers else {}


def _unjudged(contents: Contents, labels: list[Label]) -> int:
    if contents.training_type != TrainingType.RC:
        return 0
    return sum(label.verdict is None and not label.is_roi for label in labels)


def _is_single(contents: Contents) -> bool:
    """One folder for all images would be taken for a wrapper."""
    found = Counter(next((one.category for one in image.labels or ()), "") for image in contents.all)
    return len(found) == 1 and "" not in found


def missing(snapshot: Snapshot, contents: Contents) -> set[str]:
    """Hashes of pictures that are not here."""
    return set(contents.hashes) - snapshot_tiles.held_of(snapshot, contents.hashes)


class _Leaving:
    """The images of a snapshot on their way out."""

    def __init__(self, contents: Contents, format: str, missing: set[str]) -> None:
        self.contents, self.format, self.missing = contents, format, missing
        self.kind = contents.training_type
        is_listed = self.kind == TrainingType.RC and format == WHOLE  # that format has lists for regions
        self.is_drawn = self.kind != TrainingType.CL and not is_listed
        self.has_lists = is_listed
        places = Counter(image.name for image in contents.all)
        self.has_many = any(count > 1 for count in places.values())

    def classes(self) -> Classes:
        found = tuple(self.contents.classes)
        return Classes(
            labels=found if self.is_drawn else (),
            regions=found if self.has_lists else (),
            questions=_questions(self.contents) if self.kind == TrainingType.CL else {},
        )

    def images(self, progress: Progress) -> Iterator[Outgoing]:
        found = [(split, image) for split in SETS for image in self.contents.of(split)]
        there = [(split, image) for split, image in found if image.sha256 not in self.missing]
        if not there:
            raise ExportRefused(_("There is no image to export."))
        for number, (split, image) in enumerate(there):
            sentence = _("Packing image %(number)d of %(count)d") % {"number": number + 1, "count": len(there)}
            progress(100 * number / len(there), sentence)
            yield self._outgoing(split, snapshot_tiles.sized([image])[0])

    def _outgoing(self, split: str, image: Picture) -> Outgoing:
        siblings = [(suffix, one) for suffix, one in image.siblings.items() if one not in self.missing]
        names = {
            suffix: image.names.get(suffix) or f"{image.name.rpartition('.')[0]}{suffix}" for suffix, _one in siblings
        }
        stem = next((name.removesuffix(suffix) for suffix, name in names.items()), "")
        shapes = tuple(self._shapes(image))
        return Outgoing(
            name=self._name(split, image, image.name),
            file=Blob(sha256=image.sha256).path,
            size=(image.width, image.height),
            labelled=self.is_drawn and image.labels is not None,
            shapes=shapes if self.is_drawn else tuple(one for one in shapes if one.is_roi),
            regions=tuple(one for one in shapes if not one.is_roi) if self.has_lists else (),
            categories={one.code: one.category for one in image.labels or () if one.category},
            stem=self._name(split, image, stem) if stem else "",
            siblings=tuple(
                (self._name(split, image, names[suffix]), Blob(sha256=one).path) for suffix, one in siblings
            ),
            meta=_meta(image),
            split=_SPLITS[split],
        )

    def _shapes(self, image: Picture) -> Iterator[Shape]:
        for place, label in enumerate(image.labels or ()):
            if label.points:
                yield Shape(
                    label.code,
                    label.kind,
                    tuple((float(x), float(y)) for x, y in label.points),
                    image.scores.get(str(place)),
                    is_generated=str(place) in image.scores,
                    is_roi=label.is_roi,
                    verdict=label.verdict,
                )

    def _name(self, split: str, image: Picture, name: str) -> str:
        """Below its set and its dataset where names meet."""
        return tidy_name(f"{split}-{image.dataset.replace('/', '-')}/{name}" if self.has_many else name)


def _meta(image: Picture) -> dict[str, str]:
    found = {str(key): str(value) for key, value in image.meta.items()} if isinstance(image.meta, dict) else {}
    if image.data_category and image.data_category not in (found.get("data_category"), found.get("category")):
        found["data_category"] = image.data_category
    return found
