"""Makes a kernel of torchvision's reference script for classification, whose files lie unchanged in `reference/`.

It translates `training.json` and `model.json` into the script's options, lays the images out as the script wants them,
and puts its checkpoints where the portal looks for them. `answers.py` does what the script cannot: validation and
inference.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
from pathlib import Path

import torch
import torchvision

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "reference"))

import train  # noqa: E402 (of the reference)
import utils  # noqa: E402

CONFIG = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
SETTINGS = json.loads(Path(CONFIG["training_config_file"]).read_text(encoding="utf-8"))
PARAMS = SETTINGS["training_params"]
DATASET, SCRATCH, OUTPUT = (Path(CONFIG[name]) for name in ("dataset_path", "temp_path", "model_write_path"))
CLASSES = (DATASET / "label.txt").read_text(encoding="utf-8").split()
DEVICE = "cuda" if CONFIG["gpu_count"] else "cpu"
IS_TRAINING = CONFIG["operation"] == "training"


def say(phase: str, **more: object) -> None:
    """A line of `status_file`."""
    name = "training" if IS_TRAINING else "validation"
    about = {"cmd": f"{name}_status", "status": f"{name}_{phase}"}
    about |= {key: CONFIG[key] for key in ("project_key", "model_id", "validation_id")}
    with Path(CONFIG["status_file"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(about | more, ensure_ascii=False) + "\n")


def samples(split: str) -> list[tuple[str, int]]:
    """Path and class index of each image."""
    lines = (DATASET / split / f"{split}.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.rpartition(" ") for line in lines if line)
    return [(path, CLASSES.index(category)) for path, _space, category in pairs]


def listed() -> list[tuple[str, int | None]]:
    """The images of an inference, whose classes nobody knows."""
    return [(path, None) for path in (DATASET / "files.txt").read_text(encoding="utf-8").splitlines() if path]


def checkpoint_of(folder: str) -> dict:
    """The last state that the script wrote there."""
    with torch.serialization.safe_globals([argparse.Namespace]):
        return torch.load(Path(folder) / "save" / "checkpoint.pth", map_location="cpu", weights_only=True)


# --- what the script does in its own way -----------------------------------------------------------------------------


class Labelled(torchvision.datasets.ImageFolder):
    """Folders are named by the class's index, and a class may have no image in a split."""

    def __init__(self, root: str, transform: object) -> None:
        super().__init__(root, transform, allow_empty=True)

    def find_classes(self, directory: str) -> tuple[list[str], dict[str, int]]:
        return CLASSES, {str(n): n for n in range(len(CLASSES))}


def lay_out(split: str, name: str) -> None:
    """Links to the images of a split in a folder for each class."""
    for n in range(len(CLASSES)):
        (SCRATCH / "data" / name / str(n)).mkdir(parents=True, exist_ok=True)
    for number, (path, index) in enumerate(samples(split)):
        link = SCRATCH / "data" / name / str(index) / f"{number}{Path(path).suffix.lower()}"
        link.unlink(missing_ok=True)
        link.symlink_to(path)


def accuracy(output: torch.Tensor, target: torch.Tensor, topk: tuple[int, ...] = (1,)) -> list[torch.Tensor]:
    """As the script's own, which asks for the best five where there are only two classes."""
    return original["accuracy"](output, target, tuple(min(k, len(CLASSES)) for k in topk))


def evaluate(*args: object, **options: object) -> float:
    """Remembers how good this epoch was."""
    found["top1"] = original["evaluate"](*args, **options)
    return found["top1"]


def save(state: dict, path: str) -> None:
    """Every epoch the script saves twice: once is enough."""
    if Path(path).name != "checkpoint.pth":
        return
    keep(state, "save/resume.pth")
    if found["top1"] >= found["best"]:
        found["best"] = found["top1"]
        keep(state, "save/checkpoint.pth")
    epoch = state["epoch"] + 1
    say("ing", percentage=100 * epoch / PARAMS["epochs"], step=epoch)


def keep(state: dict, place: str) -> None:
    path = OUTPUT / place
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    torch.save(state | {"best": found["best"], "model_name": PARAMS["model"], "crop_size": PARAMS["crop_size"]}, draft)
    draft.replace(path)


def get_model(name: str, **options: object) -> torch.nn.Module:
    """With the weights of the base model, where there is one and this run has not begun yet."""
    model = original["get_model"](name, **options)
    if CONFIG["base_model_path"] and not CONFIG["resume"]:
        model.load_state_dict(checkpoint_of(CONFIG["base_model_path"])["model"])
    return model


# --- the run ---------------------------------------------------------------------------------------------------------


def options() -> argparse.Namespace:
    """The script's options for this run."""
    size = PARAMS["crop_size"]
    given = {name: value for name, value in PARAMS.items() if name not in ("crop_size", "auto_augment")}
    given |= {"train_crop_size": size, "val_crop_size": size, "val_resize_size": round(size * 8 / 7)}
    given |= {"data_path": SCRATCH / "data", "output_dir": SCRATCH / "out", "device": DEVICE}
    if PARAMS.get("auto_augment", "none") != "none":
        given["auto_augment"] = PARAMS["auto_augment"]
    if CONFIG["resume"]:
        given["resume"] = OUTPUT / "save" / "resume.pth"
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return train.get_args_parser().parse_args(words)


def run_training() -> None:
    for split, name in (("train", "train"), ("validation", "val")):
        lay_out(split, name)
    torchvision.datasets.ImageFolder = Labelled
    torchvision.models.get_model, train.evaluate = get_model, evaluate
    utils.accuracy, utils.save_on_master = accuracy, save
    with torch.serialization.safe_globals([argparse.Namespace]):
        if CONFIG["resume"]:
            found["best"] = torch.load(OUTPUT / "save" / "resume.pth", map_location="cpu", weights_only=True)["best"]
        train.main(options())
    from answers import export

    export(checkpoint_of(str(OUTPUT)), len(CLASSES), OUTPUT / f"{SETTINGS['model_type']}.onnx")


def main() -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # the last epoch is saved already
    if IS_TRAINING:
        run_training()
    else:
        from answers import answer

        asked = samples("validation") if CONFIG["operation"] == "validation" else listed()
        answer(checkpoint_of(CONFIG["base_model_path"]), CLASSES, asked, OUTPUT, DEVICE)
    shutil.rmtree(SCRATCH / "data", ignore_errors=True)
    say("done")


original = {
    "accuracy": utils.accuracy, "evaluate": train.evaluate, "get_model": torchvision.models.get_model,
}  # fmt: skip
found = {"top1": 0.0, "best": -1.0}

if __name__ == "__main__":
    main()
