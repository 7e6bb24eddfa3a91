"""The log in a real browser: it follows until one scrolls up, filters without losing its place, and harms nobody."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.browser.conftest import at, wait_for

pytestmark = pytest.mark.browser

JOB = """
import json
from datetime import timedelta
from django.utils import timezone
from jobs import runfolder
from jobs.models import Job, State
from projects_app.models import Project
at = timezone.now()
job = Job.objects.create(project=Project.objects.get(code="valves"), kind="training", title="a log", created_at=at,
    state=State.RUNNING, queued_at=at, started_at=at, lease_until=at + timedelta(days=1))
path = runfolder.log(job)
path.parent.mkdir(parents=True)
with path.open("wb") as file:
    for n in range(300):
        file.write(f"line {{n}} fine\\n".encode())
    file.write({extra!r})
print(json.dumps([job.pk, str(path)]))
"""
STATE = """() => { const log = document.querySelector('[data-log]');
  return { rest: Math.round(log.scrollHeight - log.scrollTop - log.clientHeight), top: log.scrollTop,
           button: !document.querySelector('[data-log-end]').hidden,
           shown: [...log.querySelectorAll('.line:not([hidden])')].map((line) => line.textContent.trim()) } }"""


@pytest.fixture
def running(portal):
    """A job that runs, as far as its row says; what is written to its log."""
    made = []

    def make(extra: bytes = b""):
        pk, path = json.loads(portal.python(JOB.format(extra=extra)).splitlines()[-1])
        made.append(pk)

        def write(text: str) -> None:
            with Path(path).open("ab") as file:
                file.write(text.encode())

        return pk, write

    yield make
    ended = f"from jobs.models import Job; Job.objects.filter(pk__in={made}).update(state='CANCELLED', host=None)"
    portal.python(ended)


def test_it_follows_until_one_scrolls_up_and_the_button_leads_back(open_page, running):
    pk, write = running()
    page = open_page()
    page.goto(at(f"jobs/{pk}/"))
    assert page.evaluate(STATE)["rest"] < 24
    write("new 1\n")
    wait_for("the new line", lambda: "new 1" in page.evaluate(STATE)["shown"])
    assert page.evaluate(STATE)["rest"] < 24
    page.evaluate("document.querySelector('[data-log]').scrollTop = 100")
    wait_for("the button", lambda: page.evaluate(STATE)["button"])
    write("new 2\n")
    wait_for("the next line", lambda: "new 2" in page.evaluate(STATE)["shown"])
    assert page.evaluate(STATE)["top"] == 100  # what one reads stays where it is
    page.get_by_role("button", name="Jump to the end").click()
    write("new 3\n")
    wait_for("the last line", lambda: "new 3" in page.evaluate(STATE)["shown"])
    found = page.evaluate(STATE)
    assert (found["rest"] < 24, found["button"]) == (True, False)


def test_a_filter_hides_what_comes_too_and_following_stays(open_page, running):
    pk, write = running()
    page = open_page()
    page.goto(at(f"jobs/{pk}/"))
    page.get_by_label("Words in the log").fill("FINE")
    assert len(page.evaluate(STATE)["shown"]) == 300
    page.get_by_label("Words in the log").fill("line 77")
    assert page.evaluate(STATE)["shown"] == ["line 77 fine"]
    write("line 77 again\nsomething else\nERROR: line 77 is broken\n")
    wanted = ["line 77 fine", "line 77 again", "ERROR: line 77 is broken"]
    wait_for("what comes", lambda: page.evaluate(STATE)["shown"] == wanted)
    assert "3 of 303 lines here" in page.locator("[data-log-count]").inner_text()
    page.get_by_label("Level").select_option("error")
    assert page.evaluate(STATE)["shown"] == ["ERROR: line 77 is broken"]
    page.get_by_label("Words in the log").fill("")
    page.get_by_label("Level").select_option("")
    found = page.evaluate(STATE)
    assert (len(found["shown"]), found["rest"] < 24, found["button"]) == (303, True, False)
    write("the end\n")
    wait_for("the end", lambda: "the end" in page.evaluate(STATE)["shown"])
    assert page.evaluate(STATE)["rest"] < 24


def test_who_reads_above_keeps_the_place_when_a_filter_changes(open_page, running):
    pk, _write = running()
    page = open_page()
    page.goto(at(f"jobs/{pk}/"))
    first = """() => { const log = document.querySelector('[data-log]'), top = log.getBoundingClientRect().top;
      return [...log.querySelectorAll('.line:not([hidden])')].find((l) => l.getBoundingClientRect().bottom > top + 1)
        .textContent.trim() }"""
    page.evaluate("document.querySelector('[data-log]').scrollTop = 2000")
    wait_for("the button", lambda: page.evaluate(STATE)["button"])
    before = page.evaluate(first)
    page.get_by_label("Words in the log").fill("fine")
    assert page.evaluate(first) == before
    assert page.evaluate(STATE)["button"]


def test_a_bar_moves_in_its_place(open_page, running):
    pk, write = running()
    page = open_page()
    page.goto(at(f"jobs/{pk}/"))
    rest = page.locator(".log-rest")
    for text in ("10%|#", "\r20%|##", "\r30%|###"):
        write(text)
        wait_for(text, lambda text=text: rest.inner_text() == text.strip())
    write("\n")
    wait_for("the line", lambda: page.evaluate(STATE)["shown"][-1] == "30%|###")
    assert rest.inner_text() == ""


def test_what_a_program_writes_cannot_become_part_of_the_page(open_page, running):
    evil = (
        b'<img src=x onerror="document.title=1">\n<b hx-get="/logout/" hx-trigger="load">x</b>\n'
        b"\x1b]8;;https://evil.example/\x1b\\link\x1b]8;;\x1b\\ \x1b[31mred\x1b[0m\n"
        + bytes(range(256)) * 20 + b"\n" + b"y" * 20_000 + b"\n\xe2\x80\xaedesrever\n"
    )  # fmt: skip
    pk, _write = running(evil)
    page = open_page(viewport={"width": 390, "height": 844})
    page.goto(at(f"jobs/{pk}/"))
    page.wait_for_timeout(300)  # ms: whatever would run does
    shown = page.evaluate(STATE)["shown"]
    assert '<img src=x onerror="document.title=1">' in shown
    assert "link red" in shown
    assert "desrever" in shown
    assert page.locator("[data-log] img, [data-log] b, [data-log] a").count() == 0
    assert any("bytes that are no text" in line for line in shown)
    assert any("cut: the line has 20000 characters" in line for line in shown)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) == 0


def test_the_whole_log_needs_no_scripts(open_page, running):
    pk, _write = running(b"ERROR: the disk\nlast\n")
    page = open_page(java_script_enabled=False)
    page.goto(at(f"jobs/{pk}/"))
    page.get_by_label("Words in the log").fill("disk")
    page.get_by_role("button", name="Search all").click()
    page.get_by_text("1 line found").wait_for()
    page.get_by_role("link", name="ERROR: the disk").click()
    assert page.locator("#marked").inner_text().strip() == "ERROR: the disk"
    assert page.locator("#marked").is_visible()
