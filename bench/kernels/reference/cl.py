"""Whole images, as `cl/train.py` fine-tunes on them."""

import loop
import torch
import torch.nn.functional as F
from torch import nn

from kernels_app.bundled.common import classifier, weights
from kernels_app.contract.data import read_cl, read_labels


def loss(model: nn.Module, batch: list[torch.Tensor]) -> torch.Tensor:
    images, truth = batch
    return F.cross_entropy(model(images).float(), truth)


def main() -> None:
    run, params = loop.begin()
    classes = read_labels(run.config.dataset)
    samples = read_cl(run.config.dataset, "train")
    items: list[loop.Item] = [(sample.path, None, classes.index(sample.category)) for sample in samples]
    model = classifier.start(run, params["architecture"], classes, None, params["pretrained"])
    model.eval()  # as in the kernel, batch norm stays as it was pretrained
    weights.freeze(model, params["frozen_stages"])
    images = loop.Images(items, loop.transforms(params, loop.squashed(params)), lambda truth, size: truth)
    loop.train(images, model, loss, params)


if __name__ == "__main__":
    main()
