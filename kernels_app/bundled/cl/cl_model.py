"""The classifier: EfficientNet-Lite0 and one linear layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import nn

from kernels_app.bundled.common.start import Run
from kernels_app.bundled.common.weights import BACKBONE, imagenet

HEAD = "classifier."
Net = Any  # timm's EfficientNet: an nn.Module whose parts no annotation names


def build(classes: int) -> Net:
    """Takes normalised images (n, 3, side, side), gives logits (n, classes). Random weights, a head of zeros."""
    model: Net = timm.create_model(BACKBONE, pretrained=False, num_classes=classes)
    nn.init.zeros_(model.classifier.weight)
    nn.init.zeros_(model.classifier.bias)
    return model


def start(run: Run, classes: Sequence[str], base: dict[str, Any] | None, source: str) -> Net:
    """The model to train: from the base model where the run has one, else from pretrained weights."""
    model = build(len(classes))
    if base is not None:
        _take_over(run, model, classes, base)
    elif (weights := imagenet(run, source)) is not None:
        _load_backbone(model, weights)
    return model


def restore(state: dict[str, Any]) -> Net:
    """The model of a checkpoint, ready to judge."""
    model = build(len(state["classes"]))
    model.load_state_dict(state["model"])
    return model.eval()


def freeze(model: Net, stages: int) -> None:
    """Keep the stem and the first `stages` of 7 stages as they are. 0 freezes nothing."""
    frozen = [model.conv_stem, model.bn1, *model.blocks[:stages]] if stages else []
    for module in frozen:
        module.requires_grad_(False)


def normalised(images: torch.Tensor, device: torch.device) -> torch.Tensor:
    """uint8 (n, 3, h, w) to float in -1..1 on the device, channels last."""
    images = images.to(device, non_blocking=True).float().div_(127.5).sub_(1.0)
    return images.contiguous(memory_format=torch.channels_last)


def card(side: int) -> dict[str, Any]:
    """What a program must know to use the exported model."""
    return {
        "input": {"name": "images", "shape": ["batch", 3, side, side], "layout": "NCHW", "colour": "RGB"},
        "resize": {"mode": "squash", "interpolation": "bilinear, antialiased", "width": side, "height": side},
        "normalisation": {"scale": 1 / 255, "mean": [0.5] * 3, "std": [0.5] * 3},  # (pixel / 255 - mean) / std
        "outputs": {"probabilities": ["batch", "classes"]},
        "thresholds": {},
    }


class Deployed(nn.Module):
    """What is exported: probabilities instead of logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).softmax(dim=1)


def _load_backbone(model: Net, weights: dict[str, torch.Tensor]) -> None:
    own = model.state_dict()
    model.load_state_dict({name: own[name] if name.startswith(HEAD) else weights[name] for name in own})


def _take_over(run: Run, model: Net, classes: Sequence[str], base: dict[str, Any]) -> None:
    """The base model's backbone, and of its head the rows of the classes that both know, by name."""
    _load_backbone(model, base["model"])
    known = [name for name in classes if name in base["classes"]]
    with torch.no_grad():
        for name in known:
            here, there = classes.index(name), base["classes"].index(name)
            model.classifier.weight[here] = base["model"][f"{HEAD}weight"][there]
            model.classifier.bias[here] = base["model"][f"{HEAD}bias"][there]
    run.log(f"Base model: backbone taken over, and {len(known)} of {len(classes)} classes by name")
    if new := [name for name in classes if name not in known]:
        run.log(f"Base model: it does not know {', '.join(new)}; these start anew")
