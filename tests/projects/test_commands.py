"""Projects and what is in them, by command."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from kernels_app.models import Kernel, KernelState
from projects_app.models import ModelType, Project, Role


def run(*args: str) -> str:
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_create_project_with_its_manager(charlie):
    assert json.loads(run("create_project", "pumps", "--name", "펌프", "--manager", "charlie", "--json")) == {
        "project": "pumps"
    }
    made = Project.objects.get(code="pumps")
    assert made.name == "펌프"
    assert made.role_of(charlie) == Role.MANAGER


def test_create_project_takes_the_code_for_a_name(db):
    assert run("create_project", "pumps").strip() == "project: pumps"
    assert Project.objects.get(code="pumps").name == "pumps"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["valves"], "already exists"),
        (["two words"], "without white space"),
        ([""], "cannot be blank"),
        (["pumps", "--manager", "nobody"], "no active user “nobody”"),
        (["pumps", "--user", "nobody"], "no active user “nobody”"),
        (["pumps", "--user", "alice"], "Only a superuser"),
    ],
)
def test_create_project_refuses(project, alice, args, message):
    with pytest.raises(CommandError, match=message):
        run("create_project", *args)
    assert Project.objects.count() == 1


def test_list_kernels(db):
    Kernel.objects.all().delete()
    Kernel.objects.create(
        name="toy", version="1.0", digest="0" * 64, state=KernelState.READY, training_types=",CL,OD,", schema={}
    )
    assert json.loads(run("list_kernels", "--json")) == [
        {"name": "toy", "version": "1.0", "state": "ready", "training_types": ["CL", "OD"]}
    ]
    assert "toy" in run("list_kernels")


def test_list_model_types(project, charlie, vera):
    ModelType.objects.create(project=project, code="OD_VALVE", name="Valve", training_type="OD")
    found = [{"code": "OD_VALVE", "training_type": "OD"}]
    assert json.loads(run("list_model_types", "--project", "valves", "--json")) == found
    assert json.loads(run("list_model_types", "--project", "valves", "--json", "--user", "vera")) == found
    with pytest.raises(CommandError, match="no project “valves”"):
        run("list_model_types", "--project", "valves", "--user", "charlie")
    with pytest.raises(CommandError, match="no project “pumps”"):
        run("list_model_types", "--project", "pumps")
