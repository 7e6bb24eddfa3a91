"""Every page in a real browser: nothing on the console, nothing wider than a telephone, Korean where asked for."""

from __future__ import annotations

import pytest

from tests.browser.conftest import at

pytestmark = pytest.mark.browser

NARROW = {"width": 390, "height": 844}
PAGES = [
    "/", "/help/", "/password/", "models/", "models/?q=nothing", "models/train/", "models/{model}/", "validations/",
    "validations/start/{model}/", "validations/{validation}/", "validations/{validation}/images/{prediction}/",
    "validations/{validation}/?view=crops&show=wrong", "validations/{validation}/tables/summary.csv/",
    "datasets/", "datasets/import/", "datasets/{dataset}/", "datasets/{dataset}/review/",
    "datasets/{dataset}/images/{image}/", "kernels/", "kernels/import/", "kernels/{kernel}/", "jobs/", "jobs/{job}/",
    "jobs/{job}/log/", "jobs/{job}/log/?q=step", "jobs/notifications/", "settings/", "settings/types/",
    "settings/types/models/add/",
]  # fmt: skip


def addresses(portal, kind: str) -> list[str]:
    found = [page.format(**portal.seeded[kind]) for page in PAGES if kind == "CL" or "{" in page]
    return [page if page.startswith("/") else at(page) for page in found]


def sideways(page) -> int:
    """How many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("kind", ["CL", "OD"])
def test_no_page_says_anything_on_the_console_or_breaks_the_policy(open_page, portal, kind):
    page = open_page()
    for address in addresses(portal, kind):
        answer = page.goto(address)
        assert answer.status == 200, address
        assert "Content-Security-Policy".lower() in answer.headers
        page.wait_for_timeout(100)  # ms: its scripts run
        assert not open_page.said, address


def test_no_page_is_wider_than_a_telephone(open_page, portal):
    page = open_page(viewport=NARROW)
    wide = {}
    for address in addresses(portal, "CL"):
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
    assert page.locator(".alert-danger").is_visible()
    page.get_by_label("Username").fill("bob")
    page.get_by_label("Password").fill("secret-for-tests")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"**{at('kernels/')}")
