"""The live check of a training form with 60 settings: on the server, and in a real browser from key to message."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from bench.portal import Portal
from bench.table import MeasurementFailed, Row, percentile
from bench.web import query
from kernels_app import registry
from kernels_app.models import Kernel
from projects_app.models import ModelType

SETTINGS = 60
SERVER_GOAL, BROWSER_GOAL = 60.0, 250.0  # ms, p95
DEBOUNCE = 400.0  # ms, as the form says
CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

# Notes, from the last key typed: when the place for the error of this field has the value in it, in ms.
WATCH = """([name, given]) => new Promise((resolve, reject) => {
  const began = performance.now();
  const look = () => {
    const place = document.getElementById(`error-${name}`);
    if (place && place.textContent.includes(given))
      return requestAnimationFrame(() => resolve(performance.now() - began));
    if (performance.now() - began > 10000) return reject(new Error("no message"));
    setTimeout(look, 2);
  };
  look();
})"""


def run(portal: Portal) -> list[Row]:
    kernel = register()
    rows = _server(portal, kernel)
    return rows + (_browser(portal, kernel) if CHROMIUM.exists() else [])


def register() -> Kernel:
    """A kernel with settings of every usual kind."""
    kinds: list[dict[str, Any]] = [
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 0.01, "x-log": True},
        {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10},
        {"enum": ["small", "medium", "large"], "default": "small"},
        {"type": "boolean", "default": True},
        {"type": "string", "maxLength": 40, "pattern": "^[a-z ]*$", "default": "some words"},
        {"type": "array", "items": {"type": "integer"}, "maxItems": 8, "default": [1, 2, 3]},
    ]
    settings = {
        f"setting_{n:02}": kinds[n % len(kinds)] | {"title": f"Setting {n}", "x-advanced": n >= SETTINGS // 2}
        for n in range(SETTINGS)
    }
    params = {"type": "object", "additionalProperties": False, "required": ["setting_00"], "properties": settings}
    about = {"training_type": {"const": "CL"}, "model_type": {"type": "string"}, "training_params": params}
    schema = {"type": "object", "required": list(about), "additionalProperties": False, "properties": about}
    files = {
        "kernel.toml": b'name = "bench-form"\nversion = "1"\ndescription = "60 settings."\n',
        "model_schema.json": json.dumps(schema).encode(),
        "train.py": b"raise SystemExit('only for its form')\n",
    }
    return registry.register(files, is_bundled=True)


def _server(portal: Portal, kernel: Kernel) -> list[Row]:
    """The round trip of the check over HTTP on this machine, as a browser sends it."""
    form = [(name, value) for name, value in portal.form(kernel) if name not in ("start", "check", "act")]
    typed = [(name, value) for name, value in form if name != "params.setting_00"]
    took = []
    for n in range(portal.options.count(200, 20)):
        began = time.perf_counter()
        fields = [
            *typed,
            ("params.setting_00", str(n / 100)),
            ("typed", "params.setting_00"),
            ("shown", "params.setting_00"),
        ]
        answer = portal.browser.post(f"{portal.base}/models/train/check/", fields, htmx=True)
        took.append(1000 * (time.perf_counter() - began))
        if answer.status != 200 or b"error-params.setting_00" not in answer.body:
            raise MeasurementFailed(f"the check was answered with {answer.status}")
    return [
        Row(f"form: check of {SETTINGS} settings, whole round trip, p95", percentile(took, 95), "ms", SERVER_GOAL),
        Row("form: check, p50", percentile(took, 50), "ms"),
    ]


def _browser(portal: Portal, kernel: Kernel) -> list[Row]:
    from playwright.sync_api import sync_playwright  # not there where there is no Chromium

    address = f"http://127.0.0.1:{portal.port}"
    model_type = ModelType.objects.get(project=portal.project, code="PLATE_CL").pk
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        context = browser.new_context(base_url=address)
        cookies = portal.browser.cookies.items()
        context.add_cookies([{"name": name, "value": value, "url": address} for name, value in cookies])
        page = context.new_page()
        page.goto(f"{portal.base}/models/train/?{query(model_type=model_type, kernel=kernel.pk)}")
        field = page.locator("[name='params.setting_00']")
        took = []
        for n in range(portal.options.count(40, 6)):
            given = str(2 + n)  # each too large in its own way
            field.fill(given)
            took.append(page.evaluate(WATCH, ["params.setting_00", given]) - DEBOUNCE)
        browser.close()
    return [
        Row("form: key → message in Chromium after the debounce, p95", percentile(took, 95), "ms", BROWSER_GOAL),
        Row("form: key → message, p50", percentile(took, 50), "ms"),
    ]
