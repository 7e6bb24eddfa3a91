"""Reports of what was found: boxes (OD) and outlines (SEG), each with a score."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from datasets_app.models import ShapeKind
from models_app.models import FoundObject, Prediction, TruthObject, Validation
from models_app.reports import parts
from models_app.reports.asked import Asked, code_of
from models_app.reports.counts import NOTHING, Matrix
from models_app.reports.matching import SURE, Ranking, Scene, best_score, box_of, box_overlap
from models_app.reports.parts import NEARLY, Report
from models_app.reports.reading import Answer, Answers
from projects_app.models import TrainingType

if TYPE_CHECKING:
    from models_app.reports.pixels import Pixels

USUAL = 0.5  # the score from which on an object of OD counts, where nothing better is known


def shapes(validation: Validation, asked: Asked, answers: Answers) -> Report:
    """An image without an answer counts as one in which nothing was found: what is there was missed."""
    making = _Making(validation, asked)
    for pk, row in asked.rows.items():
        if answer := answers.by_image.get(pk):
            making.add(answer)
        elif validation.compares:
            making.add(Answer(row))
    return making.done()


class _Making:
    def __init__(self, validation: Validation, asked: Asked) -> None:
        self.validation, self.asked, self.report = validation, asked, Report()
        self.is_seg = validation.training_type == TrainingType.SEG
        self.iou = parts.ref_iou(validation.summary)
        self.ranking = Ranking()
        self.sizes: list[tuple[int, int]] = []  # of each image: how many objects in truth, how many found

    def add(self, answer: Answer) -> None:
        """One image: its objects, and which finds which."""
        truth = [self._truth(answer, label) for label in self.asked.labels(answer.row)]
        found = [self._found(answer, shape) for shape in answer.shapes]
        if self.validation.compares:
            self._pair(answer, truth, found)
        self.report.truth += truth
        self.report.found += found
        self.sizes.append((len(truth), len(found)))
        score = max((one.score for one in found if one.score is not None), default=None)
        self.report.predictions.append(Prediction(validation=self.validation, image=answer.row.image, score=score))

    def _truth(self, answer: Answer, label: Any) -> TruthObject:
        return TruthObject(
            validation=self.validation,
            image=answer.row.image,
            label=code_of(label),
            kind=label.kind,
            points=label.points,
        )

    def _found(self, answer: Answer, shape: Any) -> FoundObject:
        return FoundObject(
            validation=self.validation,
            image=answer.row.image,
            label=shape.label[:128],
            kind=ShapeKind.RECTANGLE if shape.shape_type == "rectangle" else ShapeKind.POLYGON,
            points=_corners(shape.shape_type, shape.points),
            score=shape.score,
        )

    def _pair(self, answer: Answer, truth: Sequence[TruthObject], found: Sequence[FoundObject]) -> None:
        scores = [score_of(one) for one in found]
        scene = Scene(
            [one.label for one in truth], [one.label for one in found], scores, self._overlap(answer, truth, found)
        )
        if not self.is_seg:
            self.ranking.add(scene)
        for one, pairing in zip(found, scene.pairings(self.iou), strict=True):
            one.is_right, one.iou = pairing.is_right, round(pairing.iou, 6)
            if pairing.truth is None:
                continue
            other = one.truth = truth[pairing.truth]
            if pairing.is_right:
                other.found_score, other.iou = score_of(one), one.iou
            else:
                one.mistaken, other.taken_for, other.taken_score = other.label, one.label, score_of(one)
        for one in found:
            if one.mistaken and one.truth:
                one.rival_score = one.truth.found_score

    def _overlap(self, answer: Answer, truth: Sequence[TruthObject], found: Sequence[FoundObject]) -> np.ndarray:
        if self.is_seg:
            from models_app.reports import pixels

            size = (answer.row.image.width, answer.row.image.height)
            return pixels.overlap(size, [outline(one) for one in found], [outline(one) for one in truth])
        return box_overlap([box_of(one.points) for one in found], [box_of(one.points) for one in truth])

    def done(self) -> Report:
        report = self.report
        least = self._least()
        pixels = self._pixels(least) if self.is_seg and self.validation.compares else []
        start_truth = start_found = 0
        for n, ((truths, founds), one) in enumerate(zip(self.sizes, report.predictions, strict=True)):
            truth = report.truth[start_truth : start_truth + truths]
            found = report.found[start_found : start_found + founds]
            start_truth, start_found = start_truth + truths, start_found + founds
            _order(one, truth, found, least, compares=self.validation.compares)
            if pixels and pixels[n].iou is not None:
                one.iou, one.worst = pixels[n].iou, 1 - (pixels[n].iou or 0.0)
            elif pixels:
                one.worst = 0.0
        report.figures = self._figures(least, pixels)
        return report

    def _least(self) -> float:
        """The score from which on objects count: what was asked for, else the kernel's own, else what serves best."""
        validation, report = self.validation, self.report
        if not validation.compares:
            asked = validation.min_score
        elif (asked := parts.asked_score(validation.summary)) is None and not self.is_seg:
            right = [bool(one.is_right) for one in report.found]
            asked = best_score([score_of(one) for one in report.found], right, len(report.truth))
        if asked is not None:
            return min(max(asked, 0.0), 1.0)
        return 0.0 if self.is_seg else USUAL

    def _pixels(self, least: float) -> list[Pixels]:
        from models_app.reports import pixels

        made, start_truth, start_found = [], 0, 0
        for (truths, founds), one in zip(self.sizes, self.report.predictions, strict=True):
            truth = self.report.truth[start_truth : start_truth + truths]
            found = [f for f in self.report.found[start_found : start_found + founds] if score_of(f) >= least]
            start_truth, start_found = start_truth + truths, start_found + founds
            size = (one.image.width, one.image.height)
            made.append(
                pixels.count(size, [(t.label, outline(t)) for t in truth], [(f.label, outline(f)) for f in found])
            )
        return made

    def _figures(self, least: float, pixels: Sequence[Pixels]) -> dict[str, Any]:
        report = self.report
        if not self.validation.compares:
            kept = Counter(one.label for one in report.found if score_of(one) >= least)
            return {"min_score": least, "said": dict(kept.most_common())}
        matrix = matrix_at(self.asked.classes, report.truth, report.found, least)
        figures: dict[str, Any] = {"n": len(report.truth), "min_score": least, "ref_IoU": self.iou}
        figures |= _pixel_figures(pixels, matrix.classes) if self.is_seg else self._precision()
        return figures | self._best() | {"matrix": matrix.as_json()}

    def _best(self) -> dict[str, Any]:
        """The score that serves best, and what is found and false from it on."""
        found = self.report.found
        best = best_score(
            [score_of(one) for one in found], [bool(one.is_right) for one in found], len(self.report.truth)
        )
        if best is None:
            return {}
        right = [bool(one.is_right) for one in found if score_of(one) >= best]
        return {"best_score": best, "best_TP": sum(right), "best_FP": len(right) - sum(right)}

    def _precision(self) -> dict[str, Any]:
        """COCO's figures, over the classes that occur in truth."""
        rows: list[dict[str, Any]] = [
            {"label": label, "n": objects, "AP50": at_half, "AP": mean}
            for label, objects, at_half, mean in self.ranking.classes()
        ]
        known = {code: n for n, code in enumerate(self.asked.classes)}
        rows.sort(key=lambda row: known.get(str(row["label"]), len(known)))
        return {
            "mAP50": _mean(row["AP50"] for row in rows),
            "mAP": _mean(row["AP"] for row in rows),
            "classes": rows,
        }


def score_of(one: FoundObject) -> float:
    """A shape without a score is sure."""
    return SURE if one.score is None else one.score


def outline(one: TruthObject | FoundObject) -> list[list[float]]:
    """The corners of a shape, of a rectangle too."""
    if one.kind == ShapeKind.RECTANGLE:
        left, top, right, bottom = box_of(one.points)
        return [[left, top], [right, top], [right, bottom], [left, bottom]]
    return one.points


def matrix_at(
    classes: Sequence[str], truth: Iterable[TruthObject], found: Iterable[FoundObject], least: float
) -> Matrix:
    """What was taken for what by the objects that are sure enough, with a row and a column of NOTHING."""
    matrix = Matrix(list(classes))
    for one in found:
        if score_of(one) < least:
            continue
        is_free = one.rival_score is None or one.rival_score < least
        matrix.add(one.label if one.is_right else one.mistaken if one.mistaken and is_free else NOTHING, one.label)
    for other in truth:
        if not _is_at(other.found_score, least) and not _is_at(other.taken_score, least):
            matrix.add(other.label, NOTHING)
    return matrix


def _is_at(score: float | None, least: float) -> bool:
    return score is not None and score >= least


def _order(
    one: Prediction, truth: Sequence[TruthObject], found: Sequence[FoundObject], least: float, *, compares: bool
) -> None:
    """Worst: the images with most errors, of these those with the surest false alarm; of inference the least sure."""
    sure = [other for other in found if score_of(other) >= least]
    if not compares:
        one.worst = 1 - min((score_of(other) for other in sure), default=1.0)
        return
    false = [score_of(other) for other in sure if not other.is_right]
    missed = sum(not _is_at(other.found_score, least) for other in truth)
    one.is_right = not false and not missed
    surest = max(false, default=0.0) if false or missed else 1 - min(map(score_of, sure), default=1.0)
    one.worst = len(false) + missed + NEARLY * min(1.0, max(0.0, surest))


def _pixel_figures(pixels: Sequence[Pixels], classes: Sequence[str]) -> dict[str, Any]:
    """All pixels of the set together."""
    from models_app.reports.pixels import Pixels

    total = Pixels()
    for one in pixels:
        total.cells.update(one.cells)
    rows: list[dict[str, Any]] = [{"label": code} | total.of_class(code) for code in classes]
    rows = [row for row in rows if row["IoU"] is not None]
    return {
        "IoU": total.iou,
        "mIoU": _mean(row["IoU"] for row in rows),
        "PREC": total.precision,
        "RECL": total.recall,
        "classes": rows,
    }


def _mean(values: Iterable[float]) -> float | None:
    found = list(values)
    return sum(found) / len(found) if found else None


def _corners(kind: str, points: Sequence[Sequence[float]]) -> list[list[float]]:
    """As annotations have them: a rectangle by its top left and bottom right corner."""
    if kind == "rectangle":
        left, top, right, bottom = box_of(points)
        return [[left, top], [right, bottom]]
    return [[float(x), float(y)] for x, y in points]
