"""The training form in a real browser: every kind of setting, sixty, JSON, a batch, origins, no scripts, no session."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.browser.conftest import PASSWORD, answered, at, wait_for, without_polls
from tests.browser.test_journeys import choose

pytestmark = pytest.mark.browser

OPTIMIZERS = [{"const": "sgd", "title": "Plain SGD"}, {"const": "adam", "title": "Adam"}]
PARAMS: dict[str, Any] = {
    "type": "object", "required": ["epochs", "lr"],
    "properties": {
        "epochs": {"title": "Epochs", "type": "integer", "minimum": 1, "maximum": 100, "default": 5},
        "lr": {
            "title": "Learning rate", "type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.01,
            "x-log": True,
        },
        "note": {"type": "string", "maxLength": 10},
        "flip": {"type": "boolean", "default": True},
        "size": {"enum": [32, 64, 128], "default": 64},
        "version": {"const": 2, "default": 2},
        "steps": {"type": "array", "items": {"type": "integer", "minimum": 1}, "default": [3, 6]},
        "stop": {"type": ["integer", "null"], "default": None},
        "optimizer": {
            "type": "object", "title": "Optimizer", "additionalProperties": False,
            "properties": {
                "name": {"oneOf": OPTIMIZERS, "default": "adam"},
                "decay": {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
            },
        },
        "mode": {"title": "Mode", "enum": ["fast", "careful"], "default": "fast"},
        "checks": {"type": "integer", "minimum": 1, "default": 1, "x-advanced": True},
        "anything": {"type": "array", "items": {"type": "object"}, "x-advanced": True},
    },
    "allOf": [
        {
            "if": {"properties": {"mode": {"const": "careful"}}, "required": ["mode"]},
            "then": {"properties": {"care": {"title": "Care", "type": "integer", "minimum": 1}}},
        },
        {
            "if": {"properties": {"checks": {"minimum": 10}}, "required": ["checks"]},
            "then": {"properties": {"every": {"type": "integer", "minimum": 1, "x-advanced": True}}},
        },
    ],
}  # fmt: skip
MANY = {
    "type": "object", "additionalProperties": False,
    "properties": {f"setting_{n:02}": {"type": "integer", "minimum": 0, "maximum": 9, "default": 1} for n in range(60)},
}  # fmt: skip
BATCH = {"type": "object", "properties": {"lr": True, "epochs": True, "size": True}}
CARET = "() => [document.activeElement.name, document.activeElement.selectionStart]"


@pytest.fixture(scope="session")
def kernels(portal) -> dict[str, int]:
    """`rich` has settings of every kind, `many` has sixty."""
    code = f"""
import json
from tests import fake_kernels
found = {{}}
for name, section, batch in {[("rich", json.dumps(PARAMS), json.dumps(BATCH)), ("many", json.dumps(MANY), "{}")]!r}:
    more = dict(training_params=json.loads(section), batchable_params=json.loads(batch))
    found[name] = fake_kernels.register(name=name, **more).pk
print(json.dumps(found))
"""
    return json.loads(portal.python(code).splitlines()[-1])


@pytest.fixture
def rich(open_page, portal, kernels):
    """The form with the kernel `rich` and data chosen, nothing wrong with it."""

    def show(kernel: str = "rich", **options: Any):
        page = open_page(**options)
        seeded = portal.seeded["CL"]
        page.goto(at(f"models/train/?model_type={seeded['type']}&kernel={kernels[kernel]}"))
        choose(page, "train", "seed-CL-train")
        choose(page, "validation", "seed-CL-val")
        return page

    return show


def checked(page):
    return answered(page, "**/train/check/")


def swapped(page):
    return answered(page, "**/train/form/")


def ready(page) -> None:
    page.locator(".ready", has_text=re.compile("Everything is in order|It can start. Read")).wait_for()


def test_settings_of_every_kind_are_typed_and_start_a_training(rich):
    page = rich()
    for name, value in {
        "epochs": "7",
        "lr": "1e-3",
        "note": "한국어",
        "steps": "2\n4",
        "optimizer.decay": "0.5",
    }.items():
        page.locator(f"[name='params.{name}']").fill(value)
    for name, value in {"flip": "false", "size": "128", "optimizer.name": "sgd"}.items():
        page.locator(f"[name='params.{name}']").select_option(value)
    page.locator("[name='params.stop']").fill("9")
    with checked(page):
        page.locator("[name='params.mode']").select_option("careful")
    page.locator("[name='params.care']").wait_for()
    with checked(page):
        page.locator("[name='params.care']").fill("3")
    ready(page)
    with swapped(page):
        page.get_by_role("button", name="As JSON").click()
    found = json.loads(page.locator("[name=params_json]").input_value())
    assert found == {
        "epochs": 7, "lr": 0.001, "note": "한국어", "flip": False, "size": 128, "version": 2, "steps": [2, 4],
        "stop": 9, "optimizer": {"name": "sgd", "decay": 0.5}, "mode": "careful", "care": 3, "checks": 1,
    }  # fmt: skip
    page.get_by_label("Name", exact=True).fill("every kind")
    ready(page)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    assert page.get_by_role("heading", name="every kind").is_visible()


def test_focus_and_caret_stay_while_a_condition_brings_another_field(rich):
    page = rich()
    page.locator("[name='params.note']").press_sequentially("abc")
    page.keyboard.press("ArrowLeft")
    with checked(page):
        page.locator("[name='params.mode']").select_option("careful")
    page.locator("[name='params.care']").wait_for()
    assert page.evaluate(CARET) == ["params.note", 2]


def test_a_condition_closes_no_fold_and_takes_no_focus_out_of_it(rich):
    page = rich()
    page.locator(".param-advanced > summary").click()
    page.locator("[name='params.checks']").fill("")
    with checked(page):
        page.locator("[name='params.checks']").press_sequentially("12")
    page.locator("[name='params.every']").wait_for()
    assert page.evaluate(CARET) == ["params.checks", 2]
    page.keyboard.type("3")
    assert page.locator("[name='params.checks']").input_value() == "123"


def test_json_and_fields_are_one_value_and_an_error_stands_at_its_line(rich):
    page = rich()
    with swapped(page):
        page.get_by_role("button", name="As JSON").click()
    area = page.locator("[name=params_json]")
    with checked(page):
        area.fill(area.input_value().replace('"lr": 0.01', '"lr": 5'))
    page.locator("[id='error-params_json']").get_by_text("must be at most 1").wait_for()
    line = next(n for n, row in enumerate(area.input_value().split("\n"), start=1) if '"lr"' in row)
    assert page.locator("#json-lines .is-bad").inner_text() == str(line)
    assert page.evaluate(CARET)[0] == "params_json"
    with checked(page):
        area.fill(area.input_value().replace('"lr": 5', '"lr": 0.5'))
    with swapped(page):
        page.get_by_role("button", name="As fields").click()
    assert page.locator("[name='params.lr']").input_value() == "0.5"


def test_sixty_settings_are_checked_and_the_list_leads_to_the_field(rich):
    page = rich("many")
    with checked(page):
        page.locator("[name='params.setting_55']").fill("99")
    link = page.locator("#train-checks").get_by_role("link", name=re.compile("setting_55"))
    link.click()
    assert page.evaluate(CARET)[0] == "params.setting_55"
    with checked(page):
        page.locator("[name='params.setting_55']").fill("9")
    ready(page)


def test_a_batch_of_twelve_is_counted_asked_for_once_and_started(rich, portal):
    page = rich()
    page.locator("details:has([name='batch.lr.mode']) > summary").first.click()
    page.locator("[name='batch.lr.mode']").select_option("list")
    page.locator("[name='batch.lr.values']").fill("0.1, 0.01, 0.001, 0.0001")
    page.locator("[name='batch.epochs.mode']").select_option("range")
    for name, value in {"min": "1", "max": "3", "step": "1"}.items():
        page.locator(f"[name='batch.epochs.{name}']").fill(value)
    page.get_by_label("Name", exact=True).fill("twelve")
    button = page.get_by_role("button", name="Start 12 trainings")
    button.wait_for()
    ready(page)
    button.click()
    page.locator("dialog#confirm").get_by_text("Start 12 trainings?").wait_for()
    page.locator("dialog#confirm button[value=yes]").click()
    page.wait_for_url(re.compile(r"/sweeps/\d+/$"))
    assert page.locator("tbody tr").count() == 12
    page.get_by_role("button", name=re.compile("Cancel")).first.click()
    page.locator("dialog#confirm button[value=yes]").click()
    wait_for("the rest to be cancelled", lambda: page.get_by_text("Queued").count() == 0 or page.reload(), 60)


def test_what_differs_from_the_retrained_model_is_marked_and_goes_back(open_page, portal):
    page = open_page()
    page.goto(at(f"models/{portal.seeded['CL']['model']}/"))
    page.get_by_role("link", name="Retrain").click()
    with checked(page):
        page.locator("[name='params.lr']").fill("0.25")
    page.get_by_text("was 0.01").wait_for()
    page.wait_for_url("**whole=1**")
    page.goto(page.url)  # the address brings back what was typed
    assert page.locator("[name='params.lr']").input_value() == "0.25"
    page.get_by_text("was 0.01").wait_for()
    with swapped(page):
        page.get_by_role("button", name="Back to it").click()
    wait_for("the value of the origin", lambda: page.locator("[name='params.lr']").input_value() == "0.01", 10)


def test_additional_training_starts_from_the_model(open_page, portal):
    page = open_page()
    page.goto(at(f"models/{portal.seeded['CL']['model']}/"))
    page.get_by_role("link", name="Additional training").click()
    page.get_by_label("Name", exact=True).fill("one more round")
    page.wait_for_timeout(600)
    ready(page)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    assert page.get_by_text("seeded CL").first.is_visible()


def test_what_was_typed_is_there_again_after_the_session_had_ended(rich):
    page = rich()
    with checked(page):
        page.locator("[name='params.note']").fill("kept")
    without_polls(page)
    page.context.clear_cookies(name="sessionid")
    page.locator("[name='params.epochs']").fill("8")
    page.wait_for_url("**/login/**")
    page.get_by_label("Username").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/models/train/**")
    assert page.locator("[name='params.note']").input_value() == "kept"


def test_without_scripts_the_form_is_checked_shown_as_json_and_started(rich):
    page = rich(java_script_enabled=False)
    page.locator("[name='params.lr']").fill("5")
    page.get_by_role("button", name="Check").click()
    page.locator("[id='error-params.lr']").get_by_text("must be at most 1").wait_for()
    page.locator("[name='params.lr']").fill("0.5")
    page.get_by_role("button", name="As JSON").click()
    assert json.loads(page.locator("[name=params_json]").input_value())["lr"] == 0.5
    page.get_by_label("Name", exact=True).fill("no scripts, as JSON")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/models/\d+/$"))
    assert page.get_by_role("heading", name="no scripts, as JSON").is_visible()
