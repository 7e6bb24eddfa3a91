"""What a kernel might answer: written into the run folder of a validation as the contract says, from what it was given.

validation, folder = answers.prepared(shop, shop.ready())
answers.boxes(folder, seed=3)
validation = answers.finished(validation)
"""

from __future__ import annotations

import random
from pathlib import Path

from django.utils import timezone

from datasets_app import importing
from datasets_app.formats import Source
from jobs import kinds, runfolder
from jobs.models import Job, State
from kernels_app.contract import data
from kernels_app.contract.data import Shape, ShapeSample
from kernels_app.contract.results import Detection, write_confusion, write_detections, write_summary
from models_app.models import Operation, TrainedModel, Validation
from models_app.orders import ValidationOrder
from projects_app.models import ModelType
from tests import fake_kernels
from tests.needs import real_data

DATASET, OUTPUT = runfolder.DATASET, runfolder.OUTPUT
QUICKSTART = {"CL": "cl_pcb", "RC": "rc_pcb", "OD": "od_bccd", "SEG": "seg_nuclei"}


def real_shop(shop_class, project, user, kind: str):
    """A shop on the quickstart data of a training type; its validation set is `val`, where there is none all of it."""
    options = importing.Options(rc_type="PCB_DEFECT", rc_false_labels=("ok",)) if kind == "RC" else importing.Options()
    source = Source(real_data(f"quickstart/{QUICKSTART[kind]}"))
    reading = importing.read(source, options)
    plan = importing.propose(project, QUICKSTART[kind], reading, options)
    found = {one.split: one for one in importing.commit(project, user, source, reading, plan)}
    model_type = ModelType.objects.get(project=project, training_type=kind)
    train, val = found.get("train") or found[""], found.get("val") or found[""]
    return shop_class(project, user, model_type, fake_kernels.register(kind), train, val)


def prepared(shop, model: TrainedModel, operation: str = Operation.VALIDATION, **changed) -> tuple[Validation, Path]:
    """A validation whose run folder is there, as its kernel finds it."""
    order = ValidationOrder(model, changed.pop("kernel", shop.kernel), [shop.val], operation, **changed)
    validation = order.start(shop.user)
    folder = runfolder.of(validation.job)
    kinds.get("validation").prepare(validation.job, folder, resume=False)
    return validation, folder


def finished(validation: Validation) -> Validation:
    """What the runner makes of the answers."""
    folder, kind = runfolder.of(validation.job), kinds.get("validation")
    assert kind.check(validation.job, folder) == []
    kind.finish(validation.job, folder)
    Job.objects.filter(pk=validation.job_id).update(state=State.SUCCEEDED, ended_at=timezone.now())
    return Validation.objects.get(pk=validation.pk)


# --- a kernel that is often, but not always, right --------------------------------------------------------------------


def categories(folder: Path, seed: int = 1) -> list[Detection]:
    draw, names = random.Random(seed), data.read_labels(folder / DATASET)
    found = []
    for sample in data.read_cl(folder / DATASET, "validation"):
        truth = names.index(sample.category)
        said = truth if draw.random() < 0.8 else draw.randrange(len(names))
        sure = round(draw.uniform(0.4, 1), 4)
        chances = tuple(sure if n == said else (1 - sure) / max(1, len(names) - 1) for n in range(len(names)))
        found.append(Detection(sample.path, truth, said, chances))
    _write_judged(folder / OUTPUT, names, found)
    return found


def regions(folder: Path, seed: int = 1) -> list[Detection]:
    draw, found = random.Random(seed), []
    for one in data.read_rc(folder / DATASET, "validation"):
        said = one.verdict if draw.random() < 0.85 else not one.verdict
        sure = round(draw.uniform(0.5, 1), 4)
        chances = (1 - sure, sure) if said else (sure, 1 - sure)
        box = (one.x, one.y, one.width, one.height)
        found.append(Detection(one.path, int(bool(one.verdict)), int(bool(said)), chances, box))
    _write_judged(folder / OUTPUT, ["false", "true"], found)
    return found


def _write_judged(output: Path, names: list[str], found: list[Detection]) -> None:
    matrix = [
        [sum(one.truth == t and one.predicted == p for one in found) for p in range(len(names))]
        for t in range(len(names))
    ]
    write_detections(output, found, classes=len(names))
    write_confusion(output, names, matrix)
    write_summary(output, [("accuracy", sum(one.truth == one.predicted for one in found) / len(found))])


def boxes(folder: Path, seed: int = 1, **summary: float) -> list[ShapeSample]:
    """Jittered boxes, some of another class, some missed, some out of nothing, some twice; equal scores among them."""
    draw, names = random.Random(seed), data.read_labels(folder / DATASET)
    made = []
    for sample in data.read_split_shapes(folder / DATASET, "validation"):
        found = []
        for shape in sample.shapes:
            for _time in range(draw.choice((0, 1, 1, 1, 1, 1, 1, 2))):
                label = shape.label if draw.random() < 0.85 else draw.choice(names)
                width = abs(shape.points[1][0] - shape.points[0][0])
                moved = tuple((x + draw.gauss(0, width / 12), y + draw.gauss(0, width / 12)) for x, y in shape.points)
                found.append(Shape(label, "rectangle", moved, isgenerated=True, score=round(draw.random(), 2)))
        for _time in range(draw.randrange(4)):
            x, y = draw.uniform(0, sample.width - 20), draw.uniform(0, sample.height - 20)
            corners = ((x, y), (x + 18, y + 18))
            found.append(
                Shape(draw.choice(names), "rectangle", corners, isgenerated=True, score=round(draw.random(), 2))
            )
        made.append(ShapeSample(sample.path, sample.image_id, sample.width, sample.height, tuple(found)))
    return _write_found(folder, made, summary)


def outlines(folder: Path, seed: int = 1, **summary: float) -> list[ShapeSample]:
    """Polygons moved by whole pixels, some missed, some out of nothing."""
    draw, names, made = random.Random(seed), data.read_labels(folder / DATASET), []
    for sample in data.read_split_shapes(folder / DATASET, "validation"):
        found = []
        for shape in sample.shapes:
            if draw.random() < 0.15:
                continue
            dx, dy = draw.randint(-2, 2), draw.randint(-2, 2)
            moved = tuple((x + dx, y + dy) for x, y in shape.points)
            found.append(Shape(shape.label, "polygon", moved, isgenerated=True, score=round(draw.random(), 3)))
        x, y = draw.randint(0, sample.width - 12), draw.randint(0, sample.height - 12)
        square = ((x, y), (x + 9, y), (x + 9, y + 9), (x, y + 9))
        found.append(Shape(draw.choice(names), "polygon", square, isgenerated=True, score=0.3))
        made.append(ShapeSample(sample.path, sample.image_id, sample.width, sample.height, tuple(found)))
    return _write_found(folder, made, summary)


def _write_found(folder: Path, made: list[ShapeSample], summary: dict[str, float]) -> list[ShapeSample]:
    (folder / OUTPUT / "annotations").mkdir(parents=True, exist_ok=True)
    for sample in made:
        data.write_shapes(folder / OUTPUT / "annotations", sample)
    write_summary(folder / OUTPUT, summary.items() or [("GT", 1)])
    return made
