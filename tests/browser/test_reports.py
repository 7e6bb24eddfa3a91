"""A report in a real browser: from a cell of the matrix to its images, an image by keys, labels reviewed by keys."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import at, wait_for

pytestmark = pytest.mark.browser

VIEW = "document.querySelector('svg[data-zoom]').viewBox.baseVal.width"


def test_a_cell_leads_to_its_images_and_keys_through_them(open_page, portal):
    page = open_page()
    page.goto(at(f"validations/{portal.seeded['OD']['validation']}/"))
    missed = page.locator("#matrix tbody tr", has=page.locator("th", has_text="GOOD")).locator("td a").last
    missed.click()
    page.wait_for_url(re.compile(r"truth=GOOD&predicted=(~|%7E)#images"))
    cell = " ".join(page.locator(".choice-cell").inner_text().split())
    assert cell.startswith("Truth: GOOD → Prediction: nothing · 1 image")
    page.locator("#images .tile").first.click()
    page.locator(".viewer-bar").get_by_text("1 of 1 · GOOD → nothing").wait_for()
    assert page.locator("a[rel=next][href]").count() == 0

    page.goto(at(f"validations/{portal.seeded['OD']['validation']}/images/{first_image(page, portal)}/"))
    page.wait_for_load_state("load")
    root = page.locator("html")
    for key, layer in (("g", "truth"), ("p", "prediction")):
        page.keyboard.press(key)
        assert f"hide-{layer}" in root.get_attribute("class")
        page.keyboard.press(key)
        assert f"hide-{layer}" not in (root.get_attribute("class") or "")
    whole = page.evaluate(VIEW)
    page.keyboard.press("+")
    assert page.evaluate(VIEW) < whole
    page.locator("svg[data-zoom]").hover()
    page.mouse.wheel(0, -300)
    closer = page.evaluate(VIEW)
    page.get_by_role("button", name="−").click()
    assert closer < page.evaluate(VIEW) <= whole
    page.keyboard.press("0")
    assert page.evaluate(VIEW) == whole
    address = page.url
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: url != address)
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(address)


def first_image(page, portal) -> str:
    page.goto(at(f"validations/{portal.seeded['OD']['validation']}/"))
    return re.search(r"images/(\d+)/", page.locator("#images .tile").first.get_attribute("href"))[1]


def infer(page, model: int, score: str = "") -> None:
    """Let the model label its validation data, and go to the review."""
    page.goto(at(f"validations/start/{model}/"))
    page.get_by_label("Inference: let the model label").check()
    if score:
        page.get_by_label("Keep labels from a score of").fill(score)
    page.get_by_role("button", name="Start validation").click()
    page.wait_for_url(re.compile(r"/validations/\d+/$"))

    def is_done() -> bool:
        page.reload()
        return page.get_by_role("link", name="Review the labels").count() > 0

    wait_for("the labels", is_done)
    page.get_by_role("link", name="Review the labels").click()
    page.wait_for_url("**/review/")


def reviewed(page, n: int) -> None:
    """Until the page says so, and its scripts listen."""
    page.get_by_text(f"{n} of 4 images").wait_for()
    page.wait_for_load_state("load")


def test_labels_are_reviewed_by_keys_alone(open_page, portal):
    page = open_page()
    infer(page, portal.seeded["OD"]["model"], "0.5")
    score = page.locator(".review-row .num")
    assert score.inner_text() == "0.75"  # the least sure comes first
    page.keyboard.press("1")
    assert page.locator("[data-review-row]").input_value() == "-"
    assert "is-rejected" in page.locator("[data-shape='1']").get_attribute("class")
    page.keyboard.press("1")
    assert page.locator("[data-review-row]").input_value() != "-"

    page.keyboard.press("a")
    reviewed(page, 1)
    assert score.inner_text() == "0.85"
    page.keyboard.press("r")
    reviewed(page, 2)
    page.keyboard.press("u")
    reviewed(page, 1)
    assert score.inner_text() == "0.85"
    page.locator("[data-review-row]").select_option(label="GOOD")
    page.get_by_role("button", name="Accept").click()
    reviewed(page, 2)
    page.keyboard.press("a")
    page.get_by_text("Nothing: there is no object on this image.").wait_for()
    page.get_by_role("button", name="Right, it is empty").click()
    page.get_by_text("Everything is reviewed").wait_for()
    assert page.get_by_role("link", name="Train with it").is_visible()


def test_labels_are_reviewed_without_scripts(open_page, portal):
    page = open_page(java_script_enabled=False)
    infer(page, portal.seeded["CL"]["model"])
    assert page.locator("kbd").first.is_hidden()
    legend = page.locator(".review-choices")
    assert legend.locator("input:checked").count() == 1
    page.get_by_role("radio", name=re.compile("BAD")).check()
    page.get_by_role("button", name="Accept").click()
    reviewed(page, 1)
    page.get_by_role("button", name="Reject").click()
    reviewed(page, 2)
    page.get_by_role("button", name="Take the last one back").click()
    reviewed(page, 1)
