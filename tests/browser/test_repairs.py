"""From a failure to its repair in a real browser, with scripts and without."""

from __future__ import annotations

import json
import re

import pytest

from tests.browser.conftest import PROJECT, at, wait_for

pytestmark = pytest.mark.browser

TRAIN = """
import json
from jobs import following
from kernels_app.models import Kernel
from models_app.models import TrainedModel
from models_app.orders import TrainOrder
from projects_app.models import Project, User
from tests import fake_kernels
like = TrainedModel.objects.get(pk={like})
order = TrainOrder(like.project, like.model_type, like.kernel, list(like.train_datasets.all()),
    list(like.validation_datasets.all()), name={name!r}, params=fake_kernels.params(**{params!r}))
model = order.start(User.objects.get(username="bob"))
following.run_here(model.job)
print(json.dumps([model.pk, model.job_id]))
"""


@pytest.fixture
def failed(portal):
    """A training of the seeded kernel that ended as its settings say: model and job."""

    def make(name: str, **params) -> tuple[int, int]:
        code = TRAIN.format(like=portal.seeded["CL"]["model"], name=name, params=params)
        return tuple(json.loads(portal.python(code).splitlines()[-1]))

    return make


def test_a_killed_training_is_resumed_and_ends_well(open_page, failed):
    model, _job = failed("killed once", behaviour="recovers")
    page = open_page()
    page.goto(at(f"models/{model}/"))
    assert "ended the program at once (SIGKILL)" in page.locator(".failure").inner_text()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("is in the queue").wait_for()

    def has_ended() -> bool:
        return "Succeeded" in page.locator("#job-status .card-header").inner_text()

    wait_for("the training to end well", has_ended, 90, 0.5)
    assert page.locator(".failure").count() == 0


@pytest.mark.parametrize("scripts", [True, False])
def test_a_loss_that_is_no_number_leads_to_a_tenth_of_the_rate(open_page, failed, scripts):
    name = f"astray {scripts}"
    _model, job = failed(name, behaviour="prints", message="ValueError: loss is nan at step 7")
    page = open_page(java_script_enabled=scripts)
    page.goto(at(f"jobs/{job}/"))
    assert "The loss is no number any more" in page.locator(".failure").inner_text()
    page.get_by_role("link", name="Show this line in the log").click()
    assert page.locator("#marked").inner_text().strip() == "ValueError: loss is nan at step 7"
    assert page.locator("#marked").is_visible()
    page.go_back()
    page.get_by_role("link", name="Retry with a tenth of the learning rate").click()
    row = page.locator(".repair-change tbody")
    assert re.findall(r"[\d.]+", row.inner_text()) == ["0.01", "0.001"]
    assert page.get_by_label("Name of the new model").input_value() == f"{name}.1"
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(rf"/p/{PROJECT}/models/\d+/$"))
    assert page.locator("h1").inner_text() == f"{name}.1"


def test_the_failure_speaks_korean_to_who_reads_korean(open_page, failed):
    _model, job = failed("korean reader", behaviour="prints", message="ModuleNotFoundError: No module named 'lpips'")
    page = open_page()
    page.goto(at(f"jobs/{job}/"))
    assert "The Python module “lpips” is not there." in page.locator(".failure").inner_text()
    page.get_by_role("button", name="한국어").first.click()
    page.locator("html[lang=ko]").wait_for()
    assert "Python 모듈 “lpips”" in page.locator(".failure").inner_text()
    assert "ModuleNotFoundError: No module named 'lpips'" in page.locator(".failure").inner_text()
    page.get_by_role("button", name="English").first.click()
    page.locator("html[lang=en]").wait_for()
