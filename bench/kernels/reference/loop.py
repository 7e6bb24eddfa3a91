"""A plain training loop as torchvision's references have it: a Dataset, a DataLoader with two workers, AdamW.

The model, its first weights, what of it is frozen, the loss, the batch and the arithmetic are the kernel's. The images
are opened, resized, flipped and normalised by torchvision each time they are asked for; nothing is kept, and the model
lies in memory as torchvision leaves it. What the epochs took is written to `spent.json`, as `clocked.py` does.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from kernels_app.bundled.common.precision import Precision
from kernels_app.bundled.common.start import Run
from kernels_app.bundled.common.weights import mean_and_std
from kernels_app.contract.config import TrainingConfig
from kernels_app.contract.settings import ModelSettings
from kernels_app.contract.status import StatusWriter

WORKERS = 2

Box = tuple[float, float, float, float]
Item = tuple[str, Box | None, Any]  # path, region to cut out, what is known of it


class Images(Dataset[Any]):
    """`known` makes of an item's third part what the transforms change together with the image, and what it is."""

    def __init__(self, items: list[Item], transforms: Callable[..., Any], known: Callable[..., Any]) -> None:
        self._items, self._transforms, self._known = items, transforms, known

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        path, region, about = self._items[index]
        with Image.open(path) as file:
            image = (file.crop(region) if region else file).convert("RGB")  # type: ignore[arg-type]
        return self._transforms(tv_tensors.Image(v2.functional.pil_to_tensor(image)), self._known(about, image.size))


def begin() -> tuple[Run, dict[str, Any]]:
    """The run that `training.json` asks for, and its settings."""
    torch.manual_seed(0)
    config = TrainingConfig.read(Path(sys.argv[1]))
    model = ModelSettings.read(Path(config.training_config_file))
    run = Run(config, model, Path("kernel").resolve(), StatusWriter(config), 0, 1, 0)
    return run, run.params()


def transforms(params: dict[str, Any], *resizing: v2.Transform) -> v2.Compose:
    flips = [v2.RandomHorizontalFlip()] if params["flip_horizontal"] else []
    numbers = [v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True)]
    return v2.Compose([*resizing, *flips, *numbers, v2.Normalize(*mean_and_std(params["architecture"]))])


def squashed(params: dict[str, Any]) -> v2.Transform:
    return v2.Resize((params["image_size"],) * 2, antialias=True)


def train(
    images: Images, model: nn.Module, loss: Callable[[nn.Module, Any], torch.Tensor], params: dict[str, Any], *,
    collate: Callable[[list[Any]], Any] | None = None, is_dense: bool = False,
) -> None:  # fmt: skip
    """All epochs; `loss` of a model and a batch."""
    before, begun = _cpu(), time.monotonic()
    _epochs(images, model, loss, params, collate, Precision(params["amp"], torch.device("cpu"), is_dense=is_dense))
    spent = {"wall": time.monotonic() - begun, "cpu": _cpu() - before, "images": params["epochs"] * len(images)}
    Path("spent.json").write_text(json.dumps(spent), encoding="utf-8")


def _epochs(  # type: ignore[no-untyped-def]
    images, model, loss, params, collate, precision
) -> None:  # fmt: skip
    """Its own function, so that the workers have ended, and their CPU time is known, when it returns."""
    loader = DataLoader(
        images, params["batch_size"], shuffle=True, num_workers=WORKERS, collate_fn=collate, persistent_workers=True
    )
    chosen = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, params["learning_rate"], weight_decay=params["weight_decay"])
    for _ in range(params["epochs"]):
        for batch in loader:
            with precision.context():
                value = loss(model, batch)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()


def _cpu() -> float:
    """Seconds of this process and of its children that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
