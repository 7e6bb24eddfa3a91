"""OD: boxes around objects. A grid of cells, each of which says whether an object has its middle there, and its box."""

from __future__ import annotations

from pathlib import Path

import torch
from pictures import block, picture, size_of
from torch import nn
from torch.nn import functional

from kernels_app.contract.data import ClSample, Shape, ShapeSample, read_files, read_split_shapes, write_shapes
from kernels_app.contract.results import write_summary

SIZE, CELL = 128, 8  # pixels a side; of a cell
GRID = SIZE // CELL
MIN_SCORE = 0.05
REF_IOU = 0.5

Box = tuple[float, float, float, float]  # two corners


def network(classes: int) -> nn.Module:
    blocks = block(3, 16), block(16, 32), block(32, 64)
    around = nn.Sequential(nn.Conv2d(64, 64, 3, padding=2, dilation=2), nn.ReLU())
    head = nn.Conv2d(64, classes + 4, 1)
    nn.init.constant_(head.bias[:classes], -4.0)  # type: ignore[index]  # at first there is an object nowhere
    return nn.Sequential(*blocks, around, head)


def samples(dataset: Path, split: str) -> list[ShapeSample]:
    return read_split_shapes(dataset, split)


def inputs(dataset: Path) -> list[ShapeSample]:
    found = [ClSample(path) for path in read_files(dataset)]
    return [ShapeSample(one.path, f"{n:06}", *size_of(one.path)) for n, one in enumerate(found)]


def example(sample: ShapeSample, labels: list[str]) -> tuple[torch.Tensor, ...]:
    """The image; of each cell and class whether it is the middle of an object; the boxes in shares of the image."""
    heat, boxes = torch.zeros(len(labels), GRID, GRID), torch.zeros(4, GRID, GRID)
    for name, (x1, y1, x2, y2) in boxes_of(sample):
        box = x1 / sample.width, y1 / sample.height, x2 / sample.width, y2 / sample.height
        column, row = (min(GRID - 1, max(0, int((box[n] + box[n + 2]) / 2 * GRID))) for n in (0, 1))
        heat[labels.index(name), row, column] = 1
        boxes[:, row, column] = torch.tensor(box)
    return picture(sample.path, SIZE), heat, boxes


def loss(output: torch.Tensor, targets: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Focal loss where objects are, distance of the corners where there is one."""
    heat, boxes = targets
    said, corners = output[:, : heat.shape[1]], decoded(output[:, heat.shape[1] :])
    count, is_there = heat.sum().clamp(min=1), heat.amax(1, keepdim=True)
    far = (said.sigmoid() - heat).abs() ** 2
    found = (far * functional.binary_cross_entropy_with_logits(said, heat, reduction="none")).sum()
    return (found + 5 * ((corners - boxes).abs() * is_there).sum()) / count


def decoded(raw: torch.Tensor) -> torch.Tensor:
    """Distances from the middle of each cell to the four sides become corners, in shares of the image."""
    middle = (torch.arange(GRID, device=raw.device) + 0.5) / GRID
    x, y = middle.expand(GRID, GRID), middle[:, None].expand(GRID, GRID)
    left, top, right, bottom = raw.sigmoid().unbind(1)
    return torch.stack((x - left, y - top, x + right, y + bottom), 1)


def boxes_of(sample: ShapeSample) -> list[tuple[str, Box]]:
    found = []
    for shape in sample.shapes:
        if not shape.isroi:
            xs, ys = zip(*shape.points, strict=True)
            found.append((shape.label, (min(xs), min(ys), max(xs), max(ys))))
    return found


def detect(network: nn.Module, sample: ShapeSample, known: list[str], device: str) -> list[Shape]:
    """The peaks of the grid, best first."""
    output = network(picture(sample.path, SIZE)[None].to(device))
    heat, corners = output[0, : len(known)].sigmoid(), decoded(output[:, len(known) :])[0]
    peaks = heat * (heat == functional.max_pool2d(heat[None], 3, 1, 1)[0])
    found = []
    for kind, row, column in (peaks > MIN_SCORE).nonzero().tolist():
        x1, y1, x2, y2 = corners[:, row, column].clamp(0, 1).tolist()
        points = (x1 * sample.width, y1 * sample.height), (x2 * sample.width, y2 * sample.height)
        score = float(peaks[kind, row, column])
        found.append(Shape(known[kind], "rectangle", points, isgenerated=True, score=score))
    return sorted(found, key=lambda shape: -(shape.score or 0))[:100]


def write_results(
    network: nn.Module, samples: list[ShapeSample], known: list[str], labels: list[str], output: Path, device: str,
    *, is_validation: bool,
) -> None:  # fmt: skip
    (output / "annotations").mkdir(parents=True, exist_ok=True)
    objects = hits = said = 0
    for sample in samples:
        shapes = detect(network, sample, known, device)
        answer = ShapeSample(sample.path, sample.image_id, sample.width, sample.height, tuple(shapes))
        write_shapes(output / "annotations", answer)
        sure = boxes_of(answer)[: sum((shape.score or 0) >= 0.5 for shape in shapes)]
        objects, said = objects + len(boxes_of(sample)), said + len(sure)
        hits += matched(boxes_of(sample), sure)
    if is_validation:
        counts = [("GT", objects), ("TP", hits), ("FP", said - hits), ("FN", objects - hits)]
        shares = [("PREC", hits / max(1, said)), ("RECL", hits / max(1, objects))]
        write_summary(output, [*counts, *shares, ("ref_IoU", REF_IOU), ("min_score", 0.5)])


def matched(objects: list[tuple[str, Box]], said: list[tuple[str, Box]]) -> int:
    """How many objects a box of the same class covers; each counts once."""
    left, count = list(objects), 0
    for name, box in said:
        best = max((one for one in left if one[0] == name), key=lambda one: overlap(one[1], box), default=None)
        if best and overlap(best[1], box) >= REF_IOU:
            left.remove(best)
            count += 1
    return count


def overlap(one: Box, two: Box) -> float:
    """Intersection over union."""
    width, height = (min(one[n + 2], two[n + 2]) - max(one[n], two[n]) for n in (0, 1))
    both = max(0.0, width) * max(0.0, height)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, two))
    return both / (areas - both) if areas > both else 0.0
