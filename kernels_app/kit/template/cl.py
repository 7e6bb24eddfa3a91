"""CL: the category of an image."""

from __future__ import annotations

from pathlib import Path

import torch
from pictures import block, picture
from torch import nn
from torch.nn import functional

from kernels_app.contract.data import ClSample, read_cl, read_files
from kernels_app.contract.results import Detection, write_confusion, write_detections, write_summary

SIZE = 64  # pixels a side


def network(classes: int) -> nn.Module:
    blocks = block(3, 16), block(16, 32), block(32, 64)
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def samples(dataset: Path, split: str) -> list[ClSample]:
    return read_cl(dataset, split)


def inputs(dataset: Path) -> list[ClSample]:
    return [ClSample(path) for path in read_files(dataset)]


def example(sample: ClSample, labels: list[str]) -> tuple[torch.Tensor, ...]:
    return picture(sample.path, SIZE), torch.tensor(labels.index(sample.category))


def loss(output: torch.Tensor, targets: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return functional.cross_entropy(output, targets[0])


def write_results(
    network: nn.Module, samples: list[ClSample], known: list[str], labels: list[str], output: Path, device: str,
    *, is_validation: bool,
) -> None:  # fmt: skip
    """`known`: the classes of the model; `labels`: those of the data, which the files count by."""
    found: list[Detection] = []
    matrix = [[0] * len(labels) for _name in labels]
    for sample in samples:
        chances = network(picture(sample.path, SIZE)[None].to(device)).softmax(1)[0].tolist()
        by_name = dict(zip(known, chances, strict=True))
        ours = tuple(by_name.get(name, 0.0) for name in labels)
        truth = labels.index(sample.category) if is_validation else None
        found.append(Detection(sample.path, truth, ours.index(max(ours)), ours))
        if truth is not None:
            matrix[truth][found[-1].predicted] += 1
    write_detections(output, found, classes=len(labels))
    if is_validation:
        write_confusion(output, labels, matrix)
        right = sum(one.truth == one.predicted for one in found)
        write_summary(output, [("accuracy", right / max(1, len(found)))])
