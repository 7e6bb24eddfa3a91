"""Faster R-CNN: a first net proposes boxes, a second looks into each. Slower than FCOS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from od_pyramid import CHANNELS, Parts, Pyramid, Target
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FasterRCNN, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import fastrcnn_loss
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import MultiScaleRoIAlign

from kernels_app.bundled.common.schedule import generator

ANCHORS = (20, 40, 80, 160, 320)  # pixels, one for each map; in three shapes
SHAPES = (0.5, 1.0, 2.0)  # height to width
PROPOSALS, SAMPLES = 250, 128  # of an image: boxes looked into, and those of them that the loss is of
WIDTH, POOLED = 256, 7  # of the second net; the side of what it sees of a box

Maps = dict[str, torch.Tensor]


class FasterRcnn(FasterRCNN):
    """torchvision's Faster R-CNN, made small, without its resizing; losses are had in eval too."""

    CLASS_ROWS = {"roi_heads.box_predictor.cls_score.": 1, "roi_heads.box_predictor.bbox_pred.": 4}
    BACKGROUND = 1  # as a class of its own, the first

    def __init__(self, architecture: str, classes: int) -> None:
        super().__init__(
            Pyramid(architecture),
            rpn_anchor_generator=AnchorGenerator(tuple((side,) for side in ANCHORS), (SHAPES,) * len(ANCHORS)),
            rpn_pre_nms_top_n_train=PROPOSALS, rpn_pre_nms_top_n_test=PROPOSALS,
            rpn_post_nms_top_n_train=PROPOSALS, rpn_post_nms_top_n_test=PROPOSALS,
            box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], POOLED, sampling_ratio=2),
            box_head=TwoMLPHead(CHANNELS * POOLED**2, WIDTH), box_predictor=FastRCNNPredictor(WIDTH, classes + 1),
            box_batch_size_per_image=SAMPLES,
        )  # fmt: skip
        for part in (self.rpn, self.roi_heads):
            known = part.fg_bg_sampler
            part.fg_bg_sampler = Sampler(known.batch_size_per_image, known.positive_fraction)

    def limit(self, score_threshold: float, detections: int) -> None:
        """Detections of at least that score, and at most so many in an image, the best ones."""
        self.roi_heads.score_thresh, self.roi_heads.detections_per_img = score_threshold, detections

    def forward(  # type: ignore[override]
        self, batch: torch.Tensor, targets: list[Target] | None = None
    ) -> tuple[Parts, list[Target]]:
        """The losses where targets are given, and while evaluating the detections, boxes in pixels of `batch`.

        The samples that the losses are of are drawn by torch's global seed and the targets' `index`.
        """
        if targets is not None:
            for part in (self.rpn, self.roi_heads):
                part.fg_bg_sampler.images = [int(one["index"]) for one in targets]
            targets = [one | {"labels": one["labels"] + self.BACKGROUND} for one in targets]
        sizes: list[Any] = [tuple(batch.shape[2:])] * len(batch)
        maps = self.backbone(batch)
        proposals, losses = self._propose(ImageList(batch, sizes), maps, targets)
        if targets is not None:
            drawn, _, labels, wanted = self.roi_heads.select_training_samples(list(proposals), targets)
            classification, regression = fastrcnn_loss(*self._look_into(maps, drawn, sizes), labels, wanted)
            losses |= {"classification": classification, "bbox_regression": regression}
        count = torch.tensor(len(batch), device=batch.device)  # an image counts the same: it has as many samples
        parts = {name: (mean * count, count) for name, mean in losses.items()}
        if self.training:
            return parts, []
        found = self.roi_heads.postprocess_detections(*self._look_into(maps, proposals, sizes), proposals, sizes)
        return parts, [
            {"boxes": boxes, "scores": scores, "labels": labels - self.BACKGROUND}
            for boxes, scores, labels in zip(*found, strict=True)
        ]

    def _propose(
        self, shown: ImageList, maps: Maps, targets: list[Target] | None
    ) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
        """Boxes that may hold an object, up to PROPOSALS an image; and the losses of the net that proposes them."""
        levels, rpn = list(maps.values()), self.rpn
        scores, offsets = rpn.head(levels)
        counts = [map.shape[1] * map.shape[2] * map.shape[3] for map in scores]
        flat_scores, flat_offsets = (flat.float() for flat in concat_box_prediction_layers(scores, offsets))
        anchors = rpn.anchor_generator(shown, levels)
        boxes = rpn.box_coder.decode(flat_offsets.detach(), anchors).view(len(anchors), -1, 4)
        proposals, _ = rpn.filter_proposals(boxes, flat_scores, shown.image_sizes, counts)
        if targets is None:
            return proposals, {}
        labels, matched = rpn.assign_targets_to_anchors(anchors, targets)
        objectness, regression = rpn.compute_loss(
            flat_scores, flat_offsets, labels, list(rpn.box_coder.encode(matched, anchors))
        )
        return proposals, {"objectness": objectness, "proposal_regression": regression}

    def _look_into(self, maps: Maps, boxes: list[torch.Tensor], sizes: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Of all boxes together: logits (n, 1 + classes), and how the box of each class differs, (n, 4 + 4 classes)."""
        heads = self.roi_heads
        logits, offsets = heads.box_predictor(heads.box_head(heads.box_roi_pool(maps, boxes, sizes)))
        return logits.float(), offsets.float()


class Sampler(BalancedPositiveNegativeSampler):
    """torchvision's, but an image's samples depend on torch's global seed and the image alone: not on the others of
    the batch, so that several ranks take the steps of one process."""

    images: Sequence[int] = ()  # a number of each

    def __call__(self, matched_idxs: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Masks (boxes,) of the samples with and of those without an object; of each image those with the lowest lots.

        A box that comes or goes moves no more than one sample.
        """
        positive, negative = [], []
        for image, matched in zip(self.images, matched_idxs, strict=True):
            lots = torch.rand(len(matched), generator=generator(torch.initial_seed(), image)).to(matched.device)
            most = int(self.batch_size_per_image * self.positive_fraction)
            positive.append(_lowest(lots, matched >= 1, most))
            negative.append(_lowest(lots, matched == 0, self.batch_size_per_image - int(positive[-1].sum())))
        return positive, negative


def _lowest(lots: torch.Tensor, wanted: torch.Tensor, most: int) -> torch.Tensor:
    """uint8 mask of up to `most` of the `wanted`: those with the lowest lots."""
    order = lots.masked_fill(~wanted, torch.inf).argsort()[: min(most, int(wanted.sum()))]
    mask = torch.zeros_like(wanted, dtype=torch.uint8)
    mask[order] = 1
    return mask
