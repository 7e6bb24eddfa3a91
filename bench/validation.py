"""A large validation: reading 5,000 images with 50,000 predictions, and its page."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from django.db import connection
from django.utils import timezone

from bench.portal import Portal
from bench.table import MeasurementFailed, Row, percentile
from datasets_app.models import Annotation, Dataset, Image, ShapeKind
from jobs import kinds, runfolder
from jobs.models import Job, State
from kernels_app.contract import data
from kernels_app.contract.data import Shape, ShapeSample
from kernels_app.contract.results import CHECKPOINT, write_summary
from models_app.models import FoundObject, TrainedModel, Validation
from projects_app.models import AnnotationType, ModelType

READ_GOAL, PAGE_GOAL = 20.0, 150.0  # s; ms, p95
IMAGES, FINDS = 5000, 10  # finds an image
SIDE = 320  # pixels
CLASSES = ("BENCH_A", "BENCH_B", "BENCH_C")


def run(portal: Portal) -> list[Row]:
    images = portal.options.count(IMAGES, 100)
    validation = _prepared(portal, images)
    folder, kind = runfolder.of(validation.job), kinds.get("validation")
    began, cpu = time.perf_counter(), time.process_time()
    complaints = kind.check(validation.job, folder)  # type: ignore[union-attr]
    kind.finish(validation.job, folder)  # type: ignore[union-attr]
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    Job.objects.filter(pk=validation.job_id).update(state=State.SUCCEEDED, ended_at=timezone.now())
    found = FoundObject.objects.filter(validation=validation).count()
    if complaints or found != images * FINDS:
        raise MeasurementFailed(f"{found} objects were read; {'; '.join(complaints)}")
    connection.close()
    pages = {
        "its page": "",
        "at another score": "?score=0.6",
        "a cell": "?truth=BENCH_A&predicted=BENCH_B",
        "cut out": "?view=crops",
    }
    rows = [
        Row(f"validation: read {images:,} images, {found:,} finds, dataset made", took, "s", READ_GOAL),
        Row("validation: CPU of that", cpu, "s"),
    ]
    for name, query in pages.items():
        rows.append(_page(portal, f"validations/{validation.pk}/{query}", name, PAGE_GOAL if not query else None))
    result = Validation.objects.values_list("result", flat=True).get(pk=validation.pk)
    rows.append(_page(portal, f"datasets/{result}/", "its dataset", PAGE_GOAL, b'id="gallery"'))
    return rows


def _page(portal: Portal, address: str, name: str, goal: float | None, shows: bytes = b'id="images"') -> Row:
    """The whole round trip over HTTP on this machine."""
    path, took = f"{portal.base}/{address}", []
    for n in range(portal.options.count(100, 10) + 3):
        began = time.perf_counter()
        answer = portal.browser.get(path)
        if n >= 3:  # templates are compiled by then
            took.append(1000 * (time.perf_counter() - began))
        if answer.status != 200 or shows not in answer.body:
            raise MeasurementFailed(f"{path} was answered with {answer.status}")
    return Row(f"validation: {name}, p95", percentile(took, 95), "ms", goal)


def _prepared(portal: Portal, images: int) -> Validation:
    """A finished detector, a dataset, and what a kernel would have written about it."""
    types = [
        AnnotationType.objects.create(project=portal.project, training_type="OD", code=code, name=code)
        for code in CLASSES
    ]
    model_type = ModelType.objects.create(project=portal.project, code="BENCH_OD", name="Bench", training_type="OD")
    for one in types:
        model_type.learn(one)
    dataset = _dataset(portal, types, images)
    job = _job(portal, "training", State.SUCCEEDED)
    model = TrainedModel.objects.create(
        project=portal.project, name="bench detector", model_type=model_type, kernel=portal.kernel,
        settings={"training_type": "OD", "model_type": "BENCH_OD", "training_params": {}}, classes=list(CLASSES),
        job=job,
    )  # fmt: skip
    (model.folder / CHECKPOINT).parent.mkdir(parents=True)
    (model.folder / CHECKPOINT).write_text("weights")
    validation = Validation.objects.create(
        project=portal.project, model=model, kernel=portal.kernel, job=_job(portal, "validation", State.FINALIZING)
    )
    validation.datasets.add(dataset)
    _write(validation, dataset)
    return validation


def _job(portal: Portal, kind: str, state: State) -> Job:
    at = timezone.now()
    return Job.objects.create(
        project=portal.project, kind=kind, title=kind, state=state, created_at=at, queued_at=at, started_at=at
    )


def _dataset(portal: Portal, types: list[AnnotationType], images: int) -> Dataset:
    """All of its images show the same picture, which costs no time; each has objects of its own."""
    draw, blob = random.Random(1), Image.objects.filter(dataset__project=portal.project).first().blob_id  # type: ignore[union-attr]
    dataset = Dataset.objects.create(project=portal.project, name="bench-large")
    made = Image.objects.bulk_create(
        Image(dataset=dataset, name=f"{n:05}.png", position=n, blob_id=blob, width=SIDE, height=SIDE, labelled_od=True)
        for n in range(images)
    )
    Annotation.objects.bulk_create(
        (
            Annotation(
                image=image, annotation_type=draw.choice(types), kind=ShapeKind.RECTANGLE,
                points=[list(point) for point in _box(draw)],
            )
            for image in made for _ in range(FINDS)
        ),
        batch_size=1000,
    )  # fmt: skip
    return dataset


def _box(draw: random.Random) -> tuple[tuple[float, float], tuple[float, float]]:
    x, y, side = draw.uniform(0, SIDE - 60), draw.uniform(0, SIDE - 60), draw.uniform(15, 60)
    return (round(x, 2), round(y, 2)), (round(x + side, 2), round(y + side, 2))


def _write(validation: Validation, dataset: Dataset) -> None:
    draw, output = random.Random(2), runfolder.of(validation.job) / runfolder.OUTPUT
    (output / "annotations").mkdir(parents=True)
    labels: dict[int, list[Annotation]] = {}
    for label in Annotation.objects.filter(image__dataset=dataset).select_related("annotation_type"):
        labels.setdefault(label.image_id, []).append(label)
    for pk, own in labels.items():
        path = str(runfolder.of(validation.job) / runfolder.DATASET / "images" / str(dataset.pk) / f"{pk}.png")
        data.write_shapes(output / "annotations", ShapeSample(path, str(pk), SIDE, SIDE, tuple(_finds(draw, own))))
    write_summary(output, [("mAP50", 0.5), ("min_score", 0.4), ("ref_IoU", 0.5)])


def _finds(draw: random.Random, labels: list[Annotation]) -> Iterator[Shape]:
    """Mostly the objects, jittered; some of another class, some out of nothing."""
    for label in labels:
        code, points = label.annotation_type.code if label.annotation_type else "", label.points
        jitter = draw.gauss(0, 3)
        moved = tuple((x + jitter, y + jitter) for x, y in points) if draw.random() < 0.85 else _box(draw)
        said = code if draw.random() < 0.9 else draw.choice(CLASSES)
        yield Shape(said, "rectangle", moved, isgenerated=True, score=round(draw.betavariate(4, 2), 4))
