"""import_model, export_model and activate_model: the page's work by command, and refusals that leave nothing behind."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from django.core.management import call_command

from jobs.models import Job, State
from kernels_app.models import Kernel
from models_app.models import Activation, ModelDraft, ModelExport, TrainedModel
from projects_app.models import Project
from tests import fake_kernels
from tests.models.test_commands import failing, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def weights(tmp_path) -> Path:
    path = tmp_path / "part.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("save/checkpoint.pth", b"weights")
    return path


@pytest.fixture
def model_json(shop, tmp_path):
    def write(**changed) -> str:
        usual = {"training_type": "CL", "model_type": shop.model_type.code, "training_params": fake_kernels.params()}
        path = tmp_path / "model.json"
        path.write_text(json.dumps(usual | changed), encoding="utf-8")
        return str(path)

    return write


# --- import ----------------------------------------------------------------------------------------------------------


def test_import_answers_with_the_model(shop, weights, model_json, dev):
    answer = run(
        *("import_model", str(weights), model_json(), "--project", shop.project.code),
        *("--name", "밸브", "--description", "why", "--user", "dev"),
    )
    model = TrainedModel.objects.get()
    assert answer == {
        "model": model.pk, "name": "밸브", "model_type": shop.model_type.code, "training_type": "CL",
        "kernel": "fake-cl@1", "classes": ["GOOD", "BAD"], "size": 7, "job": model.job_id, "state": "SUCCEEDED",
    }  # fmt: skip
    assert (model.description, model.created_by, model.is_finished) == ("why", dev, True)
    assert not ModelDraft.objects.exists()


def test_the_kernel_can_be_named_and_must_fit(shop, weights, model_json):
    fake_kernels.register(version="2", supported_gpu_count={"maximum": 2})
    import_it = ("import_model", str(weights), model_json(), "--project", shop.project.code)
    assert run(*import_it)["kernel"] == "fake-cl@2"
    assert run(*import_it, "--kernel", "fake-cl@1")["kernel"] == "fake-cl@1"
    said, _printed = failing(*import_it, "--kernel", "od-fcos")
    assert "The kernel trains OD, not" in said
    assert not ModelDraft.objects.exists()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"training_params": fake_kernels.params(lr=5)}, "lr: must be at most 1; you gave 5"),
        ({"model_type": "NEW"}, "There is no model type “NEW” in this project"),
        ({"training_type": "OD"}, "learns CL, not OD"),
    ],
)
def test_what_cannot_be_imported_is_said_and_nothing_is_left(shop, weights, model_json, home, changed, says):
    said, printed = failing("import_model", str(weights), model_json(**changed), "--project", shop.project.code)
    assert says in said
    assert printed == ""
    assert not TrainedModel.objects.exists()
    assert not ModelDraft.objects.exists()
    assert not list((home / "model-imports").iterdir())
    assert not Job.objects.filter(kind="import_model").exists()


def test_files_that_are_not_there_are_named(shop, weights, tmp_path):
    project = ("--project", shop.project.code)
    assert "no such file" in failing("import_model", str(tmp_path / "none.zip"), *project)[0]
    assert "cannot be read" in failing("import_model", str(weights), str(tmp_path / "none.json"), *project)[0]
    (tmp_path / "no.zip").write_text("hello")
    assert "no archive" in failing("import_model", str(tmp_path / "no.zip"), *project)[0]


def test_a_labeller_may_not_import(shop, weights, model_json):
    said, _printed = failing(
        "import_model", str(weights), model_json(), "--project", shop.project.code, "--user", "bob"
    )
    assert "Developer" in said


# --- export ----------------------------------------------------------------------------------------------------------


def test_export_writes_the_file_and_another_project_takes_it_in(shop, tmp_path):
    model = shop.finished(name="original")
    target = tmp_path / "out.zip"
    answer = run("export_model", str(model.pk), "--output", str(target))
    assert answer == {
        "model": model.pk, "file": str(target), "size": target.stat().st_size,
        "job": ModelExport.objects.get().job_id, "state": "SUCCEEDED",
    }  # fmt: skip
    Project.objects.create(code="pumps", name="Pumps")
    taken = run("import_model", str(target), "--project", "pumps")
    assert (taken["name"], taken["classes"], taken["kernel"]) == ("original", model.classes, str(model.kernel))


def test_export_into_a_folder_takes_the_models_name(shop, tmp_path, monkeypatch):
    shop.finished(name="밸브/1")
    assert run("export_model", "밸브/1", "--output", str(tmp_path))["file"] == str(tmp_path / "밸브_1.zip")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "밸브_1.zip").unlink()
    run("export_model", "밸브/1")
    assert (tmp_path / "밸브_1.zip").is_file()


def test_what_cannot_be_exported_is_said(shop, tmp_path):
    model = shop.trained(behaviour="exit3")
    assert "Only a finished model" in failing("export_model", str(model.pk))[0]
    assert "no such folder" in failing("export_model", str(model.pk), "--output", str(tmp_path / "a/b.zip"))[0]
    assert "There is no model" in failing("export_model", "nobody")[0]
    assert "Developer" in failing("export_model", str(model.pk), "--user", "bob")[0]


# --- activate --------------------------------------------------------------------------------------------------------


def test_activate_and_deactivate(shop, alice):
    old, new = shop.ready(name="old"), shop.ready(name="new")
    first = run("activate_model", "old", "--reason", "the first", "--user", "alice")
    assert first == {
        "model": old.pk, "name": "old", "model_type": shop.model_type.code, "active": True, "replaced": None,
    }  # fmt: skip
    assert run("activate_model", str(new.pk), "--reason", "better")["replaced"] == old.pk
    assert run("activate_model", "new", "--reason", "bad", "--deactivate")["active"] is False
    kept = list(Activation.objects.order_by("pk").values_list("model_name", "reason", "end_reason"))
    assert kept == [("old", "the first", "better"), ("new", "better", "bad")]


def test_activation_warns_on_stderr_and_json_stays_alone_on_stdout(shop):
    shop.ready(name="model")
    out, err = io.StringIO(), io.StringIO()
    call_command("activate_model", "model", "--reason", "x", "--json", stdout=out, stderr=err)
    assert json.loads(out.getvalue())["active"] is True
    assert "It has not been validated" in err.getvalue()


def test_what_cannot_be_activated_is_said(shop, dev):
    model = shop.ready()
    assert "Manager" in failing("activate_model", str(model.pk), "--reason", "x", "--user", "dev")[0]
    assert "Say why" in failing("activate_model", str(model.pk), "--reason", " ")[0]
    assert "meanwhile" in failing("activate_model", str(model.pk), "--reason", "x", "--deactivate")[0]
    run("activate_model", str(model.pk), "--reason", "x")
    assert "already" in failing("activate_model", str(model.pk), "--reason", "x")[0]
    assert Activation.objects.count() == 1


def test_an_import_is_a_job_like_any_other(shop, weights, model_json):
    run("import_model", str(weights), model_json(), "--project", shop.project.code)
    job = Job.objects.get(kind="import_model")
    assert job.state == State.SUCCEEDED
    assert job.subject[0] == TrainedModel.objects.get().name
    assert Kernel.objects.filter(pk=TrainedModel.objects.get().kernel_id).exists()
