"""What the preview of an import shows, as JSON: counted once when the upload is read, not on each look."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import Any

from django.utils.translation import gettext as _

from datasets_app import formats
from datasets_app.formats import remarks
from datasets_app.formats.safe_files import UnreadableFile
from datasets_app.formats.source import Source
from datasets_app.parts import group, plan_problems
from datasets_app.plans import ImportRefused, Plan, possible_types, shape_counts
from datasets_app.problems import grouped
from datasets_app.records import ImageRecord, Problem, Reading
from kernels_app.contract.files import is_text

FIRST = 12  # images shown
_SHAPES = 200  # of one shown image


def with_unreadable(source: Source, reading: Reading) -> Reading:
    """The reading, with a problem for each picture whose header cannot be read. Raises ImportRefused if none can."""
    known = {problem.path for problem in reading.problems if problem.code == "unreadable_image"}
    found = [Problem(image.path, "not_an_image") for image in reading.images if not _has_size(source, image.path)]
    if len(found) == len(reading.images):
        raise ImportRefused(("images", _("None of the %(count)d images can be read.") % {"count": len(found)}))
    more = (*(one for one in found if one.path not in known), *remarks.of_files(source))
    return replace(reading, problems=(*reading.problems, *more))


def of(source: Source, reading: Reading, plan: Plan) -> dict[str, Any]:
    """Everything the preview page needs to know of the reading."""
    parts = group(reading, plan.image_types)
    labelled = [image for image in reading.images if image.labelled]
    problems = [*reading.problems, *parts.problems, *plan_problems(reading, plan)]
    found = {
        "format": reading.format,
        "notes": reading.notes,
        "candidates": [asdict(one) | {"fits": one.fits} for one in formats.detect(source)],
        "images": len(parts.parts),
        "siblings": sum(len(part.siblings) for part in parts.parts),
        "labelled": len(labelled),
        "unlabelled": len(reading.images) - len(labelled),
        "empty": sum(not image.shapes for image in labelled) if not reading.is_classification else 0,
        "missing": sum(problem.code == "image_missing" for problem in reading.problems),
        "shapes": dict(shape_counts(reading)),
        "splits": dict(Counter(part.record.split for part in parts.parts)),
        "training_types": list(
            dict.fromkeys(str(kind) for one in (reading, *reading.also) for kind in possible_types(one))
        ),
        "with_meta": sum(bool(image.meta) for image in reading.images),
        "problems": [asdict(one) | {"sentence": ""} for one in grouped(problems)],
        "first": _first(source, [part.record for part in parts.parts]),
    }
    kept: dict[str, Any] = _storable(found)
    return kept


def _storable(value: Any) -> Any:
    """The same, with U+FFFD for what no database takes: a problem quotes whatever stood in the file."""
    if isinstance(value, str):
        return value if is_text(value) else "".join(one if is_text(one) else "\ufffd" for one in value)
    if isinstance(value, dict):
        return {_storable(key): _storable(part) for key, part in value.items()}
    return [_storable(part) for part in value] if isinstance(value, list | tuple) else value


def _first(source: Source, records: list[ImageRecord]) -> list[dict[str, Any]]:
    """The first readable images, those with labels before those without."""
    shown: list[dict[str, Any]] = []
    for record in sorted(records, key=lambda record: not record.labelled):
        if len(shown) == FIRST:
            break
        try:
            width, height = source.size(record.path)
        except UnreadableFile:
            continue
        shapes = [
            {"label": shape.label, "kind": shape.kind, "points": shape.points, "is_roi": shape.is_roi}
            for shape in record.shapes[:_SHAPES]
        ]
        facts = {"path": record.path, "width": width, "height": height, "category": record.category}
        shown.append(facts | {"shapes": shapes, "is_labelled": record.labelled})
    return shown


def _has_size(source: Source, image: str) -> bool:
    try:
        source.size(image)
    except UnreadableFile:
        return False
    return True
