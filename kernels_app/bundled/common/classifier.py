"""A backbone of timm with one linear layer: what the classifiers of whole images and of regions have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import nn

from .start import Run
from .weights import Net, imagenet, take


def build(backbone: str, outputs: int) -> Net:
    """Takes normalised images (n, 3, side, side), gives logits (n, outputs). Random weights, a head of zeros."""
    model: Net = timm.create_model(backbone, pretrained=False, num_classes=outputs)
    head = model.get_classifier()
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return model


def start(run: Run, backbone: str, names: Sequence[str], base: dict[str, Any] | None, source: str) -> Net:
    """The model to train, an output for each of `names`: from the base model where there is one, else pretrained."""
    model = build(backbone, len(names))
    if base is not None:
        _take_over(run, model, names, base)
    elif (weights := imagenet(run, backbone, source)) is not None:
        take(model, weights, leave=[head_of(model)])
    return model


def restore(state: dict[str, Any]) -> Net:
    """The model of a checkpoint, ready to judge."""
    model = build(state["architecture"], len(state["classes"]))
    model.load_state_dict(state["model"])
    return model.eval()


def head_of(model: Net) -> str:
    """How the names of the last layer's tensors begin, as `classifier.`"""
    head = model.get_classifier()
    return next(f"{name}." for name, module in model.named_modules() if module is head)


class Deployed(nn.Module):
    """What is exported: probabilities instead of logits. `activation`: softmax over classes, or sigmoid of each."""

    def __init__(self, model: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.model, self.activation = model, activation

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.activation(self.model(images))


def _take_over(run: Run, model: Net, names: Sequence[str], base: dict[str, Any]) -> None:
    """The base model's backbone, and of its head the rows of the names that both know."""
    place = head_of(model)
    take(model, base["model"], leave=[place])
    known = [name for name in names if name in base["classes"]]
    head = model.get_classifier()
    with torch.no_grad():
        for name in known:
            here, there = names.index(name), base["classes"].index(name)
            head.weight[here] = base["model"][f"{place}weight"][there]
            head.bias[here] = base["model"][f"{place}bias"][there]
    run.log(f"Base model: backbone taken over, and {len(known)} of {len(names)} classes by name")
    if new := [name for name in names if name not in known]:
        run.log(f"Base model: it does not know {', '.join(new)}; these start anew")
