"""The commands of the main job: what they print, what they refuse, and that they do the page's work."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from jobs.models import Job, State
from kernels_app.models import KernelSwitch
from models_app.models import TrainedModel, Validation
from projects_app.models import Project
from tests import fake_kernels
from tests.portal import Portal

pytestmark = pytest.mark.django_db


def run(name: str, *argv: str) -> Any:
    """The command's one JSON object (or list)."""
    out = io.StringIO()
    call_command(name, *argv, "--json", stdout=out, stderr=io.StringIO())
    assert len(out.getvalue().strip().splitlines()) == 1
    return json.loads(out.getvalue())


def failing(name: str, *argv: str) -> tuple[str, str]:
    """What a command that fails says: the error, and what it had printed."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(name, *argv, "--json", stdout=out, stderr=io.StringIO())
    return str(caught.value), out.getvalue()


@pytest.fixture
def train(shop):
    """The arguments of a training that goes well."""
    return [
        "--project", shop.project.code, "--kernel", "fake-cl", "--model-type", shop.model_type.code,
        "--train", "parts-train", "--validation", "parts-val",
    ]  # fmt: skip


# --- what is there ---------------------------------------------------------------------------------------------------


def test_create_project_answers_and_makes_it(db):
    assert run("create_project", "pumps") == {"project": "pumps"}
    assert Project.objects.get(code="pumps")
    said, printed = failing("create_project", "pumps")
    assert "code" in said.lower()
    assert printed == ""


def test_list_kernels_names_every_version(shop):
    fake_kernels.register(version="2")
    found = [kernel for kernel in run("list_kernels") if kernel["name"] == "fake-cl"]
    assert found == [
        {"name": "fake-cl", "version": version, "state": "ready", "training_types": ["CL"]} for version in ("2", "1")
    ]


def test_list_model_types_names_code_and_training_type(shop, make_shop):
    boxes = make_shop("OD", name="boxes")
    assert run("list_model_types", "--project", shop.project.code) == [
        {"code": shop.model_type.code, "training_type": "CL"},
        {"code": boxes.model_type.code, "training_type": "OD"},
    ]


# --- train -----------------------------------------------------------------------------------------------------------


def test_train_is_accepted_and_waits_in_the_queue(train):
    answer = run("train", *train, "--name", "mine", "--description", "why")
    model = TrainedModel.objects.get(name="mine")
    assert {key: answer[key] for key in ("model", "job", "state", "metrics")} == {
        "model": model.pk, "job": model.job_id, "state": "QUEUED", "metrics": {},
    }  # fmt: skip
    assert model.description == "why"
    assert model.created_by.username == "system"


def test_train_in_the_foreground_answers_with_its_metrics(train):
    answer = run("train", *train, "--foreground", "--params", '{"rows": 4}')
    assert answer["state"] == "SUCCEEDED"
    assert answer["metrics"] == {
        "accuracy": {"accuracy": {"last": 0.8, "best": 0.8}},
        "loss": {"train_loss": {"last": 0.25, "best": 0.25}, "val_loss": {"last": 0.5, "best": 0.5}},
    }
    model = TrainedModel.objects.get(pk=answer["model"])
    assert (model.folder / "save/checkpoint.pth").is_file()
    assert not model.job.leases.exists()


@pytest.mark.parametrize(
    ("behaviour", "says"), [("exit3", "exit code 3"), ("error", "too small for this network"), ("nothing", "missing")]
)
def test_train_in_the_foreground_fails_with_the_kernels_words_and_still_answers(train, behaviour, says):
    said, printed = failing("train", *train, "--foreground", "--params", json.dumps({"behaviour": behaviour}))
    assert says in said
    answer = json.loads(printed)
    assert answer["state"] == "FAILED"
    assert set(answer) >= {"model", "job", "metrics"}


def test_params_come_from_a_file_over_the_defaults(train, tmp_path):
    file = tmp_path / "params.json"
    file.write_text('{"lr": 0.5}')
    answer = run("train", *train, "--params", f"@{file}")
    assert TrainedModel.objects.get(pk=answer["model"]).params == fake_kernels.params(lr=0.5)


def test_datasets_are_repeated_or_listed(train, shop):
    one = run("train", *train, "--train", "parts-val")
    two = run("train", *train[:-4], "--train", "parts-train", "parts-val", "--validation", "parts-val")
    for answer in (one, two):
        assert TrainedModel.objects.get(pk=answer["model"]).train_datasets.count() == 2


def test_a_kernel_is_named_with_or_without_its_version(train, shop):
    newer = fake_kernels.register(version="2")
    index = train.index("fake-cl")
    for name, kernel in (("fake-cl", newer), ("fake-cl@1", shop.kernel), ("fake-cl@2", newer)):
        train[index] = name
        assert TrainedModel.objects.get(pk=run("train", *train)["model"]).kernel == kernel


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"--kernel": "nobody"}, "There is no kernel “nobody” here. Known: "),
        ({"--kernel": "fake-cl@9"}, "There is no kernel “fake-cl@9” here."),
        ({"--model-type": "CL_X"}, "There is no model type “CL_X” here. Known: CL_parts"),
        ({"--train": "nothing"}, "There is no dataset “nothing” here."),
        ({"--project": "nowhere"}, "There is no project “nowhere”."),
        ({"--params": "{"}, "--params: this is not JSON"),
        ({"--params": "[1]"}, "--params: a JSON object is needed"),
        ({"--params": "@/nowhere/p.json"}, "/nowhere/p.json cannot be read"),
        ({"--params": '{"lr": 5}'}, "lr: must be at most 1; you gave 5"),
        ({"--params": '{"lr": NaN}'}, "NaN and Infinity are no numbers in JSON"),
        ({"--params": '{"lr": 1e999}'}, "line 1: This number is too large"),
        ({"--params": '{"row": 5}'}, "“row” is not a setting of this kernel; did you mean “rows”?"),
        ({"--gpus": "2"}, "This kernel runs on 1 to 1 devices; you chose 2."),
        ({"--gpus": "0"}, "you chose 0"),
        ({"--gpus": "-1"}, "you chose -1"),
        ({"--user": "nobody"}, "There is no active user “nobody”."),
        ({"--name": " "}, "Give the model a name."),
    ],
)
def test_train_refuses_in_words_and_leaves_nothing_behind(train, changed, says):
    usual = dict(zip(train[::2], train[1::2], strict=True))
    said, printed = failing("train", *(part for pair in (usual | changed).items() for part in pair))
    assert says in said
    assert printed == ""
    assert not TrainedModel.objects.exists()
    assert not Job.objects.exists()


def test_a_name_that_is_taken_is_refused_with_a_free_one(train):
    run("train", *train, "--name", "mine")
    said, _printed = failing("train", *train, "--name", "mine")
    assert "“mine.1” is free" in said
    assert TrainedModel.objects.count() == 1


def test_a_kernel_that_is_off_is_not_there(train, shop):
    KernelSwitch.objects.create(kernel=shop.kernel, project=shop.project, is_on=False)
    assert "There is no kernel “fake-cl” here." in failing("train", *train)[0]


def test_who_may_not_is_refused(train, vera, charlie):
    assert "role" in failing("train", *train, "--user", "vera")[0]
    assert "There is no project" in failing("train", *train, "--user", "charlie")[0]
    assert not TrainedModel.objects.exists()


def test_who_acts_is_remembered(train, bob):
    assert TrainedModel.objects.get(pk=run("train", *train, "--user", "bob")["model"]).created_by == bob


# --- validate --------------------------------------------------------------------------------------------------------


def test_validate_in_the_foreground_answers_with_the_summary(shop):
    model = shop.finished(name="mine", wrong=1)
    answer = run("validate", "mine", "--dataset", "parts-val", "--foreground")
    validation = Validation.objects.get()
    assert answer == {
        "validation": validation.pk, "job": validation.job_id, "state": "SUCCEEDED", "operation": "validation",
        "figures": {"n": 4, "accuracy": 0.75, "macro_f1": pytest.approx((2 / 3 + 4 / 5) / 2), "images": 4},
        "summary": {"accuracy": 0.75, "macro_f1": 0.5},
        "result": {"dataset": validation.result_id, "name": f"parts-val-validation-{validation.pk}", "images": 4},
        "faults": [],
    }  # fmt: skip
    assert validation.model == model


def test_validate_is_accepted_and_waits_in_the_queue(shop):
    model = shop.ready()
    answer = run("validate", str(model.pk), "--dataset", "parts-val")
    assert (answer["state"], answer["summary"]) == ("QUEUED", {})


def test_validate_labels_from_the_score_that_is_asked_for(make_shop):
    boxes = make_shop("OD", name="boxes")
    boxes.ready(name="boxes")
    infer = ["boxes", "--dataset", "boxes-val", "--operation", "inference", "--foreground"]
    usual = run("validate", *infer)
    assert usual["figures"] == {"min_score": 0.5, "said": {"GOOD": 2, "BAD": 1}, "images": 4}
    assert run("validate", *infer, "--min-score", "0.8")["figures"]["said"] == {"GOOD": 1, "BAD": 1}
    said, printed = failing("validate", *infer, "--min-score", "2")
    assert (said, printed) == ("--min-score: a number from 0 to 1 is needed; you gave 2.", "")


def test_validate_produces_images(make_shop):
    operations = {"const": "training, validation, inference, preprocessing"}
    shop = make_shop("CL", name="raw", supported_operations=operations)
    shop.ready(name="raw")
    answer = run("validate", "raw", "--dataset", "raw-val", "--operation", "preprocessing", "--foreground")
    assert (answer["state"], answer["figures"], answer["result"]["images"]) == ("SUCCEEDED", {}, 4)


def test_validate_fails_with_the_kernels_words(shop):
    shop.ready(name="mine", judging="error")
    said, printed = failing("validate", "mine", "--dataset", "parts-val", "--foreground")
    assert said == "The model does not know these images."
    assert json.loads(printed)["state"] == "FAILED"


def test_validate_can_infer(shop):
    shop.ready(name="mine")
    answer = run("validate", "mine", "--dataset", "parts-val", "--operation", "inference", "--foreground")
    assert answer["state"] == "SUCCEEDED"
    assert Validation.objects.get().operation == "inference"


def test_validate_refuses_in_words_and_leaves_nothing_behind(shop, other_shop, charlie):
    shop.ready(name="mine")
    other_shop.ready(name="mine")
    shop.trained(name="failed", behaviour="exit3")
    here = ["--project", shop.project.code]
    jobs = Job.objects.count()
    for argv, says in (
        (["mine", "--dataset", "parts-val"], "Several models are named"),
        (["nobody", "--dataset", "parts-val"], "There is no model 'nobody'."),
        (["²", "--dataset", "parts-val"], "There is no model"),
        (["9" * 40, "--dataset", "parts-val"], "There is no model"),
        (["mine", *here, "--dataset", "nothing"], "There is no dataset “nothing” here."),
        (["mine", *here, "--dataset", "pumps-val"], "There is no dataset “pumps-val” here."),
        (["failed", *here, "--dataset", "parts-val"], "Only a model whose training succeeded can be validated."),
        (["mine", *here, "--dataset", "parts-val", "--kernel", "nobody"], "There is no kernel “nobody” here."),
        (["mine", *here, "--dataset", "parts-val", "--user", "charlie"], "There is no model"),
    ):
        said, printed = failing("validate", *argv)
        assert says in said, argv
        assert printed == ""
    assert Job.objects.count() == jobs


def test_a_viewer_is_refused_without_a_traceback(shop, vera):
    shop.ready(name="mine")
    assert "role" in failing("validate", "mine", "--dataset", "parts-val", "--user", "vera")[0]


# --- run_job ---------------------------------------------------------------------------------------------------------


def test_run_job_does_what_waits(shop):
    model = shop.order().start(shop.user)
    assert run("run_job", str(model.job_id)) == {"job": model.job_id, "state": "SUCCEEDED", "message": ""}
    model.job.refresh_from_db()
    assert model.job.state == State.SUCCEEDED


def test_run_job_fails_with_the_jobs_words(shop, vera):
    model = shop.order(behaviour="exit3").start(shop.user)
    assert "exit code 3" in failing("run_job", str(model.job_id))[0]
    assert "There is no job 999999." in failing("run_job", "999999")[0]
    assert "role" in failing("run_job", str(model.job_id), "--user", "vera")[0]


# --- as real processes -----------------------------------------------------------------------------------------------

SEED = """
import pathlib
from django.core.management import call_command
call_command("migrate", verbosity=0)
from projects_app.models import Project, User
from tests import fake_kernels, parts
project = Project.objects.create(code="valves", name="Valves")
parts.import_parts(project, User.system(), pathlib.Path({folder!r}))
fake_kernels.register()
"""


def test_waiting_for_a_worker_exit_codes_and_streams(tmp_path):
    portal = Portal(tmp_path / "portal")
    portal.python(SEED.format(folder=str(tmp_path / "source")))
    train = (
        "train", "--project", "valves", "--kernel", "fake-cl", "--model-type", "CL_parts", "--train", "parts-train",
        "--validation", "parts-val", "--wait", "--json",
    )  # fmt: skip
    try:
        portal.start_worker("--no-task-queue")
        good = portal.manage(*train, "--name", "good")
        bad = portal.manage(*train, "--params", '{"behaviour": "exit3"}')
    finally:
        portal.stop()
    assert (good.returncode, good.stderr) == (0, "")
    assert json.loads(good.stdout)["state"] == "SUCCEEDED"
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["state"] == "FAILED"
    assert "exit code 3" in bad.stderr
    assert "Traceback" not in bad.stderr
