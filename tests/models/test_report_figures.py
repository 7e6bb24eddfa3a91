"""Every number of a report equals one computed by others: scikit-learn, faster-coco-eval (COCO's figures), masks."""

from __future__ import annotations

from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw
from sklearn import metrics

from kernels_app.contract import data
from models_app.models import FoundObject, TruthObject
from models_app.reports.counts import NOTHING
from tests.models import answers
from tests.models.conftest import Shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def real(project, bob):
    return lambda kind: answers.real_shop(Shop, project, bob, kind)


def cells(validation) -> Counter:
    return Counter({(truth, said): n for truth, said, n in validation.figures["matrix"]["cells"]})


# --- CL and RC against scikit-learn ----------------------------------------------------------------------------------


def judged_by_sklearn(validation, truth, said, names) -> None:
    figures = validation.figures
    assert figures["n"] == len(truth)
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(truth, said))
    assert figures["macro_f1"] == pytest.approx(metrics.f1_score(truth, said, average="macro"))
    matrix = metrics.confusion_matrix(truth, said, labels=range(len(names)))
    ours = cells(validation)
    assert [[ours[t, p] for p in names] for t in names] == matrix.tolist()


def test_categories_of_circuit_boards(real):
    shop = real("CL")
    validation, folder = answers.prepared(shop, shop.ready())
    rows = answers.categories(folder)
    names = data.read_labels(folder / answers.DATASET)
    validation = answers.finished(validation)
    assert len(rows) == 210
    judged_by_sklearn(validation, [one.truth for one in rows], [one.predicted for one in rows], names)
    wrong = sum(one.truth != one.predicted for one in rows)
    assert validation.predictions.filter(is_right=False).count() == wrong > 10


def test_regions_of_circuit_boards_as_a_whole_and_by_label(real):
    shop = real("RC")
    validation, folder = answers.prepared(shop, shop.ready())
    rows = answers.regions(folder)
    validation = answers.finished(validation)
    assert len(rows) == 620
    truth, said = [one.truth for one in rows], [one.predicted for one in rows]
    judged_by_sklearn(validation, truth, said, ["false", "true"])
    [label] = validation.figures["labels"]
    _tn, fp, fn, tp = metrics.confusion_matrix(truth, said).ravel()
    assert (label["n"], label["true"], label["missed"], label["false_alarms"]) == (620, tp + fn, fn, fp)
    assert label["macro_f1"] == pytest.approx(metrics.f1_score(truth, said, average="macro"))
    assert FoundObject.objects.filter(validation=validation, is_right=False).count() == fn + fp


# --- OD against COCO -------------------------------------------------------------------------------------------------


def coco(truth, found):
    """COCO's own evaluation of the same objects, all detections counted."""
    from faster_coco_eval import COCO, COCOeval_faster

    codes = sorted({shape.label for sample in truth for shape in sample.shapes})

    def rows(samples):
        for n, sample in enumerate(samples, start=1):
            for shape in sample.shapes:
                xs, ys = zip(*shape.points, strict=True)
                box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
                if shape.label in codes:
                    row = {"image_id": n, "category_id": codes.index(shape.label), "bbox": box, "area": box[2] * box[3]}
                    yield row | ({"iscrowd": 0} if shape.score is None else {"score": shape.score})

    known = COCO({
        "images": [{"id": n} for n in range(1, len(truth) + 1)],
        "categories": [{"id": n, "name": code} for n, code in enumerate(codes)],
        "annotations": [row | {"id": n} for n, row in enumerate(rows(truth), start=1)],
    })  # fmt: skip
    evaluation = COCOeval_faster(known, known.loadRes(list(rows(found))), "bbox", print_function=lambda *_: None)
    evaluation.params.maxDets = [1, 10, 1000]
    evaluation.run()
    return evaluation, codes


def judged_by_coco(validation, truth, found) -> None:
    evaluation, codes = coco(truth, found)
    figures = validation.figures
    assert figures["mAP"] == pytest.approx(evaluation.stats[0], abs=1e-9)
    assert figures["mAP50"] == pytest.approx(evaluation.stats[1], abs=1e-9)
    precision = evaluation.eval["precision"][:, :, :, 0, 2]  # IoU, recall, class
    for row in figures["classes"]:
        k = codes.index(row["label"])
        assert row["AP"] == pytest.approx(precision[:, :, k].mean(), abs=1e-9)
        assert row["AP50"] == pytest.approx(precision[0, :, k].mean(), abs=1e-9)
        assert row["n"] == sum(shape.label == row["label"] for sample in truth for shape in sample.shapes)


def at_score(samples, least: float):
    return [
        data.ShapeSample(
            one.path, one.image_id, one.width, one.height, tuple(s for s in one.shapes if s.score >= least)
        )
        for one in samples
    ]


def independent_matches(truth, found) -> Counter:
    """COCO's rule, once more in the simplest words: (truth, prediction) of a confusion matrix without confusions."""
    counts: Counter = Counter()
    for known, seen in zip(truth, found, strict=True):
        free = list(known.shapes)
        for shape in sorted(seen.shapes, key=lambda one: -one.score):
            fitting = [(iou(shape, one), n) for n, one in enumerate(free) if one.label == shape.label]
            best, n = max(fitting, default=(0, 0))
            counts["TP" if best >= 0.5 else "FP"] += 1
            if best >= 0.5:
                free.pop(n)
        counts["FN"] += len(free)
    return counts


def iou(a, b) -> float:
    (ax, ay), (bx, by) = zip(*a.points, strict=True), zip(*b.points, strict=True)
    width = min(max(ax), max(bx)) - max(min(ax), min(bx))
    height = min(max(ay), max(by)) - max(min(ay), min(by))
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(max(x) - min(x)) * (max(y) - min(y)) for x, y in ((ax, ay), (bx, by))]
    return width * height / (sum(areas) - width * height)


def test_boxes_of_blood_cells(real):
    shop = real("OD")
    validation, folder = answers.prepared(shop, shop.ready())
    found = answers.boxes(folder, ref_IoU=0.5, min_score=0.35)
    truth = data.read_split_shapes(folder / answers.DATASET, "validation")
    validation = answers.finished(validation)
    judged_by_coco(validation, truth, found)
    counts = independent_matches(truth, at_score(found, 0.35))
    figures = validation.figures
    assert {name: figures[name] for name in ("TP", "FP", "FN")} == dict(counts)
    assert figures["GT"] == counts["TP"] + counts["FN"] == TruthObject.objects.filter(validation=validation).count()
    assert figures["PREC"] == pytest.approx(counts["TP"] / (counts["TP"] + counts["FP"]))
    assert figures["RECL"] == pytest.approx(counts["TP"] / figures["GT"])
    assert FoundObject.objects.filter(validation=validation).count() == sum(len(one.shapes) for one in found)


@pytest.mark.parametrize("seed", range(5))
def test_boxes_drawn_at_random(make_shop, seed):
    shop = make_shop("OD", each=6)
    validation, folder = answers.prepared(shop, shop.ready())
    found = answers.boxes(folder, seed=seed)
    truth = data.read_split_shapes(folder / answers.DATASET, "validation")
    validation = answers.finished(validation)
    judged_by_coco(validation, truth, found)
    least = validation.figures["min_score"]
    counts = independent_matches(truth, at_score(found, least))
    assert {name: validation.figures[name] for name in ("TP", "FP", "FN")} == {n: counts[n] for n in ("TP", "FP", "FN")}


def test_the_score_that_serves_best_has_the_highest_f1(make_shop):
    shop = make_shop("OD", each=6)
    validation, folder = answers.prepared(shop, shop.ready())
    found = answers.boxes(folder, seed=9)
    truth = data.read_split_shapes(folder / answers.DATASET, "validation")
    validation = answers.finished(validation)

    def f1(least: float) -> float:
        counts = independent_matches(truth, at_score(found, least))
        return 2 * counts["TP"] / (2 * counts["TP"] + counts["FP"] + counts["FN"])

    best = max(f1(n / 100) for n in range(101))
    assert f1(validation.figures["best_score"]) == pytest.approx(best)
    assert validation.figures["min_score"] == validation.figures["best_score"]
    counts = independent_matches(truth, at_score(found, validation.figures["best_score"]))
    assert (validation.figures["best_TP"], validation.figures["best_FP"]) == (counts["TP"], counts["FP"])


# --- SEG against masks that others draw ------------------------------------------------------------------------------


def mask(sample) -> np.ndarray:
    """As a labelling tool fills contours of whole pixels."""
    picture = np.zeros((sample.height, sample.width), np.uint8)
    for shape in sample.shapes:
        cv2.drawContours(picture, [np.array(shape.points, np.int32)], -1, 1, cv2.FILLED)
    return picture.ravel()


def pils_mask(sample) -> np.ndarray:
    """PIL's lines between two corners take other pixels than OpenCV's, here and there."""
    picture = Picture.new("L", (sample.width, sample.height))
    for shape in sample.shapes:
        ImageDraw.Draw(picture).polygon([tuple(p) for p in shape.points], fill=1, outline=1)
    return np.asarray(picture).ravel()


def test_pixels_of_nuclei(real):
    shop = real("SEG")
    validation, folder = answers.prepared(shop, shop.ready())
    found = answers.outlines(folder)
    truth = data.read_split_shapes(folder / answers.DATASET, "validation")
    validation = answers.finished(validation)
    there = np.concatenate([mask(one) for one in truth])
    seen = np.concatenate([mask(one) for one in found])
    figures = validation.figures
    assert figures["IoU"] == pytest.approx(metrics.jaccard_score(there, seen))
    assert figures["mIoU"] == pytest.approx(figures["IoU"])
    assert figures["PREC"] == pytest.approx(metrics.precision_score(there, seen))
    assert figures["RECL"] == pytest.approx(metrics.recall_score(there, seen))
    [row] = figures["classes"]
    assert (row["pixels"], row["found"], row["common"]) == (there.sum(), seen.sum(), (there & seen).sum())
    by_id = {one.image_id: one for one in found}
    for one in truth:
        known = metrics.jaccard_score(mask(one), mask(by_id[one.image_id]))
        assert validation.predictions.get(image=one.image_id).iou == pytest.approx(known)
    of_pil = [np.concatenate([pils_mask(one) for one in some]) for some in (truth, found)]
    assert figures["IoU"] == pytest.approx(metrics.jaccard_score(*of_pil), abs=0.01)


# --- whatever the score: the matrix adds up ---------------------------------------------------------------------------


@pytest.mark.parametrize("least", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_every_object_stands_once_in_the_matrix(make_shop, least):
    shop = make_shop("OD", each=6)
    validation, folder = answers.prepared(shop, shop.ready())
    found = answers.boxes(folder, seed=4, min_score=least)
    truth = data.read_split_shapes(folder / answers.DATASET, "validation")
    ours = cells(answers.finished(validation))
    for code in ("GOOD", "BAD"):
        in_truth = sum(shape.label == code for one in truth for shape in one.shapes)
        said = sum(shape.label == code for one in at_score(found, least) for shape in one.shapes)
        assert sum(n for (t, _said), n in ours.items() if t == code) == in_truth
        assert sum(n for (_t, p), n in ours.items() if p == code) == said
    assert (NOTHING, NOTHING) not in ours
