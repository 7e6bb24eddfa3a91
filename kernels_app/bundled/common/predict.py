"""Runs an exported model: `python predict.py IMAGE…`. Needs numpy, Pillow and onnxruntime; no torch, no portal.

Lies beside `<model_type>.onnx` and `<model_type>.json`; the latter says how images are prepared and what comes out.
Prints one JSON object an image. A model that judges regions is asked with `--region LABEL,X,Y,W,H` (pixels).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

Region = tuple[str, float, float, float, float]  # label, x, y, width, height in pixels
Place = tuple[int, int, int, int]  # x, y, width, height of a tile in pixels of the image
NMS_IOU = 0.6  # objects of one class that overlap more are one, where tiles meet
EDGE = 0.02  # of a tile's side: an object that ends so near to its border may be cut off there


class Model:
    """The ONNX file beside the card `path` (`<model_type>.json`)."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self.card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        self.classes: list[str] = self.card["classes"]
        self._side: int = self.card["resize"]["width"]
        self._height: int = self.card["resize"]["height"]
        self._session = onnxruntime.InferenceSession(str(path.with_suffix(".onnx")), providers=["CPUExecutionProvider"])

    def predict(self, image: Image.Image, regions: Iterable[Region] = ()) -> dict[str, Any]:
        """What the model says of an upright RGB image. `regions` are those that an RC model judges."""
        kind = self.card["training_type"]
        if kind == "RC":
            return {"regions": [self._judge(image, *region) for region in regions]}
        return {"CL": self._classify, "OD": self._detect, "SEG": self._segment}[kind](image)

    def _classify(self, image: Image.Image) -> dict[str, Any]:
        p = self._run(image.resize((self._side, self._side), Image.Resampling.BILINEAR))[0][0]
        best = int(p.argmax())
        return {
            "class": self.classes[best],
            "score": round(float(p[best]), 6),
            "probabilities": [round(v, 6) for v in p.tolist()],
        }

    def _judge(self, image: Image.Image, label: str, x: float, y: float, width: float, height: float) -> dict[str, Any]:
        """Whether the region has `label`: a square around its middle, wider by the context, is looked at."""
        side = max(1, round(max(width, height) * self.card["region"]["context"]))
        left, top = round(x + width / 2 - side / 2), round(y + height / 2 - side / 2)
        pixels = np.asarray(image)
        rows = np.arange(top, top + side).clip(0, pixels.shape[0] - 1)
        columns = np.arange(left, left + side).clip(0, pixels.shape[1] - 1)
        cut = Image.fromarray(pixels[rows[:, None], columns])
        p = self._run(cut.resize((self._side, self._side), Image.Resampling.BILINEAR))[0][0]
        score = float(p[self.classes.index(label)])
        box = {"x": x, "y": y, "w": width, "h": height}
        return {"label": label, "verdict": score >= 0.5, "score": round(score, 6), **box}

    def _detect(self, image: Image.Image) -> dict[str, Any]:
        tiles = places(image.size, self.card.get("tiles"))
        parts = [self._detect_in(image, place) for place in tiles]
        boxes, scores, labels, cut = (np.concatenate(values) for values in zip(*parts, strict=True))
        if len(tiles) > 1:
            kept = separate(boxes, scores, labels, cut)
            boxes, scores, labels = boxes[kept], scores[kept], labels[kept]
        order = (-scores).argsort(kind="stable")[: self.card["thresholds"].get("max_detections", len(scores))]
        return {"objects": [
            {"class": self.classes[labels[n]], "score": round(float(scores[n]), 6), "box": boxes[n].round(2).tolist()}
            for n in order
        ]}  # fmt: skip

    def _detect_in(self, image: Image.Image, place: Place) -> tuple[np.ndarray, ...]:
        """Boxes in pixels of the image, scores, labels, and which boxes the tile cuts off."""
        x, y, width, height = place
        padded, across, down = self._fitted(image.crop((x, y, x + width, y + height)))
        boxes, scores, labels = self._session.run(None, {"images": padded})
        boxes = (boxes / [across, down, across, down]).clip(0, [width, height, width, height])
        real = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # and not beyond the image, where the input is filled up
        boxes = boxes[real] + [x, y, x, y]
        return boxes, scores[real], labels[real], cut_off(boxes, place, image.size)

    def _segment(self, image: Image.Image) -> dict[str, Any]:
        mask = self.mask(image)
        areas = np.bincount(mask.ravel(), minlength=len(self.classes) + 1)[1:]
        return {"pixels": dict(zip(self.classes, areas.tolist(), strict=True))}

    def mask(self, image: Image.Image) -> np.ndarray:
        """uint8 (height, width): 0 is background, n the class with index n - 1."""
        padded, across, down = self._fitted(image)
        p = self._session.run(None, {"images": padded})[0][0]
        height, width = round(image.height * down), round(image.width * across)
        layers = [Image.fromarray(layer[:height, :width]).resize(image.size, Image.Resampling.BILINEAR) for layer in p]
        return np.stack([np.asarray(layer) for layer in layers]).argmax(axis=0).astype(np.uint8)

    def _fitted(self, image: Image.Image) -> tuple[np.ndarray, float, float]:
        """As large as fits into the model's input; the rest is filled with 0. And the factors of width and height."""
        width, height = fitting(image.size, (self._side, self._height))
        small = self._normalised(image.resize((width, height), Image.Resampling.BILINEAR))
        padded = np.zeros((1, 3, self._height, self._side), np.float32)
        padded[:, :, :height, :width] = small
        return padded, width / image.width, height / image.height

    def _run(self, image: Image.Image) -> list[np.ndarray]:
        return list(self._session.run(None, {"images": self._normalised(image)}))

    def _normalised(self, image: Image.Image) -> np.ndarray:
        """float32 (1, 3, height, width)."""
        mean, std = (np.array(self.card["normalisation"][name], np.float32) for name in ("mean", "std"))
        pixels = (np.asarray(image, np.float32) / 255 - mean) / std
        return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)


def read(path: str) -> Image.Image:
    """The image as RGB, upright."""
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith(("I", "F")):  # 16 bits: the upper 8
            grey = np.asarray(upright, dtype=np.float32)
            divisor = 257 if grey.max(initial=0) > 255 else 1
            upright = Image.fromarray((grey / divisor).clip(0, 255).astype(np.uint8))
        return upright.convert("RGB")


def fitting(size: tuple[int, int], frame: tuple[int, int]) -> tuple[int, int]:
    """The largest width and height of the form of `size` that fit into `frame`."""
    (width, height), (most_across, most_down) = size, frame
    across, down = (round(min(length * most_across / width, length * most_down / height)) for length in size)
    return max(1, across), max(1, down)


def places(size: tuple[int, int], tiles: dict[str, int] | None) -> list[Place]:
    """The tiles (`size`, `overlap`) that cover an image of `size`; the whole of it where the model uses none."""
    if not tiles:
        return [(0, 0, *size)]
    columns, rows = (_starts(length, tiles["size"], tiles["overlap"]) for length in size)
    width, height = (min(length, tiles["size"]) for length in size)
    return [(x, y, width, height) for y in rows for x in columns]


def _starts(length: int, size: int, overlap: int) -> list[int]:
    """Where tiles begin: evenly spread, overlapping by at least `overlap`."""
    if length <= size:
        return [0]
    count = -(-(length - overlap) // (size - overlap))
    return [round(n * (length - size) / (count - 1)) for n in range(count)]


def cut_off(boxes: np.ndarray, place: Place, size: tuple[int, int]) -> np.ndarray:
    """(n,) whether each box (n, 4), in pixels of an image of `size`, ends at a border of the tile inside the image."""
    x, y, width, height = place
    inside = np.array([x > 0, y > 0, x + width < size[0], y + height < size[1]])
    distances = abs(boxes - [x, y, x + width, y + height])
    found: np.ndarray = ((distances < EDGE * max(width, height)) & inside).any(axis=1)
    return found


def separate(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, cut: np.ndarray) -> list[int]:
    """Indices of the objects that no better one of their class covers.

    One that is cut off at the border of its tile counts half, and goes where most of it lies in a better one.
    """
    worth = np.where(cut, scores / 2, scores)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    left = (-worth).argsort(kind="stable")
    kept: list[int] = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        low, high = np.maximum(boxes[left, :2], boxes[best, :2]), np.minimum(boxes[left, 2:], boxes[best, 2:])
        common = (high - low).clip(0).prod(axis=1)
        most = NMS_IOU * np.where(cut[left], area[left], area[left] + area[best] - common)
        left = left[(labels[left] != labels[best]) | (common <= most)]
    return kept


def _region(text: str) -> Region:
    label, *numbers = text.rsplit(",", 4)
    try:
        x, y, width, height = (float(number) for number in numbers)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected LABEL,X,Y,W,H, found {text!r}") from None
    return label, x, y, width, height


def main() -> int:
    parser = argparse.ArgumentParser(description="Runs an exported model on images; prints a JSON object for each.")
    parser.add_argument("images", nargs="+", metavar="IMAGE")
    parser.add_argument("--model", type=Path, help="the model's JSON file (default: the one beside this program)")
    parser.add_argument("--region", type=_region, action="append", default=[], metavar="LABEL,X,Y,W,H")
    asked = parser.parse_args()
    beside = [path for path in sorted(Path(__file__).parent.glob("*.json")) if path.with_suffix(".onnx").is_file()]
    if asked.model is None and len(beside) != 1:
        parser.error("say which model with --model: there is not exactly one beside this program")
    model = Model(asked.model or beside[0])
    if model.card["training_type"] == "RC" and not asked.region:
        parser.error("this model judges regions: give at least one --region LABEL,X,Y,W,H")
    if strange := [label for label, *_ in asked.region if label not in model.classes]:
        parser.error(f"the model does not know {strange[0]}; it knows {', '.join(model.classes)}")
    for path in asked.images:
        print(json.dumps({"image": path, **model.predict(read(path), asked.region)}, ensure_ascii=False), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
