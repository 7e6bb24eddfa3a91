"""The plumbing that the bundled kernels share, without a training around it."""

import csv
import itertools
import os
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from kernels_app.bundled.common import checkpoint, curves, predict, weights
from kernels_app.bundled.common.ema import Average
from kernels_app.bundled.common.images import cut
from kernels_app.bundled.common.schedule import shuffled
from kernels_app.bundled.common.start import Refusal
from kernels_app.contract.metrics import MetricsWriter, parse_header

from .makers import KernelRun, make_run

pytestmark = pytest.mark.kernel


class Quiet:
    """As much of a Run as weights need: a log."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def log(self, text: str) -> None:
        self.lines.append(text)


# --- precision over recall --------------------------------------------------------------------------------------------


def test_precision_falls_where_wrong_ones_come_before_right_ones():
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6])
    found = curves.precision_at(scores, torch.tensor([True, False, True, True]), 4)
    assert found[0] == found[25] == 1.0
    assert found[26] == pytest.approx(3 / 4)
    assert found[75] == pytest.approx(3 / 4)
    assert found[76] is None  # a fourth was never found


def test_equal_scores_are_one_threshold():
    scores = torch.tensor([0.5, 0.5, 0.5, 0.5])
    for right in ([True, True, False, False], [False, False, True, True]):
        found = curves.precision_at(scores, torch.tensor(right), 2)
        assert found[0] == found[100] == pytest.approx(0.5)


def test_nothing_to_find_or_nothing_found_has_no_curve():
    assert set(curves.precision_at(torch.tensor([0.5]), torch.tensor([False]), 0)) == {None}
    assert set(curves.precision_at(torch.zeros(0), torch.zeros(0, dtype=torch.bool), 3)) == {None}


def test_the_curve_is_that_of_every_threshold_tried():
    dice = torch.Generator().manual_seed(3)
    scores = (torch.rand(200, generator=dice) * 20).round() / 20
    right = torch.rand(200, generator=dice) < scores
    positives = int(right.sum()) + 5
    tried = []
    for threshold in scores.unique().tolist():
        chosen = right[scores >= threshold]
        tried.append((int(chosen.sum()) / positives, int(chosen.sum()) / len(chosen)))
    expected = [max((p for r, p in tried if r >= level / 100 - 1e-9), default=None) for level in range(101)]
    assert curves.precision_at(scores, right, positives) == [
        None if value is None else pytest.approx(value) for value in expected
    ]


def test_a_class_named_with_a_comma_keeps_its_column(tmp_path):
    MetricsWriter(tmp_path, "graph", ["recall", 'bent, "left"', "two\nlines"]).row({"recall": 0})
    header = (tmp_path / "graph.csv").read_text().splitlines()[0]
    assert parse_header(header) == ["recall", 'bent, "left"', "two lines"]
    assert next(csv.reader([header])) == parse_header(header)


# --- first weights ----------------------------------------------------------------------------------------------------


def test_weights_of_the_installation_go_first_and_keep_their_names(tmp_path, monkeypatch):
    import timm

    own = timm.create_model("resnet18", pretrained=False).state_dict()
    shuffled_names = {f"module.{name}": own[name].contiguous() for name in reversed(list(own))}
    save_file(shuffled_names, tmp_path / "resnet18.safetensors")
    monkeypatch.setenv("TRAINPORTAL_WEIGHTS_DIR", str(tmp_path))
    run = Quiet()
    found = weights.imagenet(run, "resnet18", "auto")
    assert found is not None
    assert all(torch.equal(found[name], own[name]) for name in own)
    assert "weights of the installation" in run.lines[0]


def test_weights_that_do_not_fit_are_refused_by_name(tmp_path, monkeypatch):
    torch.save({"a": torch.zeros(3)}, tmp_path / "resnet18.pth")
    monkeypatch.setenv("TRAINPORTAL_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(Refusal, match="do not fit resnet18"):
        weights.imagenet(Quiet(), "resnet18", "auto")
    (tmp_path / "resnet18.pth").write_bytes(b"no weights at all")
    with pytest.raises(Refusal, match=r"resnet18\.pth of this installation cannot be read"):
        weights.imagenet(Quiet(), "resnet18", "auto")


def test_a_backbone_without_weights_says_so_and_how_to_get_them(monkeypatch):
    monkeypatch.delenv("TRAINPORTAL_WEIGHTS_DIR", raising=False)
    run = Quiet()
    assert weights.imagenet(run, "resnet50", "auto") is None
    assert "resnet50.safetensors" in run.lines[0]
    assert "hub" in run.lines[0]


@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "mobilenetv3_large_100", "convnext_tiny"])
@pytest.mark.parametrize("is_pyramid", [False, True])
def test_frozen_stages_are_the_first_ones_of_any_backbone(name, is_pyramid):
    import timm

    model = timm.create_model(name, pretrained=False, features_only=is_pyramid)
    weights.freeze(model, 2)
    stages = {key: weights.stage_of(key) for key, _ in model.named_parameters()}
    assert {0, 1, 2, 3} <= set(stages.values())
    assert all(p.requires_grad == (stages[key] > 2) for key, p in model.named_parameters())
    weights.freeze(model, 0)
    assert all(p.requires_grad for p in model.parameters())


# --- the mean of the weights ------------------------------------------------------------------------------------------


def test_the_mean_follows_the_weights_and_is_restored():
    model = torch.nn.Linear(2, 1)
    mean = Average(model, 0.5)
    before = mean.model.weight.clone()
    with torch.no_grad():
        model.weight += 1
    mean.update()
    moved = (mean.model.weight - before).mean().item()
    assert 0.5 < moved < 1  # at first it follows quickly
    again = Average(model, 0.5)
    again.load_state_dict(mean.state_dict())
    assert torch.equal(again.model.weight, mean.model.weight)
    assert not mean.model.weight.requires_grad


def test_without_a_decay_the_model_itself_is_judged():
    model = torch.nn.Linear(2, 1)
    assert Average(model, 0).model is model


# --- regions and batches ----------------------------------------------------------------------------------------------


def test_a_region_beyond_the_edge_repeats_the_edge():
    pixels = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4).expand(3, 3, 4)
    found, size = cut(pixels, (-1, 1, 3, 4), 0, lambda original, side: original)
    assert size == (3, 4)
    assert found[0].tolist() == [[4, 4, 5], [8, 8, 9], [8, 8, 9], [8, 8, 9]]


def test_two_ranks_see_together_what_one_process_sees():
    """Batch for batch, so that their gradients can be the same."""
    whole = shuffled(40, 8, seed=1, epoch=2, rank=0, world=1)
    parts = [shuffled(40, 4, seed=1, epoch=2, rank=rank, world=2) for rank in range(2)]
    assert [sorted(a + b) for a, b in zip(*parts, strict=True)] == [sorted(batch) for batch in whole]


def test_tiles_cover_the_image_and_overlap():
    for length in (50, 100, 101, 250, 1000):
        starts = predict._starts(length, 100, 20)
        assert starts[0] == 0
        assert length <= 100 or starts[-1] == length - 100
        assert all(b - a <= 80 for a, b in itertools.pairwise(starts))


# --- a checkpoint is whole, whenever the process dies -----------------------------------------------------------------


@pytest.mark.parametrize("call", ["open", "save", "fsync", "replace"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_any_file_boundary_leaves_the_old_checkpoint_or_the_new(tmp_path, call, moment):
    path = tmp_path / "save/resume.pth"
    checkpoint.save(path, {"step": 1, "weights": torch.zeros(1000)})
    child = os.fork()
    if child == 0:
        _die_at(call, moment)
        checkpoint.save(path, {"step": 2, "weights": torch.ones(1000)})
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    found = torch.load(path, weights_only=True)
    assert found["step"] == (2 if (call, moment) == ("replace", "after") else 1)
    assert found["weights"].unique().tolist() == [found["step"] - 1]
    checkpoint.save(path, {"step": 3})  # what lies about does not hinder the next one
    assert torch.load(path, weights_only=True) == {"step": 3}


def test_the_next_attempt_removes_what_a_kill_left_half_written(tmp_path):
    run = make_run(tmp_path / "run", "cl", tmp_path, params={}, resume=True)
    whole, torn = run.output / "save/resume.pth", run.output / "save/.resume.pth.tmp"
    whole.parent.mkdir()
    for path in (whole, torn, run.output / ".PARTS.onnx.tmp"):
        path.write_bytes(b"content")
    program = "from kernels_app.bundled.common.start import announce; announce('kernel/train.py')"
    subprocess.run([sys.executable, "-c", program, "training.json"], cwd=run.folder, check=True, env=_path(run))
    assert [path for path in run.output.rglob("*") if path.is_file()] == [whole]


def _path(run: KernelRun) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(run.folder / "kernel")}


def _die_at(call: str, moment: str) -> None:
    """This process ends by SIGKILL before or after the first such call."""
    from pathlib import Path

    owner, name = {
        "open": (Path, "open"), "save": (torch, "save"), "fsync": (os, "fsync"), "replace": (Path, "replace"),
    }[call]  # fmt: skip
    real = getattr(owner, name)

    def deadly(*args, **kwargs):
        if moment == "after":
            real(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, deadly)
