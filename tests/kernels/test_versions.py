"""A new version of a kernel: what it changed, and which saved settings it would not take."""

from __future__ import annotations

import pytest
from django.urls import reverse

from jobs.models import Job, State
from kernels_app.models import Kernel, KernelState
from kernels_app.schema.changes import changes
from models_app.models import Preset, TrainedModel
from projects_app.models import ModelType
from tests import fake_kernels


def schema(required=(), open_=False, **params) -> dict:
    section = {"type": "object", "properties": params, "required": list(required), "additionalProperties": open_}
    return {"properties": {"training_type": {"const": "CL"}, "model_type": {}, "training_params": section}}


def of(old: dict, new: dict) -> list[tuple[str, str]]:
    return [(change.kind, change.name) for change in changes(schema(x=old), schema(x=new))]


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 2}, "tightened"),
        ({"type": "integer"}, {"type": "integer", "maximum": 2}, "tightened"),
        ({"type": "integer", "maximum": 2}, {"type": "integer", "maximum": 3}, "changed"),
        ({"type": "number"}, {"type": "integer"}, "tightened"),
        ({"type": "integer"}, {"type": "number"}, "changed"),
        ({"type": ["integer", "null"]}, {"type": "integer"}, "tightened"),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, "tightened"),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, "changed"),
        ({"type": "string"}, {"type": "string", "enum": ["a"]}, "tightened"),
        ({"type": "string"}, {"type": "string", "pattern": "^a"}, "tightened"),
        ({"type": "string", "pattern": "^a"}, {"type": "string"}, "changed"),
        ({"type": "integer", "default": 1}, {"type": "integer", "default": 2}, "changed"),
    ],
)
def test_a_rule_that_leaves_less_is_tightened(old, new, kind):
    assert of(old, new) == [(kind, "x")]


def test_what_is_the_same_is_no_change():
    part = {"type": "integer", "minimum": 1, "default": 2}
    assert of(part, dict(part) | {"title": "Another title"}) == []


def test_settings_that_come_and_go_and_a_door_that_closes():
    old, new = schema(open_=True, a={"type": "integer"}, b={}), schema(b={}, c={"type": "string"}, required=["b", "c"])
    found = [(change.kind, change.name) for change in changes(old, new)]
    assert found == [("added", "c"), ("removed", "a"), ("tightened", "b"), ("tightened", "")]
    assert changes(old, new)[0].after == "a text, required"


@pytest.fixture
def versions(project):
    first = fake_kernels.register(name="mine")
    tighter = {**fake_kernels.PROPERTIES, "rows": fake_kernels.PROPERTIES["rows"] | {"maximum": 10}}
    second = fake_kernels.register(name="mine", version="2")
    document = fake_kernels.make_schema()
    document["properties"]["training_params"] |= {"properties": tighter}
    Kernel.objects.filter(pk=second.pk).update(schema=document)
    model_type = ModelType.objects.create(project=project, code="CL_A", name="A", training_type="CL")
    return first, Kernel.objects.get(pk=second.pk), model_type


def model(project, kernel, model_type, name: str, **params) -> TrainedModel:
    job = Job.submit(project=project, kind="training", title=name, created_by=None)
    Job.objects.filter(pk=job.pk).update(state=State.SUCCEEDED)
    settings = {"training_type": "CL", "model_type": "CL_A", "training_params": fake_kernels.params(**params)}
    return TrainedModel.objects.create(
        project=project, name=name, model_type=model_type, kernel=kernel, job=job, settings=settings
    )


def test_the_page_shows_what_changed_and_which_saved_settings_break(versions, project, client_of, vera):
    first, second, model_type = versions
    model(project, first, model_type, "too many rows", rows=11)
    model(project, first, model_type, "just right", rows=10)
    Preset.objects.create(
        project=project, kernel_name="mine", model_type=model_type, params=fake_kernels.params(rows=99)
    )
    html = client_of(vera).get(second.address(project)).content.decode()
    section = html[html.index('id="changes"') :]
    section = section[: section.index("</section>")]
    assert "What changed since 1" in section
    assert "tightened" in section
    assert "at least 1, at most 10" in section
    assert "too many rows" in section
    assert "must be at most 10; you gave 11" in section
    assert "must be at most 10; you gave 99" in section
    assert "just right" not in section
    assert 'id="changes"' not in client_of(vera).get(first.address(project)).content.decode()


def test_any_earlier_version_can_be_compared_with(versions, project, client_of, vera):
    first, _second, _type = versions
    third = fake_kernels.register(name="mine", version="3")
    client = client_of(vera)
    assert "What changed since 2" in client.get(third.address(project)).content.decode()
    assert "What changed since 1" in client.get(third.address(project), {"since": first.pk}).content.decode()
    assert "What changed since 2" in client.get(third.address(project), {"since": "nonsense"}).content.decode()


def test_models_stay_with_their_version(versions, project):
    first, second, model_type = versions
    made = model(project, first, model_type, "m")
    assert Kernel.objects.newest().get(name="mine") == second
    assert TrainedModel.objects.get(pk=made.pk).kernel == first


# --- the model types that it is for ----------------------------------------------------------------------------------
def bind(client, kernel, codes: str):
    return client.post(reverse("kernels:model_types", args=["valves", kernel.pk]), {"codes": codes})


def test_a_kernel_is_bound_to_model_types_by_hand(versions, project, client_of, dev, admin_user):
    kernel, _second, model_type = versions
    assert kernel.supports(model_type)
    bind(client_of(admin_user), kernel, "CL_B, CL_C")
    kernel.refresh_from_db()
    assert (kernel.model_types, kernel.supports(model_type)) == (["CL_B", "CL_C"], False)
    bind(client_of(dev), kernel, "CL_A")
    assert Kernel.objects.get(pk=kernel.pk).model_types == ["CL_B", "CL_C"]
    bind(client_of(admin_user), kernel, "")
    kernel.refresh_from_db()
    assert kernel.supports(model_type)


def test_what_the_schema_binds_is_not_changed_by_hand(project, client_of, admin_user):
    kernel = fake_kernels.register(name="bound", model_type={"enum": ["CL_A"]})
    bind(client_of(admin_user), kernel, "CL_B")
    assert Kernel.objects.get(pk=kernel.pk).codes == ["CL_A"]


def test_a_code_that_is_none_is_refused(versions, client_of, admin_user):
    kernel = versions[0]
    bind(client_of(admin_user), kernel, "has space inside, CL_A")
    assert Kernel.objects.get(pk=kernel.pk).model_types == []


def test_archived_kernels_are_out_of_the_way(versions, project, client_of, vera):
    first, second, _type = versions
    client, address = client_of(vera), reverse("kernels:list", args=["valves"])
    second.move((KernelState.READY,), KernelState.ARCHIVED)
    assert Kernel.objects.newest().get(name="mine") == first
    assert "There is a newer version" not in client.get(first.address(project)).content.decode()
    first.move((KernelState.READY,), KernelState.ARCHIVED)
    assert ">mine</a>" not in client.get(address).content.decode()
    assert ">mine</a>" in client.get(address, {"archived": "1"}).content.decode()


def test_a_version_that_failed_is_no_newer_version(versions, project, client_of, vera):
    first, second, _type = versions
    assert "There is a newer version" in client_of(vera).get(first.address(project)).content.decode()
    Kernel.objects.filter(pk=second.pk).update(state=KernelState.FAILED)
    assert "There is a newer version" not in client_of(vera).get(first.address(project)).content.decode()
