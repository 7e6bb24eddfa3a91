"""From a row in a metrics file to its point on the page of a real browser."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from bench.portal import Portal
from bench.table import MeasurementFailed, Row, percentile
from jobs.models import Job

GOAL = 4.0  # seconds, p95
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAUSE = 0.5  # seconds between rows, on average; the kernel varies it, so that no poll keeps step with it

# Notes when each point is drawn: window.shown[x] = [y, seconds since the epoch]. Chart.js draws within update().
OBSERVER = """
window.shown = {};
let library;
Object.defineProperty(window, "Chart", {
  configurable: true,
  get: () => library,
  set(value) {
    library = value;
    const update = value.prototype.update;
    value.prototype.update = function (...given) {
      const result = update.apply(this, given);
      for (const { data } of this.data.datasets)
        for (const { x, y } of data) window.shown[x] ??= [y, Date.now() / 1000];
      return result;
    };
  },
});
"""

Seen = dict[str, tuple[float, float]]  # by step: when the row was written, when its point was seen


def run(portal: Portal) -> list[Row]:
    steps = portal.options.count(60, 16)
    form = portal.form(params={"steps": steps, "pause": PAUSE})
    watch, how = (_watch_browser, "Chromium") if CHROMIUM.exists() else (_watch_http, "HTTP polls: no Chromium here")
    opened, seen = watch(portal, lambda: portal.press_start(form), steps)
    # what was written before the page was open waited for the page, not for the portal
    delays = [shown - written for written, shown in seen.values() if written > opened]
    if len(delays) < steps / 2:
        raise MeasurementFailed(f"only {len(delays)} of {steps} rows were seen as they came")
    return [
        Row(f"metrics: row written → on the page, p95 ({how})", percentile(delays, 95), "s", GOAL),
        Row("metrics: row written → on the page, p50", percentile(delays, 50), "s"),
        Row("metrics: rows seen", len(delays), ""),
    ]


def _watch_browser(portal: Portal, start: Callable[[], Job], steps: int) -> tuple[float, Seen]:
    """When the page was open, and what it drew."""
    from playwright.sync_api import sync_playwright  # not there where there is no Chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context(base_url=f"http://127.0.0.1:{portal.port}")
        cookies = portal.browser.cookies.items()
        context.add_cookies([{"name": name, "value": value, "url": _address(portal)} for name, value in cookies])
        context.add_init_script(OBSERVER)
        page = context.new_page()
        page.goto("/healthz")  # the browser is warm
        job = start()
        page.goto(portal.model_page(job))
        opened, seen = time.time(), Seen()
        deadline = opened + 2 * steps * PAUSE + 60
        while len(seen) < steps and time.time() < deadline:  # the page reloads at the end: what was seen stays
            page.wait_for_timeout(300)
            for step, (written, shown) in page.evaluate("window.shown ?? {}").items():
                seen.setdefault(step, (written, shown))
        browser.close()
    portal.ended(job)
    return opened, seen


def _watch_http(portal: Portal, start: Callable[[], Job], steps: int) -> tuple[float, Seen]:
    """The page's own polls, without the page: every two seconds, from when the answer was there."""
    job = start()
    path = f"{portal.base}/jobs/{job.pk}/metrics/"
    opened, seen, cursor, active = time.time(), Seen(), 0, True
    while active and len(seen) < steps:
        answer = portal.browser.get(f"{path}?after={cursor}")
        if answer.status == 200:
            news = json.loads(answer.body)
            cursor, active = news["cursor"], news["active"]
            for x, y in (point for chart in news["charts"] for series in chart["series"] for point in series["points"]):
                seen.setdefault(str(x), (y, time.time()))
        time.sleep(2)
    portal.ended(job)
    return opened, seen


def _address(portal: Portal) -> str:
    return f"http://127.0.0.1:{portal.port}"
