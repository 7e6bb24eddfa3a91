"""What a validation asked of a kernel, and which image a result speaks of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from datasets_app import kernel_view
from datasets_app.models import Annotation
from datasets_app.rows import Row
from models_app.models import Validation
from projects_app.models import TrainingType


@dataclass
class Asked:
    """The images, by id, in the order that the kernel got them; `classes`: those that the model was trained with.

    `compares`: their labels were given along, as the truth.
    """

    rows: dict[int, Row]
    classes: list[str]
    training_type: TrainingType
    compares: bool
    by_path: dict[str, int] = field(default_factory=dict)
    by_stem: dict[str, int] = field(default_factory=dict)  # where only one image has it

    def find(self, path: str, image_id: str = "") -> Row | None:
        """The image that a result names: by the path it was given, by that path below `images/`, or by its id.

        In inference an id is what a kernel made up, mostly the file's name: the path says more.
        """
        pk = self.by_path.get(path)
        if pk is None and image_id.isascii() and image_id.isdigit() and len(image_id) < 19:
            pk = int(image_id)
        if pk not in self.rows:
            pk = self.by_stem.get(image_id)
        return self.rows.get(pk) if pk is not None else None

    def labels(self, row: Row) -> list[Annotation]:
        """Those that the kernel was given with this image: the truth; for RC in inference the regions to judge."""
        known = [one for one in row.labels if not one.is_roi and code_of(one) in self.classes]
        if self.training_type == TrainingType.RC:
            return [one for one in known if one.verdict is not None or not self.compares]
        return known if self.compares else []


def code_of(label: Annotation) -> str:
    """The class of a label as kernels see it."""
    if label.category:
        return label.category.code
    return label.annotation_type.code if label.annotation_type else ""


def of(validation: Validation, dataset: Path) -> Asked:
    """`dataset`: the `dataset_path` that the kernel was given."""
    model, training_type = validation.model, validation.training_type
    found = kernel_view.complete_rows(
        validation.datasets.all(),
        model.model_type,
        model.settings.get("trainable_image_type", []),
        only_labelled=validation.compares,
        snapshot=validation.snapshot,
    )
    asked = Asked({}, list(model.classes), training_type, validation.compares)
    needs_label = training_type == TrainingType.RC or (training_type == TrainingType.CL and validation.compares)
    asked.rows = {row.image.pk: row for row in found if asked.labels(row) or not needs_label}
    stems = Counter(Path(row.image.name).stem for row in found)
    for pk, row in asked.rows.items():
        for name in (row.image.name, *(sibling.name for sibling in row.siblings)):
            short = f"{row.image.dataset_id}/{name}"
            places = (str(dataset / "images" / short), f"images/{short}", short)
            asked.by_path.update(dict.fromkeys(places, pk))
        if stems[Path(row.image.name).stem] == 1:
            asked.by_stem[Path(row.image.name).stem] = pk
    return asked
