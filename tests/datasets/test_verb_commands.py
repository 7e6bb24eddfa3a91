"""The verbs of datasets by command: the same code as on the pages, all or nothing."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from datasets_app.models import Dataset
from tests.parts import import_parts

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(project, bob, tmp_path) -> Dataset:
    return import_parts(project, bob, tmp_path / "source", "CL")["train"]


@pytest.fixture
def do(dataset, capsys):
    """Runs a command on the dataset as bob; its answer."""

    def run(name: str, *argv: str, user: str = "bob") -> dict:
        call_command(name, *argv, project="valves", user=user, json=True)
        return json.loads(capsys.readouterr().out)

    return run


def test_a_dataset_is_cloned_added_to_split_and_deleted(do, dataset):
    assert do("clone_dataset", "parts-train") == {"dataset": "parts-train.1", "images": 4}
    added = do("append_dataset", "parts-train.1", "--from", "parts-val")
    assert (added["added"], added["left_out"]) == (4, 0)
    asked = ("parts-train.1", "--share", "25", "--train-name", "a", "--val-name", "b")
    shown = do("split_dataset", *asked, "--dry-run")
    assert (shown["datasets"], shown["made"]) == ({"a": 6, "b": 2}, False)
    assert not Dataset.objects.filter(name="a").exists()
    assert do("split_dataset", *asked)["made"]
    assert Dataset.objects.get(name="b").images.count() == 2
    assert do("delete_dataset", "a")["freed"] == 0
    with pytest.raises(CommandError, match="There is no dataset a in valves"):
        do("clone_dataset", "a")


def test_a_folder_joins_a_dataset(do, dataset, tmp_path):
    assert do("append_dataset", "parts-train", "--images", str(tmp_path / "source"))["same"] == 4
    assert dataset.images.count() == 8
    for argv in ((), ("--from", "parts-val", "--images", str(tmp_path))):
        with pytest.raises(CommandError, match="either --from or --images"):
            do("append_dataset", "parts-train", *argv)
    with pytest.raises(CommandError, match="Nothing would be added"):
        do("append_dataset", "parts-train", "--images", str(tmp_path / "source"))


def test_images_go_and_meta_data_change(do, dataset, tmp_path):
    table = tmp_path / "m.csv"
    table.write_text("file,line\nGOOD-0.png,A\n")
    assert do("update_meta", "parts-train", str(table), "--dry-run")["cells"] == 1
    assert dataset.images.filter(meta={}).count() == 4
    assert do("update_meta", "parts-train", str(table))["columns"] == {"line": 1}
    assert dataset.images.filter(meta={"line": "A"}).count() == 1
    assert do("remove_images", "parts-train", "train/GOOD-0.png")["removed"] == 1
    with pytest.raises(CommandError, match="There is no image train"):
        do("remove_images", "parts-train", "train/GOOD-0.png", "train/BAD-0.png")
    assert dataset.images.count() == 3


def test_what_is_frozen_is_refused_and_lifted_by_a_manager_alone(do, dataset, alice):
    assert do("freeze_dataset", "parts-train")["frozen_at"]
    for name, argv in (("remove_images", ["train/GOOD-0.png"]), ("append_dataset", ["--from", "parts-val"])):
        with pytest.raises(CommandError, match="is frozen"):
            do(name, "parts-train", *argv)
    with pytest.raises(CommandError, match="is frozen"):
        do("delete_dataset", "parts-train")
    with pytest.raises(CommandError, match="needs the role"):
        do("freeze_dataset", "parts-train", "--lift")
    assert do("freeze_dataset", "parts-train", "--lift", user="alice")["frozen_at"] is None
