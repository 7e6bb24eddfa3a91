"""What detectors are held against: overlaps, counts and COCO's average precision, computed from the files."""

from __future__ import annotations

from faster_coco_eval import COCO, COCOeval_faster

from kernels_app.contract.data import Shape, ShapeSample

from .makers import KernelRun, run_predict


def assert_answers_alike(trained: KernelRun, found: list[ShapeSample]) -> None:
    """predict.py, without torch, and what the kernel wrote: the objects that are surely above the lowest score."""
    answers = run_predict(trained.output, [sample.path for sample in found])
    for answer, sample in zip(answers, found, strict=True):
        for some, others in ((answer["objects"], _objects(sample)), (_objects(sample), answer["objects"])):
            for one in some:
                near = [other for other in others if other["class"] == one["class"] and _is_near(one, other)]
                assert near or one["score"] < 0.07, (one, others)


def _objects(sample: ShapeSample) -> list[dict]:
    return [{"class": s.label, "score": s.score, "box": [*s.points[0], *s.points[1]]} for s in sample.shapes]


def _is_near(one: dict, other: dict) -> bool:
    distance = max(abs(a - b) for a, b in zip(one["box"], other["box"], strict=True))
    return distance < 1 and abs(one["score"] - other["score"]) < 0.02


def average_precision(truth: list[ShapeSample], found: list[ShapeSample], classes: list[str]) -> tuple[float, float]:
    """AP at IoU 0.5, and its mean over 0.5..0.95."""
    boxes, guesses = (
        [_row(n, s, classes) for n, one in enumerate(some) for s in one.shapes] for some in (truth, found)
    )
    known = COCO({
        "images": [{"id": n} for n in range(len(truth))],
        "categories": [{"id": n, "name": name} for n, name in enumerate(classes)],
        "annotations": [row | {"id": n, "iscrowd": 0} for n, row in enumerate(boxes, start=1)],
    })  # fmt: skip
    evaluation = COCOeval_faster(known, known.loadRes(guesses), "bbox", print_function=lambda *_: None)
    evaluation.params.maxDets = [1, 10, 1000]
    evaluation.run()
    return float(evaluation.stats[1]), float(evaluation.stats[0])


def _row(image: int, shape: Shape, classes: list[str]) -> dict:
    x1, y1, x2, y2 = _corners(shape)
    box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1), "score": shape.score}
    return box | {"image_id": image, "category_id": classes.index(shape.label)}


def counted(truth: list[ShapeSample], found: list[ShapeSample], min_score: float) -> tuple[int, int]:
    """(right, wrong): each detection, the surest first, takes the free object of its class that it overlaps most."""
    right = wrong = 0
    for known, seen in zip(truth, found, strict=True):
        free = list(known.shapes)
        for shape in sorted(seen.shapes, key=lambda s: -(s.score or 0)):
            if (shape.score or 0) < min_score:
                continue
            best = max((s for s in free if s.label == shape.label), key=lambda s: iou(s, shape), default=None)
            if best is not None and iou(best, shape) >= 0.5:
                free.remove(best)
                right += 1
            else:
                wrong += 1
    return right, wrong


def _corners(shape: Shape) -> tuple[float, float, float, float]:
    across, down = [x for x, _ in shape.points], [y for _, y in shape.points]
    return min(across), min(down), max(across), max(down)


def iou(one: Shape, other: Shape) -> float:
    (a1, b1, a2, b2), (c1, d1, c2, d2) = _corners(one), _corners(other)
    common = max(0.0, min(a2, c2) - max(a1, c1)) * max(0.0, min(b2, d2) - max(b1, d1))
    return common / ((a2 - a1) * (b2 - b1) + (c2 - c1) * (d2 - d1) - common)
