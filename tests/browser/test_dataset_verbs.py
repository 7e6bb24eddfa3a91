"""A dataset cloned, frozen, split and thinned out in a browser: by keys, and without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import at

pytestmark = pytest.mark.browser


def test_images_are_ticked_by_keys_and_removed_and_the_rest_is_frozen(open_page, portal):
    page = open_page()
    page.goto(at(f"datasets/{portal.seeded['OD']['dataset']}/"))
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Clone").click()
    page.get_by_label("Name of the clone").fill("thinned out")
    page.get_by_role("button", name="Clone").click()
    expect(page.get_by_role("heading", name="thinned out")).to_be_visible()
    remove = page.get_by_role("button", name="Remove …")
    expect(remove).to_be_disabled()
    boxes = page.get_by_role("checkbox", name=re.compile("^Choose "))
    boxes.first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")  # the image itself
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_text("2 chosen")).to_be_visible()
    remove.press("Enter")
    page.get_by_role("button", name="Remove 2 images").click()
    expect(page.get_by_text("Removed 2 images.")).to_be_visible()
    expect(boxes).to_have_count(2)
    page.get_by_text("More", exact=True).click()
    page.get_by_role("button", name="Freeze").click()
    page.locator("dialog#confirm button[value=yes]").click()
    expect(page.get_by_text("“thinned out” is frozen")).to_be_visible()
    expect(boxes).to_have_count(0)


def test_the_verbs_work_without_scripts(open_page, portal):
    page = open_page(java_script_enabled=False)
    dataset = at(f"datasets/{portal.seeded['CL']['dataset']}/")
    page.goto(f"{dataset}split/?share=50&seed=1&by=CL&group=&train_name=left&val_name=right")
    page.get_by_role("button", name="Make both datasets").click()
    expect(page.get_by_text("Made “left” and “right”.")).to_be_visible()
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Add images").click()
    page.get_by_label("Dataset").select_option(label="right")
    page.get_by_role("button", name="Look").click()
    page.get_by_role("button", name="Add 2 images").click()
    expect(page.get_by_text("Added 2 images.")).to_be_visible()
    table = {"name": "m.csv", "mimeType": "text/csv", "buffer": b"file,line\nval/GOOD-0.png,A\n"}
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Update meta data").click()
    page.get_by_label("Table").set_input_files(table)
    page.get_by_role("button", name="Upload and look").click()
    page.get_by_role("button", name="Change 1 cell").click()
    expect(page.get_by_text("Changed 1 cell (images: 1).")).to_be_visible()
    page.get_by_role("checkbox", name="Choose val/GOOD-0.png").check()
    page.get_by_role("button", name="Remove …").click()
    page.get_by_role("button", name="Remove 1 image").click()
    expect(page.get_by_text("Removed 1 image.")).to_be_visible()
