"""Kernels of the original system, which report over a broker: tried by the doctor, refused in words."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kernels_app import packages, reporting
from kernels_app.badkernel import BadKernel
from kernels_app.doctor.examine import Examination
from tests import needs
from tests.faults.conftest import SCHEMA

pytestmark = pytest.mark.one_database


@pytest.fixture
def kernel(tmp_path) -> Path:
    folder = tmp_path / "kernel"
    folder.mkdir()
    about = 'name = "original"\nversion = "1"\n[broker]\n[doctor]\nparams = { steps = 15, pause = 0.02 }\n'
    (folder / "kernel.toml").write_text(about)
    (folder / "model_schema.json").write_text(json.dumps(SCHEMA))
    (folder / "train.py").write_bytes((needs.REPOSITORY / "tests" / "kernel_original.py").read_bytes())
    return folder


@pytest.fixture
def broker(settings) -> None:
    settings.BROKER_URL = needs.broker()
    known = urlsplit(settings.BROKER_URL)
    settings.BROKER_KERNELS, settings.TRAINPORTAL_SANDBOX = f"{known.username}:{known.password}", "off"
    settings.JOB_POLL, settings.JOB_GRACE = 0.05, 5.0


def test_the_doctor_hears_a_kernel_of_the_original_over_the_broker(kernel, broker, tmp_path):
    examination = Examination(kernel, SCHEMA, ["training", "validation"], tmp_path / "runs")
    lines = {(line.check, line.operation): line for line in examination.lines()}
    assert {name: line.state for name, line in lines.items() if line.state not in ("ok", "remark")} == {}
    assert lines["reports", ""].state == "ok"  # it said done, and nothing that cannot be read
    assert not list(tmp_path.rglob(".broker*"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"BROKER_URL": ""}, "names none"),
        ({"BROKER_KERNELS": "", "BROKER_API": ""}, "no account"),
        ({"BROKER_URL": "amqp://guest:guest@127.0.0.1:1", "BROKER_PATIENCE": 0.0}, "does not answer"),
    ],
)
def test_where_it_cannot_report_the_doctor_says_why(kernel, broker, tmp_path, settings, changed, words):
    for name, value in changed.items():
        setattr(settings, name, value)
    [line] = [
        one for one in Examination(kernel, SCHEMA, ["training"], tmp_path / "runs").lines() if one.state == "failed"
    ]
    assert words in str(line.found)


def test_in_a_sandbox_without_a_network_it_does_not_start(kernel, broker, monkeypatch, tmp_path):
    monkeypatch.setattr("kernels_app.reporting.sandbox.name", lambda: "bwrap")
    with pytest.raises(reporting.NoBroker, match="no network"):
        reporting.lend(kernel, tmp_path, called="7", tick=lambda: None)


@pytest.mark.parametrize("text", ["broker = 1", "[broker]\nqueue = true", '[broker]\ndurable = "no"'])
def test_a_broker_table_that_says_something_else_is_refused(text):
    with pytest.raises(BadKernel, match=r"\[broker\]"):
        packages.about_of(f'name = "a"\nversion = "1"\n{text}\n'.encode())
