"""Every page in a real browser: nothing on the console, nothing wider than a telephone, Korean where asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import at

pytestmark = pytest.mark.browser

NARROW = {"width": 390, "height": 844}
PAGES = [
    "/", "/help/", "/password/", "models/", "models/?q=nothing", "models/?state=SUCCEEDED&active=1&sort=-name&size=20",
    "models/train/", "models/import/", "models/import/{draft}/", "models/active/", "models/compare/",
    "models/compare/?model={model}&model={second}", "models/compare/?model={model}&model={second}&only=0&x=time",
    "models/delete/?model={model}", "models/delete/?model={model}&model={second}", "models/{second}/",
    "models/{second}/activate/", "models/{failed}/", "models/{failed}/repair/tenth_rate/", "sweeps/{sweep}/",
    "validations/", "validations/?operation=inference", "validations/start/{failed}/", "datasets/", "datasets/import/",
    "datasets/{dataset}/", "datasets/{dataset}/images/{image}/", "datasets/{dataset}/clone/",
    "datasets/{dataset}/append/", "datasets/{dataset}/split/", "datasets/{dataset}/meta/",
    "datasets/{dataset}/remove/?all=1", "kernels/", "kernels/import/", "kernels/{kernel}/",
    "jobs/",
    "jobs/?state=SUCCEEDED", "jobs/{job}/", "jobs/{import_job}/", "jobs/{job}/log/", "jobs/{job}/log/?q=step",
    "jobs/notifications/", "settings/", "settings/types/", "settings/types/models/add/",
]  # fmt: skip
OF_EACH_TYPE = [  # what looks otherwise for each training type
    "models/{model}/", "models/{model}/deactivate/", "models/train/?retrain={model}", "validations/start/{model}/",
    "validations/{validation}/", "validations/{validation}/?view=crops&show=wrong",
    "validations/{validation}/?as=percent&diagonal=hidden&show=wrong",
    "validations/{validation}/images/{prediction}/", "validations/{validation}/tables/summary.csv/",
    "validations/{inference}/", "datasets/{labelled}/", "datasets/{labelled}/review/", "datasets/{compared}/",
]  # fmt: skip
MORE = """
import json, pathlib
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from jobs import following
from models_app import activating, exporting
from models_app.imports import drafts
from models_app.models import TrainedModel, Validation
from models_app.orders import TrainOrder, ValidationOrder
from models_app.sweeps.plan import SweepPlan
from models_app.sweeps.starting import SweepOrder
from projects_app.models import ModelType, Project, User
from tests import fake_kernels, parts
from tests.models.test_model_import import packed

project, bob, found = Project.objects.create(code="pages", name="모든 페이지"), User.objects.get(username="bob"), {{}}
project.memberships.create(user=bob, role="manager")
for kind in ("CL", "RC", "OD", "SEG"):
    sets = parts.import_parts(project, bob, pathlib.Path({folder!r}) / kind, kind, name=kind)
    usual = [project, ModelType.objects.get(project=project, training_type=kind), fake_kernels.register(kind),
        [sets["train"]], [sets["val"]]]
    model = TrainOrder(*usual, name="밸브 검사 모델 " + kind, params=fake_kernels.params(rows=4)).start(bob)
    following.run_here(model.job)
    model, done = TrainedModel.objects.get(pk=model.pk), {{}}
    for operation in ("validation", "inference"):
        validation = ValidationOrder(model, model.kernel, [sets["val"]], operation).start(bob)
        done[operation] = Validation.objects.get(pk=validation.pk)
        following.run_here(done[operation].job)
        done[operation].refresh_from_db()
    activating.activate(model, bob, "현장에서 사용", instead_of=None)
    judged, labelled = done["validation"], done["inference"].result
    found[kind] = dict(model=model.pk, job=model.job_id, kernel=model.kernel_id, dataset=sets["val"].pk,
        image=sets["val"].images.first().pk, validation=judged.pk, prediction=judged.predictions.first().image_id,
        compared=judged.result_id, inference=done["inference"].pk, labelled=labelled.pk)
    if kind == "CL":
        first = usual
usual, base = first, TrainedModel.objects.get(pk=found["CL"]["model"])
settings = json.dumps(dict(training_type="CL", model_type=usual[1].code, training_params=fake_kernels.params()))
weights = packed({{"save/checkpoint.pth": b"weights"}})
uploads = [SimpleUploadedFile(name, weights) for name in ("waits.zip", "comes.zip")]
waits, brought = (drafts.receive(project, bob, upload, settings) for upload in uploads)
export = exporting.start(base, bob)
following.run_here(export.job)
second = TrainOrder(*usual, name="추가로 학습한 모델", params=fake_kernels.params(lr=0.2), base_model=base,
    origin="additional").start(bob)
failed = TrainOrder(*usual, name="실패한 모델", params=fake_kernels.params(behaviour="prints",
    message="ValueError: loss is nan")).start(bob)
varying = QueryDict("batch.lr.mode=list&batch.lr.values=0.1,0.2")
sweeping = fake_kernels.register("CL", name="sweeping", is_on=False,
    batchable_params=dict(type="object", properties=dict(lr=True)))
sweeping.switches.create(project=project, is_on=True)
order = TrainOrder(*usual[:2], sweeping, *usual[3:], name="배치", params=fake_kernels.params())
sweep = SweepOrder(order, SweepPlan.read(sweeping.schema, varying), None).start(bob)
for one in (second, failed, *sweep.trainings.all()):
    following.run_here(one.job)
from models_app.imports.order import ImportOrder
importing = ImportOrder(brought, settings)
importing.name = "가져온 모델"
job = importing.start(bob)
following.run_here(job)
more = dict(draft=str(waits.pk), second=second.pk, failed=failed.pk, sweep=sweep.pk, import_job=job.pk)
print(json.dumps({{kind: values | more for kind, values in found.items()}}))
"""


@pytest.fixture(scope="module")
def found(portal, tmp_path_factory) -> dict[str, dict[str, Any]]:
    """By training type, the ids of a project in which there is one of everything."""
    code = MORE.format(folder=str(tmp_path_factory.mktemp("pages")))
    made: dict[str, dict[str, Any]] = json.loads(portal.python(code).splitlines()[-1])
    return made


def addresses(found, kind: str) -> list[str]:
    """Of one training type; those that are the same for all of them go with CL."""
    pages = [*PAGES, *OF_EACH_TYPE] if kind == "CL" else OF_EACH_TYPE
    known = [page.format(**found[kind]) for page in pages]
    return [page if page.startswith("/") else f"/p/pages/{page}" for page in known]


def sideways(page) -> int:
    """How many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


LONG = pytest.mark.long


@pytest.mark.parametrize("kind", ["CL", "OD", pytest.param("RC", marks=LONG), pytest.param("SEG", marks=LONG)])
def test_no_page_says_anything_on_the_console_or_breaks_the_policy(open_page, found, kind):
    page = open_page()
    for address in addresses(found, kind):
        answer = page.goto(address)
        assert answer.status == 200, address
        assert "Content-Security-Policy".lower() in answer.headers
        page.wait_for_timeout(100)  # ms: its scripts run
        assert not open_page.said, address


@pytest.mark.parametrize("kind", ["OD", pytest.param("CL", marks=LONG)])
def test_no_page_is_wider_than_a_telephone(open_page, found, kind):
    page = open_page(viewport=NARROW)
    wide = {}
    for address in addresses(found, kind):
        page.goto(address)
        if (pixels := sideways(page)) > 0:
            wide[address] = pixels
    assert not wide


def test_an_address_that_leads_nowhere_has_a_page(open_page):
    page = open_page()
    answer = page.goto(at("nowhere/"))
    assert answer.status == 404
    assert page.locator("nav#nav").is_visible()
    open_page.said.clear()  # Chromium reports the 404 itself


def test_the_language_switch_changes_the_page_and_is_remembered(open_page):
    page = open_page()
    page.goto(at("models/"))
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("button", name="한국어").first.click()
    page.locator("html[lang=ko]").wait_for()
    assert page.get_by_role("link", name="데이터셋").first.is_visible()
    page.goto(at("models/train/"))
    assert page.locator("html").get_attribute("lang") == "ko"
    page.get_by_role("button", name="English").first.click()
    page.locator("html[lang=en]").wait_for()


def test_who_is_not_logged_in_sees_the_login_and_comes_back(open_page):
    page = open_page(stranger=True)
    page.goto(at("kernels/"))
    page.get_by_label("Username").fill("bob")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    page.locator(".alert-danger").wait_for()
    page.get_by_label("Username").fill("bob")
    page.get_by_label("Password").fill("secret-for-tests")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{at('kernels/')}")
