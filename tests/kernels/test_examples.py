"""Training programs of others, made into kernels by the docs alone."""

from __future__ import annotations

import json
import shutil

import pytest

from kernels_app import packages, registry
from kernels_app.doctor.examine import Examination
from kernels_app.models import Kernel
from tests import needs

EXAMPLE = needs.REPOSITORY / "examples" / "kernels" / "torchvision-classification"


def test_the_portal_takes_the_reference_script_as_a_kernel():
    kernel = registry.look_at(EXAMPLE)
    assert (kernel.name, kernel.types) == ("torchvision-classification", ["CL"])
    assert packages.schema_of(EXAMPLE)["x-metrics"][0]["column"] == "top1"


@pytest.mark.kernel
@pytest.mark.long
def test_the_reference_script_passes_the_doctor_unchanged(tmp_path):
    folder = tmp_path / "kernel"
    shutil.copytree(EXAMPLE, folder)
    shutil.copytree(needs.reference_scripts(), folder / "reference")
    schema = json.loads((folder / "model_schema.json").read_text())
    lines = list(Examination(folder, schema, Kernel(schema=schema).operations, tmp_path / "trials").lines())
    assert {line.check: (line.state, str(line.found)) for line in lines if line.state != "ok"} == {}
