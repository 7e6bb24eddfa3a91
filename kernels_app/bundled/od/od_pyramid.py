"""What every detector looks at: a pyramid of feature maps on a backbone of timm."""

from __future__ import annotations

from typing import Any

import timm
import torch
from torch import nn
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7

from kernels_app.bundled.common.weights import State

CHANNELS = 128
STRIDES = (8, 16, 32)  # of the backbone's maps that are used; two coarser ones, 64 and 128, are made of the last
PADDING = 32  # images are padded to a multiple of it

# boxes (n, 4) float x1 y1 x2 y2, labels (n,) int64; of detections also scores (n,); where a loss is asked for also
# index, a number that tells the image from all others
Target = dict[str, torch.Tensor]
Parts = dict[str, tuple[torch.Tensor, torch.Tensor]]  # of a loss: its sum, and over how many


class Pyramid(nn.Module):
    """Normalised images (n, 3, h, w) to five maps of 128 channels, strides 8 to 128."""

    body: Any  # timm's backbone: its parts are named by no annotation

    def __init__(self, architecture: str) -> None:
        super().__init__()
        whole: Any = timm.create_model(architecture, pretrained=False, features_only=True)
        reductions = whole.feature_info.reduction()
        levels = tuple(reductions.index(stride) for stride in STRIDES)
        self.body = timm.create_model(architecture, pretrained=False, features_only=True, out_indices=levels)
        widths = self.body.feature_info.channels()
        self.fpn = FeaturePyramidNetwork(widths, CHANNELS, LastLevelP6P7(CHANNELS, CHANNELS))
        self.out_channels = CHANNELS

    def train(self, mode: bool = True) -> Pyramid:
        """Batch norm stays as it was pretrained: batches of 4 would only spoil it."""
        super().train(mode)
        self.body.eval()
        return self

    def take(self, weights: State) -> None:
        """Those of the whole classifier under timm's names; some backbones call `stages.0.` `stages_0.` here."""
        known = {name.replace(".", "_", 1): tensor for name, tensor in weights.items()} | weights
        self.body.load_state_dict({name: known[name] for name in self.body.state_dict()})

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        maps: dict[str, torch.Tensor] = self.fpn({str(n): found for n, found in enumerate(self.body(images))})
        return maps
