"""The bundled detector, run for real: smallest data, CPU, a few epochs."""

import json
import re

import pytest

from kernels_app.contract.data import Shape, ShapeSample, read_split_shapes, write_shapes
from kernels_app.contract.results import missing, read_annotations, read_summary, read_table

from .boxes import assert_answers_alike, average_precision, counted
from .makers import KernelRun, assert_same_training, interrupted, losses, make_run, od_dataset, still

pytestmark = pytest.mark.kernel

PARAMS = {"epochs": 8, "patience": 99, "learning_rate": 1e-3, "batch_size": 2, "image_size": 128, "ema": 0.5}
STEPS = {"epochs": 5, "patience": 99, "learning_rate": 3e-4, "batch_size": 2, "image_size": 128}  # 20 of them
CLASSES = ["RED", "BLUE"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return od_dataset(tmp_path_factory.mktemp("od-data"), CLASSES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset) -> KernelRun:
    """With a running mean of the weights."""
    run = make_run(tmp_path_factory.mktemp("od-trained"), "od", dataset, params=PARAMS)
    assert run.finish(by_command=True) == 0, run.log
    return run


@pytest.fixture(scope="module")
def validated(tmp_path_factory, dataset, trained) -> KernelRun:
    folder = tmp_path_factory.mktemp("od-validated")
    run = make_run(folder, "od", dataset, operation="validation", base=trained.output, params=PARAMS)
    assert run.finish() == 0, run.log
    return run


@pytest.fixture(scope="module")
def proposing(tmp_path_factory, dataset) -> KernelRun:
    """Faster R-CNN, for 20 steps without random changes of the images."""
    params = still("od", STEPS | {"detector": "fasterrcnn", "learning_rate": 3e-5})
    run = make_run(tmp_path_factory.mktemp("od-proposing"), "od", dataset, params=params)
    assert run.finish() == 0, run.log
    return run


def test_training_leaves_all_results(trained):
    assert missing(trained.output, "training", "OD") == []
    card = json.loads((trained.output / "PARTS.json").read_text())
    assert card["classes"] == CLASSES
    assert card["input"]["shape"] == [1, 3, 96, 128]  # as large as the images need
    assert 0 < card["thresholds"]["min_score"] < 1
    assert (card["detector"], card["tiles"]) == ("fcos", None)
    found = re.search(r"largest difference to torch on \d+ detections in 4 .* is (\S+)", trained.log)
    assert found is not None
    assert float(found[1]) < 0.01
    assert not list(trained.folder.rglob("*.tmp"))


def test_training_writes_curves_and_keeps_the_best(trained):
    scores = trained.metrics("mAP")
    assert scores[0] == ["step", "mAP50", "mAP"]
    assert [float(row[0]) for row in scores[1:]] == [4.0 * n for n in range(1, 9)]
    assert trained.metrics("loss")[0] == ["step", "train_loss", "val_loss"]
    curve = trained.metrics("precision_recall")
    assert curve[0] == ["recall", *CLASSES]
    assert len(curve) == 1 + 101
    card = json.loads((trained.output / "PARTS.json").read_text())
    assert card["validation"]["map50"] == pytest.approx(max(float(row[1]) for row in scores[1:]), abs=1e-6)
    assert card["validation"]["map50"] > 0.3, trained.log
    assert trained.messages()[-1].phase == "done"


@pytest.mark.long
def test_stopped_and_then_killed_it_ends_as_an_unbroken_training(tmp_path, dataset, trained):
    run = interrupted(tmp_path, "od", dataset, PARAMS, steps=6)
    assert "Going on in epoch 2 after" in run.log
    assert_same_training(run, trained)


@pytest.mark.long
def test_two_ranks_take_the_steps_of_one_process(tmp_path, dataset):
    params = still("od", STEPS)
    one = make_run(tmp_path / "one", "od", dataset, params=params)
    two = make_run(tmp_path / "two", "od", dataset, params=params | {"batch_size": 1}, ranks=2)
    assert (one.finish(), two.finish(ranks=2)) == (0, 0), one.log + two.log
    assert len(losses(one)) == 20
    assert losses(one)[0] > 1.5 * losses(one)[-1]  # they learn
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)


@pytest.mark.long
def test_faster_rcnn_leaves_all_results(proposing):
    assert missing(proposing.output, "training", "OD") == []
    card = json.loads((proposing.output / "PARTS.json").read_text())
    assert card["detector"] == "fasterrcnn"
    assert "largest difference to torch" in proposing.log


@pytest.mark.long
def test_two_ranks_of_faster_rcnn_take_the_steps_of_one_process(tmp_path, dataset, proposing):
    """Though the samples of its loss are drawn at random, and though they are stopped on the way and go on.

    Which proposals are looked into is yes or no: in the end a rounding decides one, and then the losses are only near.
    """
    params = still("od", STEPS | {"detector": "fasterrcnn", "learning_rate": 3e-5, "batch_size": 1})
    two = make_run(tmp_path, "od", dataset, params=params, ranks=2)
    assert two.stop_after(6, ranks=2) != 0
    two = make_run(tmp_path, "od", dataset, params=params, ranks=2, resume=True)
    assert two.finish(ranks=2) == 0, two.log
    assert "Going on in epoch 2 after" in two.log
    assert len(losses(proposing)) == 20
    assert losses(proposing)[0] > 1.5 * losses(proposing)[-1]
    assert losses(two)[:15] == pytest.approx(losses(proposing)[:15], abs=1e-4)
    assert losses(two) == pytest.approx(losses(proposing), abs=1e-3)


def test_two_ranks_go_on_from_a_base_model_with_other_classes(tmp_path, trained):
    """And, as a run costs its seconds: without an image cache, and with a time budget that ends it early."""
    data = od_dataset(tmp_path / "data", ["GREEN", "RED"], train=5, held=3)
    params = PARAMS | {"cache_mb": 0, "epochs": 999, "max_minutes": 0.05, "detector": "fasterrcnn"}
    run = make_run(tmp_path / "run", "od", data, base=trained.output, ranks=2, params=params)
    assert run.finish(ranks=2) == 0, run.log
    assert missing(run.output, "training", "OD") == []
    assert "are decoded anew each epoch" in run.log
    assert "The base model is a fcos: training goes on with that, not with fasterrcnn." in run.log
    assert "1 of 2 classes by name" in run.log
    assert "Epoch 1:" in run.log
    assert "Epoch 999:" not in run.log
    assert [m.phase for m in run.messages()].count("done") == 1


def test_validation_leaves_complete_results_that_map_back(dataset, validated):
    assert missing(validated.output, "validation", "OD") == []
    found, faults = read_annotations(validated.output)
    truth = read_split_shapes(dataset, "validation")
    assert faults == []
    assert [(s.path, s.image_id, s.width, s.height) for s in found] == [
        (s.path, s.image_id, s.width, s.height) for s in truth
    ]
    shapes = [shape for sample in found for shape in sample.shapes]
    assert shapes
    assert all(shape.isgenerated and (shape.score or 0) >= 0.05 and shape.label in CLASSES for shape in shapes)
    assert all(0 <= x <= 128 and 0 <= y <= 96 for shape in shapes for x, y in shape.points)
    summary = read_summary(validated.output)
    assert list(summary) == ["mAP50", "mAP", "GT", "TP", "FP", "FN", "PREC", "RECL", "ref_IoU", "min_score"]
    assert summary["GT"] == 3
    assert float(summary["TP"]) + float(summary["FN"]) == 3
    table = read_table(validated.output / "precision_recall.csv")
    assert table[0] == ["recall", *CLASSES]
    assert [float(row[0]) for row in table[1:]] == [level / 100 for level in range(101)]


def test_the_figures_are_those_of_the_annotations(dataset, validated):
    """COCO's, of the files; and true and false detections counted here."""
    truth, (found, _) = read_split_shapes(dataset, "validation"), read_annotations(validated.output)
    summary = read_summary(validated.output)
    map50, mean = average_precision(truth, found, CLASSES)
    assert map50 > 0.3
    assert (summary["mAP50"], summary["mAP"]) == pytest.approx((map50, mean), abs=1e-3)
    right, wrong = counted(truth, found, float(summary["min_score"]))
    assert (summary["TP"], summary["FP"], summary["FN"]) == (right, wrong, 3 - right)
    assert summary["PREC"] == pytest.approx(right / max(1, right + wrong), abs=1e-6)
    assert summary["RECL"] == pytest.approx(right / 3, abs=1e-6)


def test_the_exported_model_answers_as_the_kernel_does(trained, validated):
    assert_answers_alike(trained, read_annotations(validated.output)[0])


@pytest.mark.long
@pytest.mark.parametrize(("detector", "amp"), [("fcos", "bf16"), ("fasterrcnn", "fp16")])
def test_it_trains_in_half_precision(tmp_path, detector, amp):
    data = od_dataset(tmp_path / "data", CLASSES, train=3, held=2)
    params = PARAMS | {"detector": detector, "amp": amp, "epochs": 1}
    run = make_run(tmp_path / "run", "od", data, params=params)
    assert run.finish() == 0, run.log
    assert f"Computing in {'bfloat16' if amp == 'bf16' else 'float16'}" in run.log
    assert missing(run.output, "training", "OD") == []


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
    assert "'PURPLE'" in make_run(tmp_path / "run", "od", data, params=PARAMS).refusal()


def test_images_without_a_single_box_are_too_little(tmp_path):
    data = od_dataset(tmp_path / "data", CLASSES, train=1, held=2)
    words = make_run(tmp_path / "run", "od", data, params=PARAMS).refusal()
    assert "None of the training images has a labelled box" in words
