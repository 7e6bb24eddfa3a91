"""The detector: FCOS with two head convolutions and a 128-channel feature pyramid on EfficientNet-Lite0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
import torch
import torch.nn.functional as F
from od_data import Target
from torch import nn
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7

from kernels_app.bundled.common.precision import Precision
from kernels_app.bundled.common.start import Run
from kernels_app.bundled.common.weights import BACKBONE, imagenet

CHANNELS, HEAD_CONVS = 128, 2
LEVELS = (2, 3, 4)  # of timm's features: strides 8, 16, 32
STRIDE = 32  # images are padded to a multiple of it
LOGITS = "head.classification_head.cls_logits."  # the one layer that depends on the classes


class Pyramid(nn.Module):
    """Normalised images (n, 3, h, w) to five maps of 128 channels, strides 8 to 128."""

    body: Any  # timm's backbone: its parts are named by no annotation

    def __init__(self) -> None:
        super().__init__()
        self.body = timm.create_model(BACKBONE, pretrained=False, features_only=True, out_indices=LEVELS)
        widths = self.body.feature_info.channels()
        self.fpn = FeaturePyramidNetwork(widths, CHANNELS, LastLevelP6P7(CHANNELS, CHANNELS))
        self.out_channels = CHANNELS

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        maps: dict[str, torch.Tensor] = self.fpn({str(n): found for n, found in enumerate(self.body(images))})
        return maps


class Detector(FCOS):
    """torchvision's FCOS without its resizing: images come as one normalised batch, and losses are had in eval too."""

    def __init__(self, classes: int, *, score_threshold: float = 0.05, detections: int = 100) -> None:
        head = FCOSHead(CHANNELS, 1, classes, HEAD_CONVS)
        super().__init__(Pyramid(), classes, head=head, score_thresh=score_threshold, detections_per_img=detections)
        self.precision: Precision | None = None

    def train(self, mode: bool = True) -> Detector:
        """Batch norm stays as it was pretrained: batches of 4 would only spoil it."""
        super().train(mode)
        self.backbone.body.eval()
        return self

    def forward(  # type: ignore[override]
        self, batch: torch.Tensor, sizes: list[tuple[int, int]], targets: list[Target] | None = None
    ) -> tuple[dict[str, torch.Tensor], list[Target]]:
        """`sizes`: (height, width) of each image in the padded batch. Losses where targets are given, and while
        evaluating the detections: boxes (n, 4) in pixels of the batch, scores, labels."""
        if self.precision is None:
            maps, outputs = self._look(batch)
        else:
            with self.precision.context():
                maps, outputs = self._look(batch)
        outputs = {name: value.float() for name, value in outputs.items()}
        anchors = self.anchor_generator(ImageList(batch, sizes), maps)
        levels = [m.shape[2] * m.shape[3] for m in maps]
        losses = {} if targets is None else self.compute_loss(targets, outputs, anchors, levels)
        if self.training:
            return losses, []
        split = {name: list(value.split(levels, dim=1)) for name, value in outputs.items()}
        return losses, self.postprocess_detections(split, [list(a.split(levels)) for a in anchors], sizes)

    def _look(self, batch: torch.Tensor) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
        maps = list(self.backbone(batch).values())
        return maps, self.head(maps)


class Deployed(nn.Module):
    """What is exported: one image in, its boxes, scores and labels out."""

    def __init__(self, model: Detector, side: int) -> None:
        super().__init__()
        self.model, self.side = model, side

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found = self.model(images, [(self.side, self.side)])[1][0]
        return found["boxes"], found["scores"], found["labels"]


def start(run: Run, classes: Sequence[str], base: dict[str, Any] | None, source: str) -> Detector:
    """The model to train: from the base model where the run has one, else on pretrained weights."""
    model = Detector(len(classes))
    if base is not None:
        _take_over(run, model, classes, base)
    elif (weights := imagenet(run, source)) is not None:
        body = model.backbone.body
        body.load_state_dict({name: weights[name] for name in body.state_dict()})
    return model


def restore(state: dict[str, Any], **options: Any) -> Detector:
    """The model of a checkpoint, ready to judge. `options` as Detector takes them."""
    model = Detector(len(state["classes"]), **options)
    model.load_state_dict(state["model"])
    return model.eval()


def freeze(model: Detector, stages: int) -> None:
    """Keep the stem and the first `stages` of 7 stages as they are. 0 freezes nothing."""
    body = model.backbone.body
    for module in [body.conv_stem, body.bn1, *body.blocks[:stages]] if stages else []:
        module.requires_grad_(False)


def collate(
    images: Sequence[torch.Tensor], device: torch.device, side: int = 0
) -> tuple[torch.Tensor, list[tuple[int, int]]]:
    """uint8 (3, h, w) to one batch in -1..1, padded with 0 at right and bottom; and the (h, w) of each.

    `side`: of the padded square; 0 pads to what the largest needs.
    """
    sizes = [(image.shape[1], image.shape[2]) for image in images]
    height, width = (side or _padded(max(size[axis] for size in sizes)) for axis in (0, 1))
    batch = torch.stack([
        F.pad(image.to(device).float().div_(127.5).sub_(1.0), (0, width - w, 0, height - h))
        for image, (h, w) in zip(images, sizes, strict=True)
    ])  # fmt: skip
    return batch.contiguous(memory_format=torch.channels_last), sizes


def card(side: int, thresholds: dict[str, float]) -> dict[str, Any]:
    """What a program must know to use the exported model."""
    return {
        "input": {"name": "images", "shape": [1, 3, side, side], "layout": "NCHW", "colour": "RGB"},
        "resize": {
            "mode": "longest side", "interpolation": "bilinear, antialiased", "width": side, "height": side,
            "pad": "0 after normalisation, at right and bottom",
        },
        "normalisation": {"scale": 1 / 255, "mean": [0.5] * 3, "std": [0.5] * 3},
        "outputs": {"boxes": "n x 4: x1, y1, x2, y2 in pixels of the input", "scores": "n", "labels": "n, class index"},
        "thresholds": thresholds,
    }  # fmt: skip


def _padded(length: int) -> int:
    return -(-length // STRIDE) * STRIDE


def _take_over(run: Run, model: Detector, classes: Sequence[str], base: dict[str, Any]) -> None:
    """Everything of the base model, and of its last layer the rows of the classes that both know, by name."""
    own = model.state_dict()
    taken = {name: own[name] if name.startswith(LOGITS) else base["model"][name] for name in own}
    known = [name for name in classes if name in base["classes"]]
    for name in known:
        here, there = classes.index(name), base["classes"].index(name)
        for part in ("weight", "bias"):
            taken[LOGITS + part][here] = base["model"][LOGITS + part][there]
    model.load_state_dict(taken)
    run.log(f"Base model: taken over, and {len(known)} of {len(classes)} classes by name")
    if new := [name for name in classes if name not in known]:
        run.log(f"Base model: it does not know {', '.join(new)}; these start anew")
