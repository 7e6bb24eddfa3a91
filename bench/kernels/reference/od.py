"""Boxes, as `od/train.py` trains on them. Images are resized by the workers, not within the model."""

from functools import partial
from typing import Any

import loop
import od_model
import torch
from torch import nn
from torchvision import tv_tensors
from torchvision.transforms import v2

from kernels_app.bundled.common import weights
from kernels_app.bundled.common.images import Size, size_of, within
from kernels_app.contract.data import ShapeSample, read_labels, read_split_shapes

Pair = tuple[torch.Tensor, dict[str, torch.Tensor]]


class Within(v2.Transform):
    """Resizes so that the longer side is `side`."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        height, width = flat_inputs[0].shape[-2:]
        return {"size": within((width, height), self._side)[::-1]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self._call_kernel(v2.functional.resize, inpt, list(params["size"]), antialias=True)


def known(sample: ShapeSample, size: Size, classes: list[str]) -> dict[str, Any]:
    """Boxes around the shapes, in the pixels of the file, and their classes."""
    boxes = [(*map(min, zip(*s.points, strict=True)), *map(max, zip(*s.points, strict=True))) for s in sample.shapes]
    kept = [n for n, (x1, y1, x2, y2) in enumerate(boxes) if x2 - x1 >= 1 and y2 - y1 >= 1]
    corners = torch.tensor([boxes[n] for n in kept], dtype=torch.float32).reshape(-1, 4)
    return {
        "boxes": tv_tensors.BoundingBoxes(corners, format="XYXY", canvas_size=size[::-1]),  # type: ignore[call-overload]
        "labels": torch.tensor([classes.index(sample.shapes[n].label) for n in kept], dtype=torch.int64),
    }


def padded(pairs: list[Pair], frame: Size) -> tuple[torch.Tensor, list[dict[str, torch.Tensor]]]:
    """One batch, 0 at right and bottom."""
    batch = torch.zeros(len(pairs), 3, frame[1], frame[0])
    for n, (image, _) in enumerate(pairs):
        batch[n, :, : image.shape[1], : image.shape[2]] = image
    return batch, [{name: tensor.as_subclass(torch.Tensor) for name, tensor in target.items()} for _, target in pairs]


def loss(model: nn.Module, batch: Any) -> torch.Tensor:
    return od_model.loss_of(model(*batch)[0])


def main() -> None:
    run, params = loop.begin()
    classes, side = read_labels(run.config.dataset), params["image_size"]
    samples = read_split_shapes(run.config.dataset, "train")
    frame = od_model.frame([within(size_of(sample.path), side) for sample in samples])
    items: list[loop.Item] = [(sample.path, None, sample) for sample in samples]
    model = od_model.start(run, params["detector"], params["architecture"], classes, None, params["pretrained"])
    weights.freeze(model.backbone.body, params["frozen_stages"])
    model.train()
    images = loop.Images(items, loop.transforms(params, Within(side)), partial(known, classes=classes))
    loop.train(images, model, loss, params, collate=partial(padded, frame=frame))


if __name__ == "__main__":
    main()
