"""Reads what a validation left into rows: the summary, and one prediction an image. Any kernel's files are read; what
is wrong with one is kept as a fault with its place, and the rest counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import transaction

from datasets_app.models import Image
from kernels_app.contract import ContractError, results
from kernels_app.contract.data import Shape, ShapeSample
from kernels_app.contract.results import Detection, Fault
from models_app.models import Prediction, Validation
from projects_app.models import TrainingType

FAULT_LIMIT = 200  # kept; more of them say nothing new


def store(validation: Validation, output: Path, dataset: Path) -> None:
    """Store summary and predictions, in place of what an earlier try stored."""
    faults: list[Fault] = []
    found = list(_predictions(validation, output, dataset, faults))
    with transaction.atomic():
        validation.predictions.all().delete()
        Prediction.objects.bulk_create(found, batch_size=1000)
        validation.summary = _summary(output, faults)
        validation.faults = [{"file": fault.file, "reason": fault.reason} for fault in faults[:FAULT_LIMIT]]
        validation.save(update_fields=["summary", "faults"])


def _summary(output: Path, faults: list[Fault]) -> dict[str, Any]:
    try:
        return results.read_summary(output)
    except ContractError as error:
        faults.append(Fault("summary.csv", str(error)))
        return {}


def _predictions(validation: Validation, output: Path, dataset: Path, faults: list[Fault]) -> Iterator[Prediction]:
    if validation.model.model_type.training_type in (TrainingType.OD, TrainingType.SEG):
        return _shapes(validation, output, faults)
    return _detections(validation, output, dataset, faults)


def _shapes(validation: Validation, output: Path, faults: list[Fault]) -> Iterator[Prediction]:
    samples, unreadable = results.read_annotations(output)
    faults += unreadable
    images = Image.objects.filter(dataset__validations=validation).values_list("pk", flat=True)
    known = {str(image): image for image in images}
    for sample in samples:
        if sample.image_id not in known:
            faults.append(Fault(f"{sample.image_id}.json", "is about an image that was not asked for"))
            continue
        yield Prediction(
            validation=validation, image_id=known[sample.image_id], score=_best(sample), objects_found=_objects(sample)
        )


def _best(sample: ShapeSample) -> float | None:
    return max((shape.score for shape in sample.shapes if shape.score is not None), default=None)


def _objects(sample: ShapeSample) -> list[dict[str, Any]]:
    return [_object(shape) for shape in sample.shapes if not shape.isroi]


def _object(shape: Shape) -> dict[str, Any]:
    return {
        "label": shape.label,
        "kind": shape.shape_type,
        "points": [list(p) for p in shape.points],
        "score": shape.score,
    }


def _detections(validation: Validation, output: Path, dataset: Path, faults: list[Fault]) -> Iterator[Prediction]:
    is_rc = validation.model.model_type.training_type == TrainingType.RC
    names = ["false", "true"] if is_rc else list(validation.model.classes)
    try:
        rows, unreadable = results.read_detections(output / "detections.csv", classes=len(names), has_box=is_rc)
    except ContractError as error:
        faults.append(Fault("detections.csv", str(error)))
        return
    faults += unreadable
    images = _images_by_path(validation, dataset)
    by_image: dict[int, list[Detection]] = {}
    for row in rows:
        image = images.get(row.filename)
        if image is None:
            faults.append(Fault("detections.csv", f"{row.filename}: is about an image that was not asked for"))
        else:
            by_image.setdefault(image, []).append(row)
    for image, found in by_image.items():
        yield _regions(validation, image, found, names) if is_rc else _category(validation, image, found[-1], names)


def _category(validation: Validation, image: int, row: Detection, names: list[str]) -> Prediction:
    return Prediction(
        validation=validation,
        image_id=image,
        truth="" if row.truth is None else names[row.truth],
        predicted=names[row.predicted],
        score=row.probabilities[row.predicted],
        is_right=None if row.truth is None else row.truth == row.predicted,
    )


def _regions(validation: Validation, image: int, rows: list[Detection], names: list[str]) -> Prediction:
    objects = [
        {
            "label": names[row.predicted],
            "kind": "rectangle",
            "points": [list(row.box[:2]), [row.box[0] + row.box[2], row.box[1] + row.box[3]]],
            "score": row.probabilities[row.predicted],
            "truth": None if row.truth is None else names[row.truth],
        }
        for row in rows
        if row.box is not None
    ]
    judged = [row for row in rows if row.truth is not None]
    is_right = all(row.truth == row.predicted for row in judged) if judged else None
    return Prediction(validation=validation, image_id=image, is_right=is_right, objects_found=objects)


def _images_by_path(validation: Validation, dataset: Path) -> dict[str, int]:
    """Images by every name a kernel may give them: the path it was given, or that path below `images/`."""
    found: dict[str, int] = {}
    rows = Image.objects.filter(dataset__validations=validation).values_list("pk", "dataset_id", "name")
    for pk, dataset_id, name in rows:
        short = f"{dataset_id}/{name}"
        found |= {str(dataset / "images" / short): pk, f"images/{short}": pk, short: pk}
    return found
