"""The kernel kit: what `new_kernel` writes is a kernel that trains, by its own tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from kernels_app import registry, schema
from kernels_app.contract import TRAINING_TYPES
from kernels_app.kit import writing


@pytest.mark.long
@pytest.mark.kernel
def test_its_own_tests_pass_without_the_portal(tmp_path):
    """Of one type; tests of the doctor try the others."""
    folder = tmp_path / "mine"
    call_command("new_kernel", "mine", "--type", "SEG", "--folder", str(folder))
    known = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH") if name in os.environ}
    argv = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:django", "--rootdir", "."]
    done = subprocess.run(argv, cwd=folder, env=known, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


@pytest.mark.parametrize("training_type", TRAINING_TYPES)
def test_the_portal_takes_it_as_a_kernel(training_type):
    kernel = registry.look(writing.files("mine", training_type))
    assert (kernel.name, kernel.types, kernel.operations) == (
        "mine",
        [training_type],
        ["training", "validation", "inference"],
    )
    assert schema.faults(kernel.schema) == []


def test_it_knows_nothing_of_the_portal():
    assert [name for name, text in writing.files("mine", "OD").items() if b"kernels_app" in text] == []


def test_each_file_that_its_dockerfile_starts_is_there():
    files = writing.files("mine", "OD")
    assert json.loads(files["model_schema.json"])["properties"]["training_type"] == {"const": "OD"}
    assert b'ENTRYPOINT ["python", "/kernel/train.py"]' in files["Dockerfile"]
    assert {"train.py", "task.py", "pictures.py", "kernel.toml", "contract/config.py"} <= set(files)


def test_what_is_there_is_not_written_over(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "train.py").write_text("precious")
    with pytest.raises(CommandError, match="is there already"):
        call_command("new_kernel", "mine", "--type", "CL", "--folder", str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "train.py").read_text() == "precious"


@pytest.mark.parametrize("name", ["../evil", "Mine", "-x", "", "a b"])
def test_a_name_that_is_none_is_refused(name, tmp_path):
    with pytest.raises(CommandError, match="NAME has small letters"):
        call_command("new_kernel", "--type", "CL", "--folder", str(tmp_path / "x"), "--", name)


@pytest.mark.django_db
def test_the_fake_one_stands_on_its_own_and_passes_the_doctor(tmp_path, settings, capsys):
    settings.JOB_POLL, settings.JOB_GRACE = 0.05, 5.0
    folder = tmp_path / "demo"
    call_command("new_kernel", "demo", "--type", "CL", "--fake", "--folder", str(folder))
    assert b"kernels_app" not in b"".join(path.read_bytes() for path in folder.rglob("*.py"))
    capsys.readouterr()
    call_command("doctor", str(folder), "--json")
    assert {line["state"] for line in json.loads(capsys.readouterr().out)} == {"ok"}
    assert schema.faults(json.loads((folder / "model_schema.json").read_text())) == []
