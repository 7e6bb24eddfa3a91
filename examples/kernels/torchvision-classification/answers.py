"""What the reference script does not do: a checkpoint asked about images, and as an ONNX file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import presets  # of the reference
import torch
import torchvision
from PIL import Image


def loaded(checkpoint: dict, classes: int) -> torch.nn.Module:
    model = torchvision.models.get_model(checkpoint["model_name"], weights=None, num_classes=classes)
    model.load_state_dict(checkpoint["model"])
    return model.eval()


@torch.inference_mode()
def answer(
    checkpoint: dict, classes: list[str], asked: Sequence[tuple[str, int | None]], output: Path, device: str
) -> None:
    """`detections.csv`, and where the true classes are known `confusion.csv` and `summary.csv`."""
    model, size = loaded(checkpoint, len(classes)).to(device), checkpoint["crop_size"]
    prepare = presets.ClassificationPresetEval(crop_size=size, resize_size=round(size * 8 / 7))
    confusion = [[0] * len(classes) for _ in classes]
    with (output / "detections.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["filename", "y", "y_pred", *(f"p{n}" for n in range(len(classes)))])
        for path, true in asked:
            with Image.open(path) as image:
                batch = prepare(image.convert("RGB"))[None].to(device)
            odds = model(batch).softmax(1)[0].tolist()
            best = odds.index(max(odds))
            table.writerow([path, "" if true is None else true, best, *(f"{p:.6f}" for p in odds)])
            if true is not None:
                confusion[true][best] += 1
    if any(true is not None for _path, true in asked):
        _write(output / "confusion.csv", [[*range(len(classes)), "name"], *_named(confusion, classes)])
        right = sum(row[n] for n, row in enumerate(confusion))
        _write(output / "summary.csv", [["accuracy", right / len(asked)]])


def export(checkpoint: dict, classes: int, path: Path) -> None:
    """The best state as ONNX, for batches of any size."""
    size = checkpoint["crop_size"]
    inputs, draft = torch.randn(2, 3, size, size), path.with_name(f".{path.name}.tmp")
    shapes = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(loaded(checkpoint, classes), (inputs,), draft, dynamic_shapes=shapes, external_data=False)
    draft.replace(path)


def _named(confusion: list[list[int]], classes: list[str]) -> list[list[object]]:
    return [[*row, name] for row, name in zip(confusion, classes, strict=True)]


def _write(path: Path, rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
