"""A dataset made of a snapshot: the images, labels and meta data as a run saw them. No byte is kept twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from datasets_app import deriving, pictures, snapshot_tiles
from datasets_app.deriving import Part
from datasets_app.models import Annotation, Blob, Dataset, Image, ImageFile, Snapshot, Split
from datasets_app.snapshot_reading import Contents, Label, Picture, Unreadable, read, tidy_name
from jobs.kinds import JobError, Progress
from jobs.models import Job
from jobs.said import Said
from projects_app.models import CODE, AnnotationType, Category, Project, User

KIND = "restore_snapshot"
BOTH = "both"
_SPLITS = {"train": Split.TRAIN, "validation": Split.VAL}


class RestoreRefused(Exception):
    """Why nothing can be restored, in the user's words."""


@dataclass(frozen=True)
class Preview:
    """What a restoration would make. `new_types`, `new_categories`: that the project does not have any more."""

    images: int
    missing: int  # pictures that are not here
    new_types: list[str] = field(default_factory=list)
    new_categories: list[str] = field(default_factory=list)


def chosen(contents: Contents, which: str) -> list[Picture]:
    """The images of one set or both, each once."""
    images = contents.all if which == BOTH else contents.of(which)
    return list({image.place: image for image in images}.values())


def preview(snapshot: Snapshot, contents: Contents, which: str) -> Preview:
    """Raises RestoreRefused."""
    images = chosen(contents, which)
    held = snapshot_tiles.held_of(snapshot, (image.sha256 for image in images))
    there = [image for image in images if image.sha256 in held]
    if not there:
        raise RestoreRefused(_("None of its pictures is here: there is nothing to restore."))
    found = _Names(snapshot.project, contents)
    found.check(there)
    return Preview(len(there), len(images) - len(there), found.new_types(there), found.new_categories(there))


def proposed_name(snapshot: Snapshot, contents: Contents, which: str) -> str:
    """After the first dataset, and free."""
    names = sorted({image.dataset for image in chosen(contents, which)})
    stem = names[0][:150] if names else contents.model_type
    return deriving.free_name(snapshot.project, f"{stem}-{snapshot.sha256[:8]}")


def start(snapshot: Snapshot, contents: Contents, which: str, name: str, user: User) -> Job:
    """Queue it. Raises RestoreRefused."""
    preview(snapshot, contents, which)
    if Dataset.objects.filter(project=snapshot.project, name=name).exists():
        raise RestoreRefused(_("There is a dataset “%(name)s” already. Choose another name.") % {"name": name})
    args = {"snapshot": snapshot.pk, "set": which, "name": name}
    running = Job.objects.active().filter(project=snapshot.project, kind=KIND, args=args).first()
    title = _("Restore “%(name)s”") % {"name": name}
    return running or Job.submit(project=snapshot.project, kind=KIND, title=title, created_by=user, args=args)


def build(job: Job, progress: Progress) -> None:
    """Make the dataset of a job, all or nothing, once. Raises JobError."""
    if Job.objects.filter(pk=job.pk, args__has_key="dataset").exists():
        return  # it was made before this was cut off
    snapshot = Snapshot.objects.filter(project=job.project, pk=job.args["snapshot"]).first()
    if snapshot is None:
        raise JobError(Said(gettext_noop("The snapshot is gone: the last model that used it was deleted.")))
    try:
        _restore(snapshot, job, progress)
    except (RestoreRefused, Unreadable) as error:
        raise JobError(Said(gettext_noop("Nothing was restored. %(why)s"), why=str(error))) from error


def _restore(snapshot: Snapshot, job: Job, progress: Progress) -> None:
    contents, which = read(snapshot), job.args["set"]
    preview(snapshot, contents, which)
    images = chosen(contents, which)
    held = snapshot_tiles.held_of(snapshot, (one for image in images for one in _hashes(image)))
    there = [image for image in images if image.sha256 in held]
    sources = [_source(image) for image in _one_by_one(there, progress)]
    with transaction.atomic():
        names = _Names(snapshot.project, contents)
        names.make(there)
        parts = list(_parts(there, sources, held, names))
        dataset = deriving.make(
            snapshot.project, job.created_by, job.args["name"], parts, contents.training_type, made_as="snapshot"
        )
        dataset.split = _SPLITS.get(which, Split.NONE)
        dataset.description = _("Restored from the snapshot %(hash)s.") % {"hash": snapshot.sha256[:12]}
        dataset.save(update_fields=["split", "description"])
        Job.objects.filter(pk=job.pk).update(args=job.args | {"dataset": dataset.pk, "name": dataset.name})


def _one_by_one(images: list[Picture], progress: Progress) -> Iterator[Picture]:
    """Each of them, once its number was told: a cancel is seen, the lease is renewed."""
    for number, image in enumerate(images):
        sentence = _("Restoring image %(number)d of %(count)d") % {"number": number + 1, "count": len(images)}
        progress(100 * number / len(images), sentence)
        yield image


def _parts(images: list[Picture], sources: list[Image], held: set[str], names: _Names) -> Iterator[Part]:
    has_many = len({image.dataset for image in images}) > 1
    taken: set[str] = set()
    for number, (image, source) in enumerate(zip(images, sources, strict=True), 1):
        folder = f"{image.dataset.replace('/', '-')}/" if has_many else ""
        name = tidy_name(f"{folder}{image.name}")
        name = name if len(name) <= 500 and name not in taken else f"{number}/{name[-400:]}"
        taken.add(name)
        labels = [names.label(label, str(place), image) for place, label in enumerate(image.labels or ())]
        siblings = list(_siblings(image, held, folder))
        yield Part(name, source, siblings, labels, is_labelled=image.labels is not None)


def _source(image: Picture) -> Image:
    """A row that is never saved: what is known of the picture, looked at anew where the snapshot does not say."""
    found = image
    if not (image.width and image.phash):
        try:
            seen = pictures.look(Blob(sha256=image.sha256).path)
        except (pictures.BadPicture, OSError) as error:
            text = _("The picture of %(name)s cannot be read any more.") % {"name": image.name}
            raise RestoreRefused(text) from error
        found = replace(image, width=seen.width, height=seen.height, phash=seen.phash)
    return Image(
        blob_id=found.sha256,
        width=found.width,
        height=found.height,
        phash=found.phash,
        data_category=found.data_category,
        meta=found.meta,
    )


def _siblings(image: Picture, held: set[str], folder: str) -> Iterator[ImageFile]:
    for suffix, sha256 in image.siblings.items():
        if sha256 in held:
            name = image.names.get(suffix) or f"{image.name.rpartition('.')[0]}{suffix}"
            yield ImageFile(suffix=suffix[:64], name=tidy_name(f"{folder}{name}")[:500], blob_id=sha256)


def _hashes(image: Picture) -> list[str]:
    return [image.sha256, *image.siblings.values()]


class _Names:
    """The annotation types and categories that labels of a snapshot point to, by code."""

    def __init__(self, project: Project, contents: Contents) -> None:
        self.project, self.contents = project, contents
        self.types = {one.code: one for one in AnnotationType.objects.filter(project=project)}
        categories = Category.objects.filter(annotation_type__project=project)
        self.categories = {(one.annotation_type_id, one.code): one for one in categories}

    def check(self, images: Iterable[Picture]) -> None:
        """Raises RestoreRefused where a code means something else by now, or is none."""
        for code in self._used(images):
            kind = self.types.get(code)
            if kind and kind.training_type != self.contents.training_type:
                text = _(
                    "“%(code)s” is a label of %(now)s by now, and was one of %(then)s: its labels would mean something "
                    "else. Restore it in another project."
                )
                then = self.contents.training_type.label
                raise RestoreRefused(text % {"code": code, "now": kind.get_training_type_display(), "then": then})
        for code in [*self._used(images), *(category for _type, category in self._answers(images))]:
            if len(code) > 128 or not CODE.regex.match(code):  # type: ignore[union-attr]
                raise RestoreRefused(_("“%(code)s” is no code of a label.") % {"code": code})

    def new_types(self, images: Iterable[Picture]) -> list[str]:
        return [code for code in self._used(images) if code not in self.types]

    def new_categories(self, images: Iterable[Picture]) -> list[str]:
        missing = []
        for code, category in self._answers(images):
            kind = self.types.get(code)
            if kind is None or (kind.pk, category) not in self.categories:
                missing.append(f"{code}: {category}")
        return missing

    def make(self, images: list[Picture]) -> None:
        """What is missing, under the names that it had; categories behind those that are there."""
        self.check(images)
        for code in self.new_types(images):
            name = str(self._told(code).get("name") or code)[:200]
            kind = self.contents.training_type
            self.types[code], _new = AnnotationType.objects.get_or_create(
                project=self.project, code=code, defaults={"training_type": kind, "name": name}
            )
        for code, category in self._answers(images):
            question = self.types[code]
            if (question.pk, category) not in self.categories:
                name = str(self._told(code).get("categories", {}).get(category) or category)[:200]
                last = question.categories.order_by("-position").values_list("position", flat=True).first()
                position = 0 if last is None else last + 1
                self.categories[question.pk, category] = Category.objects.create(
                    annotation_type=question, code=category, name=name, position=position
                )

    def label(self, label: Label, place: str, image: Picture) -> Annotation:
        kind = self.types[label.code] if label.code else None
        category = self.categories[kind.pk, label.category] if kind and label.category else None
        return Annotation(
            annotation_type=kind,
            category=category,
            verdict=label.verdict,
            kind=label.kind,
            points=[list(point) for point in label.points],
            score=image.scores.get(place),
            is_generated=place in image.scores,
            is_roi=label.is_roi,
        )

    def _used(self, images: Iterable[Picture]) -> list[str]:
        found = {label.code for image in images for label in image.labels or () if label.code}
        return sorted(found)

    def _answers(self, images: Iterable[Picture]) -> list[tuple[str, str]]:
        """Question and category, in the order of the classes."""
        order = {code: n for n, code in enumerate(self.contents.classes)}
        found = {(label.code, label.category) for image in images for label in image.labels or () if label.category}
        return sorted(found, key=lambda one: (one[0], order.get(one[1], len(order)), one[1]))

    def _told(self, code: str) -> dict[str, Any]:
        return self.contents.types.get(code, {})
