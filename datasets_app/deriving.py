"""A dataset made of images that are there already, or that a run made of them: no byte is kept twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from datasets_app import blobs, bulk
from datasets_app.blobs import Staged
from datasets_app.models import Annotation, Dataset, Image, ImageFile, labelled_field
from datasets_app.pictures import Picture
from projects_app.models import Project, User

_ROWS = 1000  # rows a statement, at most


@dataclass(frozen=True)
class NewPicture:
    """A picture that takes the place of the source's: looked at, and ready to be kept."""

    picture: Picture
    file: Staged


@dataclass(frozen=True)
class Part:
    """One image of the new dataset. `labels` are not saved yet; `new`: another picture than that of `source`.

    `is_labelled`: somebody, or some model, looked at it; `needs_review`: only a model did.
    """

    name: str
    source: Image
    siblings: Sequence[ImageFile] = ()
    labels: list[Annotation] = field(default_factory=list)
    is_labelled: bool = False
    needs_review: bool = False
    new: NewPicture | None = None


def make(
    project: Project,
    user: User | None,
    name: str,
    parts: Sequence[Part],
    training_type: str,
    *,
    made_as: str,
    compares: bool = False,
) -> Dataset:
    """All or nothing. `name` gets a number where it is taken. Raises what the database raises; then no file is left."""
    new = [part.new.file for part in parts if part.new]
    try:
        with transaction.atomic():
            blobs.keep_staged(new)
            dataset = Dataset.objects.create(
                project=project, name=free_name(project, name), format=made_as, compares=compares, created_by=user
            )
            _fill(dataset, parts, training_type)
    except BaseException:
        blobs.release_unused(file.sha256 for file in new)
        raise
    return dataset


def free_name(project: Project, wanted: str) -> str:
    """`wanted`, or `wanted.1`, `wanted.2` … where it is taken."""
    stem = wanted[:190]
    taken = set(Dataset.objects.filter(project=project, name__startswith=stem).values_list("name", flat=True))
    return next(name for n in range(len(taken) + 1) if (name := f"{stem}.{n}" if n else stem) not in taken)


def _fill(dataset: Dataset, parts: Sequence[Part], training_type: str) -> None:
    images = [_image(dataset, n, part, training_type) for n, part in enumerate(parts)]
    Image.objects.bulk_create(images, batch_size=_ROWS)
    siblings, labels = [], []
    for image, part in zip(images, parts, strict=True):
        siblings += [ImageFile(image=image, suffix=s.suffix, name=s.name, blob_id=s.blob_id) for s in part.siblings]
        for label in part.labels:
            label.image_id = image.pk
        labels += part.labels
    ImageFile.objects.bulk_create(siblings, batch_size=_ROWS)
    bulk.insert(labels)


def _image(dataset: Dataset, position: int, part: Part, training_type: str) -> Image:
    source, new = part.source, part.new
    image = Image(
        dataset=dataset,
        name=part.name,
        position=position,
        blob_id=new.file.sha256 if new else source.blob_id,
        width=new.picture.width if new else source.width,
        height=new.picture.height if new else source.height,
        phash=new.picture.phash if new else source.phash,
        data_category=source.data_category,
        meta=source.meta,
        needs_review=part.needs_review,
    )
    setattr(image, labelled_field(training_type), part.is_labelled)
    return image


def names(images: Iterable[Image], datasets: Sequence[Dataset]) -> dict[int, str]:
    """By image: the name it came under, below its dataset's where there are several of them; each only once."""
    folders = {dataset.pk: f"{dataset.name.replace('/', '-')}/" if len(datasets) > 1 else "" for dataset in datasets}
    found: dict[int, str] = {}
    taken: set[str] = set()
    for image in images:
        name = f"{folders[image.dataset_id]}{image.name}"
        if len(name) > 500 or name in taken:
            name = f"{image.pk}/{image.name[-400:]}"
        taken.add(name)
        found[image.pk] = name
    return found
