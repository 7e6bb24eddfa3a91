"""Reports of what was judged, not found: images into categories (CL), regions true or false (RC)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from datasets_app.models import ShapeKind
from models_app.models import FoundObject, Prediction, Validation
from models_app.reports.asked import Asked
from models_app.reports.counts import Matrix
from models_app.reports.parts import NEARLY, Report
from models_app.reports.reading import Answer, Answers, Region

VERDICTS = ("false", "true")


def categories(validation: Validation, asked: Asked, answers: Answers) -> Report:
    """CL. Worst: wrong ones, of these the surest; then right ones, of these the least sure."""
    report, matrix = Report(), Matrix(list(asked.classes))
    for answer in answers.in_order(asked):
        is_right = answer.truth == answer.predicted if answer.truth else None
        score = answer.score or 0.0
        report.predictions.append(
            Prediction(
                validation=validation,
                image=answer.row.image,
                truth=answer.truth,
                predicted=answer.predicted,
                score=answer.score,
                is_right=is_right,
                worst=1 + score if is_right is False else 1 - score,
            )
        )
        if answer.truth:
            matrix.add(answer.truth, answer.predicted)
    report.figures = _figures(validation, matrix, Counter(one.predicted for one in report.predictions))
    return report


def regions(validation: Validation, asked: Asked, answers: Answers) -> Report:
    """RC. Worst: the images with most wrong regions."""
    report, matrix = Report(), Matrix(list(VERDICTS))
    by_label = {code: Matrix(list(VERDICTS)) for code in asked.classes}
    said: Counter[str] = Counter()
    for answer in answers.in_order(asked):
        report.predictions.append(_of_regions(validation, answer))
        for region in answer.regions:
            report.found.append(_region(validation, answer, region))
            said[f"{region.label}: {_word(region.said)}"] += 1
            if region.truth is not None:
                for one in (matrix, by_label[region.label]):
                    one.add(_word(region.truth), _word(region.said))
    report.figures = _figures(validation, matrix, said)
    if validation.compares:
        report.figures["labels"] = [_of_label(code, one) for code, one in by_label.items() if one.objects]
    return report


def _figures(validation: Validation, matrix: Matrix, said: Counter[str]) -> dict[str, Any]:
    if not validation.compares:
        return {"said": dict(said.most_common())}
    figures = {"n": matrix.objects, "accuracy": matrix.accuracy, "macro_f1": matrix.macro_f1}
    return figures | {"matrix": matrix.as_json()}


def _of_label(code: str, matrix: Matrix) -> dict[str, Any]:
    """What is inspected, and how often it was judged right; `missed`: true ones that were said to be false."""
    cells = matrix.cells
    return {
        "label": code,
        "n": matrix.objects,
        "true": matrix.of_truth()["true"],
        "accuracy": matrix.accuracy,
        "macro_f1": matrix.macro_f1,
        "missed": cells["true", "false"],
        "false_alarms": cells["false", "true"],
    }


def _of_regions(validation: Validation, answer: Answer) -> Prediction:
    judged = [region.is_right for region in answer.regions if region.is_right is not None]
    wrong = [region.score for region in answer.regions if region.is_right is False]
    sure = [region.score for region in answer.regions]
    return Prediction(
        validation=validation,
        image=answer.row.image,
        score=min(sure, default=None),
        is_right=not wrong if judged else None,
        worst=len(wrong) + NEARLY * min(1.0, max(0.0, max(wrong) if wrong else 1 - min(sure, default=1.0))),
    )


def _region(validation: Validation, answer: Answer, region: Region) -> FoundObject:
    return FoundObject(
        validation=validation,
        image=answer.row.image,
        label=region.label,
        kind=ShapeKind.RECTANGLE,
        points=region.points,
        score=region.score,
        verdict=region.said,
        is_right=region.is_right,
    )


def _word(verdict: bool) -> str:
    return VERDICTS[verdict]
