"""RC: whether a marked region has what its label says."""

from __future__ import annotations

from pathlib import Path

import torch
from pictures import block, picture
from torch import nn
from torch.nn import functional

from kernels_app.contract.data import RcSample, read_files_rc, read_rc
from kernels_app.contract.results import Detection, write_confusion, write_detections, write_summary

SIZE = 48  # pixels a side


def network(classes: int) -> nn.Module:
    blocks = block(3, 16), block(16, 32), block(32, 64)
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def samples(dataset: Path, split: str) -> list[RcSample]:
    return read_rc(dataset, split)


def inputs(dataset: Path) -> list[RcSample]:
    return read_files_rc(dataset)


def example(sample: RcSample, labels: list[str]) -> tuple[torch.Tensor, ...]:
    asked = torch.tensor(labels.index(sample.label))
    return cut_out(sample), asked, torch.tensor(float(bool(sample.verdict)))


def loss(output: torch.Tensor, targets: tuple[torch.Tensor, ...]) -> torch.Tensor:
    asked, verdict = targets
    return functional.binary_cross_entropy_with_logits(output.gather(1, asked[:, None])[:, 0], verdict)


def cut_out(sample: RcSample) -> torch.Tensor:
    return picture(sample.path, SIZE, (sample.x, sample.y, sample.width, sample.height))


def write_results(
    network: nn.Module, samples: list[RcSample], known: list[str], labels: list[str], output: Path, device: str,
    *, is_validation: bool,
) -> None:  # fmt: skip
    """`known`: the labels of the model; a region with another label is left out."""
    found: list[Detection] = []
    matrix = [[0, 0], [0, 0]]
    for sample in samples:
        if sample.label not in known:
            print(f"The model does not know {sample.label}.", flush=True)
            continue
        chance = float(network(cut_out(sample)[None].to(device)).sigmoid()[0, known.index(sample.label)])
        truth = int(bool(sample.verdict)) if is_validation else None
        box = (sample.x, sample.y, sample.width, sample.height)
        found.append(Detection(sample.path, truth, int(chance >= 0.5), (1 - chance, chance), box))
        matrix[truth or 0][found[-1].predicted] += 1
    write_detections(output, found, classes=2)
    if is_validation:
        write_confusion(output, ["false", "true"], matrix)
        right = sum(one.truth == one.predicted for one in found)
        write_summary(output, [("accuracy", right / max(1, len(found)))])
