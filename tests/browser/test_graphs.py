"""Graphs in a real browser: they grow, are smoothed, zoomed, hidden, enlarged, compared; and there is a way without."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import at, wait_for

pytestmark = pytest.mark.browser

LENGTH = 30_000
LONG = """
from django.db import transaction
from jobs.curves import storing
from jobs.models import Job
job = Job.objects.get(pk={job})
if not job.curves.filter(chart="long").exists():
    rows = [(n, n / 10, [9.0 if n == 7777 else n % 100 / 100, 1 + n / 1000 if not 12000 < n < 15000 else None])
        for n in range({length})]
    with transaction.atomic():
        storing.append(job, "long", ["step", "noisy", "rising"], rows)
"""
# what is drawn: by title, by curve the points; kind is raw or smooth
DRAWN = """([title, kind]) => {
  const card = [...document.querySelectorAll(".chart-card, .chart-dialog")].find(
      (one) => one.querySelector("h2, h3")?.textContent === title && one.querySelector("canvas"));
  const chart = Chart.getChart(card.querySelector("canvas"));
  return Object.fromEntries(chart.data.datasets.flatMap((set, n) => set.isSmooth === (kind === "smooth") &&
      chart.isDatasetVisible(n) ? [[set.label, set.data.map(({ x, y }) => [x, y])]] : []));
}"""
CHART = """(title) => Chart.getChart([...document.querySelectorAll(".chart-card")].find(
    (one) => one.querySelector("h3").textContent === title).querySelector("canvas"))"""
SCALES = f"""(title) => {{
  const {{ x, y }} = ({CHART})(title).scales;
  return {{ from: x.min, to: x.max, kind: y.type, name: x.options.title.text }};
}}"""
TIP = f"""(title) => {{
  const {{ tooltip }} = ({CHART})(title);
  return tooltip.opacity ? [...tooltip.title, ...tooltip.body.flatMap(({{ lines }}) => lines)] : [];
}}"""
PLACE = f"([title, x]) => ({CHART})(title).scales.x.getPixelForValue(x)"


@pytest.fixture
def long_one(portal) -> str:
    """The address of a model that has, beside others, a chart of two long curves."""
    portal.python(LONG.format(job=portal.seeded["CL"]["job"], length=LENGTH))
    return at(f"models/{portal.seeded['CL']['model']}/")


@pytest.fixture
def long_page(open_page, long_one):
    page = open_page()
    page.goto(long_one)
    card(page, "long").locator("canvas").wait_for()
    return page


def card(page, title: str):
    return page.locator(".chart-card", has=page.get_by_role("heading", name=title, exact=True))


def drawn(page, title: str, kind: str = "raw") -> dict[str, list]:
    return page.evaluate(DRAWN, [title, kind])


def drag(page, title: str, start: float, end: float) -> None:
    """Over the chart, from one part of its width to another."""
    canvas = card(page, title).locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] * start, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 90, steps=5)
    page.mouse.up()


def test_a_running_training_adds_to_its_graph_only_what_is_new(open_page, portal):
    page = open_page()
    page.goto(at(f"models/train/?retrain={portal.seeded['CL']['model']}&name=watched"))
    page.locator("[name='params.behaviour']").select_option("slow")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    assert page.get_by_text("Waiting for the first metrics.").is_visible()
    card(page, "loss").locator("canvas").wait_for(timeout=60_000)
    first = len(drawn(page, "loss")["val_loss"])
    with page.expect_response(lambda got: re.search(r"/metrics/\?after=\d{2,}", got.url) and got.status == 200) as got:
        pass
    assert [(chart["replace"], len(chart["series"][0]["points"]) < 20) for chart in got.value.json()["charts"]][:1] == [
        (False, True)
    ]
    wait_for("more points", lambda: len(drawn(page, "loss")["val_loss"]) > first)
    steps = [x for x, _y in drawn(page, "loss")["val_loss"]]
    assert steps == sorted(set(steps))
    page.get_by_role("button", name="Cancel training").click()
    page.locator("dialog[open]").get_by_role("button", name="Cancel training").click()
    page.get_by_text("Cancelled").first.wait_for(timeout=60_000)


def test_smoothing_is_off_first_keeps_the_raw_curve_and_is_remembered(long_page):
    assert drawn(long_page, "long", "smooth") == {}
    long_page.get_by_label("Smooth", exact=True).check()
    raw, smoothed = drawn(long_page, "long")["noisy"], drawn(long_page, "long", "smooth")["noisy"]
    assert max(y for _x, y in raw) == 9
    assert 0.3 < min(y for _x, y in smoothed[20:]) < max(y for _x, y in smoothed) < 1
    box = card(long_page, "long").locator("canvas")
    box.hover(position={"x": 200, "y": 100})
    assert any(re.search(r"noisy: .* \(smoothed .*\)", line) for line in long_page.evaluate(TIP, "long"))
    long_page.get_by_label("How strongly it is smoothed").fill("0.95")
    assert drawn(long_page, "long", "smooth")["noisy"] != smoothed
    long_page.reload()
    card(long_page, "long").locator("canvas").wait_for()
    assert long_page.get_by_label("Smooth", exact=True).is_checked()
    assert drawn(long_page, "long", "smooth")["noisy"]


def test_spikes_gaps_and_what_is_best_are_drawn_from_few_points(long_page):
    curves = drawn(long_page, "long")
    assert [7777, 9] in curves["noisy"]
    assert all(len(points) <= 1000 for points in curves.values())
    assert None in [y for x, y in curves["rising"] if 12000 < x < 15000]
    assert None not in [y for x, y in curves["rising"] if not 11900 < x < 15100]
    words = card(long_page, "long").locator("canvas").get_attribute("aria-label")
    assert "noisy: highest 9 at step 7,777, last 0.99" in words


def test_a_log_axis_leaves_out_what_it_has_no_place_for(long_page):
    card(long_page, "long").get_by_label("Log scale").check()
    assert long_page.evaluate(SCALES, "long")["kind"] == "logarithmic"
    assert all(y is None or y > 0 for _x, y in drawn(long_page, "long")["noisy"])
    assert long_page.evaluate(SCALES, "loss")["kind"] == "linear"


def test_the_x_axis_is_steps_or_time(long_page):
    assert long_page.evaluate(SCALES, "long")["name"] == "step"
    long_page.get_by_text("Time since start", exact=True).click()
    scales = long_page.evaluate(SCALES, "long")
    assert (scales["name"], round(scales["to"])) == ("Time since start", LENGTH // 10)
    card(long_page, "long").locator("canvas").hover(position={"x": 200, "y": 100})
    assert re.fullmatch(r"Time since start \d+:\d\d", long_page.evaluate(TIP, "long")[0])


def test_a_curve_is_hidden_and_shown(long_page):
    button = card(long_page, "long").get_by_role("button", name="noisy")
    button.click()
    assert set(drawn(long_page, "long")) == {"rising"}
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    assert set(drawn(long_page, "long")) == {"noisy", "rising"}


def test_dragging_zooms_in_and_brings_details(long_page):
    before = [x for x, _y in drawn(long_page, "long")["noisy"]]
    with long_page.expect_response(lambda got: "from=" in got.url):
        drag(long_page, "long", 0.3, 0.33)
    scales = long_page.evaluate(SCALES, "long")
    low, high = scales["from"], scales["to"]
    assert 0 < low < high < LENGTH / 2
    wait_for("the details", lambda: inside(long_page, low, high) > 5 * sum(low <= x <= high for x in before), 20)
    card(long_page, "long").get_by_role("button", name="Show all again").click()
    assert long_page.evaluate(SCALES, "long")["to"] >= LENGTH - 1
    assert [x for x, _y in drawn(long_page, "long")["noisy"]] == before


def inside(page, low: float, high: float) -> int:
    return sum(low <= x <= high for x, _y in drawn(page, "long")["noisy"])


def test_the_enlarged_view_has_the_same_chart_and_controls(long_page):
    card(long_page, "long").get_by_role("button", name="Enlarge").click()
    dialog = long_page.get_by_role("dialog", name="long")
    assert dialog.locator("canvas").bounding_box()["width"] > 1000
    dialog.get_by_label("Smooth", exact=True).check()
    assert drawn(long_page, "long", "smooth")
    dialog.get_by_label("From").fill("7000")
    dialog.get_by_label("To").fill("8000")
    dialog.get_by_label("To").press("Tab")
    wait_for("every point of the part", lambda: inside(long_page, 7000, 8000) > 300, 20)
    dialog.get_by_role("button", name="Close").click()
    assert card(long_page, "long").locator("canvas").is_visible()
    assert long_page.get_by_label("Smooth", exact=True).is_visible()


def test_a_picture_and_all_points_are_downloaded(long_page):
    with long_page.expect_download() as got:
        card(long_page, "long").get_by_role("button", name="Download as PNG").click()
    assert got.value.suggested_filename == "long.png"
    assert got.value.path().read_bytes().startswith(b"\x89PNG")
    with long_page.expect_download() as got:
        card(long_page, "long").get_by_role("link", name="long, CSV").click()
    assert len(got.value.path().read_text().splitlines()) == LENGTH + 1


def test_graphs_work_where_nothing_can_be_remembered(open_page, long_one):
    page = open_page()
    page.add_init_script(
        "Storage.prototype.setItem = Storage.prototype.getItem = () => { throw new DOMException('denied'); };"
    )
    page.goto(long_one)
    card(page, "long").locator("canvas").wait_for()
    page.get_by_label("Smooth", exact=True).check()
    assert drawn(page, "long", "smooth")


def test_what_the_pointer_is_on_is_marked_in_the_other_charts(long_page):
    place = long_page.evaluate(PLACE, ["accuracy", 4])
    card(long_page, "accuracy").locator("canvas").hover(position={"x": place, "y": 100})
    wait_for("the other chart", lambda: long_page.evaluate(TIP, "loss"), 10)
    title, *lines = long_page.evaluate(TIP, "loss")
    assert re.fullmatch(r"step \d", title)
    assert len(lines) == 2


# --- several models ---------------------------------------------------------------------------------------------------
def test_models_are_compared_and_the_address_restores_the_view(open_page, portal, long_one):
    first, second = portal.seeded["CL"]["model"], portal.seeded["OD"]["model"]
    page = open_page()
    page.goto(long_one)
    page.locator(".compare-picker summary").click()
    page.locator(".compare-found label", has_text="seeded OD").click()
    page.locator(".compare-picker").get_by_role("button", name="Compare").click()
    page.wait_for_url(f"**/models/compare/?model={first}&model={second}")
    card(page, "loss · val_loss").locator("canvas").wait_for()
    assert set(drawn(page, "loss · val_loss")) == {"seeded CL", "seeded OD"}
    assert "fake-od@1" in page.locator("#compare-table").inner_text()
    assert "Learning rate" not in page.locator("#compare-table").inner_text()

    page.get_by_label("Smooth", exact=True).check()
    card(page, "loss · val_loss").get_by_label("Log scale").check()
    page.get_by_role("button", name="Show “seeded OD”").click()
    page.get_by_role("switch", name="Only differences").click()
    page.wait_for_url("**only=0**")
    assert "Learning rate" in page.locator("#compare-table").inner_text()

    again = open_page()
    again.goto(page.url)
    card(again, "loss · val_loss").locator("canvas").wait_for()
    assert set(drawn(again, "loss · val_loss", "smooth")) == {"seeded CL"}
    assert again.evaluate(SCALES, "loss · val_loss")["kind"] == "logarithmic"
    again.get_by_label("Remove “seeded CL” from the comparison").click()
    again.wait_for_url(lambda url: f"model={first}&" not in url and "smooth=0.6" in url)


def test_without_scripts_there_are_tables_searches_and_files(open_page, portal, long_one):
    first, second = portal.seeded["CL"]["model"], portal.seeded["OD"]["model"]
    page = open_page(java_script_enabled=False)
    page.goto(long_one)
    row = page.locator("#job-scores tr", has_text="noisy")
    assert re.search(r"highest\s+9\s+step\s+7,777\s+0.99\s+30,000", row.inner_text())
    page.locator(".compare-picker summary").click()
    page.locator(".compare-picker").get_by_label("Search by name").fill("seeded OD")
    page.locator(".compare-picker").get_by_role("button", name="Compare").click()
    page.locator(".compare-found label", has_text="seeded OD").locator("input").check()
    page.locator(".compare-picker").get_by_role("button", name="Compare").click()
    page.wait_for_url(f"**/models/compare/?model={first}&model={second}")
    assert "fake-od@1" in page.locator("#compare-table").inner_text()
    with page.expect_download() as got:
        page.locator("#compare-table").get_by_role("link", name="loss/val_loss, CSV").click()
    assert got.value.path().read_text().startswith("model,name,step,seconds,val_loss")
    page.get_by_role("switch", name="Only differences").click()
    page.wait_for_url("**only=0**")
    assert "Learning rate" in page.locator("#compare-table").inner_text()
