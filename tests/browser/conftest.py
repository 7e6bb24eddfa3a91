"""A portal with web and worker for all journeys, and pages in a real Chromium whose console must stay empty."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.needs import need
from tests.portal import Portal

CHROMIUM = Path("/usr/bin/chromium")
HEADLESS = Path(
    "/usr/bin/chromium-headless-shell"
)  # the same without its own windows: much less work, where it is there
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
PASSWORD = "secret-for-tests"
PROJECT = "valves"

SEED = """
import json, pathlib
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("collectstatic", verbosity=0, interactive=False)
from jobs import following
from models_app.models import Validation
from models_app.orders import TrainOrder, ValidationOrder
from projects_app.models import Membership, ModelType, Project, User
from tests import fake_kernels, parts
project = Project.objects.create(code={project!r}, name="Valves 밸브")
bob = User.objects.create_user("bob", password={password!r})
Membership.objects.create(project=project, user=bob, role="manager")
found = {{}}
for kind in ("CL", "OD"):
    sets = parts.import_parts(project, bob, pathlib.Path({folder!r}) / kind, kind, name=f"seed-{{kind}}")
    model_type = ModelType.objects.get(project=project, training_type=kind)
    order = TrainOrder(project, model_type, fake_kernels.register(kind), [sets["train"]], [sets["val"]],
                       name=f"seeded {{kind}}", params=fake_kernels.params(rows=8))
    model = order.start(bob)
    following.run_here(model.job)
    validation = ValidationOrder(model.__class__.objects.get(pk=model.pk), model.kernel, [sets["val"]]).start(bob)
    following.run_here(validation.job)
    found[kind] = dict(model=model.pk, job=model.job_id, validation=validation.pk, kernel=model.kernel_id,
        dataset=sets["val"].pk, image=sets["val"].images.first().pk, type=model_type.pk,
        prediction=Validation.objects.get(pk=validation.pk).predictions.first().image_id)
from kernels_app.doctor.words import Line
lines = [Line("starts", "CL", "ok"), Line("inside", "CL", "remark", "It wrote " + "a/very/long/path" * 20),
    Line("results", "CL", "failed", "Missing", "validation"), Line("resume", "CL", "skipped", "There is none.")]
from kernels_app.models import Kernel
Kernel.objects.filter(pk=found["CL"]["kernel"]).update(checklist=[line.as_json for line in lines],
    origin={{"kind": "git", "url": "https://example.com/" + "x" * 200, "branch": "b", "commit": "c" * 40}})
print(json.dumps(found))
"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    need(CHROMIUM.exists() or HEADLESS.exists(), f"Chromium at {CHROMIUM}")
    from playwright.sync_api import sync_playwright

    look_once_it_is_there()
    with sync_playwright() as playwright:
        path = HEADLESS if HEADLESS.exists() else CHROMIUM
        browser = playwright.chromium.launch(executable_path=str(path), args=ARGUMENTS)
        yield browser
        browser.close()


def look_once_it_is_there() -> None:
    """A click or key that leads to another page comes back once that is read: on a busy machine Playwright's own comes
    back as soon as the address is the new one, while there is nothing of the page."""
    from playwright.sync_api import Locator

    def patiently(act: Callable[..., None]) -> Callable[..., None]:
        def acts(self: Any, *given: Any, **named: Any) -> None:
            act(self, *given, **named)
            self.page.wait_for_load_state("domcontentloaded")

        return acts

    for name in ("click", "press", "check", "uncheck", "select_option"):
        setattr(Locator, name, patiently(getattr(Locator, name)))


@pytest.fixture(scope="session")
def portal(chromium, tmp_path_factory) -> Iterator[Portal]:
    """Running, with a manager bob, and a trained and validated model of CL and of OD. `portal.seeded` has their ids."""
    folder = tmp_path_factory.mktemp("portal")
    portal = Portal(folder)
    seed = SEED.format(project=PROJECT, password=PASSWORD, folder=str(folder / "source"))
    portal.seeded = json.loads(portal.python(seed).splitlines()[-1])
    try:
        portal.start_worker()
        portal.start_web()
        yield portal
    finally:
        portal.stop()


@pytest.fixture(scope="session")
def session(chromium, portal) -> Any:
    """The cookies of bob, who logged in once: hashing a password takes its time."""
    context = chromium.new_context(base_url=portal.url, locale="en-US")
    log_in(context.new_page())
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def open_page(chromium, portal, session) -> Iterator[Callable[..., Any]]:
    """A page of a fresh browser, of bob unless `stranger`; at the end its console must be empty."""
    said: list[str] = []
    contexts = []

    def make(*, stranger: bool = False, **options: Any) -> Any:
        state = None if stranger else session
        context = chromium.new_context(base_url=portal.url, locale="en-US", storage_state=state, **options)
        contexts.append(context)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if is_bad(message) else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("response", lambda got: said.append(f"{got.status} {got.url}") if got.status >= 500 else None)
        return page

    make.said = said
    yield make
    for context in contexts:
        context.close()
    assert not said, "the browser's console"


def is_bad(message: Any) -> bool:
    """A form that is answered with 422 is no fault, though Chromium reports it; nor is a check that a newer one
    replaced, though htmx does."""
    fine = ("status of 422", "htmx:sendAbort", "htmx:afterRequest")
    return message.type in ("error", "warning") and not any(words in message.text for words in fine)


def log_in(page: Any, user: str = "bob") -> None:
    page.goto("/login/")
    page.get_by_label("Username").fill(user)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/p/**")


def without_polls(page: Any) -> None:
    """Nothing asks the server by itself any more, as what runs is asked for: only what the test does counts."""
    page.evaluate("for (const one of document.querySelectorAll('[hx-trigger*=every]')) one.remove()")


def at(path: str) -> str:
    return f"/p/{PROJECT}/{path}"


def pack(folder: Path, target: Path) -> Path:
    """A zip of all files below `folder`."""
    with zipfile.ZipFile(target, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    return target


def wait_for(what: str, look: Callable[[], Any], patience: float = 60.0, pause: float = 0.3) -> Any:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
        time.sleep(pause)
    return found


@contextmanager
def answered(page: Any, path: str) -> Iterator[None]:
    """What is done inside asks the server for `path`; at the end the page has taken the answer in, which it does some
    time after it came."""
    with page.expect_response(path):
        yield
    wait_until(page, "() => !document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")


def wait_until(page: Any, script: str) -> None:
    """Until `script`, an expression or a function without arguments, is true in the page. The page's own way of waiting
    would evaluate it inside the page, which the content security policy forbids unless it is true at the first look."""
    wait_for(script, lambda: page.evaluate(script), patience=20, pause=0.05)
