"""Small labelled datasets, drawn here and imported as any others are."""

from __future__ import annotations

from pathlib import Path

from PIL import Image as Picture

from datasets_app import importing
from datasets_app.formats import Source
from datasets_app.models import Dataset
from datasets_app.records import ImageRecord, Reading, Shape
from projects_app.models import Project, User


def import_parts(
    project: Project, user: User, folder: Path, training_type: str = "CL", *, name: str = "parts", each: int = 2
) -> dict[str, Dataset]:
    """`parts-train` and `parts-val`, by split: `each` images of GOOD and of BAD; for OD with one box of that class, for
    SEG with its outline, for RC with a region that is false where it is GOOD."""
    records = []
    for split in ("train", "val"):
        for number in range(each):
            for code in ("GOOD", "BAD"):
                path = f"{split}/{code}-{number}.png"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                colour = (250 if code == "GOOD" else 20, 40 * number, 0 if split == "train" else 200)
                Picture.new("RGB", (40, 30), colour).save(folder / path)
                box = (_shape(code, training_type),) if training_type != "CL" else ()
                category = code if training_type == "CL" else None
                records.append(ImageRecord(path, category=category, shapes=box, labelled=True, split=split))
    reading = Reading("test", tuple(records), ("GOOD", "BAD"), is_classification=training_type == "CL")
    options = importing.Options(training_type=training_type)
    if training_type == "RC":
        options = importing.Options(rc_type="HAS_FAULT", rc_false_labels=("GOOD",))
    plan = importing.propose(project, name, reading, options)
    datasets = importing.commit(project, user, Source(folder), reading, plan)
    return {dataset.split: dataset for dataset in datasets}


def _shape(code: str, training_type: str) -> Shape:
    if training_type == "SEG":
        return Shape(code, "polygon", ((2, 3), (20, 3), (20, 18), (2, 18)))
    return Shape(code, "rectangle", ((2, 3), (20, 18)))
