"""LabelMe JSON: one file an image, usually beside it."""

from __future__ import annotations

import posixpath
from typing import Any

from datasets_app.formats.candidate import Candidate
from datasets_app.formats.collect import Collector, Entry
from datasets_app.formats.geometry import BadShape, bounds, circle, number, points
from datasets_app.formats.safe_files import read_json
from datasets_app.formats.source import Source
from datasets_app.formats.verdicts import verdict_of
from datasets_app.records import Point, Reading, Shape
from kernels_app.contract.files import is_text

NAME = "labelme_json"
TITLE = "LabelMe JSON"


def match(source: Source) -> Candidate:
    files = len(source.kinds.of(NAME))
    reason = f"{files} LabelMe JSON files" if files else "no JSON file with shapes was found"
    return Candidate(NAME, TITLE, files, f"{TITLE}: {reason}")


def read(source: Source) -> Reading:
    """Rectangles, polygons and circles; other shapes are counted as problems."""
    collector, entries = Collector(source), []
    notes: dict[str, str] = {}
    for path in source.kinds.of(NAME):
        document = read_json(source.annotation_path(path))
        notes.setdefault("tool", "labelme")
        notes.setdefault("version", str(document.get("version") or ""))
        entries.append(_entry(path, document, collector))
    collector.add(entries)
    return collector.reading(NAME, collector.labels(), notes)


def _entry(path: str, document: dict[str, Any], collector: Collector) -> Entry:
    return Entry(path, _names(path, document), tuple(_shapes(path, document, collector)), _size(document))


def _names(path: str, document: dict[str, Any]) -> tuple[str, ...]:
    """imagePath is relative to the file, but often of another computer: then the file's own stem counts."""
    folder, own = posixpath.dirname(path), posixpath.splitext(path)[0]
    stated = document.get("imagePath")
    if not isinstance(stated, str) or not stated.strip():
        return (own,)
    stated = stated.strip().replace("\\", "/")
    return posixpath.normpath(posixpath.join(folder, stated)), stated, own


def _size(document: dict[str, Any]) -> tuple[float, float] | None:
    try:
        return number(document.get("imageWidth")), number(document.get("imageHeight"))
    except BadShape:
        return None  # older versions do not state it


def _shapes(path: str, document: dict[str, Any], collector: Collector) -> list[Shape]:
    shapes = []
    for position, raw in enumerate(document["shapes"], 1):
        try:
            shapes.append(_shape(raw))
        except BadShape as error:
            collector.problem(path, error.code, _name_shape(position, raw))
    return shapes


def _name_shape(position: int, raw: Any) -> str:
    if not isinstance(raw, dict):
        return f"shape {position}"
    return f"shape {position}, {raw.get('shape_type') or 'polygon'} {str(raw.get('label', ''))[:100]!r}"


def _shape(raw: Any) -> Shape:
    """One shape, not yet checked against the image; raises BadShape."""
    if not isinstance(raw, dict):
        raise BadShape("bad_shape")
    kind, corners = _outline(raw.get("shape_type") or "polygon", raw.get("points"))
    label = str(raw.get("label") if raw.get("label") is not None else "").strip()
    is_roi = bool(raw.get("isroi"))
    if not label and not is_roi:
        raise BadShape("no_label")
    if not is_text(label):
        raise BadShape("bad_label")
    generated = bool(raw.get("isgenerated"))
    verdict = verdict_of(raw.get("flags"))
    return Shape(label, kind, corners, _score(raw), is_generated=generated, is_roi=is_roi, verdict=verdict)


def _outline(kind: Any, values: Any) -> tuple[str, tuple[Point, ...]]:
    """Our kind and the points of a LabelMe shape type; raises BadShape."""
    if kind not in ("rectangle", "polygon", "circle"):
        raise BadShape("unsupported_shape")
    corners = points(values)
    if kind == "polygon":
        return kind, corners
    if len(corners) < 2:
        raise BadShape("too_few_points")
    if kind == "circle":
        return "polygon", circle(corners[0], corners[1])
    return kind, bounds(corners)  # two corners in any order, or (newer tools) all four


def _score(raw: dict[str, Any]) -> float | None:
    """0..1, or None where there is none or none that makes sense."""
    try:
        score = number(raw.get("score"))
    except BadShape:
        return None
    return score if 0 <= score <= 1 else None
