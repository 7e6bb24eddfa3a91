"""The pages of kernels: which there are, which a project uses, and what their settings mean."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from jobs.models import Job, State
from kernels_app import describe
from kernels_app.models import Kernel, KernelState, KernelSwitch
from models_app.models import TrainedModel
from projects_app.models import ModelType, Project

SCHEMA = {
    "properties": {
        "training_type": {"const": "OD"},
        "model_type": {"enum": ["OD_VALVE", "OD_PUMP"]},
        "training_params": {
            "required": ["rate"],
            "properties": {
                "rate": {
                    "title": "Rate", "description": "How <fast>.", "type": "number", "exclusiveMinimum": 0,
                    "maximum": 1, "default": 0.0003, "x-ko": {"title": "학습률", "description": "속도"},
                },
                "size": {"$ref": "#/$defs/size", "default": 128},
                "mode": {"enum": ["auto", "off"], "default": "auto", "x-advanced": True},
            },
        },
        "batchable_params": {"properties": {"rate": True}},
        "supported_operations": {"const": "training, validation"},
        "supported_gpu_count": {"minimum": 1, "maximum": 4},
    },
    "$defs": {"size": {"type": "integer", "minimum": 32, "multipleOf": 32, "x-unit": "px"}},
    "x-metrics": [{"file": "loss.csv", "column": "val_loss", "goal": "min"}],
}  # fmt: skip


@pytest.fixture
def make(db):
    Kernel.objects.all().delete()

    def kernel(name="toy", version="1.0", **fields) -> Kernel:
        digest = f"{Kernel.objects.count():064}"
        fields = {"state": KernelState.READY, "training_types": ",OD,", "schema": SCHEMA, "digest": digest} | fields
        return Kernel.objects.create(name=name, version=version, **fields)

    return kernel


def url(name: str, *args) -> str:
    return reverse(f"kernels:{name}", args=["valves", *args])


def page(client, name: str, *args, **query) -> str:
    return client.get(url(name, *args), query).content.decode()


# --- the list -------------------------------------------------------------------------------------------------------
def test_without_kernels_the_list_says_how_they_come(client_of, vera, make):
    assert "There is no kernel yet" in page(client_of(vera), "list")


def test_the_newest_version_comes_first_with_older_ones_below(client_of, vera, make):
    for version in ("1.0", "1.1", "2.0"):
        make(version=version)
    make("other")
    html = page(client_of(vera), "list")
    places = [html.index(text) for text in ("other</a>", "2 older versions of toy", "toy 1.1", "toy 1.0")]
    assert places == sorted(places)
    assert html.count("<details>") == 1


def test_filters(client_of, vera, make):
    make("finder")
    make("sorter", training_types=",CL,")
    client = client_of(vera)
    assert "sorter" not in page(client, "list", type="OD")
    assert "finder" not in page(client, "list", q="SORT")
    assert "Nothing matches these filters" in page(client, "list", q="nothing")


def test_a_developer_switches_a_kernel_on_and_off_for_this_project_only(client_of, dev, make, project):
    bundled, chosen = make("bundled", is_bundled=True), make("chosen")
    client = client_of(dev)
    client.post(url("switch", chosen.pk), {"on": "1"})
    answer = client.post(url("switch", bundled.pk), {"on": "0", "list": "1"}, follow=True)
    assert answer.redirect_chain[-1][0] == url("list")
    assert "is off in this project" in answer.content.decode()
    assert list(Kernel.objects.on_in(project)) == [chosen]
    assert list(Kernel.objects.on_in(Project.objects.create(code="o", name="O"))) == [bundled]


@pytest.mark.parametrize("state", [KernelState.IMPORTING, KernelState.FAILED, KernelState.ARCHIVED])
def test_a_kernel_that_is_not_ready_cannot_be_switched_on(client_of, dev, make, state):
    kernel = make(state=state)
    answer = client_of(dev).post(url("switch", kernel.pk), {"on": "1"}, follow=True)
    assert "is not ready" in answer.content.decode()
    assert not KernelSwitch.objects.exists()
    assert "Switch on" not in page(client_of(dev), "list")


def test_a_labeller_sees_no_switch(client_of, bob, make):
    kernel = make()
    assert url("switch", kernel.pk) not in page(client_of(bob), "list") + page(client_of(bob), "detail", kernel.pk)


# --- one kernel -----------------------------------------------------------------------------------------------------
def test_the_detail_says_what_it_can_do(client_of, vera, make):
    kernel = make(description="Finds things.")
    html = page(client_of(vera), "detail", kernel.pk)
    for text in ("Finds things.", kernel.digest, "Object detection", "OD_VALVE", "training, validation", "1 to 4"):
        assert text in html
    assert "val_loss" in html
    assert "How &lt;fast&gt;." in html


def test_a_kernel_and_its_settings_are_in_the_readers_language(client_of, vera, make):
    kernel = make(description="A toy.", description_ko="장난감입니다.")
    assert "A toy." in page(client_of(vera), "list")
    client = client_of(vera)
    client.cookies["django_language"] = "ko"
    html = page(client, "detail", kernel.pk)
    assert "학습률" in html
    assert "속도" in html
    for shown in (html, page(client, "list")):
        assert "장난감입니다." in shown
        assert "A toy." not in shown


def test_an_older_version_points_to_the_newer(client_of, vera, make):
    old, new = make(), make(version="2.0")
    client = client_of(vera)
    assert url("detail", new.pk) in page(client, "detail", old.pk)
    assert "newer version" not in page(client, "detail", new.pk)


def test_only_models_of_this_project_are_listed(client_of, vera, make, project):
    kernel, other = make(), Project.objects.create(code="o", name="O")
    for owner, name in ((project, "mine"), (other, "secret-model")):
        at = timezone.now()
        job = Job.objects.create(
            project=owner, kind="training", title="t", state=State.SUCCEEDED, created_at=at, queued_at=at
        )
        model_type = ModelType.objects.create(project=owner, code="T", name="T", training_type="OD")
        TrainedModel.objects.create(
            project=owner, name=name, model_type=model_type, kernel=kernel, settings={}, job=job
        )
    html = page(client_of(vera), "detail", kernel.pk)
    assert ">mine</a>" in html
    assert "secret-model" not in html


def test_a_failed_kernel_without_a_schema_still_has_a_page(client_of, vera, make):
    kernel = make(schema={}, state=KernelState.FAILED)
    assert "This kernel has no settings." in page(client_of(vera), "detail", kernel.pk)


def test_the_schema_is_downloaded(client_of, vera, make):
    answer = client_of(vera).get(url("schema", make().pk))
    assert json.loads(answer.content) == SCHEMA
    assert 'filename="toy-1.0-model_schema.json"' in answer["Content-Disposition"]


# --- settings in words ----------------------------------------------------------------------------------------------
def test_parameters_are_described_in_the_schemas_order():
    rate, size, mode = describe.parameters(SCHEMA)
    assert (rate.title, rate.kind, rate.range, rate.default) == ("Rate", "number", "more than 0, at most 1", "0.0003")
    assert (rate.is_required, rate.is_batchable, rate.is_advanced) == (True, True, False)
    assert (size.kind, size.range, size.default, size.unit) == (
        "whole number",
        "at least 32, in steps of 32",
        "128",
        "px",
    )
    assert (mode.kind, mode.range, mode.default, mode.is_advanced) == ("choice", "auto, off", "auto", True)
    with translation.override("ko"):
        assert describe.parameters(SCHEMA)[0].title == "학습률"


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"minimum": 1, "maximum": 2147483647}, "1 to 2,147,483,647"),
        ({"minimum": 0, "exclusiveMaximum": 1}, "at least 0, less than 1"),
        ({"const": True}, "always yes"),
        ({"type": "string", "minLength": 1, "pattern": "^a"}, "length at least 1, matches ^a"),
        ({"type": "array", "maxItems": 3}, "number of entries at most 3"),
        ({}, ""),
    ],
)
def test_limits_in_words(part, text):
    assert describe.limits(part) == text


def test_every_bundled_kernel_can_be_looked_at(client_of, vera):
    for kernel in Kernel.objects.filter(is_bundled=True):
        assert client_of(vera).get(url("detail", kernel.pk)).status_code == 200


def test_the_schema_of_a_korean_kernel_has_a_name_that_browsers_read(client_of, vera, make):
    kernel = make("밸브")
    answer = client_of(vera).get(url("schema", kernel.pk))
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''%EB%B0%B8")


def test_a_kernel_that_came_with_a_model_says_that_nobody_tried_it(client_of, vera, make):
    words = "the doctor has not tried it"
    assert words in page(client_of(vera), "detail", make().pk)
    assert words not in page(client_of(vera), "detail", make(version="2", origin={"kind": "archive"}).pk)
