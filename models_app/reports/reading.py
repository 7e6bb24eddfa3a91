"""Reads what a kernel left, whatever kernel it is: one answer an image. What is wrong is named with its place, and the
rest counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from datasets_app.models import Annotation
from datasets_app.rows import Row
from kernels_app.contract import ContractError, results
from kernels_app.contract.data import Shape
from kernels_app.contract.results import Detection, Fault
from models_app.reports.asked import Asked, code_of
from models_app.reports.matching import box_of, box_overlap

SAME_REGION = 0.9  # IoU from which on a row of `detections.csv` speaks of a region: kernels round
DETECTIONS = "detections.csv"


@dataclass(frozen=True)
class Region:
    """A region of RC that was judged: what was inspected, what is so, what was said, how sure."""

    label: str
    truth: bool | None
    said: bool
    score: float
    points: list[list[float]]

    @property
    def is_right(self) -> bool | None:
        return None if self.truth is None else self.truth == self.said


@dataclass
class Answer:
    """What a kernel said of one image. CL: `truth`, `predicted`, `score`. RC: `regions`. OD, SEG: `shapes`."""

    row: Row
    truth: str = ""
    predicted: str = ""
    score: float | None = None
    regions: list[Region] = field(default_factory=list)
    shapes: tuple[Shape, ...] = ()


@dataclass
class Answers:
    """By image, in the order asked. `differing`: rows whose y is another than the label, which counts."""

    by_image: dict[int, Answer] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    unanswered: list[Row] = field(default_factory=list)
    differing: list[Detection] = field(default_factory=list)

    def in_order(self, asked: Asked) -> Iterator[Answer]:
        return (self.by_image[pk] for pk in asked.rows if pk in self.by_image)


def shapes(output: Path, asked: Asked) -> Answers:
    """OD, SEG: `annotations/*.json`."""
    made = Answers()
    samples, unreadable = results.read_annotations(output)
    made.faults += unreadable
    for sample in samples:
        row = asked.find(sample.path, sample.image_id)
        if row is None:
            made.faults.append(Fault(f"{sample.image_id}.json", "is about an image that was not asked for"))
        elif row.image.pk in made.by_image:
            made.faults.append(
                Fault(f"{sample.image_id}.json", f"{row.image.name} has a file already: that one counts")
            )
        else:
            found = tuple(shape for shape in sample.shapes if not shape.isroi)
            made.by_image[row.image.pk] = Answer(row, shapes=found)
    return _complete(made, asked)


def categories(output: Path, asked: Asked) -> Answers:
    """CL: `detections.csv`, a row an image."""
    made = Answers()
    for row, seen in _detections(output, asked, made, has_box=False):
        answer = Answer(row, predicted=asked.classes[seen.predicted], score=seen.probabilities[seen.predicted])
        answer.truth = next((code_of(one) for one in asked.labels(row)), "")
        if seen.truth is not None and answer.truth and asked.classes[seen.truth] != answer.truth:
            made.differing.append(seen)
        made.by_image[row.image.pk] = answer  # of several rows the last counts
    return _complete(made, asked)


def regions(output: Path, asked: Asked) -> Answers:
    """RC: `detections.csv`, a row a region; which label is inspected there, its box says."""
    made = Answers()
    waiting: dict[int, list[Annotation]] = {}
    for row, seen in _detections(output, asked, made, has_box=True):
        if row.image.pk not in waiting:
            waiting[row.image.pk] = asked.labels(row)
        label = _region_of(seen, waiting[row.image.pk])
        if label is None:
            text = f"line {seen.line}: {row.image.name} has no such region, or it has a row already"
            made.faults.append(Fault(DETECTIONS, text))
            continue
        waiting[row.image.pk].remove(label)
        truth = label.verdict if asked.compares else None
        if seen.truth is not None and truth is not None and bool(seen.truth) != truth:
            made.differing.append(seen)
        said = Region(code_of(label), truth, bool(seen.predicted), seen.probabilities[seen.predicted], label.points)
        made.by_image.setdefault(row.image.pk, Answer(row)).regions.append(said)
    return _complete(made, asked)


def _region_of(seen: Detection, labels: list[Annotation]) -> Annotation | None:
    if seen.box is None or not labels:
        return None
    x, y, width, height = seen.box
    overlap = box_overlap([(x, y, x + width, y + height)], [box_of(one.points) for one in labels])[0]
    best = int(overlap.argmax())
    return labels[best] if overlap[best] >= SAME_REGION else None


def _detections(output: Path, asked: Asked, made: Answers, *, has_box: bool) -> Iterator[tuple[Row, Detection]]:
    """The rows that speak of an image that was asked for; the others are faults."""
    try:
        rows, unreadable = results.read_detections(
            output / DETECTIONS, classes=2 if has_box else len(asked.classes), has_box=has_box
        )
    except ContractError as error:
        made.faults.append(Fault(DETECTIONS, str(error)))
        return
    made.faults += unreadable
    for seen in rows:
        if row := asked.find(seen.filename):
            yield row, seen
        else:
            text = f"line {seen.line}: {seen.filename}: is about an image that was not asked for"
            made.faults.append(Fault(DETECTIONS, text))


def _complete(made: Answers, asked: Asked) -> Answers:
    made.unanswered = [row for pk, row in asked.rows.items() if pk not in made.by_image]
    return made
