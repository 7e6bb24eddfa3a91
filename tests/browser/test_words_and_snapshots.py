"""What a model saw, and the words of a project, in a real browser: with scripts and without, wide and narrow."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import at

pytestmark = [pytest.mark.browser, pytest.mark.one_database]


def sideways(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_from_a_model_to_what_it_saw_and_a_dataset_again(open_page, portal):
    page = open_page()
    page.goto(at(f"models/{portal.seeded['OD']['model']}/"))
    page.get_by_role("link", name="What it saw").click()
    snapshot = page.url
    assert page.locator(".tile polygon").count() == 8
    page.locator("a.tile").first.click()
    expect(page.locator(".picture-large polygon")).to_have_count(1)
    page.keyboard.press("g")
    expect(page.locator("[data-overlay-toggle]")).to_have_attribute("aria-pressed", "false")
    page.goto(snapshot)
    page.get_by_role("link", name="Compare", exact=True).click()
    expect(page.get_by_text("Nothing differs: 8 images are the same")).to_be_visible()
    page.goto(snapshot)
    page.get_by_role("link", name="Restore as a dataset").click()
    page.get_by_label("Name of the dataset").fill("restored by hand")
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("Succeeded").first).to_be_visible()
    page.get_by_role("link", name="restored by hand").first.click()
    expect(page.locator("a.tile")).to_have_count(4)


def test_words_are_made_moved_and_carried_without_scripts(open_page):
    page = open_page(java_script_enabled=False)
    page.goto(at("settings/types/"))
    for code in ("NO_JS_1", "NO_JS_2"):
        page.get_by_role("link", name="New annotation type").click()
        page.get_by_label("Training type").select_option("SEG")
        page.get_by_label("Code").fill(code)
        page.get_by_label("Name").fill(code.lower())
        page.get_by_label("Teal").check()
        page.get_by_role("button", name="Make annotation type").click()
        page.get_by_role("link", name="Labels and model types").click()
    page.get_by_role("button", name="Move NO_JS_2 up").press("Enter")
    found = [code for code in page.locator("tbody code").all_inner_texts() if code.startswith("NO_JS")]
    assert found == ["NO_JS_2", "NO_JS_1"]
    page.get_by_role("link", name="Import YAML").click()
    page.get_by_label("Or its text").fill("version: 1\nannotation_types:\n  - {code: NO_JS_1, name: 새 이름}\n")
    page.get_by_role("button", name="Look what it would do").click()
    expect(page.get_by_text("name: “no_js_1” → “새 이름”")).to_be_visible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("Imported: 0 added, 1 changed.")).to_be_visible()
    page.get_by_role("link", name="NO_JS_2").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("“NO_JS_2” is deleted.")).to_be_visible()


def test_none_of_these_pages_is_wider_than_a_telephone(open_page, portal):
    page = open_page(viewport={"width": 390, "height": 844})
    page.goto(at(f"models/{portal.seeded['CL']['model']}/"))
    saw = page.get_by_role("link", name="What it saw").get_attribute("href")
    own = [f"{saw}{rest}" for rest in ("", "train/0/", "compare/", "export/", "restore/")]
    words = [
        "types/",
        f"types/models/{portal.seeded['CL']['type']}/",
        "types/labels/add/",
        "types/data/",
        "types/yaml/",
    ]
    for address in (at("datasets/snapshots/"), *own, *(at(f"settings/{one}") for one in words)):
        assert page.goto(address).status == 200
        assert sideways(page) <= 0, address
