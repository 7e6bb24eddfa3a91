"""The segmenter: a decoder of segmentation_models_pytorch on a backbone of timm."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import seg_depthwise
import seg_norm
import segmentation_models_pytorch as smp
import torch
from torch import nn

from kernels_app.bundled.common.start import Run
from kernels_app.bundled.common.weights import Net, imagenet, take

GROUPS = 16  # of channels, that are normalised together
HEAD = "segmentation_head.0."  # the last layer: a row an output
_FLAT = re.compile(r"^(stem|stages)_(\d+)\.")  # timm's names of parts that are taken out of some backbones


def build(decoder: str, backbone: str, outputs: int) -> Net:
    """Takes normalised images (n, 3, side, side), gives logits (n, outputs, side, side). Random weights.

    Without dropout, and with group norm in the decoder: nothing depends on the other images of a batch, so that any
    number of ranks computes the same, and the model is in eval mode all its life.
    """
    about = {"encoder_name": f"tu-{backbone}", "encoder_weights": None, "classes": outputs}
    if decoder == "fpn":
        model = smp.FPN(**about, decoder_pyramid_channels=128, decoder_segmentation_channels=64, decoder_dropout=0.0)
    elif decoder == "unet":
        model = smp.Unet(**about, decoder_channels=(128, 64, 32, 32, 16))
    else:
        model = smp.DeepLabV3Plus(**about, decoder_channels=128, decoder_aspp_dropout=0.0)
    _without_batch_norm(model.decoder)
    seg_depthwise.in_fp32(model)
    return model.eval()


def start(
    run: Run, decoder: str, backbone: str, names: Sequence[str], base: dict[str, Any] | None, source: str
) -> Net:  # fmt: skip
    """The model to train, an output for the background and each of `names`: from the base model where there is one,
    else on a pretrained backbone."""
    model = build(decoder, backbone, 1 + len(names))
    if base is not None:
        _take_over(run, model, names, base)
    elif (weights := imagenet(run, backbone, source)) is not None:
        encoder = model.encoder.model
        encoder.load_state_dict({name: weights[_FLAT.sub(r"\1.\2.", name)] for name in encoder.state_dict()})
    return model


def restore(state: dict[str, Any]) -> Net:
    """The model of a checkpoint, ready to judge."""
    model = build(state["decoder"], state["architecture"], 1 + len(state["classes"]))
    model.load_state_dict(state["model"])
    return model.eval()


def decoder_of(run: Run, base: dict[str, Any] | None, wanted: str) -> str:
    """What to build: as the base model is, where there is one."""
    if base is None or base["decoder"] == wanted:
        return wanted
    run.log(f"The base model's decoder is {base['decoder']}: training goes on with that, not with {wanted}.")
    return str(base["decoder"])


def _without_batch_norm(module: nn.Module) -> None:
    """Group norm in its place, wherever it is in `module`."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, seg_norm.GroupNorm(GROUPS, child.num_features))
        else:
            _without_batch_norm(child)


def _take_over(run: Run, model: Net, names: Sequence[str], base: dict[str, Any]) -> None:
    """The base model's weights, and of its last layer the rows of the background and of the names that both know."""
    take(model, base["model"], leave=[HEAD])
    known = [name for name in names if name in base["classes"]]
    pairs = [(0, 0), *((1 + names.index(name), 1 + base["classes"].index(name)) for name in known)]
    head = model.segmentation_head[0]
    with torch.no_grad():
        for here, there in pairs:
            head.weight[here] = base["model"][f"{HEAD}weight"][there]
            head.bias[here] = base["model"][f"{HEAD}bias"][there]
    run.log(f"Base model: backbone and decoder taken over, and {len(known)} of {len(names)} classes by name")
    if new := [name for name in names if name not in known]:
        run.log(f"Base model: it does not know {', '.join(new)}; these start anew")
