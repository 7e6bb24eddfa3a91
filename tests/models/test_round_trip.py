"""A model that a real kernel trained goes to an empty installation, and says the same there of every image."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from tests.kernels.makers import draw
from tests.portal import Portal

pytestmark = pytest.mark.kernel
PARAMS = {"epochs": 1, "probe_epochs": 1, "image_size": 32, "batch_size": 8, "workers": 1, "seed": 7}


def ask(portal: Portal, *argv: str) -> dict:
    done = portal.manage(*argv, "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.fixture
def pictures(tmp_path) -> dict[str, Path]:
    """A folder a class, for training and for validation."""
    for split, count in (("train", 5), ("val", 3)):
        for n in range(count):
            for colour in ("RED", "BLUE"):
                draw(tmp_path / split / colour / f"{n}.png", colour, n + (100 if split == "val" else 0))
    return {split: tmp_path / split for split in ("train", "val")}


@pytest.fixture
def installation(tmp_path):
    """Makes portals with a database and a project `parts`, and nothing else in it."""
    made: list[Portal] = []

    def make(name: str) -> Portal:
        portal = Portal(tmp_path / name)
        assert portal.manage("migrate", "-v0").returncode == 0
        ask(portal, "create_project", "parts")
        made.append(portal)
        return portal

    yield make
    for portal in made:
        portal.stop()


def bring(portal: Portal, split: str, folder: Path) -> None:
    ask(portal, "import_dataset", f"squares-{split}", "--project", "parts", "--images", str(folder))


def judged(portal: Portal, model: int) -> tuple[dict, str]:
    """The summary of a validation, and what was said of each image."""
    answer = ask(portal, "validate", str(model), "--dataset", "squares-val", "--foreground")
    text = (portal.home / "validations" / str(answer["validation"]) / "detections.csv").read_text()
    rows = [line.rpartition("/")[2] for line in text.splitlines()]  # the folders differ, the images do not
    return answer["summary"], "\n".join(sorted(rows))


def hashes(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.long
def test_an_exported_model_gives_the_same_numbers_where_there_was_nothing(installation, pictures, tmp_path):
    here, there = installation("here"), installation("there")
    for split, folder in pictures.items():
        bring(here, split, folder)
    [model_type] = ask(here, "list_model_types", "--project", "parts")
    trained = ask(
        here, *("train", "--project", "parts", "--kernel", "cl-efficientnet", "--model-type", model_type["code"]),
        *("--train", "squares-train", "--validation", "squares-val", "--params", json.dumps(PARAMS), "--foreground"),
    )  # fmt: skip
    exported = ask(here, "export_model", str(trained["model"]), "--output", str(tmp_path / "model.zip"))
    with zipfile.ZipFile(exported["file"]) as archive:
        assert archive.testzip() is None
        assert {"model/save/checkpoint.pth", f"model/{model_type['code']}.onnx"} <= set(archive.namelist())

    taken = ask(there, "import_model", exported["file"], "--project", "parts")
    bring(there, "val", pictures["val"])
    assert taken["model_type"] == model_type["code"]
    own = [here.home / "models" / str(trained["model"]), there.home / "models" / str(taken["model"])]
    assert hashes(own[0]) == hashes(own[1]), "bit for bit"

    summary, said = judged(here, trained["model"])
    summary_there, said_there = judged(there, taken["model"])
    assert summary_there == summary
    assert said_there == said
    assert said.count("\n") == 6
