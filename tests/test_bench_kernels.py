"""The bench of the kernels, at its smallest: what it measures is `make bench-kernels`'s affair."""

from __future__ import annotations

import random
import re

import pytest

from bench.kernels import __main__ as command
from bench.kernels import datasets, kills, quality, runs, speed
from bench.options import Options
from bench.table import MeasurementFailed
from kernels_app.bundled import packing

TINY = {"epochs": 2, "batch_size": 2, "image_size": 128}
BOTH = [  # one kernel, and all plain loops
    ("cl", False), ("cl", True), *(pytest.param(kind, True, marks=pytest.mark.long) for kind in ("rc", "od", "seg")),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.kernel
@pytest.mark.parametrize(("kind", "plain"), BOTH)
def test_images_of_all_epochs_are_counted(kind, plain, tmp_path):
    case = speed.Case("tiny", datasets.drawn(kind, tmp_path / "data", train=2, held=1, size=(160, 120)), TINY, goal=1.0)
    side = speed.one(kind, case, tmp_path / "run", plain=plain)
    assert side.spent.images == 2 * (16 if kind == "rc" else 2)
    assert side.speed > 0
    assert side.cost > 0
    assert 2e8 < side.memory < 4e9


@pytest.mark.long
@pytest.mark.kernel
def test_a_killed_training_ends_as_one_that_nobody_killed(tmp_path, capsys):
    settings = kills.SMALL["cl"] | {"epochs": 12}
    assert kills.torment("cl", tmp_path, 2, random.Random(1), settings), capsys.readouterr().out
    assert "cl: killed 2 times, 1 of them at a checkpoint's file; all well" in capsys.readouterr().out


@pytest.mark.kernel
def test_a_training_that_fails_is_reported_with_its_last_words(tmp_path):
    data = datasets.drawn("cl", tmp_path / "data", train=2, held=0, size=(64, 48))
    with pytest.raises(MeasurementFailed, match=r"the kernel ended with 1: .*no labelled images to validate with"):
        runs.prepare("cl", data, tmp_path / "run", TINY).succeed()


def test_data_that_this_machine_has_not_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TRAINPORTAL_TEST_DATA", str(tmp_path))
    assert quality.run("od", Options(), 1) == (
        [], [f"od, quality: the data quickstart/od_bccd is not in {tmp_path} (TRAINPORTAL_TEST_DATA)"]
    )  # fmt: skip


def test_a_pair_is_judged_by_wall_and_by_cpu_time():
    case = speed.Case("tiny", None, {}, goal=1.5)
    kernel, plain = speed.Side(runs.Spent(2.0, 4.0, 8), 2**20), speed.Side(runs.Spent(4.0, 5.0, 8), 2**21)
    rows = {row.name.removeprefix("cl, tiny: "): row for row in speed.table_rows("cl", case, [(kernel, plain)])}
    assert rows["kernel, wall time"].value == 4.0
    assert rows["plain loop, CPU time"].value == 625.0
    assert rows["kernel / plain loop by wall time"].value == 2.0
    assert rows["kernel / plain loop by wall time"].verdict == "ok"
    assert rows["kernel / plain loop by CPU time"].value == 1.25
    assert rows["kernel / plain loop by CPU time"].verdict == "under"


def test_every_kernel_has_its_goals_and_its_plain_loop():
    for table in (quality.GOALS, speed.EPOCHS, speed.PLATES, kills.SMALL, datasets.QUICKSTART):
        assert sorted(table) == sorted(packing.BUNDLED)
    for kind in packing.BUNDLED:
        assert (speed.HERE / "reference" / f"{kind}.py").is_file()


@pytest.mark.parametrize(("argv", "complaint"), [(["cls"], "there is no cls"), (["--seeds", "0"], "must be 1 or more")])
def test_a_wrong_command_line_is_refused(argv, complaint, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bench.kernels", *argv])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert re.search(complaint, capsys.readouterr().err)
