"""The training form and the page of a batch on small screens, and what comes late in the training form."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.browser.conftest import answered, at, wait_until
from tests.browser.test_every_page import sideways

pytestmark = pytest.mark.browser

SCREENS = {"telephone": (390, 844), "telephone, turned": (844, 390), "tablet": (768, 1024)}
LONG = "밸브하우징표면결함검출" * 11  # 121 letters without a space
BATCH = {"properties": {"lr": True, "rows": True, "flip": True}}


@pytest.fixture(scope="session")
def batchable(portal) -> int:
    """A kernel whose settings may vary."""
    code = f"from tests import fake_kernels; print(fake_kernels.register(name='vary', batchable_params={BATCH!r}).pk)"
    return int(portal.python(code).splitlines()[-1])


@pytest.fixture
def form(open_page, portal, batchable):
    def show(width: int, height: int, query: str = "", **options: Any):
        page = open_page(viewport={"width": width, "height": height}, **options)
        seeded = portal.seeded["CL"]
        page.goto(at(f"models/train/?retrain={seeded['model']}&kernel={batchable}&name=narrow{query}"))
        return page

    return show


def box(page, selector: str) -> dict[str, float]:
    found = page.locator(selector).bounding_box()
    assert found, selector
    return found | {"bottom": found["y"] + found["height"], "right": found["x"] + found["width"]}


@pytest.mark.parametrize("screen", SCREENS)
def test_verdict_and_the_one_start_button_stand_at_the_bottom_of_a_small_screen(form, screen):
    width, height = SCREENS[screen]
    page = form(width, height)
    button = page.get_by_role("button", name=re.compile("^Start"))
    assert button.count() == 1
    place, verdict = box(page, "#train-checks button[name=start]"), box(page, "#train-checks .ready")
    assert page.evaluate("scrollY") == 0
    assert height - 60 < place["bottom"] <= height
    assert verdict["right"] <= place["x"]
    assert verdict["bottom"] <= height
    assert place["height"] >= 36
    with answered(page, "**/train/check/"):
        page.locator("[name='params.lr']").fill("25")
    page.locator("#cannot-start").wait_for()
    assert box(page, "#cannot-start")["right"] <= box(page, "#train-checks button[name=start]")["x"]


@pytest.mark.parametrize("screen", ["telephone", "telephone, turned"])
def test_the_bar_hides_no_input_that_has_the_focus(form, screen):
    page = form(*SCREENS[screen], reduced_motion="reduce")  # it scrolls at once, so that each look is at where it ends
    page.locator("details.batch > summary").click()
    for _press in range(40):
        page.keyboard.press("Tab")
        hidden = page.evaluate("""() => {
            const focused = document.activeElement;
            if (!focused.closest(".train-fields")) return "";
            const bar = document.querySelector("#train-checks button[name=start]").getBoundingClientRect();
            return focused.getBoundingClientRect().bottom > bar.top ? focused.name || focused.outerHTML : "";
        }""")
        assert not hidden


def test_on_a_wide_screen_they_stay_in_their_card(form):
    page = form(1440, 900)
    button, card = box(page, "#train-checks button[name=start]"), box(page, "#train-checks > .card")
    assert card["x"] < button["x"]
    assert button["right"] < card["right"]
    assert box(page, "#train-checks .ready")["bottom"] < button["y"] < button["bottom"] < card["bottom"]


def test_at_the_end_of_the_page_the_bar_covers_nothing(form):
    page = form(390, 844)
    page.evaluate("scrollTo({ top: 1e6, behavior: 'instant' })")
    assert box(page, "#train-facts")["bottom"] <= box(page, "#train-checks button[name=start]")["y"]


def test_the_batch_card_says_what_its_inputs_come_to_while_one_types(form):
    page = form(1024, 800)
    page.locator("details.batch > summary").click()
    page.locator("[name='batch.rows.mode']").select_option("range")
    for what, value in {"min": "1", "max": "4", "step": "1"}.items():
        page.locator(f"[name='batch.rows.{what}']").fill(value)
    page.locator("[id='values-batch.rows.mode']").get_by_text("1, 2, 3, 4").wait_for()
    page.locator("#batch-summary").get_by_text("4 trainings").wait_for()
    assert page.locator("[name='batch.lr.min']").is_hidden()


def test_the_batch_card_works_without_scripts(form):
    page = form(390, 844, java_script_enabled=False)
    page.locator("details.batch > summary").click()
    page.locator("[name='batch.rows.mode']").select_option("list")
    page.locator("[name='batch.rows.values']").fill("1, 2, 3")
    page.get_by_role("button", name="Check").click()
    page.locator("[id='values-batch.rows.mode']").get_by_text("3 values").wait_for()
    page.get_by_role("button", name="Start 3 trainings").click()
    page.locator(".sweep-confirm").get_by_text("Start 3 trainings?").wait_for()


@pytest.mark.parametrize("width", [pytest.param(1440, marks=pytest.mark.long), 1024, 390])
def test_long_names_make_nothing_wider(form, portal, width):
    page = form(width, 900, query=f"&description={LONG}")
    page.get_by_label("Name", exact=True).fill(f"{LONG[:110]} {width}")
    assert sideways(page) <= 0
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    assert sideways(page) <= 0
    page.goto(at("models/"))
    assert sideways(page) <= 0


def test_the_table_of_a_batch_fits_a_wide_screen_and_keeps_its_names_on_a_narrow_one(form, portal):
    page = form(
        1440, 900, query="&batch.rows.mode=list&batch.rows.values=1,2&batch.lr.mode=list&batch.lr.values=0.1,0.2"
    )
    with answered(page, "**/train/check/"):
        page.get_by_label("Name", exact=True).fill(LONG[:110])
    wait_until(page, "!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")
    page.get_by_role("button", name="Start 4 trainings").click()
    page.locator("dialog#confirm button[value=yes]").click()
    page.wait_for_url(re.compile(r"/sweeps/\d+/$"))
    overflow = (
        "() => { const one = document.querySelector('.table-responsive'); return one.scrollWidth - one.clientWidth; }"
    )
    assert page.evaluate(overflow) <= 0
    assert sideways(page) <= 0
    page.set_viewport_size({"width": 390, "height": 844})
    assert sideways(page) <= 0
    assert page.evaluate(overflow) > 0
    page.evaluate("document.querySelector('.table-responsive').scrollLeft = 200")
    assert box(page, ".sweep-grid tbody tr:first-child td:first-child")["x"] >= 0
    page.get_by_role("button", name="Cancel the rest").click()
    page.locator("dialog#confirm button[value=yes]").click()
    page.get_by_text("being cancelled").wait_for()


def test_a_check_that_is_on_its_way_when_it_starts_leaves_no_draft(form):
    page = form(1440, 900)
    page.get_by_label("Description").fill("typed and started at once")
    page.get_by_label("Name", exact=True).fill("started at once")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    page.wait_for_timeout(1000)  # ms: whatever was on its way has arrived
    page.goto(at("models/train/"))
    assert page.get_by_text("You left a training unfinished").count() == 0
