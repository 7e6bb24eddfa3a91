"""Depthwise convolutions in fp32 on a CPU, whatever the others compute in.

In bf16 their way back takes five times as long over channels_last (15 ms instead of 2.8 for 1152 channels of 8 by 8;
torch 2.14), which was half of a step of the segmenter.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn


def in_fp32(module: nn.Module) -> None:
    """Every depthwise convolution in `module` takes and gives what it did, and computes in fp32. Weights stay."""
    for part in module.modules():
        if not isinstance(part, nn.Conv2d) or isinstance(part, _InFloat):
            continue
        if 1 < part.groups == part.in_channels:
            part.__class__ = _kind(type(part))  # type: ignore[arg-type]


class _InFloat:
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        own: Any = super()
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return own.forward(x)  # type: ignore[no-any-return]
        with torch.autocast("cpu", enabled=False):
            return own.forward(x.float()).to(x.dtype)  # type: ignore[no-any-return]


@cache
def _kind(usual: type[nn.Conv2d]) -> type[nn.Conv2d]:
    return type(f"Depthwise{usual.__name__}", (_InFloat, usual), {})
