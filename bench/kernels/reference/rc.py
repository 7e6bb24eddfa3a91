"""Regions, as `rc/train.py` fine-tunes on them."""

import loop
import rc_data
import rc_evaluate
import torch
import torch.nn.functional as F
from torch import nn

from kernels_app.bundled.common import classifier, weights
from kernels_app.contract.data import RcSample, read_labels, read_rc


def region(sample: RcSample, context: float) -> loop.Box:
    left, top, width, height = rc_data.square(sample, context)
    return left, top, left + width, top + height


def loss(model: nn.Module, batch: tuple[torch.Tensor, list[torch.Tensor]]) -> torch.Tensor:
    images, (labels, truth) = batch
    answers = rc_evaluate.own(model(images).float(), labels)
    return F.binary_cross_entropy_with_logits(answers, truth.float())


def main() -> None:
    run, params = loop.begin()
    labels = read_labels(run.config.dataset)
    items: list[loop.Item] = [
        (sample.path, region(sample, params["context"]), (labels.index(sample.label), float(sample.verdict or 0)))
        for sample in read_rc(run.config.dataset, "train")
    ]
    model = classifier.start(run, params["architecture"], labels, None, params["pretrained"])
    model.eval()  # as in the kernel, batch norm stays as it was pretrained
    weights.freeze(model, params["frozen_stages"])
    images = loop.Images(items, loop.transforms(params, loop.squashed(params)), lambda truth, size: truth)
    loop.train(images, model, loss, params)


if __name__ == "__main__":
    main()
