"""A training form that stays open while the world goes on: a deploy, a newer kernel, another login."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import at, log_in, without_polls
from tests.browser.test_journeys import choose
from tests.browser.test_train_form import checked, ready, swapped

pytestmark = pytest.mark.browser

REGISTER = """
from tests import fake_kernels
section = fake_kernels.make_schema()["properties"]["training_params"]
section["properties"] = section["properties"] | {more!r}
print(fake_kernels.register(name={name!r}, version={version!r}, training_params=section).pk)
"""


@pytest.fixture
def register(portal):
    def make(name: str, version: str, **more: Any) -> int:
        return int(portal.python(REGISTER.format(name=name, version=version, more=more)).splitlines()[-1])

    return make


@pytest.fixture
def form(open_page, portal):
    """With data chosen and something typed."""

    def show(kernel: int):
        page = open_page()
        page.goto(at(f"models/train/?model_type={portal.seeded['CL']['type']}&kernel={kernel}"))
        choose(page, "train", "seed-CL-train")
        choose(page, "validation", "seed-CL-val")
        page.get_by_label("Description").fill("typed before")
        with checked(page):
            page.locator("[name='params.rows']").fill("7")
        ready(page)
        without_polls(page)
        return page

    return show


def test_over_a_deploy_with_a_newer_kernel_it_goes_on_and_offers_the_newer_one(form, register, portal):
    page = form(register("left-open", "1"))
    register("left-open", "2", lr={"type": "number", "maximum": 0.5, "default": 0.3}, new={"enum": [8], "default": 8})
    portal.restart_web()
    with checked(page):
        page.locator("[name='params.lr']").fill("0.25")
    ready(page)
    page.get_by_text("There is a newer version of this kernel: 2.").wait_for()
    with swapped(page):
        page.get_by_role("button", name="Use it").click()
    page.locator("[name='params.new']").wait_for()
    assert page.locator("[name='params.lr']").input_value() == "0.25"
    assert page.locator("[name='params.rows']").input_value() == "7"
    assert page.get_by_label("Description").input_value() == "typed before"
    assert page.get_by_text("There is a newer version").count() == 0
    page.get_by_label("Name", exact=True).fill("left open over a deploy")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    assert page.get_by_role("link", name="left-open@2").is_visible()


def test_while_the_web_is_down_nothing_typed_is_lost_and_it_says_so(form, register, portal, open_page):
    page = form(register("left-open", "1"))
    assert portal.web
    portal.web.terminate()
    portal.web.wait(timeout=60)
    page.locator("[name='params.lr']").fill("0.125")
    page.get_by_text("The server does not answer.").wait_for()
    portal.processes.remove(portal.web)
    portal.start_web(int(portal.url.rpartition(":")[2]))
    with checked(page):
        page.locator("[name='params.rows']").fill("9")
    ready(page)
    open_page.said.clear()  # Chromium reported that there was no answer
    assert page.get_by_text("The server does not answer.").count() == 0
    assert page.locator("[name='params.lr']").input_value() == "0.125"


def test_after_another_login_in_another_window_it_goes_on(form, register, open_page):
    page = form(register("left-open", "1"))
    other = open_page(stranger=True)
    log_in(other)
    page.context.add_cookies(other.context.cookies())
    with page.expect_response(lambda answer: answer.url.endswith("/check/") and answer.status == 200):
        page.locator("[name='params.lr']").fill("0.125")
    open_page.said.clear()  # Chromium reports the 403 with which the old token was refused
    page.get_by_label("Name", exact=True).fill("left open over a login")
    ready(page)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    assert page.get_by_role("heading", name="left open over a login").is_visible()
