"""The training form while somebody types: errors come and go beside the field, focus and caret stay."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import answered, at, wait_until
from tests.browser.test_journeys import choose_kernel

pytestmark = pytest.mark.browser

CARET = "() => [document.activeElement.name, document.activeElement.selectionStart]"


@pytest.fixture
def form(open_page, portal):
    page = open_page()
    page.goto(at(f"models/train/?retrain={portal.seeded['CL']['model']}&name=live"))
    return page


def checked(page):
    """Waits for the answer of the live check that the action inside sends."""
    return answered(page, "**/train/check/")


def test_an_error_comes_beside_its_field_and_goes_again_while_focus_and_caret_stay(form):
    field, error = form.locator("[name='params.lr']"), form.locator("[id='error-params.lr']")
    field.click()
    with checked(form):
        field.fill("25")
        form.keyboard.press("ArrowLeft")
    error.get_by_text("Learning rate must be at most 1; you gave 25.").wait_for()
    assert form.evaluate(CARET) == ["params.lr", 1]
    box, below = field.bounding_box(), error.bounding_box()
    assert 0 <= below["y"] - box["y"] < 80, "beside the field"
    with checked(form):
        form.keyboard.press("Backspace")
        form.keyboard.type("0.")
    error.get_by_text("you gave").wait_for(state="detached")
    assert field.input_value() == "0.5"
    assert form.evaluate(CARET) == ["params.lr", 2]
    form.locator(".ready", has_text=re.compile("Everything is in order|It can start. Read")).wait_for()


def test_a_reader_of_the_screen_hears_what_changed_in_one_place_that_stays(form):
    said = form.locator("#train-said")
    complaint = "1 thing to mend Learning rate must be at most 1; you gave 25."
    place = said.element_handle()
    assert said.inner_text() == ""
    with checked(form):
        form.locator("[name='params.lr']").fill("25")
    form.locator("#train-said", has_text=complaint).wait_for(state="attached")
    with checked(form):
        form.locator("[name='params.lr']").fill("0.5")
    wait_until(form, "() => /^(Everything|It can)/.test(document.getElementById('train-said').textContent)")
    assert place.evaluate("(place) => place.isConnected && place.getAttribute('role')") == "status"


def test_what_is_typed_fast_is_checked_as_it_ends(form):
    field = form.locator("[name='params.rows']")
    field.fill("")
    with checked(form):
        field.press_sequentially("99999999", delay=20)
    form.locator("[id='error-params.rows']").get_by_text("you gave 99999999").wait_for()
    assert field.input_value() == "99999999"


def test_an_error_that_is_hidden_among_the_advanced_is_led_to(form):
    form.locator("details:has([name='params.pause']) > summary").click()
    with checked(form):
        form.locator("[name='params.pause']").fill("-1")
    form.locator("#train-checks").get_by_text("pause must be at least 0").wait_for()
    form.get_by_role("button", name="Start training").click()
    form.locator("[id='error-params.pause']").get_by_text("must be at least 0").wait_for()
    assert form.locator("[name='params.pause']").is_visible()
    assert form.locator("[name='params.pause']").input_value() == "-1"


def test_another_kernel_brings_its_settings_and_keeps_what_was_typed(form):
    form.get_by_label("Name", exact=True).fill("kept by the swap")
    with answered(form, "**/train/form/"):
        choose_kernel(form, "efficientnet")
    form.locator("[name='params.epochs']").wait_for()
    assert form.get_by_label("Name", exact=True).input_value() == "kept by the swap"
    assert form.locator("[name='params.rows']").count() == 0
