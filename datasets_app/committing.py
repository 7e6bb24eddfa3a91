"""Write the rows of an import. Runs inside one transaction; few statements however many images there are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from datasets_app import bulk
from datasets_app.blobs import Staged
from datasets_app.formats.metas import CATEGORY_COLUMNS
from datasets_app.models import Annotation, Dataset, Image, ImageFile, labelled_field
from datasets_app.parts import Part, shapes_for
from datasets_app.pictures import Picture
from datasets_app.plans import ImportRefused, LabelPlan, Plan
from datasets_app.records import ImageRecord, Problem, Reading, Shape
from projects_app.models import AnnotationType, Category, ModelType, Project, TrainingType, User

UNREADABLE = frozenset({"unreadable_image", "not_an_image"})  # what can be said of a picture by its header
_IMAGE_COLUMNS = (
    *("dataset_id", "name", "position", "blob_id", "width", "height", "phash"),
    *("data_category", "meta", "needs_review"),
)
_LABELLED = tuple(labelled_field(kind) for kind in TrainingType.values)
_COLUMNS = (
    *("image_id", "annotation_type_id", "category_id", "verdict", "kind", "points"),
    *("score", "is_generated", "is_roi"),
)
_ROWS = 1000  # rows a statement, at most


@dataclass(frozen=True, slots=True)
class Arrived:
    """A part whose pictures were looked at; without `picture` its first one could not be read."""

    part: Part
    picture: Picture | None = None
    file: Staged | None = None
    siblings: dict[str, Staged] = field(default_factory=dict)  # by suffix
    problems: tuple[Problem, ...] = ()

    @property
    def files(self) -> list[Staged]:
        return [file for file in (self.file, *self.siblings.values()) if file]


@dataclass(frozen=True)
class Targets:
    """The rows that labels point to, by code."""

    types: dict[str, AnnotationType]
    categories: dict[str, Category]


def write(
    project: Project, user: User | None, reading: Reading, plan: Plan, arrived: list[Arrived], *, is_synthetic: bool
) -> list[Dataset]:
    """The datasets with their images and labels; types and model type are made where they are new."""
    targets = _targets(project, plan)
    kept = [one for one in arrived if one.picture]
    names = plan.dataset_names(one.part.record.split for one in kept)
    datasets = {
        split: Dataset.objects.create(
            project=project, name=name, split=split, format=reading.format, created_by=user, is_synthetic=is_synthetic
        )
        for split, name in names.items()
    }
    problems = _met(reading, arrived)
    for split, dataset in datasets.items():
        problems += _fill(dataset, [one for one in kept if one.part.record.split == split], plan, targets)
    _count_problems(datasets, arrived, problems)
    return list(datasets.values())


def add_labels(project: Project, datasets: list[Dataset], reading: Reading, plan: Plan) -> None:
    """Label the images of these datasets for one more training type, found by their names."""
    targets, records = _targets(project, plan), {record.path: record for record in reading.images}
    field_name = labelled_field(plan.training_type)
    for dataset in datasets:
        annotations, labelled, problems = [], [], Counter(dataset.problems)
        for image in dataset.images.all():
            if record := records.get(image.name):
                found, changed = _annotations(image.pk, record, plan, targets)
                annotations += found
                problems.update(problem.code for problem in changed)
                labelled += [image.pk] if _is_labelled(record, plan) else []
        bulk.insert_values(Annotation, _COLUMNS, annotations)
        for start in range(0, len(labelled), _ROWS):
            dataset.images.filter(pk__in=labelled[start : start + _ROWS]).update(**{field_name: True})
        dataset.problems = dict(problems)
        dataset.save(update_fields=["problems"])


def _met(reading: Reading, arrived: list[Arrived]) -> list[Problem]:
    """What the reader met and what the pictures showed; a picture that both complain of counts once."""
    seen = [problem for one in arrived for problem in one.problems]
    paths = {problem.path for problem in seen}
    known: dict[str, str] = {}
    for one in arrived:
        if one.file and (first := known.setdefault(one.file.sha256, one.part.record.path)) != one.part.record.path:
            seen.append(Problem(one.part.record.path, "same_picture", first))
    return seen + [one for one in reading.problems if one.code not in UNREADABLE or one.path not in paths]


def _fill(dataset: Dataset, parts: list[Arrived], plan: Plan, targets: Targets) -> list[Problem]:
    """Write the images of one dataset and their labels; returns what the plan changed or left out.

    Rows go out as they are made: of a large import they would be most of its memory, and as objects most of its time.
    """
    columns = [*_IMAGE_COLUMNS, *_LABELLED]
    bulk.insert_values(Image, columns, (_image(dataset, n, one, plan) for n, one in enumerate(parts)))
    keys = list(dataset.images.order_by("position").values_list("pk", flat=True))
    siblings, problems = [], list[Problem]()
    for image, one in zip(keys, parts, strict=True):
        paths = dict(one.part.siblings)
        siblings += [
            ImageFile(image_id=image, suffix=suffix, name=paths[suffix], blob_id=file.sha256)
            for suffix, file in one.siblings.items()
        ]
    ImageFile.objects.bulk_create(siblings, batch_size=_ROWS)
    bulk.insert_values(Annotation, _COLUMNS, _all_annotations(keys, parts, plan, targets, problems))
    return problems


def _all_annotations(
    keys: list[int], parts: list[Arrived], plan: Plan, targets: Targets, problems: list[Problem]
) -> Iterator[tuple[Any, ...]]:
    """Rows of `_COLUMNS`; what had to be changed on the way is added to `problems`."""
    for image, one in zip(keys, parts, strict=True):
        found, changed = _annotations(image, one.part.record, plan, targets)
        problems += changed
        yield from found


def _image(dataset: Dataset, position: int, one: Arrived, plan: Plan) -> tuple[Any, ...]:
    """A row of `_IMAGE_COLUMNS` and `_LABELLED`."""
    if one.picture is None or one.file is None:
        raise ValueError(f"{one.part.record.path} was not looked at")
    record, picture = one.part.record, one.picture
    category = next((record.meta[name] for name in CATEGORY_COLUMNS if name in record.meta), "")[:64]
    own = labelled_field(plan.training_type) if plan.training_type else ""
    return (
        *(dataset.pk, record.path, position, one.file.sha256, picture.width, picture.height, picture.phash),
        *(category, json.dumps(record.meta), False),
        *(name == own and _is_labelled(record, plan) for name in _LABELLED),
    )


def _is_labelled(record: ImageRecord, plan: Plan) -> bool:
    """Whether somebody judged the image: for CL its category counts, else that it was looked at."""
    return plan.of(record.category) is not None if plan.training_type == TrainingType.CL else record.labelled


def _annotations(
    image: int, record: ImageRecord, plan: Plan, targets: Targets
) -> tuple[list[tuple[Any, ...]], list[Problem]]:
    """Rows of `_COLUMNS`. Without a training type only regions of interest are left."""
    if plan.training_type == TrainingType.CL:
        chosen = plan.of(record.category)
        if chosen is None:
            return [], []
        question, category = targets.types[plan.question].pk, targets.categories[chosen.code].pk
        return [(image, question, category, None, "", "[]", None, False, False)], []
    shapes, problems = shapes_for(record, plan)
    made = []
    for shape in shapes:
        label = None if shape.is_roi else plan.of(shape.label)
        kind = targets.types[label.code].pk if label else None
        points = ", ".join([f"[{round(x, 3)!r}, {round(y, 3)!r}]" for x, y in shape.points])
        verdict = _verdict(label, shape)
        row = (image, kind, None, verdict, shape.kind, f"[{points}]", shape.score, shape.is_generated, shape.is_roi)
        made.append(row)
    return made, problems


def _verdict(label: LabelPlan | None, shape: Shape) -> bool | None:
    """What the label means, else what the source says of the region itself."""
    if label is None:
        return None
    return shape.verdict if label.verdict is None else label.verdict


def _targets(project: Project, plan: Plan) -> Targets:
    """The annotation types, categories and the model type, made where the project does not have them."""
    if not plan.training_type:
        return Targets({}, {})
    types = {code: _annotation_type(project, plan, code) for code in plan.classes()}
    categories = _categories(types[plan.question], plan) if plan.training_type == TrainingType.CL else {}
    _model_type(project, plan, types)
    return Targets(types, categories)


def _annotation_type(project: Project, plan: Plan, code: str) -> AnnotationType:
    name = code if plan.question else next(label.label for label in plan.labels if label.code == code)
    kind, _created = AnnotationType.objects.get_or_create(
        project=project, code=code, defaults={"training_type": plan.training_type, "name": name[:200]}
    )
    if kind.training_type != plan.training_type:  # made by hand this moment
        raise ImportRefused(
            ("labels", _("Somebody made the annotation type %(code)s for another training type.") % {"code": code})
        )
    return kind


def _categories(question: AnnotationType, plan: Plan) -> dict[str, Category]:
    known = {category.code: category for category in question.categories.all()}
    if not known:
        names = {label.code: label.label for label in reversed(plan.labels) if label.code}
        for position, code in enumerate(plan.codes()):
            known[code] = Category.objects.create(
                annotation_type=question, code=code, name=names[code][:200], position=position
            )
    return known


def _model_type(project: Project, plan: Plan, types: dict[str, AnnotationType]) -> None:
    """A known one is used as it is; `plan_checks` has seen that it covers the classes."""
    found, created = ModelType.objects.get_or_create(
        project=project, code=plan.model_type, defaults={"training_type": plan.training_type, "name": plan.name}
    )
    if created:
        for kind in types.values():
            found.learn(kind)


def _count_problems(datasets: dict[str, Dataset], arrived: Iterable[Arrived], problems: list[Problem]) -> None:
    """Each problem counts once: for the dataset whose image it is about, else for the first one."""
    split_of = {path: one.part.record.split for one in arrived for path in _paths(one.part)}
    counts: dict[str, Counter[str]] = {split: Counter() for split in datasets}
    first = next(iter(datasets))
    for problem in problems:
        split = split_of.get(problem.path, first)
        counts[split if split in datasets else first][problem.code] += 1
    for split, dataset in datasets.items():
        dataset.problems = dict(counts[split])
    Dataset.objects.bulk_update(datasets.values(), ["problems"])


def _paths(part: Part) -> Iterator[str]:
    yield part.record.path
    for _suffix, path in part.siblings:
        yield path
