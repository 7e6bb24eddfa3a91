"""The images of datasets with the labels that a snapshot tells of: what a run is given, whenever it starts.

People go on labelling while a run waits in the queue, and while it is resumed. Its snapshot was taken when it was
ordered, and what it learns from is what that says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext_noop as _

from datasets_app import snapshot_reading
from datasets_app.models import Annotation, Dataset, Image, Snapshot
from datasets_app.rows import Row, rows
from datasets_app.snapshot_reading import Contents, Picture
from jobs.kinds import JobError
from jobs.said import Said
from projects_app.models import AnnotationType, Category, ModelType


def as_seen(
    snapshot: Snapshot | None, datasets: Iterable[Dataset], model_type: ModelType, *, only_labelled: bool = True
) -> list[Row]:
    """The rows of these datasets as `snapshot` has them; as they are now where there is none of this installation.

    An image that nobody had labelled for the model type has the labels that it has now, its regions for one: the
    snapshot does not tell. Raises JobError where what it told is gone: then nobody knows what the run was to see.
    """
    chosen = list(datasets)
    try:
        contents = snapshot_reading.read(snapshot) if snapshot else None
    except snapshot_reading.Unreadable as error:
        raise JobError(Said(_("The snapshot of what it was to see cannot be read: %(why)s"), why=str(error))) from error
    if contents is None or not contents.datasets:
        return rows(chosen, model_type, only_labelled=only_labelled)
    return list(_rows(contents, chosen, model_type, only_labelled=only_labelled))


def _rows(contents: Contents, datasets: list[Dataset], model_type: ModelType, *, only_labelled: bool) -> Iterator[Row]:
    seen = {(contents.datasets.get(one.dataset), one.name): one for one in contents.all}
    words = _Words(model_type)
    for row in rows(datasets, model_type, only_labelled=False, with_labels=not only_labelled):
        picture = seen.get((row.image.dataset_id, row.image.name))
        if picture is None or (only_labelled and picture.labels is None):
            continue
        if picture.labels is None:
            yield row
        else:
            yield Row(row.image, list(words.labels(row.image, picture)), row.siblings)


class _Words:
    """Annotation types and categories by their codes, which never change."""

    def __init__(self, model_type: ModelType) -> None:
        self.training_type = model_type.training_type
        self.types = {one.code: one for one in AnnotationType.objects.filter(project=model_type.project_id)}
        found = Category.objects.filter(annotation_type__project=model_type.project_id)
        self.categories = {(one.annotation_type_id, one.code): one for one in found}

    def labels(self, image: Image, picture: Picture) -> Iterator[Annotation]:
        """Labels that are not rows: as they were, whatever became of their rows."""
        for place, one in enumerate(picture.labels or ()):
            kind = self.types.get(one.code) or AnnotationType(code=one.code, training_type=self.training_type)
            category = self.categories.get((kind.pk, one.category)) or Category(code=one.category, name=one.category)
            is_generated = str(place) in picture.scores
            yield Annotation(
                image=image,
                annotation_type=None if one.is_roi else kind,
                category=category if one.category else None,
                verdict=one.verdict,
                kind=one.kind,
                points=[list(point) for point in one.points],
                score=picture.scores.get(str(place)),
                is_generated=is_generated,
                is_roi=one.is_roi,
            )
