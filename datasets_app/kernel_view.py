"""What a kernel sees of datasets: the contract's `dataset_path`.

Images get their own names again below `images/<dataset id>/`: second names of the kept files (read-only), so that a
thousand images take no room and next to no time.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from datasets_app.models import Annotation, Blob, Dataset, Image, ImageFile, Snapshot
from datasets_app.rows import Row
from datasets_app.seen_rows import as_seen
from kernels_app.contract import data
from projects_app.models import ModelType, TrainingType


def write_dataset(
    folder: Path,
    model_type: ModelType,
    *,
    classes: list[str],
    train: Iterable[Dataset],
    validation: Iterable[Dataset],
    image_types: Iterable[str] = (),
    snapshot: Snapshot | None = None,
) -> None:
    """Write `label.txt`, the images, and what `snapshot` says of them, into `train/` and `validation/`.

    `classes` is the class list of the model, which a model type may have outgrown: other labels are left out. So are
    images nobody labelled, and those that lack a sibling of `image_types`. Writing again over an earlier try is fine.
    """
    data.write_labels(folder, classes)
    view = View(folder, set(classes), tuple(image_types))
    for split, datasets in (("train", list(train)), ("validation", list(validation))):
        if datasets:
            found = complete_rows(datasets, model_type, view.image_types, snapshot=snapshot)
            _WRITERS[TrainingType(model_type.training_type)](view, split, found)


def write_inputs(
    folder: Path,
    model_type: ModelType,
    *,
    classes: list[str],
    datasets: Iterable[Dataset],
    image_types: Iterable[str] = (),
    snapshot: Snapshot | None = None,
) -> None:
    """Write `label.txt`, the images and `files.txt`, for a model to label them; for RC every region that is drawn."""
    data.write_labels(folder, classes)
    view = View(folder, set(classes), tuple(image_types))
    is_rc = model_type.training_type == TrainingType.RC
    found = complete_rows(datasets, model_type, view.image_types, only_labelled=False, snapshot=snapshot)
    samples: list[data.ClSample | data.RcSample] = []
    for row in found:
        path = view.place(row)
        samples += view.regions(row, path, judged=False) if is_rc else [data.ClSample(path)]
    data.write_files(folder, samples)


def complete_rows(
    datasets: Iterable[Dataset],
    model_type: ModelType,
    image_types: Iterable[str] = (),
    *,
    only_labelled: bool = True,
    snapshot: Snapshot | None = None,
) -> list[Row]:
    """The images that a run sees: those that have a picture of every image type that it asks for."""
    suffixes, found = tuple(image_types), as_seen(snapshot, datasets, model_type, only_labelled=only_labelled)
    return [row for row in found if _is_complete(row, suffixes)]


def _is_complete(row: Row, suffixes: tuple[str, ...]) -> bool:
    names = (row.image.name, *(sibling.suffix for sibling in row.siblings))
    return all(any(name.endswith(suffix) for name in names) for suffix in suffixes)


@dataclass
class View:
    """Where the images of one run lie."""

    folder: Path
    classes: set[str]
    image_types: tuple[str, ...] = ()
    _made: set[Path] = field(default_factory=set)

    def place(self, row: Row) -> str:
        """Give the image and its siblings their places; the absolute path of the image."""
        root = self.folder / "images" / str(row.image.dataset_id)
        path = self._link(row.image, root / row.image.name)
        for sibling in row.siblings:
            self._link(sibling, root / sibling.name)
        return str(path.absolute())

    def regions(self, row: Row, path: str, *, judged: bool) -> Iterator[data.RcSample]:
        """The regions of an image, with the verdict where it is `judged` and not asked for."""
        for label in row.labels:
            if label.is_roi or _code(label) not in self.classes or (judged and label.verdict is None):
                continue
            (left, top), (right, bottom) = label.points
            verdict = label.verdict if judged else None
            yield data.RcSample(path, _code(label), verdict, left, top, right - left, bottom - top)

    def _link(self, holder: Image | ImageFile, target: Path) -> Path:
        source = Blob(sha256=holder.blob_id).path  # without asking the database for a blob an image
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        for put in (os.link, os.symlink, shutil.copyfile):
            try:
                put(source, target)
            except FileExistsError:
                return target
            except OSError as error:
                if put is shutil.copyfile or isinstance(error, FileNotFoundError):
                    raise
            else:
                return target
        return target


def _write_cl(view: View, split: str, found: list[Row]) -> None:
    samples = []
    for row in found:
        category = next((one.category.code for one in row.labels if one.category), "")
        if category in view.classes:
            samples.append(data.ClSample(view.place(row), category))
    data.write_cl(view.folder, split, samples)


def _write_rc(view: View, split: str, found: list[Row]) -> None:
    samples = [sample for row in found for sample in view.regions(row, view.place(row), judged=True)]
    data.write_rc(view.folder, split, samples)


def _write_shapes(view: View, split: str, found: list[Row]) -> None:
    folder = view.folder / split
    folder.mkdir(parents=True, exist_ok=True)
    for row in found:
        image = row.image
        shapes = tuple(_shape(one) for one in row.labels if one.is_roi or _code(one) in view.classes)
        data.write_shapes(folder, data.ShapeSample(view.place(row), str(image.pk), image.width, image.height, shapes))


def _shape(label: Annotation) -> data.Shape:
    points = tuple((float(x), float(y)) for x, y in label.points)
    return data.Shape(_code(label), label.kind, points, label.is_generated, label.is_roi, label.score)


def _code(label: Annotation) -> str:
    return label.annotation_type.code if label.annotation_type else "ROI"


_WRITERS: dict[TrainingType, Callable[[View, str, list[Row]], None]] = {
    TrainingType.CL: _write_cl,
    TrainingType.RC: _write_rc,
    TrainingType.OD: _write_shapes,
    TrainingType.SEG: _write_shapes,
}
