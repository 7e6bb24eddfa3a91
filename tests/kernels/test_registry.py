"""Registering a package: the same files are the same kernel, changed files a new version, a bad one leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.core.management import call_command
from django.utils import translation

from kernels_app import registry
from kernels_app.models import Kernel, KernelState, KernelSwitch
from kernels_app.registry import BadKernel
from projects_app.models import ModelType
from tests import fake_kernels

pytestmark = pytest.mark.django_db


def test_a_package_becomes_a_kernel_with_its_files():
    files = fake_kernels.files("OD")
    kernel = registry.register(files)
    assert (str(kernel), kernel.state, kernel.types, kernel.is_bundled) == (
        "fake-od@1",
        KernelState.READY,
        ["OD"],
        False,
    )
    assert {path.name: path.read_bytes() for path in kernel.folder.iterdir()} == files


def test_the_same_files_are_the_same_kernel():
    first = fake_kernels.register()
    assert fake_kernels.register() == first
    assert Kernel.objects.filter(name="fake-cl").count() == 1


def test_changed_files_are_a_new_version_even_where_the_version_says_otherwise():
    first = fake_kernels.register()
    changed = fake_kernels.register(supported_operations={"const": "training"})
    assert changed.version.startswith("1+")
    assert changed.digest.startswith(changed.version.removeprefix("1+"))
    assert first.folder != changed.folder
    assert fake_kernels.register(version="2").version == "2"
    assert list(Kernel.objects.filter(name="fake-cl").newest().values_list("version", flat=True)) == ["2"]


def test_a_kernel_describes_itself_in_the_language_of_the_reader():
    files = fake_kernels.files()
    files["kernel.toml"] += 'description_ko = "가짜입니다."\n'.encode()
    kernel = registry.register(files)
    assert kernel.about == "A fake."
    with translation.override("ko"):
        assert kernel.about == "가짜입니다."
        assert fake_kernels.register().about == "A fake.", "better than nothing"


def test_files_that_are_gone_come_back():
    kernel = fake_kernels.register()
    for path in kernel.folder.iterdir():
        path.unlink()
    kernel.folder.rmdir()
    assert fake_kernels.register() == kernel
    assert (kernel.folder / "train.py").is_file()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("kernel.toml", None, "kernel.toml"),
        ("kernel.toml", b"name = ", "kernel.toml"),
        ("kernel.toml", b"\xff\xfe", "kernel.toml"),
        ("kernel.toml", b'version = "1"', "name"),
        ("kernel.toml", b'name = 3\nversion = "1"', "name"),
        ("kernel.toml", b'name = "x"\nversion = 1', "version"),
        ("kernel.toml", b'name = "x"\nversion = "1"\ndescription_ko = 3', "description_ko"),
        ("kernel.toml", b'name = "x"\nversion = "1"\n[limits]\nwall = "long"', "wall must be a number of seconds"),
        ("kernel.toml", b'name = "x"\nversion = "1"\n[limits]\nlog = -1', "log must be a number of bytes"),
        ("kernel.toml", b'name = "x"\nversion = "1"\n[limits]\nmemory = 1', "memory is no limit; there are wall"),
        ("kernel.toml", b'name = "x"\nversion = "1"\nlimits = 3', "must be a table"),
        ("kernel.toml", b'name = "a\\nb"\nversion = "1"', "name must be one line"),
        ("kernel.toml", b'name = "' + b"x" * 101 + b'"\nversion = "1"', "name must be one line"),
        ("kernel.toml", b'name = "x"\nversion = "' + b"1" * 56 + b'"', "version must be one line"),
        ("kernel.toml", b'name = "x"\nversion = "1"\ndescription = "\\u0000"', "description must be"),
        ("kernel.toml", b'name = "x"\nversion = "1"\n[doctor.params]\na = 2024-01-01', "what JSON can hold"),
        ("kernel.toml", b'name = "x"\nversion = "1"\n[doctor.params]\na = nan', "what JSON can hold"),
        ("kernel.toml", b'name = "x"\nversion = "1"\n[doctor]\nmodel_type = 1', "model_type must be a text"),
        ("model_schema.json", None, "model_schema.json is missing"),
        ("model_schema.json", b"{", "model_schema.json: "),
        ("model_schema.json", b"\xff", "model_schema.json: "),
        ("model_schema.json", b"[]", "must be a JSON object"),
        ("model_schema.json", b'{"properties": {}}', "/properties"),
    ],
)
def test_a_package_that_is_no_kernel_is_refused_and_leaves_nothing(home, name, content, says):
    before = Kernel.objects.count()
    files = fake_kernels.files()
    if content is None:
        del files[name]
    else:
        files[name] = content
    with pytest.raises(BadKernel, match=says):
        registry.register(files)
    assert Kernel.objects.count() == before
    assert not (home / "kernels").exists()


def test_a_schema_whose_default_contradicts_it_is_refused_with_the_place():
    files = fake_kernels.files()
    found = json.loads(files["model_schema.json"])
    found["properties"]["training_params"]["properties"]["lr"]["default"] = 7
    files["model_schema.json"] = json.dumps(found).encode()
    with pytest.raises(BadKernel, match="lr/default: The default contradicts the schema: lr: must be at most 1"):
        registry.register(files)


def test_migrating_registers_the_bundled_kernels_once():
    call_command("migrate", verbosity=0)
    found = list(Kernel.objects.filter(is_bundled=True).order_by("name"))
    assert [kernel.types for kernel in found] == [["CL"], ["OD"], ["RC"], ["SEG"]]
    assert all((kernel.folder / "train.py").is_file() for kernel in found)
    call_command("migrate", verbosity=0)
    assert list(Kernel.objects.filter(is_bundled=True).order_by("name")) == found


def test_what_comes_with_the_portal_is_on_unless_switched_off_and_the_rest_is_off(project):
    bundled, own = fake_kernels.register(), fake_kernels.register("OD", is_on=False)
    assert set(Kernel.objects.on_in(project)) & {bundled, own} == {bundled}
    KernelSwitch.objects.create(kernel=bundled, project=project, is_on=False)
    KernelSwitch.objects.create(kernel=own, project=project, is_on=True)
    assert set(Kernel.objects.on_in(project)) & {bundled, own} == {own}


@pytest.mark.parametrize(
    ("section", "operations"),
    [
        (None, ["training", "validation", "inference"]),
        ({"const": "training, inference"}, ["training", "inference"]),
        ({"const": ["training"]}, ["training"]),
        ("training,validation", ["training", "validation"]),
        (["training"], ["training"]),
    ],
)
def test_supported_operations_are_read_as_kernels_write_them(section, operations):
    more = {} if section is None else {"supported_operations": section}
    kernel = Kernel(schema=fake_kernels.make_schema(**more))
    assert kernel.operations == operations


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (None, (1, 1)),
        ({"minimum": 1, "maximum": 8}, (1, 8)),
        ({"minimum": 2}, (2, 2)),
        ({"maximum": 4}, (1, 4)),
    ],
)
def test_the_range_of_devices_is_read(section, expected):
    more = {} if section is None else {"supported_gpu_count": section}
    assert Kernel(schema=fake_kernels.make_schema(**more)).gpu_range == expected


def test_a_kernel_bound_to_codes_takes_no_other(project):
    model_type = ModelType(project=project, code="CL_A", training_type="CL")
    bound = Kernel(training_types=",CL,", schema=fake_kernels.make_schema(model_type={"enum": ["CL_A"]}))
    other = Kernel(training_types=",CL,", schema=fake_kernels.make_schema(model_type={"enum": ["CL_B"]}))
    constant = Kernel(training_types=",CL,", schema=fake_kernels.make_schema(model_type={"const": "CL_B"}))
    assert [kernel.supports(model_type) for kernel in (bound, other, constant)] == [True, False, False]


def test_a_process_that_only_registers_kinds_of_jobs_does_not_load_the_reader_of_schemas():
    """Every runner does, and a training waits for it."""
    code = (
        "import django, sys; django.setup(); print(*(n in sys.modules for n in "
        "('jsonschema', 'kernels_app.job_kinds')))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert told.stdout.split() == ["False", "True"]


def test_what_comes_with_a_model_is_looked_at_as_what_is_imported():
    files = fake_kernels.files()
    with pytest.raises(BadKernel, match="line 1 is no package"):
        registry.look(files | {"requirements.txt": b"--index-url https://example.com"})
    program = files.pop("train.py")
    with pytest.raises(BadKernel, match=r"no train\.py"):
        registry.look(files)
    command = b'command = "python tools/go.py"\n' + files["kernel.toml"]
    assert registry.look(files | {"tools/go.py": program, "kernel.toml": command}).name == "fake-cl"


def test_sections_that_refer_to_another_part_are_read():
    found = {"model_type": {"$ref": "#/$defs/codes"}, "supported_gpu_count": {"$ref": "#/$defs/n"}}
    defs = {"codes": {"enum": ["OD_X"]}, "n": {"minimum": 2, "maximum": 4}}
    kernel = Kernel(schema={"properties": found, "$defs": defs})
    assert (kernel.bound_codes, kernel.gpu_range) == (["OD_X"], (2, 4))


def test_limits_are_read_behind_a_byte_order_mark():
    files = fake_kernels.files()
    files["kernel.toml"] = b"\xef\xbb\xbf" + files["kernel.toml"] + b"[limits]\nwall = 60\n"
    assert registry.register(files).limits == {"wall": 60}


def test_a_text_with_a_nul_is_refused():
    files = fake_kernels.files(model_type={"type": "string", "title": "a\0"})
    with pytest.raises(BadKernel, match="NUL"):
        registry.look(files)


def test_faults_of_a_package_speak_korean():
    files = fake_kernels.files()
    files["kernel.toml"] += b'[doctor]\nfast = 1\n[[metrics]]\nname = "a"\nregex = "b"\n[limits]\nwall = "x"\n'
    with translation.override("ko"), pytest.raises(BadKernel) as refused:
        registry.look(files)
    assert "must be a number" not in str(refused.value)
    files["kernel.toml"] = files["kernel.toml"].replace(b'"x"', b"1")
    with translation.override("ko"), pytest.raises(BadKernel) as refused:
        registry.look(files)
    assert "needs a group" not in str(refused.value)
