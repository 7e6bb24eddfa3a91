"""A large upload in a browser: paused, taken up again after a reload, gone on with by the next login."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import at, log_in, wait_for

pytestmark = [pytest.mark.browser, pytest.mark.one_database]
PIECE = 2**20
PATCHES = "**/uploads/*/"


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """An archive of about six pieces: noise does not pack."""
    folder = tmp_path_factory.mktemp("large")
    with zipfile.ZipFile(folder / "large.zip", "w") as packed:
        for number in range(2):
            noise = random.Random(number).randbytes(1000 * 1000 * 3)
            Image.frombytes("RGB", (1000, 1000), noise).save(folder / "one.png", compress_level=0)
            packed.write(folder / "one.png", f"class_{number}/{number}.png")
    return folder / "large.zip"


class Wire:
    """Lets so many pieces pass and holds the next one, until `open` or `drop`."""

    def __init__(self, page: Any, most: int) -> None:
        self.offsets: list[int] = []
        self.most = most
        self.held: list[Any] = []
        page.route(PATCHES, self._see)

    def _see(self, route: Any) -> None:
        if route.request.method == "PATCH":
            self.offsets.append(int(route.request.headers["upload-offset"]))
            if len(self.offsets) > self.most:
                self.held.append(route)
                return
        route.continue_()

    def open(self) -> None:
        self.most = 10_000
        for route in self.held:
            route.continue_()
        self.held.clear()

    def drop(self) -> None:
        """Nothing of what is held arrives: `unroute` alone would let it go, and the server keep what it gets."""
        for route in self.held:
            route.abort()
        self.held.clear()


def choose(page: Any, file: Path, name: str) -> None:
    page.goto(at("datasets/import/"))
    page.get_by_label("Name").fill(name)
    page.locator("input[name=images]").set_input_files(file)
    page.locator("input[name=images]").evaluate(f"(one) => {{ one.dataset.pieceSize = {PIECE} }}")
    page.get_by_role("button", name="Upload and look").click()


def test_an_upload_is_paused_and_goes_on_after_a_reload(open_page, large):
    page = open_page()
    wire = Wire(page, most=2)
    choose(page, large, "paused")
    wait_for("the third piece", lambda: page.title() and wire.held)
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("paused at")).to_contain_text("of 5.7")
    wire.drop()
    page.unroute(PATCHES)
    wire = Wire(page, most=10_000)
    choose(page, large, "paused")
    page.wait_for_url("**/datasets/import/*-*/")
    assert wire.offsets[0] == 2 * PIECE
    expect(page.get_by_text("class_1").first).to_be_visible()


def test_a_login_that_ended_is_said_and_the_next_one_goes_on(open_page, large):
    page = open_page()
    wire = Wire(page, most=1)
    choose(page, large, "login")
    wait_for("the second piece", lambda: page.title() and wire.held)
    page.context.clear_cookies()
    wire.open()
    fault = page.locator("[data-pieces-fault]")
    expect(fault).to_contain_text("Log in in another tab")
    page.get_by_role("button", name="Continue").click()
    expect(fault).to_contain_text("Log in in another tab")
    log_in(page.context.new_page())
    begun = len(wire.offsets)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/datasets/import/*-*/")
    assert wire.offsets[begun] > 0
    open_page.said.clear()  # the answer 401, of which Chromium tells
