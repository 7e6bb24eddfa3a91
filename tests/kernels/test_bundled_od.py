"""The bundled detector, run for real: smallest data, CPU, one epoch."""

import json
import re
import signal
import time

import pytest

from kernels_app.contract.data import Shape, ShapeSample, read_split_shapes, write_shapes
from kernels_app.contract.results import missing, read_annotations, read_summary

from .makers import KernelRun, make_run, od_dataset

pytestmark = pytest.mark.kernel

PARAMS = {"epochs": 1, "learning_rate": 1e-3, "batch_size": 4, "image_size": 128}
CLASSES = ["RED", "BLUE"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return od_dataset(tmp_path_factory.mktemp("od-data"), CLASSES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset) -> KernelRun:
    """Long enough that something is found, and stopped once on the way."""
    folder, params = tmp_path_factory.mktemp("od-trained"), PARAMS | {"epochs": 12, "patience": 100}
    run = make_run(folder, "od", dataset, params=params)
    process = run.start()
    _wait_for(run, "Epoch 1:")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=45) == 143, run.log
    assert "done" not in [m.phase for m in run.messages()]
    run = make_run(folder, "od", dataset, resume=True, params=params)
    assert run.finish() == 0, run.log
    return run


def test_training_leaves_all_results(trained):
    assert missing(trained.output, "training", "OD") == []
    card = json.loads((trained.output / "PARTS.json").read_text())
    assert card["classes"] == CLASSES
    assert card["input"]["shape"] == [1, 3, 96, 128]  # as large as the images need
    assert 0 < card["thresholds"]["min_score"] < 1
    found = re.search(r"largest difference to torch on \d+ detections in 4 .* is (\S+)", trained.log)
    assert found is not None
    assert float(found[1]) < 0.01


def test_a_stopped_training_goes_on_where_it_was(trained):
    assert "Going on in epoch" in trained.log
    assert "Epoch 12:" in trained.log
    steps = [float(row[0]) for row in trained.metrics("mAP")[1:]]
    assert steps == [2.0 * n for n in range(1, 13)]
    assert trained.metrics("loss")[0] == ["step", "train_loss", "val_loss"]
    assert trained.messages()[-1].phase == "done"


def test_two_ranks_go_on_from_a_base_model_with_other_classes(tmp_path, trained):
    data = od_dataset(tmp_path / "data", ["GREEN", "RED"], train=5, held=3)
    params = PARAMS | {"cache_mb": 0}
    run = make_run(tmp_path / "run", "od", data, base=trained.output, ranks=2, params=params)
    assert run.finish(ranks=2) == 0, run.log
    assert missing(run.output, "training", "OD") == []
    assert "1 of 2 classes by name" in run.log
    assert [m.phase for m in run.messages()].count("done") == 1


def test_validation_leaves_complete_results_that_map_back(tmp_path, dataset, trained):
    run = make_run(tmp_path, "od", dataset, operation="validation", base=trained.output, params=PARAMS)
    assert run.finish() == 0, run.log
    assert missing(run.output, "validation", "OD") == []
    found, faults = read_annotations(run.output)
    truth = read_split_shapes(dataset, "validation")
    assert faults == []
    assert [(s.path, s.image_id, s.width, s.height) for s in found] == [
        (s.path, s.image_id, s.width, s.height) for s in truth
    ]
    shapes = [shape for sample in found for shape in sample.shapes]
    assert shapes
    assert all(shape.isgenerated and (shape.score or 0) >= 0.05 and shape.label in CLASSES for shape in shapes)
    assert all(0 <= x <= 128 and 0 <= y <= 96 for shape in shapes for x, y in shape.points)
    summary = read_summary(run.output)
    assert list(summary) == ["mAP50", "mAP", "GT", "TP", "FP", "FN", "PREC", "RECL", "ref_IoU", "min_score"]
    assert summary["GT"] == 3
    assert float(summary["TP"]) + float(summary["FN"]) == 3


def test_inference_leaves_annotations_without_a_summary(tmp_path, dataset, trained):
    run = make_run(tmp_path, "od", dataset, operation="inference", base=trained.output, params=PARAMS)
    assert run.finish() == 0, run.log
    assert missing(run.output, "inference", "OD") == []
    found, faults = read_annotations(run.output)
    assert faults == []
    assert [sample.path for sample in found] == (dataset / "files.txt").read_text().splitlines()
    assert not (run.output / "summary.csv").exists()


def test_an_unknown_label_is_named(tmp_path):
    data = od_dataset(tmp_path / "data", CLASSES, train=2, held=2)
    odd = Shape("PURPLE", "rectangle", ((1, 1), (9, 9)))
    write_shapes(data / "train", ShapeSample(str(data / "images/1/train-0.png"), "train0", 128, 96, (odd,)))
    _is_refused(make_run(tmp_path / "run", "od", data, params=PARAMS), "'PURPLE'")


def test_images_without_a_single_box_are_too_little(tmp_path):
    data = od_dataset(tmp_path / "data", CLASSES, train=1, held=2)
    _is_refused(make_run(tmp_path / "run", "od", data, params=PARAMS), "None of the training images has a labelled box")


def _is_refused(run: KernelRun, words: str) -> None:
    assert run.finish() == 1, run.log
    last = run.messages()[-1]
    assert last.phase == "error"
    assert words in last.message
    assert "Traceback" not in run.log


def _wait_for(run: KernelRun, words: str) -> None:
    until = time.monotonic() + 90
    while words not in run.log:
        assert time.monotonic() < until, run.log
        time.sleep(0.05)
