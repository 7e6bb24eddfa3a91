"""Masks, as `seg/train.py` trains on them: drawn as large as the model sees them, quicker than reading them."""

from functools import partial
from typing import Any

import loop
import numpy as np
import seg_evaluate
import seg_model
import torch
from PIL import Image, ImageDraw
from seg_data import IGNORED
from seg_polygons import corners_of
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from kernels_app.bundled.common import weights
from kernels_app.bundled.common.images import Size, within
from kernels_app.contract.data import ShapeSample, read_labels, read_split_shapes


class IntoSquare(v2.Transform):
    """Resizes the image to the size that its mask has, and pads both to a square of `side`."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = next(found for found in flat_inputs if isinstance(found, tv_tensors.Mask)).shape[-2:]
        return {"size": [height, width], "padding": [0, 0, self._side - width, self._side - height]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        fill = IGNORED if isinstance(inpt, tv_tensors.Mask) else 0
        resized = self._call_kernel(v2.functional.resize, inpt, params["size"], antialias=True)
        return self._call_kernel(v2.functional.pad, resized, params["padding"], fill=fill)


def known(sample: ShapeSample, size: Size, classes: list[str], side: int) -> Any:
    """The mask, 0 background."""
    width, height = within(size, side)
    mask = Image.new("L", (width, height))
    pen, scale = ImageDraw.Draw(mask), (width / size[0], height / size[1])
    for shape in sample.shapes:
        corners = [(x * scale[0], y * scale[1]) for x, y in corners_of(shape)]
        pen.polygon(corners, fill=1 + classes.index(shape.label))
    return tv_tensors.Mask(torch.from_numpy(np.array(mask)))


def loss(model: nn.Module, batch: list[torch.Tensor], balance: torch.Tensor) -> torch.Tensor:
    images, masks = batch
    return seg_evaluate.loss_from(seg_evaluate.loss_sums(model(images).float(), masks, balance))


def main() -> None:
    run, params = loop.begin()
    classes, side = read_labels(run.config.dataset), params["image_size"]
    items: list[loop.Item] = [(sample.path, None, sample) for sample in read_split_shapes(run.config.dataset, "train")]
    names = (params["decoder"], params["architecture"])
    model = seg_model.start(run, *names, classes, None, params["pretrained"])
    weights.freeze(model.encoder.model, params["frozen_stages"])
    images = loop.Images(items, loop.transforms(params, IntoSquare(side)), partial(known, classes=classes, side=side))
    balance = torch.ones(1 + len(classes))
    loop.train(images, model, partial(loss, balance=balance), params, is_dense=True)


if __name__ == "__main__":
    main()
