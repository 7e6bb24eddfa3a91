"""The doctor: a sound kernel passes every line; for each line a broken one is caught, with the right sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import translation

from jobs.said import Said
from kernels_app import packages
from kernels_app.bundled import packing
from kernels_app.contract import TRAINING_TYPES, results
from kernels_app.doctor import judging, tiny, trial, words
from kernels_app.doctor.examine import OF_TRAINING, Examination
from kernels_app.doctor.reads import Reads
from kernels_app.kit import writing
from kernels_app.models import Kernel
from tests import fake_kernels

pytestmark = pytest.mark.one_database

FREE = {"type": "string"}


@pytest.fixture(autouse=True)
def quick(settings):
    settings.JOB_POLL, settings.JOB_GRACE, settings.TRAINPORTAL_DOCTOR_LIMIT = 0.05, 5.0, 20.0


def package(folder: Path, training_type: str = "CL", *, operations: str = "", **params) -> Path:
    """A fake kernel that is tried with these settings; `fault` and `judging` may be anything."""
    files = fake_kernels.files(training_type)
    schema = json.loads(files["model_schema.json"])
    schema["properties"]["training_params"]["properties"] |= {"fault": FREE, "judging": FREE}
    if operations:
        schema["properties"]["supported_operations"] = {"const": operations}
    files["model_schema.json"] = json.dumps(schema).encode()
    told = {"rows": 6, "pause": 0.05} | params
    files["kernel.toml"] += (
        "[doctor.params]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in told.items())
    ).encode()
    packing.write_package(files, folder)
    return folder


def examine(kernel: Path, tmp_path: Path, operations=None) -> list[words.Line]:
    schema = json.loads((kernel / "model_schema.json").read_text())
    asked = operations or Kernel(schema=schema).operations
    return list(Examination(kernel, schema, asked, tmp_path / "trials").lines())


def states(lines: list[words.Line]) -> dict[str, str]:
    return {f"{line.check} {line.operation}".strip(): line.state for line in lines}


def line_of(lines: list[words.Line], check: str, operation: str = "") -> words.Line:
    (found,) = [line for line in lines if (line.check, line.operation) == (check, operation)]
    return found


@pytest.mark.parametrize("training_type", TRAINING_TYPES)
def test_a_sound_kernel_passes_every_line(tmp_path, training_type):
    kernel = package(tmp_path / "kernel", training_type, operations="training, validation, inference, preprocessing")
    lines = examine(kernel, tmp_path)
    assert [words.in_text(line) for line in lines if line.state != words.OK] == []
    assert {line.check for line in lines} == set(words.CHECKS)
    assert sum(line.check == "results" for line in lines) == 3
    assert not list((tmp_path / "trials").iterdir())


@pytest.mark.parametrize(
    ("check", "state", "told", "found"),
    [
        ("starts", "failed", {"behaviour": "exit3"}, "exit code 3. The last line of its log: something is wrong"),
        ("starts", "failed", {"behaviour": "error"}, "ended with the error “The images are too small"),
        ("starts", "failed", {"behaviour": "traceback"}, "the learning rate fell into a well"),
        ("reports", "failed", {"fault": "other_key"}, "has not the project_key of this run"),
        ("reports", "remark", {"fault": "silent"}, "It wrote no message"),
        ("reports", "remark", {"behaviour": "no_done"}, "never said that it was done"),
        ("metrics", "failed", {"fault": "bad_rows"}, "notes.csv: line 2 is no row of numbers: 1,fine"),
        ("checkpoint", "failed", {"behaviour": "no_checkpoint"}, "save/checkpoint.pth is missing or empty"),
        ("resume", "failed", {"fault": "ignores_resume"}, "never read save/resume.pth"),
        ("resume", "failed", {"fault": "restarts_graph"}, "its x axis runs backwards"),
        ("resume", "remark", {"fault": "no_resume"}, "left no save/resume.pth"),
        ("base_model", "failed", {"fault": "ignores_base"}, "read no file of the base model"),
        ("base_model", "failed", {"fault": "crashes_with_base"}, "the base model is of another kind"),
        ("inside", "failed", {"fault": "strays"}, "It wrote left_over.txt"),
    ],
)
def test_a_broken_kernel_is_caught_at_its_line(tmp_path, check, state, told, found):
    lines = examine(package(tmp_path / "kernel", **told), tmp_path, ["training"])
    line = line_of(lines, check)
    assert (line.state, found in line.found_here) == (state, True), words.in_text(line)
    assert line.expected
    assert line.contract
    also = {"starts": set(OF_TRAINING), "checkpoint": {"base_model"}}.get(check, set())
    assert {one.check for one in lines if one.state != words.OK} <= {check} | also


def test_one_that_does_not_hear_sigterm_is_caught(tmp_path, settings):
    settings.JOB_GRACE = 0.3
    lines = examine(package(tmp_path / "kernel", fault="deaf", rows=30), tmp_path, ["training"])
    assert "still there after 0.3 s and had to be killed" in line_of(lines, "sigterm").found_here
    assert line_of(lines, "resume").state == words.SKIPPED


def test_one_that_never_ends_is_caught(tmp_path, settings):
    settings.TRAINPORTAL_DOCTOR_LIMIT = 1.0
    lines = examine(package(tmp_path / "kernel", behaviour="hangs"), tmp_path)
    assert "had not ended after 1 s" in line_of(lines, "starts").found_here


def test_one_that_fills_the_disk_is_stopped(tmp_path, settings):
    settings.JOB_DISK_QUOTA = 1
    lines = examine(package(tmp_path / "kernel", behaviour="hangs"), tmp_path)
    assert "of the disk; a run may take 1" in line_of(lines, "starts").found_here


def test_one_that_is_done_at_once_cannot_be_stopped_and_that_is_said(tmp_path):
    lines = examine(package(tmp_path / "kernel", rows=1, pause=0.001), tmp_path, ["training"])
    assert line_of(lines, "sigterm").state in (words.REMARK, words.OK)
    assert {line.state for line in lines} <= {words.REMARK, words.OK}


@pytest.mark.parametrize(
    ("training_type", "told", "found"),
    [
        ("CL", {"judging": "exit3"}, "exit code 3"),
        ("CL", {"judging": "no_detections"}, "Missing or empty: detections.csv"),
        ("CL", {"judging": "bad_lines"}, "y and y_pred must be class indices"),
        ("CL", {"judging": "foreign_image"}, "an image that was not given: /somewhere/else.png"),
        ("CL", {"judging": "forgets_one"}, "There are answers for 3 of 4 images"),
        ("CL", {"judging": "error"}, "does not know these images"),
        ("OD", {"judging": "bad_lines"}, "shapes must be a list"),
        ("SEG", {"judging": "binary_summary"}, "summary.csv"),
    ],
)
def test_results_that_are_not_whole_are_caught(tmp_path, training_type, told, found):
    lines = examine(package(tmp_path / "kernel", training_type, **told), tmp_path, ["training", "validation"])
    line = line_of(lines, "results", "validation")
    assert (line.state, found in line.found_here) == (words.FAILED, True), line.found_here
    assert [one.check for one in lines if one.state == words.FAILED] == ["results"]


def plain(folder: Path, program: str) -> Path:
    files = fake_kernels.files("CL", name="plain")
    schema = json.loads(files["model_schema.json"])
    del schema["x-metrics"]
    packing.write_package(
        files | {"train.py": program.encode(), "model_schema.json": json.dumps(schema).encode()}, folder
    )
    return folder


def test_one_that_reads_no_settings_is_caught(tmp_path):
    program = (
        "import json, sys, pathlib; c = json.load(open(sys.argv[1])); p = pathlib.Path(c['model_write_path'])/'save'"
    )
    program += "; p.mkdir(); (p/'checkpoint.pth').write_text('x'); print('loss 0.5')"
    lines = examine(plain(tmp_path / "kernel", program), tmp_path, ["training"])
    assert line_of(lines, "settings").found_here == "It never read model.json."
    assert line_of(lines, "metrics").found_here.startswith("It wrote no metrics")


def test_one_without_a_program_that_runs_is_caught(tmp_path):
    lines = examine(plain(tmp_path / "kernel", "import nothing_of_that_name"), tmp_path, ["training"])
    assert "No module named 'nothing_of_that_name'" in line_of(lines, "starts").found_here


def test_settings_without_a_default_are_asked_for(tmp_path):
    kernel = package(tmp_path / "kernel")
    schema = json.loads((kernel / "model_schema.json").read_text())
    schema["properties"]["training_params"]["required"].append("message")
    (kernel / "model_schema.json").write_text(json.dumps(schema))
    (line,) = examine(kernel, tmp_path)
    assert "message is required" in line.found_here
    assert "[doctor]" in line.found_here


def test_the_command_of_kernel_toml_is_what_starts(tmp_path):
    kernel = package(tmp_path / "kernel")
    (kernel / "tools").mkdir()
    (kernel / "train.py").rename(kernel / "tools/go.py")
    about = (kernel / "kernel.toml").read_text()
    (kernel / "kernel.toml").write_text(f'command = "python tools/go.py {{config}} --fast"\n{about}')
    assert {line.state for line in examine(kernel, tmp_path, ["training"])} == {words.OK}


def test_a_line_survives_the_database_and_speaks_korean(tmp_path):
    lines = examine(package(tmp_path / "kernel", behaviour="exit3"), tmp_path, ["training"])
    kept = words.line_of(json.loads(json.dumps(lines[0].as_json)))
    assert kept == lines[0]
    with translation.override("ko"):
        text = words.in_text(kept)
    assert "Starts" not in text
    assert "expected" not in text
    assert "something is wrong with this kernel" in text


def test_the_command_prints_the_checklist_without_a_database(tmp_path, capsys):
    """No `db` fixture: a query would fail this test."""
    kernel = package(tmp_path / "kernel", operations="training, validation")
    call_command("doctor", str(kernel))
    told = capsys.readouterr().out
    assert "✓ CL: Obeys SIGTERM" in told
    assert "✓ CL validation: Results" in told
    with pytest.raises(CommandError, match="failed: CL"):
        call_command("doctor", str(package(tmp_path / "broken", behaviour="exit3")), "--json")
    assert json.loads(capsys.readouterr().out)[0]["state"] == "failed"
    with pytest.raises(CommandError, match=r"model_schema\.json is missing"):
        call_command("doctor", str(tmp_path))


@pytest.mark.long
@pytest.mark.kernel
def test_a_kernel_out_of_the_kit_passes(tmp_path, settings):
    settings.TRAINPORTAL_DOCTOR_LIMIT, settings.JOB_GRACE = 600.0, 45.0  # on a busy machine too
    writing.write(writing.files("mine", "OD"), tmp_path / "kernel")
    lines = examine(tmp_path / "kernel", tmp_path)
    assert [words.in_text(line) for line in lines if line.state != words.OK] == []


@pytest.mark.parametrize("training_type", ["CL", "RC"])
@pytest.mark.kernel
def test_one_of_the_kit_trains_and_validates(tmp_path, training_type, settings):
    """What all types share was tried above."""
    settings.TRAINPORTAL_DOCTOR_LIMIT = 600.0
    writing.write(writing.files("mine", training_type), tmp_path / "kernel")
    params = {"epochs": 2, "batch_size": 4, "learning_rate": 0.003, "seed": 0}
    order = trial.Order(tmp_path / "kernel", training_type, "PARTS", params)
    first = trial.go(trial.prepare(order, tmp_path / "a", "training"), order, lambda: None)
    assert judging.starts(first) == judging.GOOD
    run = trial.prepare(order, tmp_path / "b", "validation", first.output)
    assert judging.answers(trial.go(run, order, lambda: None, base=first.output), training_type) == judging.GOOD


def test_the_tiny_data_hold_what_the_contract_says(tmp_path):
    assert tiny.make(tmp_path, "RC", "validation") == 8
    assert (tmp_path / "label.txt").read_text() == "RED\nBLUE\n"
    assert not (tmp_path / "train").exists()
    assert tiny.make(tmp_path / "b", "OD", "inference", ("_A.png", "_X.png")) == 4
    assert (tmp_path / "b/images/1/validation 0_X.png").is_file()
    assert (tmp_path / "b/files.txt").read_text().count("_A.png") == 4


PRINTS = """
import json, pathlib, sys, time
config = json.load(open(sys.argv[1]))
rate = json.load(open(config["training_config_file"]))["training_params"]["lr"]
if config["base_model_path"]:
    print("begin with", (pathlib.Path(config["base_model_path"]) / "save/checkpoint.pth").read_text())
for step in range(1, 6):
    print(f"step {step} loss={rate / step:.6f}", flush=True)
    time.sleep(0.03)
save = pathlib.Path(config["model_write_path"]) / "save"
save.mkdir(exist_ok=True)
(save / "checkpoint.pth").write_text("weights")
"""


@pytest.mark.parametrize(("regex", "state"), [("loss=([0-9.]+)", "ok"), ("Loss=([0-9.]+)", "failed")])
def test_a_plain_script_draws_graphs_out_of_what_it_prints(tmp_path, regex, state):
    kernel = plain(tmp_path / "kernel", PRINTS)
    with (kernel / "kernel.toml").open("a") as file:
        file.write(f'[[metrics]]\nname = "loss"\nregex = "{regex}"\n')
    lines = examine(kernel, tmp_path, ["training"])
    assert line_of(lines, "metrics").state == state
    assert {line.check for line in lines if line.state == words.FAILED} == ({"metrics"} if state == "failed" else set())
    if state == "failed":
        assert "No line of its log matches the pattern of the graph loss" in line_of(lines, "metrics").found_here


def order_of(kernel: Path, training_type: str = "CL") -> trial.Order:
    return trial.Order(kernel, training_type, "PARTS", {})


def test_nothing_but_files_of_its_own_is_read_of_a_run(tmp_path):
    """Links, pipes, folders: neither shown nor waited for."""
    run, secret = trial.Run(tmp_path, "training"), tmp_path / "secret.txt"
    secret.write_text("the administrator's password\n1\n2\n")
    graphs = run.output / "save/metrics"
    (graphs / "folder.csv").mkdir(parents=True)
    (graphs / "link.csv").symlink_to(secret)
    os.mkfifo(graphs / "pipe.csv")
    os.mkfifo(tmp_path / "status.jsonl")
    (tmp_path / "kernel.log").touch()
    assert (run.metrics, run.lines, run.has_begun(), judging.xs_of(run)) == ([], [], False, {})
    assert judging.graphs(run, {})[0] == words.REMARK


def test_what_a_run_writes_without_end_is_not_read_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, "STATUS_LIMIT", 100)
    monkeypatch.setattr(trial, "GRAPH_LIMIT", 100)
    run = trial.Run(tmp_path, "training")
    done = json.dumps({"project_key": run.key, "status": "training_done"})
    (tmp_path / "status.jsonl").write_text("x" * 500 + f"\n{done}\n")
    assert (run.lines, run.is_done) == ([done.encode()], True)
    (run.output / "save/metrics").mkdir(parents=True)
    (tmp_path / "kernel.log").touch()
    (run.output / "save/metrics/loss.csv").write_text("step,loss\n" + "1,1\n" * 100)
    assert "loss.csv is larger than" in judging.graphs(run, {})[1]


def test_links_and_pipes_among_results_are_gone_before_anybody_looks(tmp_path):
    program = "import json, os, sys; o = json.load(open(sys.argv[1]))['model_write_path']"
    program += "; os.symlink('/etc/hostname', o + '/summary.csv'); os.mkdir(o + '/annotations')"
    program += "; os.mkfifo(o + '/annotations/1.json')"
    order = order_of(plain(tmp_path / "kernel", program))
    run = trial.go(trial.prepare(order, tmp_path / "run", "training"), order, lambda: None)
    assert run.went_well, run.last_words
    assert [path.name for path in run.output.rglob("*")] == ["annotations"]


def test_one_that_goes_on_to_its_end_in_spite_of_sigterm_is_not_said_to_obey(tmp_path):
    for told in ({}, {"behaviour": "no_done"}):
        kernel = package(tmp_path / f"kernel{len(told)}", fault="deaf", rows=8, **told)
        line = line_of(examine(kernel, tmp_path, ["training"]), "sigterm")
        assert (line.state, "done before it could be stopped" in line.found_here) == (words.REMARK, True)


def test_many_answers_about_one_image_are_not_an_answer_for_each(tmp_path):
    run = trial.prepare(order_of(tmp_path / "kernel"), tmp_path / "run", "inference")
    run.code = 0
    (path, *others), _counts = zip(*run.asked, strict=True)
    one = results.Detection(path, None, 0, (0.9, 0.1))
    results.write_detections(run.output, [one] * 4, classes=2)
    assert "There are answers for 1 of 4" in judging.answers(run, "CL")[1]
    every = [one, *(results.Detection(other, None, 0, (0.9, 0.1)) for other in others)]
    results.write_detections(run.output, [*every, one], classes=2)
    assert "more than one answer" in judging.answers(run, "CL")[1]
    results.write_detections(run.output, every, classes=2)
    assert judging.answers(run, "CL") == judging.GOOD


def test_preprocessing_leaves_images_of_every_image(tmp_path):
    run = trial.prepare(order_of(tmp_path / "kernel"), tmp_path / "run", "preprocessing")
    run.code = 0
    made = run.folder / "images/x.png"
    made.touch()
    sources = [path for path, _box in run.asked]
    results.write_produced(run.output, [results.Produced(sources[0], str(made))])
    assert "no image" in judging.answers(run, "CL")[1]
    made.write_bytes(Path(sources[0]).read_bytes())
    assert "made from" in judging.answers(run, "CL")[1]
    results.write_produced(run.output, [results.Produced(source, str(made)) for source in sources])
    assert judging.answers(run, "CL") == judging.GOOD


def test_a_line_with_what_is_no_text_can_be_kept_and_printed():
    line = words.Line("starts", "CL", words.FAILED, Said("%(a)s %(b)s", a="x\ud800\0", b=[Said("%(c)s", c="\udcff")]))
    kept = json.dumps(line.as_json, ensure_ascii=False).encode()
    assert b"\0" not in kept
    assert b"u0000" not in kept
    assert words.in_text(line).encode()


def test_siblings_and_model_type_that_a_schema_asks_for_are_given(tmp_path):
    kernel = package(tmp_path / "kernel")
    schema = json.loads((kernel / "model_schema.json").read_text())
    schema["properties"] |= {"trainable_image_type": ["_A.png", "_X.png"], "model_type": {"pattern": "^OD_"}}
    schema["required"].append("trainable_image_type")
    examination = Examination(kernel, schema, ["training"], tmp_path / "trials")
    with pytest.raises(ValueError, match="params or model_type below"):
        examination._order("CL")
    about = (kernel / "kernel.toml").read_text()
    (kernel / "kernel.toml").write_text(
        about.replace("[doctor.params]", '[doctor]\nmodel_type = "OD_X"\n[doctor.params]')
    )
    packages.about_of((kernel / "kernel.toml").read_bytes())
    order = examination._order("CL")
    assert (order.model_type, order.suffixes) == ("OD_X", ("_A.png", "_X.png"))


def test_one_that_claims_no_training_is_not_trained(tmp_path):
    lines = examine(package(tmp_path / "kernel", operations="preprocessing"), tmp_path)
    assert {line.check for line in lines if line.state == words.OK} == {"results", "inside"}
    assert {line.state for line in lines} == {words.OK, words.SKIPPED}


def test_a_host_that_lets_nobody_watch_this_file_is_not_one_where_it_was_not_read(tmp_path):
    with Reads() as reads:
        assert reads.works
        reads.watch(tmp_path / "gone", "gone")
        assert not reads.works
        assert reads.seen() == set()


def test_the_command_refuses_what_an_import_refuses(tmp_path):
    kernel = package(tmp_path / "kernel")
    (kernel / "kernel.toml").write_text("name = 'a'\nversion = '1'\n[limits]\nwall = 'long'\n")
    with pytest.raises(CommandError, match="wall must be"):
        call_command("doctor", str(kernel))
