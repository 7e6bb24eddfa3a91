"""The dataset that comes of a validation, as the contract says for each operation.

Validation: the input images with their labels and the generated ones beside them. Inference: the input images with
generated labels only. Preprocessing: the produced images, without labels.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import transaction

from datasets_app import blobs, deriving, pictures
from datasets_app.deriving import NewPicture, Part
from datasets_app.models import Annotation, Image, ShapeKind
from datasets_app.rows import Row
from kernels_app.contract import ContractError, results
from kernels_app.contract.results import Fault
from models_app.models import FoundObject, Operation, Validation
from models_app.reports import FAULT_LIMIT
from models_app.reports.asked import Asked
from models_app.reports.found import outline, score_of
from models_app.reports.matching import box_of
from models_app.reports.parts import Report
from projects_app.models import AnnotationType, Category, TrainingType


def make(validation: Validation, question: Asked, report: Report, output: Path, images: Path) -> None:
    """Make it of what `reports.store` read, all or nothing, where it is not made yet. `images`: the `image_write_path`
    of the run."""
    if validation.result_id:
        return
    making = _Making(validation, question, report, images)
    making.look_at(output)
    with transaction.atomic():
        parts = list(making.produced() if validation.operation == Operation.PREPROCESSING else making.labelled())
        if parts:
            first = str(validation.datasets.order_by("name").values_list("name", flat=True).first())
            validation.result = deriving.make(
                validation.project,
                validation.created_by,
                f"{first[:150]}-{validation.operation}-{validation.pk}",
                parts,
                validation.training_type,
                made_as=validation.operation,
                compares=validation.compares,
            )
        kept = [*validation.faults, *making.faults()]
        validation.faults = kept[:FAULT_LIMIT]
        validation.save(update_fields=["result", "faults"])


def is_any(output: Path, images: Path) -> bool:
    """Whether there is one of the images that `files.txt` names."""
    return any(_inside(images, one.path) for one in results.read_produced(output)[0])


def _inside(images: Path, name: str) -> Path | None:
    """The file, where it lies below the folder that the kernel may write images to."""
    try:
        path = (images / name).resolve()  # an absolute name stays what it is
        return path if path.is_relative_to(images.resolve()) and path.is_file() else None
    except (OSError, ValueError):
        return None


@dataclass
class _Making:
    validation: Validation
    question: Asked
    report: Report
    images: Path
    pictures: dict[int, NewPicture] = field(default_factory=dict)  # what was produced, by the image it was made of
    others: list[tuple[Image, str, NewPicture]] = field(default_factory=list)  # all of it, with names
    unknown: Counter[str] = field(default_factory=Counter)
    odd: list[Fault] = field(default_factory=list)

    # --- what was produced ---

    def look_at(self, output: Path) -> None:
        """The images that `files.txt` names. Only preprocessing owes some."""
        if not (output / "files.txt").is_file():
            return
        try:
            found, faults = results.read_produced(output)
        except ContractError as error:
            found, faults = [], [Fault("files.txt", str(error).removeprefix("files.txt: "))]
        self.odd += faults
        for one in found:
            row, path = self.question.find(one.source), _inside(self.images, one.path)
            if row is None:
                self.odd.append(Fault("files.txt", f"{one.source}: is no image that was asked for"))
            elif path is None:
                self.odd.append(Fault("files.txt", f"{one.path}: is no file below the folder for produced images"))
            else:
                self._take(row, path)

    def _take(self, row: Row, path: Path) -> None:
        name = path.relative_to(self.images.resolve()).as_posix()
        try:
            picture = pictures.look(path)
        except (pictures.BadPicture, OSError) as error:
            self.odd.append(Fault(name, f"is no picture that can be read ({error})"))
            return
        new = NewPicture(picture, blobs.stage(path, picture.content_type))
        self.pictures[row.image.pk] = new
        self.others.append((row.image, name, new))

    def produced(self) -> Iterator[Part]:
        taken: set[str] = set()
        for image, name, new in self.others:
            if name not in taken and len(name) <= 500:
                taken.add(name)
                yield Part(name, image, new=new)

    # --- what was labelled ---

    def labelled(self) -> Iterator[Part]:
        """Every image that was asked for, with what the operation says."""
        rows = [row.image for row in self.question.rows.values()]
        names = deriving.names(rows, list(self.validation.datasets.all()))
        unanswered = {row.image.pk for row in self.report.unanswered}
        generated = self._generated()
        for pk, row in self.question.rows.items():
            own = [_copy(label) for label in row.labels] if self.validation.compares else []
            labels = [*own, *generated.get(pk, [])]
            new = self.pictures.get(pk)
            if new:
                _scale(labels, row.image, new)
            is_labelled = self.validation.compares or (pk not in unanswered and self._says(labels))
            yield Part(
                names[pk],
                row.image,
                siblings=row.siblings,
                labels=labels,
                is_labelled=is_labelled,
                needs_review=row.image.needs_review if self.validation.compares else is_labelled,
                new=new,
            )

    def _says(self, labels: list[Annotation]) -> bool:
        """An image without a shape is an empty sample; one without a category or a region is not labelled."""
        return bool(labels) or self.validation.finds_shapes

    def _generated(self) -> dict[int, list[Annotation]]:
        """Labels that the model gave, by image, those that are sure enough."""
        if self.validation.training_type == TrainingType.CL:
            return self._categories()
        kinds = {one.code: one for one in self.validation.model.model_type.annotation_types.all()}
        least = self.validation.figures.get("min_score", 0.0)
        found: dict[int, list[Annotation]] = defaultdict(list)
        for one in self.report.found:
            if score_of(one) < least:
                continue
            label = _shape(one, kinds, self.question.rows[one.image_id].image, self.validation.training_type)
            if label:
                found[one.image_id].append(label)
            elif one.label not in kinds:
                self.unknown[one.label] += 1
        return found

    def _categories(self) -> dict[int, list[Annotation]]:
        types = AnnotationType.objects.filter(model_types=self.validation.model.model_type)
        known = {one.code: one for one in Category.objects.filter(annotation_type__in=types)}
        found = {}
        for one in self.report.predictions:
            if category := known.get(one.predicted):
                found[one.image_id] = [
                    Annotation(
                        annotation_type_id=category.annotation_type_id,
                        category=category,
                        score=one.score,
                        is_generated=True,
                    )
                ]
            else:
                self.unknown[one.predicted] += 1
        return found

    def faults(self) -> list[dict[str, Any]]:
        unknown = [
            Fault("results", f"{n} × {code!r}: is no annotation type of the model type, so no label came of it")
            for code, n in self.unknown.items()
        ]
        return [{"file": one.file, "reason": one.reason} for one in (*self.odd, *unknown)]


def _copy(label: Annotation) -> Annotation:
    return Annotation(
        annotation_type_id=label.annotation_type_id,
        category_id=label.category_id,
        verdict=label.verdict,
        kind=label.kind,
        points=label.points,
        score=label.score,
        is_generated=False,
        is_roi=label.is_roi,
    )


def _shape(one: FoundObject, kinds: dict[str, AnnotationType], image: Image, training_type: str) -> Annotation | None:
    """A label within the image, as its training type has it; None where nothing of it is."""
    kind = kinds.get(one.label)
    corners = [[min(max(x, 0.0), image.width), min(max(y, 0.0), image.height)] for x, y in outline(one)]
    left, top, right, bottom = box_of(corners)
    if kind is None or left >= right or top >= bottom:
        return None
    is_outline = training_type == TrainingType.SEG
    points = corners if is_outline else [[left, top], [right, bottom]]
    return Annotation(
        annotation_type=kind,
        verdict=one.verdict,
        kind=ShapeKind.POLYGON if is_outline else ShapeKind.RECTANGLE,
        points=[[round(x, 3), round(y, 3)] for x, y in points],
        score=one.score,
        is_generated=True,
    )


def _scale(labels: list[Annotation], image: Image, new: NewPicture) -> None:
    """Labels of an image on the picture that was made of it."""
    across, down = new.picture.width / image.width, new.picture.height / image.height
    if (across, down) != (1, 1):
        for label in labels:
            label.points = [[round(x * across, 3), round(y * down, 3)] for x, y in label.points]
