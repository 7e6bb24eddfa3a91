"""FCOS: every point of the feature maps says of what object it lies inside, and how far its sides are. No anchors."""

from __future__ import annotations

from typing import Any

import torch
from od_pyramid import CHANNELS, Parts, Pyramid, Target
from torchvision.models.detection.fcos import FCOS, FCOSHead
from torchvision.models.detection.image_list import ImageList

HEAD_CONVS = 2


class Fcos(FCOS):
    """torchvision's FCOS without its resizing: images come as one normalised batch, and losses are had in eval too."""

    CLASS_ROWS = {"head.classification_head.cls_logits.": 1}  # the layers that depend on the classes: rows for each
    BACKGROUND = 0  # rows of a class before the first

    def __init__(self, architecture: str, classes: int) -> None:
        super().__init__(Pyramid(architecture), classes, head=Head(CHANNELS, 1, classes, HEAD_CONVS))

    def limit(self, score_threshold: float, detections: int) -> None:
        """Detections of at least that score, and at most so many in an image, the best ones."""
        self.score_thresh, self.detections_per_img = score_threshold, detections

    def forward(  # type: ignore[override]
        self, batch: torch.Tensor, targets: list[Target] | None = None
    ) -> tuple[Parts, list[Target]]:
        """The losses where targets are given, and while evaluating the detections, boxes in pixels of `batch`."""
        sizes: list[Any] = [tuple(batch.shape[2:])] * len(batch)
        maps = list(self.backbone(batch).values())
        outputs = {name: value.float() for name, value in self.head(maps).items()}
        anchors = self.anchor_generator(ImageList(batch, sizes), maps)
        levels = [m.shape[2] * m.shape[3] for m in maps]
        parts: Any = {} if targets is None else self.compute_loss(targets, outputs, anchors, levels)
        if self.training:
            return parts, []
        split = {name: list(value.split(levels, dim=1)) for name, value in outputs.items()}
        return parts, self.postprocess_detections(split, [list(a.split(levels)) for a in anchors], sizes)


class Head(FCOSHead):
    """torchvision's head; its losses as sums over the points that lie in an object, and the number of these points."""

    def compute_loss(  # type: ignore[override]
        self, targets: list[Target], head_outputs: Target, anchors: list[torch.Tensor], matched_idxs: list[torch.Tensor]
    ) -> Parts:
        points = (torch.cat(matched_idxs) >= 0).sum()
        means = super().compute_loss(targets, head_outputs, anchors, matched_idxs)
        return {name: (mean * points.clamp(min=1), points) for name, mean in means.items()}
