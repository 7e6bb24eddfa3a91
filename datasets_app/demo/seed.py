"""The demo data: plates that the portal draws itself, with labels of every training type for the same images."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from datasets_app import importing
from datasets_app.demo.draw import GOOD, KINDS, Plate, plate
from datasets_app.formats.source import Source
from datasets_app.models import Dataset
from datasets_app.plans import LabelPlan, Plan
from datasets_app.records import ImageRecord, Reading, Shape
from projects_app.models import ModelType, Project, TrainingType, User

NAME = "plates"
SIZE = (320, 240)  # pixels
SPLITS = {"train": 160, "val": 40, "test": 40}  # plates
SEED = 20_000
_CATEGORIES = (GOOD, *KINDS)
_VERDICTS = {"faulty": True, "sound": False}
_FORMAT = "synthetic"


@dataclass(frozen=True)
class Drawn:
    """One plate, and where it was saved."""

    path: str
    split: str
    plate: Plate


def make_demo(project: Project, user: User | None) -> list[Dataset]:
    """The datasets `plates-train`, `plates-val`, `plates-test`, and model types PLATE_CL, _RC, _OD and _SEG.

    Datasets that are there already are taken as they are. Raises ImportRefused where only some of them are.
    """
    names = [f"{NAME}-{split}" for split in SPLITS]
    found = list(Dataset.objects.filter(project=project, name__in=names, is_synthetic=True).order_by("pk"))
    if len(found) == len(names):
        return found
    folder = settings.TRAINPORTAL_HOME / "tmp" / f"demo-{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        return _import(project, user, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _import(project: Project, user: User | None, folder: Path) -> list[Dataset]:
    drawn = list(_draw(folder))
    labellings = [_cl(drawn), _rc(drawn), *(_shapes(drawn, kind) for kind in (TrainingType.OD, TrainingType.SEG))]
    (reading, plan), *others = labellings
    datasets = importing.commit(project, user, Source(folder), reading, plan, also=others, is_synthetic=True)
    for _reading, made in labellings:
        name = _("Plates: %(type)s") % {"type": TrainingType(made.training_type).label}
        ModelType.objects.filter(project=project, code=made.model_type).update(name=name)
    return datasets


def _draw(folder: Path) -> Iterable[Drawn]:
    """Every other plate has one defect or none, in turn; those between have up to four of mixed kinds."""
    seed = SEED
    for split, count in SPLITS.items():
        for number in range(count):
            category = _CATEGORIES[number // 2 % len(_CATEGORIES)] if number % 2 else None
            drawn, path = plate(seed, size=SIZE, category=category), f"{split}/plate_{number + 1:03}.jpg"
            target = folder / path
            target.parent.mkdir(exist_ok=True)
            drawn.image.save(target, quality=92)
            yield Drawn(path, split, drawn)
            seed += 1


def _cl(drawn: list[Drawn]) -> tuple[Reading, Plan]:
    records = [ImageRecord(one.path, category=one.plate.category, labelled=True, split=one.split) for one in drawn]
    labels = tuple(LabelPlan(category, 0, category) for category in _CATEGORIES)
    plan = Plan(NAME, TrainingType.CL, labels=labels, question="plate", model_type="PLATE_CL")
    return Reading(_FORMAT, tuple(records), _CATEGORIES, is_classification=True), plan


def _rc(drawn: list[Drawn]) -> tuple[Reading, Plan]:
    records = []
    for one in drawn:
        shapes = []
        for region in one.plate.regions:
            x, y, width, height = region.box
            label = "faulty" if region.verdict else "sound"
            shapes.append(Shape(label, "rectangle", ((x, y), (x + width, y + height))))
        records.append(_record(one, shapes))
    labels = tuple(LabelPlan(label, 0, "BOLT_HOLE", verdict) for label, verdict in _VERDICTS.items())
    plan = Plan(NAME, TrainingType.RC, chosen=True, labels=labels, question="BOLT_HOLE", model_type="PLATE_RC")
    return Reading(_FORMAT, tuple(records), tuple(_VERDICTS)), plan


def _shapes(drawn: list[Drawn], kind: TrainingType) -> tuple[Reading, Plan]:
    """Boxes for OD, outlines for SEG, of the same defects."""
    records = []
    for one in drawn:
        shapes = [
            Shape(defect.kind, "rectangle", (defect.box[:2], defect.box[2:]))
            if kind == TrainingType.OD
            else Shape(defect.kind, "polygon", defect.polygon)
            for defect in one.plate.defects
        ]
        records.append(_record(one, shapes))
    labels = tuple(LabelPlan(defect, 0, f"{kind}_{defect.upper()}") for defect in KINDS)
    plan = Plan(NAME, kind, chosen=True, labels=labels, model_type=f"PLATE_{kind}")
    return Reading(_FORMAT, tuple(records), KINDS), plan


def _record(one: Drawn, shapes: list[Shape]) -> ImageRecord:
    return ImageRecord(one.path, shapes=tuple(shapes), labelled=True, split=one.split)
