"""Kernels that are containers: built or loaded, tried, trained with, and nothing of them left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jobs import chores, following, runfolder
from jobs.kinds import JobError
from jobs.launchers import container
from jobs.models import State
from kernels_app import images
from kernels_app.models import Kernel, KernelState
from models_app.models import TrainedModel
from models_app.orders import TrainOrder
from projects_app.models import ModelType
from tests import containers, fake_kernels, needs, parts
from tests.kernels.test_imports import refusal, run, zipped

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture(autouse=True)
def podman(settings, home):
    containers.need_podman()
    settings.JOB_POLL, settings.JOB_GRACE, settings.TRAINPORTAL_DOCTOR_LIMIT = 0.05, 5.0, 60.0
    for name, value in containers.SETTINGS.items():
        setattr(settings, name, value)
    yield
    left = containers.left_below(home)
    containers.drop_images(containers.BASE, "contained", "saved", "broken", "original", "tagged")
    assert not left, "containers that were left behind"


def imported(tmp_path: Path, capsys, **params) -> Kernel:
    run(zipped(containers.base_files(), tmp_path / "base.zip"))
    capsys.readouterr()
    told = run(zipped(containers.files(**params), tmp_path / "kernel.zip"), capsys=capsys)
    return Kernel.objects.get(pk=told["kernel"])


def trained(project, user, tmp_path, kernel: Kernel, **params) -> TrainedModel:
    sets = parts.import_parts(project, user, tmp_path / "CL", "CL", name="seed")
    model_type = ModelType.objects.get(project=project, training_type="CL")
    order = TrainOrder(
        project, model_type, kernel, [sets["train"]], [sets["val"]], name="one", params=fake_kernels.params(**params)
    )
    model = order.start(user)
    following.run_here(model.job)
    return TrainedModel.objects.get(pk=model.pk)


def test_a_dockerfile_becomes_a_kernel_that_is_tried_and_trains(tmp_path, project, bob, capsys):
    kernel = imported(tmp_path, capsys)
    base = Kernel.objects.get(name=containers.BASE)
    assert (base.is_base, base.state, base.types, base.checklist) == (True, KernelState.READY, [], [])
    assert (kernel.state, kernel.is_base) == (KernelState.READY, False)
    assert {line["state"] for line in kernel.checklist} <= {"ok"}, kernel.checklist
    assert kernel.build["base"] == base.build["said"]
    assert kernel.image_file.is_file()
    assert "STEP" in kernel.log.read_text()
    model = trained(project, bob, tmp_path, kernel)
    job = model.job
    assert (job.state, job.remark, job.handle["sandbox"]) == (State.SUCCEEDED, "", "podman"), job.message
    assert job.points.filter(chart="loss", series="train_loss").count() == 3
    seen = fake_kernels.seen(model.folder)
    assert not [name for name in seen["environment"] if "DATABASE" in name or "SECRET" in name]
    order = json.loads((runfolder.of(job) / "launch.json").read_text())
    assert {f"target={place}" for place in container.ROOTED} <= set(",".join(order["argv"]).split(","))


def test_a_tar_that_takes_the_name_of_another_kernels_image_runs_under_none_of_its(tmp_path, project, bob, capsys):
    """Whoever loads an image may call it as they like."""
    kernel = imported(tmp_path, capsys, name="tagged")
    right = container.facts(container.needed(), kernel.image)["content"]
    base = Kernel.objects.get(name=containers.BASE)
    subprocess.run(["podman", "tag", base.image, kernel.image], capture_output=True, check=True)
    assert container.facts(container.needed(), kernel.image)["content"] != right
    images.ensure(kernel)
    assert container.facts(container.needed(), kernel.image)["content"] == right
    subprocess.run(["podman", "tag", base.image, kernel.image], capture_output=True, check=True)
    kernel.image_file.unlink()
    with pytest.raises(JobError, match="Another image has the name"):
        images.ensure(kernel)


def test_a_tar_takes_no_name_of_another_image_and_a_base_is_brought_back(tmp_path, project, bob, capsys):
    kernel = imported(tmp_path, capsys, name="tagged")
    base, used = Kernel.objects.get(name=containers.BASE), container.needed()
    said, right = base.build["said"], container.facts(used, base.image)["content"]
    names, stranger = [base.image, said, f"{images.OWN}/{containers.BASE}:stranger"], tmp_path / "stranger.tar"
    for name in names[1:]:
        subprocess.run(["podman", "tag", kernel.image, name], capture_output=True, check=True)
    save = ["podman", "save", "--multi-image-archive", "--output", str(stranger), *names[1:]]
    subprocess.run(save, capture_output=True, check=True)
    subprocess.run(["podman", "tag", base.image, said], capture_output=True, check=True)
    subprocess.run(["podman", "untag", kernel.image, names[2]], capture_output=True, check=True)
    images._load(used, stranger, kernel.image, lambda: None, lambda text: None)
    assert container.facts(used, said)["content"] == right
    assert not container.facts(used, names[2]), "a name that came with it"
    subprocess.run(["podman", "untag", base.image], capture_output=True, check=True)
    subprocess.run(["podman", "image", "rm", "--force", said], capture_output=True, check=False)
    images._bring_base(used, said, lambda: None, lambda text: None)
    assert container.facts(used, said)["content"] == right


@pytest.mark.long
def test_an_image_that_was_tidied_up_is_loaded_again_from_what_was_kept(tmp_path, project, bob, capsys):
    kernel = imported(tmp_path, capsys)
    subprocess.run(["podman", "image", "rm", "--force", kernel.image], capture_output=True, check=True)
    assert trained(project, bob, tmp_path, kernel).job.state == State.SUCCEEDED
    subprocess.run(["podman", "image", "rm", "--force", kernel.image], capture_output=True, check=True)
    kernel.image_file.unlink()
    model = TrainedModel.objects.get()
    again = TrainOrder(
        project, model.model_type, kernel, list(model.train_datasets.all()), list(model.validation_datasets.all()),
        name="two", params=fake_kernels.params(),
    ).start(bob)  # fmt: skip
    following.run_here(again.job)
    again.job.refresh_from_db()
    assert (again.job.state, "is gone" in again.job.message) == (State.FAILED, True)


def test_an_image_tar_with_the_schema_beside_it_becomes_a_kernel(tmp_path, project, capsys):
    files = containers.files("saved")
    built = imported(tmp_path, capsys)
    saved = built.image_file.read_bytes()
    package = {"model_schema.json": files["model_schema.json"], "kernel.toml": files["kernel.toml"], "it.tar": saved}
    package["a-data.tar"] = b"none of its images"
    told = run(zipped(package, tmp_path / "saved.zip"), capsys=capsys)
    kernel = Kernel.objects.get(pk=told["kernel"])
    assert (kernel.state, kernel.image_file.name, kernel.build["base"]) == (KernelState.READY, "it.tar", "")
    assert "no schema" in refusal_of_image(tmp_path, saved)


def refusal_of_image(tmp_path: Path, saved: bytes) -> str:
    """Of an image alone, which says nothing of its settings."""
    (tmp_path / "alone.tar").write_bytes(saved)
    return refusal(tmp_path / "alone.tar").replace("model_schema.json is missing", "no schema")


def test_the_image_of_an_archived_kernel_leaves_the_store_and_what_was_kept_of_it_stays(tmp_path, project, capsys):
    kernel = imported(tmp_path, capsys)
    used = container.needed()
    chores.do_all()
    assert container.facts(used, kernel.image)
    kernel.move((KernelState.READY,), KernelState.ARCHIVED)
    chores.do_all()
    assert not container.facts(used, kernel.image)
    assert kernel.image_file.is_file()


def test_what_cannot_be_built_is_refused_with_the_words_of_the_tool(tmp_path, project):
    files = containers.files("broken") | {"Dockerfile": b"FROM scratch\nCOPY nowhere /\n"}
    assert "nowhere" in refusal(zipped(files, tmp_path / "a.zip"))
    assert Kernel.objects.get(name="broken").state == KernelState.FAILED


def test_without_a_tool_a_container_is_refused_and_a_process_is_not(tmp_path, project, settings, capsys):
    settings.TRAINPORTAL_CONTAINER_TOOL = "off"
    assert "neither podman nor docker" in refusal(zipped(containers.files(), tmp_path / "a.zip"))
    files = containers.files("plain")
    files["kernel.toml"] = files["kernel.toml"].replace(b'runs_in = "container"\n', b"")
    assert run(zipped(files, tmp_path / "b.zip"), capsys=capsys)["state"] == KernelState.READY


def test_a_container_that_knows_the_original_system_alone_trains_and_draws_graphs(
    tmp_path, project, bob, capsys, settings
):
    """It reads /vlad_training.json and reports over RabbitMQ; nothing else passes between it and the portal."""
    address = urlsplit(needs.broker())
    settings.BROKER_URL, settings.BROKER_KERNELS = needs.broker(), f"{address.username}:{address.password}"
    settings.BROKER_NETWORK = "host"  # where the broker of the tests is; an installation has one for it alone
    settings.TRAINPORTAL_CONTAINER_OPTIONS += f" --volume {sys.prefix}:{sys.prefix}:ro"
    run(zipped(containers.base_files(), tmp_path / "base.zip"))
    capsys.readouterr()
    files = fake_kernels.files("CL", name="original", supported_operations={"const": "training, validation"})
    files["model_schema.json"] = json.dumps(original_schema()).encode()
    files["kernel.toml"] += b'runs_in = "container"\n[broker]\n[doctor.params]\nsteps = 10\n'
    files["train.py"] = (needs.REPOSITORY / "tests" / "kernel_original.py").read_bytes()
    python = f"{sys.prefix}/bin/python"
    files["Dockerfile"] = containers.FILE.format(base=f"{images.OWN}/{containers.BASE}:1", python=python).encode()
    told = run(zipped(files, tmp_path / "kernel.zip"), capsys=capsys)
    kernel = Kernel.objects.get(pk=told["kernel"])
    assert kernel.state == KernelState.READY, kernel.checklist
    sets = parts.import_parts(project, bob, tmp_path / "CL", "CL", name="seed")
    model_type = ModelType.objects.get(project=project, training_type="CL")
    params = {"steps": 8, "pause": 0.05}
    model = TrainOrder(project, model_type, kernel, [sets["train"]], [sets["val"]], name="one", params=params).start(
        bob
    )
    following.run_here(model.job)
    job = TrainedModel.objects.get(pk=model.pk).job
    assert (job.state, job.step, job.bad_lines) == (State.SUCCEEDED, 8, 0), job.message
    assert job.points.filter(chart="loss", series="train_loss").count() == 8


def original_schema() -> dict:
    found = fake_kernels.make_schema("CL", supported_operations={"const": "training, validation"})
    del found["x-metrics"]
    found["properties"]["training_params"] = {
        "type": "object",
        "properties": {"steps": {"type": "integer", "default": 20}, "pause": {"type": "number", "default": 0.05}},
    }
    return found


@pytest.mark.parametrize(
    ("dockerfile", "base"),
    [
        ("FROM python:3.11-slim\nRUN true\n", "python:3.11-slim"),
        ("FROM --platform=linux/amd64 a/b AS build\nFROM build\n", "a/b"),
        ("from x as one\nFROM y\nCOPY --from=one / /\n", "y"),
        ("# nothing\n", ""),
    ],
)
def test_the_base_is_what_the_last_stage_builds_on(dockerfile, base):
    assert images.base_of(dockerfile) == base
