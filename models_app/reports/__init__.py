"""What a validation left becomes rows and figures. Any kernel's files are read; what is wrong with one is kept as a
fault with its place, and the rest counts.

`figures` of a validation, computed from the objects and named as in the contract's summary: CL, RC `accuracy`,
`macro_f1`; OD `mAP50`, `mAP`; SEG `IoU`, `mIoU`, `PREC`, `RECL` of pixels; OD, SEG `GT`, `TP`, `FP`, `FN` at the score
`min_score` and the overlap `ref_IoU`. Also `n` (how much was judged), `matrix` (counts.Matrix), `classes` or `labels`
(a row each), `said` (what an inference said how often), `unanswered`, `differing` (how many, and where first).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import transaction

from datasets_app import bulk
from kernels_app.contract import ContractError, results
from kernels_app.contract.results import Fault
from models_app.models import FoundObject, Operation, Prediction, TruthObject, Validation
from models_app.reports import asked, found, judged, reading
from models_app.reports.asked import Asked
from models_app.reports.counts import Matrix
from models_app.reports.parts import Report
from models_app.reports.reading import Answers
from projects_app.models import TrainingType

FAULT_LIMIT = 200  # kept; more of them say nothing new
NAMED = 20  # images without an answer
_ROWS = 2000  # rows a statement, at most

_MAKERS = {
    TrainingType.CL: (reading.categories, judged.categories),
    TrainingType.RC: (reading.regions, judged.regions),
    TrainingType.OD: (reading.shapes, found.shapes),
    TrainingType.SEG: (reading.shapes, found.shapes),
}


def store(validation: Validation, output: Path, dataset: Path) -> tuple[Asked, Report]:
    """Store figures, predictions and objects, in place of what an earlier try stored."""
    question = asked.of(validation, dataset)
    faults: list[Fault] = []
    validation.summary = _summary(output, faults)
    is_judged = validation.operation != Operation.PREPROCESSING
    report = _report(validation, output, question) if is_judged else Report()
    faults += report.faults
    validation.figures = report.figures
    validation.faults = [{"file": fault.file, "reason": fault.reason} for fault in faults[:FAULT_LIMIT]]
    with transaction.atomic():
        drop_rows(validation)
        Prediction.objects.bulk_create(report.predictions, batch_size=_ROWS)
        _insert_objects(validation, report)
        validation.save(update_fields=["summary", "figures", "faults"])
    return question, report


def _insert_objects(validation: Validation, report: Report) -> None:
    """Ids only grow, so they come back in the order in which the rows were written."""
    bulk.insert(report.truth)
    ids = TruthObject.objects.filter(validation=validation).order_by("pk").values_list("pk", flat=True)
    for one, pk in zip(report.truth, ids, strict=True):
        one.pk = pk
    for found_one in report.found:
        found_one.truth_id = found_one.truth.pk if found_one.truth else None
    bulk.insert(report.found)


def drop_rows(validation: Validation) -> None:
    """Free what is stored by image and by object."""
    for rows in (FoundObject, TruthObject, Prediction):
        rows.objects.filter(validation=validation).delete()


def _report(validation: Validation, output: Path, question: Asked) -> Report:
    read, make = _MAKERS[validation.training_type]
    answers = read(output, question)
    report = make(validation, question, answers)
    report.faults, report.unanswered = answers.faults, answers.unanswered
    if validation.compares and validation.finds_shapes:
        report.figures |= _at_score(report.figures, only_counts=validation.training_type == TrainingType.SEG)
    report.figures |= _remarks(question, answers)
    return report


def _at_score(figures: dict[str, Any], *, only_counts: bool) -> dict[str, Any]:
    """How many objects were found; precision and recall of SEG are of its pixels."""
    matrix = Matrix.from_json(figures["matrix"])
    right, objects, said = matrix.right, matrix.objects, matrix.predictions
    counts: dict[str, Any] = {"GT": objects, "TP": right, "FP": said - right, "FN": objects - right}
    if only_counts:
        return counts
    return counts | {"PREC": right / said if said else None, "RECL": right / objects if objects else None}


def _remarks(question: Asked, answers: Answers) -> dict[str, Any]:
    """What is odd about the answers, though each can be read."""
    found: dict[str, Any] = {"images": len(question.rows)}
    if answers.unanswered:
        names = [row.image.name for row in answers.unanswered[:NAMED]]
        found["unanswered"] = {"count": len(answers.unanswered), "names": names}
    if answers.differing:
        found["differing"] = {"count": len(answers.differing), "line": answers.differing[0].line}
    return found


def _summary(output: Path, faults: list[Fault]) -> dict[str, Any]:
    try:
        return results.read_summary(output)
    except ContractError as error:
        faults.append(Fault("summary.csv", str(error)))
        return {}
