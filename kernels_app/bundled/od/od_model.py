"""The detectors to choose from: how one is begun, restored, fed, and what of it is exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from od_fasterrcnn import FasterRcnn
from od_fcos import Fcos
from od_pyramid import PADDING, Parts, Target
from torch import nn

from kernels_app.bundled.common import distributed, export
from kernels_app.bundled.common.images import Size
from kernels_app.bundled.common.start import Run
from kernels_app.bundled.common.weights import imagenet, mean_and_std, normalised

DETECTORS: dict[str, type[Fcos] | type[FasterRcnn]] = {"fcos": Fcos, "fasterrcnn": FasterRcnn}
OUTPUTS = {"boxes": "n x 4: x1, y1, x2, y2 in pixels of the input", "scores": "n", "labels": "n, class index"}
MARGIN = 1e-3  # detections whose score is nearer to where they are cut off may be on either side of it
ODD_ONES = 50  # one in so many may differ: of two equal candidates either may be taken

Detector = Any  # one of DETECTORS
State = Any  # a checkpoint, a dict; None where there is none


def start(
    run: Run, detector: str, architecture: str, classes: Sequence[str], base: dict[str, Any] | None, source: str
) -> Detector:
    """The model to train: from the base model where the run has one, else on a pretrained backbone."""
    model = DETECTORS[detector](architecture, len(classes))
    if base is not None:
        _take_over(run, model, classes, base)
    elif (weights := imagenet(run, architecture, source)) is not None:
        model.backbone.take(weights)
    return model


def restore(state: dict[str, Any], score_threshold: float, detections: int) -> Detector:
    """The model of a checkpoint, ready to judge."""
    model = DETECTORS[state["detector"]](state["architecture"], len(state["classes"]))
    model.load_state_dict(state["model"])
    model.limit(score_threshold, detections)
    return model.eval()


def known(state: State) -> State:
    """A checkpoint with what those before version 1.2 did not say; None stays None."""
    if state is None:
        return None
    return {"detector": "fcos", "tiles": None, "frame": [state["image_size"]] * 2} | state


def detector_of(run: Run, base: dict[str, Any] | None, wanted: str) -> str:
    """What to build: as the base model is, where there is one."""
    if base is None or base["detector"] == wanted:
        return wanted
    run.log(f"The base model is a {base['detector']}: training goes on with that, not with {wanted}.")
    return str(base["detector"])


def frame(sizes: Sequence[Size]) -> Size:
    """The smallest width and height that all images fit into, multiples of PADDING: what they are padded to.

    Always the same, as the group norm of the heads sees the padding too: what is judged is what is exported.
    """
    width, height = (-(-max(size[axis] for size in sizes) // PADDING) * PADDING for axis in (0, 1))
    return width, height


def collate(images: Sequence[torch.Tensor], frame: Size, architecture: str, device: torch.device) -> torch.Tensor:
    """uint8 images (3, h, w) to one normalised batch, padded with 0 at right and bottom to `frame`."""
    width, height = frame
    batch = torch.zeros(len(images), 3, height, width, device=device).contiguous(memory_format=torch.channels_last)
    for n, image in enumerate(images):
        batch[n, :, : image.shape[1], : image.shape[2]] = normalised(image[None], architecture, device)[0]
    return batch


def on(device: torch.device, targets: Sequence[Target]) -> list[Target]:
    return [{name: value.to(device) for name, value in target.items()} for target in targets]


def loss_of(parts: Parts) -> torch.Tensor:
    """The sum of the parts, each a mean over what it counts in all ranks. Every rank must ask together."""
    totals, counts = (torch.stack([part[n].float() for part in parts.values()]) for n in (0, 1))
    return (distributed.whole(totals) / distributed.whole(counts).clamp(min=1)).sum()


class Deployed(nn.Module):
    """What is exported: one image (1, 3, h, w) in, its boxes, scores and labels out."""

    def __init__(self, model: Detector) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found = self.model(images)[1][0]
        return found["boxes"], found["scores"], found["labels"]


def card(state: dict[str, Any], score_threshold: float, detections: int) -> dict[str, Any]:
    """What a program must know to use the exported model of the checkpoint `state`."""
    width, height = state["frame"]
    about = export.about_input(width, *mean_and_std(state["architecture"]), batch=1)
    about |= export.about_resize(width, is_squashed=False)
    about["input"]["shape"] = [1, 3, height, width]
    about["resize"] |= {"mode": "largest that fits", "height": height}
    limits = {"score_threshold": score_threshold, "max_detections": detections, "min_score": state["min_score"]}
    return about | {
        "outputs": OUTPUTS, "thresholds": limits, "tiles": state["tiles"], "detector": state["detector"],
        "architecture": state["architecture"], "validation": state["scores"],
    }  # fmt: skip


@torch.inference_mode()
def largest_difference(
    model: Deployed, path: Path, images: Sequence[torch.Tensor], score_threshold: float, detections: int
) -> tuple[float, int]:
    """Between torch and the ONNX file on `images` (1, 3, h, w), in pixels or hundredths of the score; and how many
    detections were compared. Infinite where one has no counterpart of its class."""
    distances = [torch.zeros(0)]
    for image in images:
        here = model(image)
        there = tuple(torch.from_numpy(values) for values in export.run_onnx(path, image))
        for some, others in ((here, there), (there, here)):
            cut = float(some[1].min()) if len(some[1]) == detections else score_threshold
            sure = some[1] > cut + MARGIN
            distances.append(_distances([values[sure] for values in some], others))
    everything = torch.cat(distances).sort().values
    if not len(everything):
        return 0.0, 0
    return float(everything[len(everything) - 1 - len(everything) // ODD_ONES]), len(everything)


def _distances(some: Sequence[torch.Tensor], others: Sequence[torch.Tensor]) -> torch.Tensor:
    """Of each detection of `some` (boxes, scores, labels) to the nearest of `others`."""
    if not len(others[0]):
        return torch.full((len(some[0]),), torch.inf)
    a, b = (torch.cat([boxes, 100 * scores[:, None]], dim=1) for boxes, scores, _ in (some, others))
    apart = (a[:, None] - b[None]).abs().amax(dim=2)
    return apart.masked_fill(some[2][:, None] != others[2][None], torch.inf).amin(dim=1)


def _take_over(run: Run, model: Detector, classes: Sequence[str], base: dict[str, Any]) -> None:
    """Everything of the base model, and of its last layers the rows of the classes that both know, by name."""
    own = model.state_dict()
    taken = {name: own[name] if name.startswith(tuple(model.CLASS_ROWS)) else base["model"][name] for name in own}
    known = [name for name in classes if name in base["classes"]]
    pairs = [(n, n) for n in range(model.BACKGROUND)]
    pairs += [(model.BACKGROUND + classes.index(c), model.BACKGROUND + base["classes"].index(c)) for c in known]
    for layer, rows in model.CLASS_ROWS.items():
        for name in (layer + "weight", layer + "bias"):
            for here, there in pairs:
                taken[name][here * rows : (here + 1) * rows] = base["model"][name][there * rows : (there + 1) * rows]
    model.load_state_dict(taken)
    run.log(f"Base model: taken over, and {len(known)} of {len(classes)} classes by name")
    if new := [name for name in classes if name not in known]:
        run.log(f"Base model: it does not know {', '.join(new)}; these start anew")
