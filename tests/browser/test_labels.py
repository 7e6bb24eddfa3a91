"""Labels corrected in the full-size view: drawn, moved at a zoom, another class, taken back; with pointer and keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import at

pytestmark = [pytest.mark.browser, pytest.mark.one_database]
CODE = """
import json, math, pathlib
from PIL import Image as Picture
from datasets_app.importing import Options, commit, propose
from datasets_app.formats import Source
from datasets_app.records import ImageRecord, Reading, Shape
from projects_app.models import Project, User
folder = pathlib.Path({folder!r})
folder.mkdir()
picture = Picture.new("RGB", (300, 400), "navy")  # seen as 400 × 300
exif = Picture.Exif()
exif[0x0112] = 6
picture.save(folder / "a.jpg", exif=exif)
project, bob = Project.objects.get(code="valves"), User.objects.get(username="bob")
round_one = tuple((200 + 90 * math.cos(n / 80), 150 + 90 * math.sin(n / 80)) for n in range(500))
found = {{}}
boxes = Shape("DENT", "rectangle", ((10, 10), (60, 50))), Shape("CRACK", "rectangle", ((300, 200), (350, 250)))
for kind, shapes in (("OD", boxes), ("SEG", (Shape("SPILL", "polygon", round_one),))):
    reading = Reading("test", (ImageRecord("a.jpg", shapes=shapes, labelled=True),), tuple(one.label for one in shapes))
    plan = propose(project, "labels " + kind, reading, Options(training_type=kind))
    one = commit(project, bob, Source(folder), reading, plan)[0]
    found[kind] = f"datasets/{{one.pk}}/images/{{one.images.get().pk}}/"
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def images(portal, tmp_path_factory) -> dict[str, str]:
    """The pages of an image with two boxes and of one with a polygon of 500 corners, turned by EXIF."""
    folder = Path(tmp_path_factory.mktemp("labels")) / "source"
    return dict(json.loads(portal.python(CODE.format(folder=str(folder))).splitlines()[-1]))


class Desk:
    """A page of one image, in pixels of that image."""

    def __init__(self, page: Any, path: str) -> None:
        self.page = page
        page.goto(at(path))
        self.panel = page.locator("#label-panel")

    def place(self, x: float, y: float) -> list[float]:
        matrix = "document.querySelector('svg[data-labels]').getScreenCTM()"
        across, left, down, top = self.page.evaluate(f"() => (({{ a, e, d, f }}) => [a, e, d, f])({matrix})")
        return [x * across + left, y * down + top]

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.place(*start))
        mouse.down()
        mouse.move(*self.place((start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
        mouse.move(*self.place(*end))
        mouse.up()

    def saved(self, version: int) -> list[dict[str, Any]]:
        """The shapes that the server has after so many changes."""
        from playwright.sync_api import expect

        expect(self.panel).to_have_attribute("data-version", str(version))
        return list(json.loads(self.panel.get_attribute("data-shapes")))


def near(points: list[list[float]]) -> list[list[int]]:
    """A pointer stands on pixels of the screen: the next pixel of the image."""
    return [[round(x), round(y)] for x, y in points]


def test_a_box_is_drawn_its_corner_moved_at_a_zoom_its_class_changed_and_all_taken_back(open_page, images):
    page = open_page(viewport={"width": 1440, "height": 900})
    desk = Desk(page, images["OD"])
    page.locator("#draw-class").select_option(label="CRACK")
    page.get_by_role("button", name="Draw").click()
    desk.drag((120, 100), (200, 160))
    drawn = desk.saved(1)[-1]
    assert (drawn["text"], near(drawn["points"])) == ("CRACK", [[120, 100], [200, 160]])

    page.mouse.move(*desk.place(200, 160))
    for _turn in range(3):
        page.mouse.wheel(0, -100)
    assert page.locator("svg[data-labels].is-zoomed").count() == 1
    desk.drag((200, 160), (210, 150))
    assert near(desk.saved(2)[-1]["points"]) == [[120, 100], [210, 150]]

    page.keyboard.press("Shift+ArrowRight")  # the corner that was moved is chosen
    page.keyboard.press("ArrowUp")
    assert near(desk.saved(3)[-1]["points"]) == [[120, 100], [220, 149]]
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+ArrowLeft")  # now all of it
    assert near(desk.saved(4)[-1]["points"]) == [[110, 100], [210, 149]]

    page.locator("#new-class").select_option(label="DENT")
    page.get_by_role("button", name="Change class").click()
    assert desk.saved(5)[-1]["text"] == "DENT"
    page.reload()
    page.get_by_role("button", name="Undo").click()
    assert desk.saved(6)[-1]["text"] == "CRACK"
    for version in (7, 8, 9, 10):
        page.keyboard.press("Control+z")
        shapes = desk.saved(version)
    assert [one["text"] for one in shapes] == ["DENT", "CRACK"]
    history = page.locator(".label-history li")
    assert history.count() == 10
    assert "Taken back: CRACK added bob" in re.sub(r"\s+", " ", history.first.inner_text())


def test_one_of_500_corners_is_moved_and_one_shape_deleted_by_keys_and_a_label_hidden(open_page, images):
    page = open_page(viewport={"width": 1440, "height": 900})
    desk = Desk(page, images["SEG"])
    page.locator("[data-label-row] input").check()
    assert page.locator(".shape-handle").count() == 500
    desk.drag((290, 150), (330, 150))
    points = desk.saved(1)[0]["points"]
    assert (near(points[:1]), len(points)) == ([[330, 150]], 500)
    page.keyboard.press("Delete")  # the corner
    assert len(desk.saved(2)[0]["points"]) == 499
    page.locator("[data-label-toggle]").click()
    assert not page.locator("svg[data-labels] polygon").is_visible()
    page.locator("[data-label-toggle]").click()
    page.locator("svg[data-labels] polygon").focus()
    page.keyboard.press("Delete")
    assert desk.saved(3) == []
    page.keyboard.press("d")
    for corner in ((50, 50), (100, 60), (80, 120)):
        page.mouse.click(*desk.place(*corner))
    page.keyboard.press("Enter")
    assert near(desk.saved(4)[0]["points"]) == [[50, 50], [100, 60], [80, 120]]


def test_a_shape_that_came_too_late_stays_to_be_finished_again(open_page, images):
    page, other = (open_page(viewport={"width": 1440, "height": 900}) for _who in range(2))
    desk, second = Desk(page, images["OD"]), Desk(other, images["OD"])
    version = int(second.panel.get_attribute("data-version"))
    other.locator("[data-label-row] input").first.check()
    other.get_by_role("button", name="Delete").click()
    second.saved(version + 1)
    page.get_by_role("button", name="Draw").click()
    desk.drag((120, 100), (200, 160))
    page.get_by_text("Somebody changed the labels of this image meanwhile").wait_for()
    assert len(desk.saved(version + 1)) == 1
    page.get_by_role("button", name="Finish the shape").click()
    assert near(desk.saved(version + 2)[-1]["points"]) == [[120, 100], [200, 160]]


def test_a_polygon_that_is_closed_twice_is_one(open_page, images):
    page = open_page(viewport={"width": 1440, "height": 900})
    desk = Desk(page, images["SEG"])
    version = int(desk.panel.get_attribute("data-version"))
    shapes = len(json.loads(desk.panel.get_attribute("data-shapes")))
    page.locator("#draw-class").select_option(label="SPILL")
    page.get_by_role("button", name="Draw").click()
    for corner in ((20, 20), (60, 20), (60, 60)):
        page.mouse.click(*desk.place(*corner))
    page.mouse.dblclick(*desk.place(20, 20))
    assert len(desk.saved(version + 1)) == shapes + 1
    page.reload()
    assert len(desk.saved(version + 1)) == shapes + 1
