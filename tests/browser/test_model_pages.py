"""What only a browser shows of models: several ticked at once, an upload on its way, a name changed in its place, and
an image of a report under the keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests import fake_kernels
from tests.browser.conftest import PROJECT, at, is_bad, wait_for
from tests.models.test_model_import import packed

pytestmark = pytest.mark.browser

ROWS = """
import json
from django.db import transaction
from django.utils import timezone
from jobs.models import Job, State
from models_app.models import TrainedModel
from models_app.orders import TrainOrder
like = TrainedModel.objects.get(pk={like})
found = []
for name in ("ticked one", "ticked two", "ticked three"):
    order = TrainOrder(like.project, like.model_type, like.kernel, list(like.train_datasets.all()),
        list(like.validation_datasets.all()), name=name, params=like.params)
    with transaction.atomic():  # no worker sees them waiting
        model = order.start(like.created_by)
        Job.objects.filter(pk=model.job_id).update(state=State.CANCELLED, ended_at=timezone.now())
    found.append(model.pk)
print(json.dumps(found))
"""
SLOW = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 1_500_000}  # bytes/s
SIZE = 3_000_000  # bytes


@pytest.fixture(scope="module")
def page(chromium, portal, session) -> Iterator[Any]:
    """One page for all of it, of bob; nothing may be said on its console."""
    context = chromium.new_context(base_url=portal.url, locale="en-US", storage_state=session)
    context.set_default_timeout(20_000)
    page, said = context.new_page(), []
    page.on("console", lambda message: said.append(message.text) if is_bad(message) else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert not said, "the browser's console"


def test_several_models_are_ticked_compared_and_deleted(page, portal):
    portal.python(ROWS.format(like=portal.seeded["CL"]["model"]))
    page.goto(at("models/?q=ticked"))
    compare, delete = (page.get_by_role("button", name=name) for name in ("Compare", "Delete …"))
    all_of_them, count = page.get_by_label("All on this page"), page.locator("[data-chosen-count]")
    assert (compare.is_disabled(), delete.is_disabled(), count.inner_text()) == (True, True, "")
    page.get_by_label("ticked one").check()
    assert (compare.is_disabled(), delete.is_disabled(), count.inner_text()) == (True, False, "1 chosen")
    assert all_of_them.evaluate("box => box.indeterminate")
    page.get_by_label("ticked two").check()
    compare.click()
    page.wait_for_url("**/models/compare/?**")
    assert {"ticked one", "ticked two"} == set(names(page.locator(".model-chip-name").all_inner_texts()))

    page.go_back()
    wait_for("the ticks to be there again", lambda: count.inner_text() == "2 chosen")
    all_of_them.check()
    assert count.inner_text() == "3 chosen"
    page.get_by_label("ticked three").uncheck()
    delete.click()
    page.get_by_role("button", name=re.compile("^Delete 2 models")).click()
    page.wait_for_url(f"**{at('models/')}**")
    page.goto(at("models/?q=ticked"))
    assert names(page.locator(".model-table td > .name").all_inner_texts()) == ["ticked three"]


def names(texts: list[str]) -> list[str]:
    return [text.strip() for text in texts]


def test_an_upload_says_how_far_it_is_and_ends_at_what_was_found(page, portal):
    page.goto(at("models/import/"))
    settings = {"training_type": "CL", "model_type": "?", "training_params": fake_kernels.params()}
    weights = packed({"save/checkpoint.pth": b"\0" * SIZE})
    page.get_by_label("Model files").set_input_files(
        {"name": "slow.zip", "mimeType": "application/zip", "buffer": weights}
    )
    page.get_by_label("Settings file").set_input_files(
        {"name": "model.json", "mimeType": "application/json", "buffer": json.dumps(settings).encode()}
    )
    page.evaluate(
        """() => new MutationObserver(() => (window.told ||= []).push(document.querySelector(
            '[data-upload-progress] [role=status]').textContent)).observe(
            document.querySelector('[data-upload-progress]'), {subtree: true, childList: true, characterData: true})"""
    )
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", SLOW)
    page.get_by_role("button", name="Upload and look").click()
    bar = page.locator("[data-upload-progress] progress")
    wait_for("half of it to be sent", lambda: 0 < (bar.evaluate("bar => bar.value") or 0) < 100, pause=0.05)
    assert re.fullmatch(r"Sending: \d of 3 MB", page.locator("[data-upload-progress] [role=status]").inner_text())
    assert page.get_by_role("button", name=re.compile("Sending and reading|Upload and look")).is_disabled()
    page.get_by_role("heading", name=re.compile("^Import “")).wait_for()
    network.send("Network.emulateNetworkConditions", SLOW | {"uploadThroughput": -1})
    network.detach()
    page.get_by_role("button", name="Discard").click()
    page.locator("dialog[open]").get_by_role("button", name="Discard").click()
    page.wait_for_url(f"**{at('models/import/')}")


def test_name_and_description_are_changed_in_their_place(page, portal):
    model = portal.seeded["OD"]["model"]
    page.goto(at(f"models/{model}/"))
    page.evaluate("window.stays = true")
    before = page.locator("#model-name").inner_text()
    facts = page.locator("#model-facts")

    def save(name: str, description: str) -> None:
        if not facts.get_by_label("Name").is_visible():
            facts.get_by_text("Change name or description").click()
        facts.get_by_label("Name").fill(name)
        facts.get_by_label("Description").fill(description)
        with page.expect_response("**/edit/"):
            facts.get_by_role("button", name="Save").click()

    save("밸브 <b>검사</b>", "첫 줄\n둘째 줄")
    page.locator("#model-name", has_text="밸브 <b>검사</b>").wait_for()
    assert facts.locator("p.name").first.inner_text() == "첫 줄\n둘째 줄"
    assert not facts.get_by_label("Name").is_visible(), "it is folded again"
    save("seeded CL", "")
    facts.locator(".field-errors", has_text="is there already").wait_for()
    assert facts.get_by_label("Name").input_value() == "seeded CL", "what was typed stays"
    assert page.locator("#model-name").inner_text() == "밸브 <b>검사</b>"
    save(before, "")
    page.locator("#model-name", has_text=re.compile(f"^{before}$")).wait_for()
    assert page.evaluate("window.stays"), "the page was never left"


def test_what_is_hidden_stays_hidden_on_the_next_image_and_no_key_works_while_one_types(page, portal):
    ids = portal.seeded["OD"]
    page.goto(at(f"validations/{ids['validation']}/"))
    page.locator("#images .tile").first.click()
    page.wait_for_url("**/images/**")
    page.wait_for_load_state("load")
    truth = page.locator("[data-overlay-toggle=truth]")
    page.keyboard.press("g")
    assert (truth.get_attribute("aria-pressed"), page.locator("g.truth").is_visible()) == ("false", False)
    address = page.url
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: url != address)
    page.wait_for_load_state("load")
    assert not page.locator("g.truth").is_visible()
    score = page.get_by_label("Counted from a score of")
    score.focus()
    for key in ("g", "ArrowLeft"):
        page.keyboard.press(key)
    assert not page.locator("g.truth").is_visible()
    assert page.url != address
    score.blur()
    truth.click()
    assert page.locator("g.truth").is_visible()
    assert truth.get_attribute("aria-pressed") == "true"
    assert PROJECT in page.url
