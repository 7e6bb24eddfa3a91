"""A portal for each case, the invariants after it, and dice that a seed decides."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from kernels_app import registry
from projects_app.models import ModelType
from tests.faults import invariants
from tests.faults.harness import REPOSITORY, Portal, Shop, Standing
from tests.faults.proxy import Proxy
from tests.parts import import_parts

PROGRAM = {"train.py": "kernel.py", "parts.py": "kernel_parts.py", "hostile.py": "kernel_hostile.py"}
SCHEMA = {
    "type": "object",
    "required": ["training_type", "model_type", "training_params"],
    "properties": {
        "training_type": {"const": "CL"},
        "model_type": {"type": "string"},
        "supported_gpu_count": {"type": "integer", "minimum": 1, "maximum": 8},
        "training_params": {
            "type": "object",
            "properties": {
                "behaviour": {"type": "string", "default": "good"},
                "steps": {"type": "integer", "default": 20},
            },
        },
    },
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("faults")
    group.addoption("--faults-seed", default="0", help="decides when things happen in the cases of tests/faults")
    group.addoption("--faults-shuffle", action="store_true", help="and in which order the cases come")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files in an order of chance, and the cases of each: they share a worker."""
    if config.getoption("--faults-shuffle", False):
        dice = random.Random(config.getoption("--faults-seed", "0"))
        files = {item.path: dice.random() for item in items}
        order = {item: (files[item.path], dice.random()) for item in items}
        items.sort(key=order.__getitem__)


@pytest.fixture(scope="session")
def diary(django_db_setup, django_db_blocker) -> None:
    with django_db_blocker.unblock():
        invariants.keep_diary()


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """The TRAINPORTAL_HOME of all cases of a file: processes that outlive a case know of one alone."""
    return tmp_path_factory.mktemp("portal") / "home"


@pytest.fixture
def home(home, place, settings) -> Path:
    """Empty but for what a worker that stands has there."""
    (place / "faults").mkdir(parents=True, exist_ok=True)
    for path in [*place.iterdir(), *(place / "faults").iterdir()]:
        if path.suffix == ".out":
            os.truncate(path, 0)
        elif path.name != "faults" and not path.name.startswith(("worker-", "rest-")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    settings.TRAINPORTAL_HOME = place
    return place


@pytest.fixture(scope="module")
def standing(place) -> Iterator[Standing]:
    made = Standing()
    yield made
    made.end()


@pytest.fixture
def dice(request) -> random.Random:
    """When things happen: the same for the same seed and case."""
    return random.Random(f"{request.config.getoption('--faults-seed', '0')}:{request.node.name}")


@pytest.fixture
def on_postgresql() -> None:
    """For cases of a server; it comes first among the fixtures, so that a skip costs nothing."""
    if connection.vendor != "postgresql":
        pytest.skip("a case of PostgreSQL")


@pytest.fixture
def on_sqlite() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("a case of SQLite")


@pytest.fixture
def kernel_toml() -> str:
    return ""


@pytest.fixture
def shop(transactional_db, project, dev, tmp_path, kernel_toml) -> Shop:
    found = import_parts(project, dev, tmp_path / "source", each=1)
    package = {
        "kernel.toml": ('name = "faults"\nversion = "1"\n' + kernel_toml).encode(),
        "model_schema.json": json.dumps(SCHEMA).encode(),
    }
    for place, name in PROGRAM.items():
        package[place] = (REPOSITORY / "tests" / "faults" / name).read_bytes()
    kernel = registry.register(package, is_bundled=True)
    model_type = ModelType.objects.get(project=project, training_type="CL")
    return Shop(project, dev, model_type, kernel, found["train"], found["val"])


@pytest.fixture
def portal(home, shop, diary, settings, standing):
    """The portal of the case; two stub GPUs on every host."""
    settings.JOB_LEASE = 1.0
    invariants.forget_diary()
    made = Portal(home, shop, standing)
    made.file("gpus", "2")
    yield made
    made.close()


@pytest.fixture
def proxied(portal) -> Portal:
    """The same, its processes behind a door in front of PostgreSQL."""
    if connection.vendor == "postgresql":
        given = connection.settings_dict
        portal.proxy = Proxy(given["HOST"], int(given["PORT"] or 5432))
    else:
        portal.more["FAULTS_SQLITE_TIMEOUT"] = "0.5"
    return portal


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    """The invariants, after every case that has a portal."""
    result = yield
    portal = getattr(item, "funcargs", {}).get("portal")
    if isinstance(portal, Portal):
        found = invariants.violations(portal)
        unexpected = [text for text in found if not text.startswith(tuple(portal.allowed) or "-")]
        assert portal.is_ablated or not unexpected, "\n".join(unexpected)
        for name in portal.allowed:
            assert any(text.startswith(name) for text in found), f"the checker did not see {name}"
    return result


def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> None:
    """What the portal's processes said, with a case that failed."""
    portal = getattr(item, "funcargs", {}).get("portal")
    if call.when == "call" and call.excinfo is not None and isinstance(portal, Portal):
        for path in sorted([*portal.home.glob("*.out"), *portal.home.glob("runs/*/runner.log")]):
            item.add_report_section("call", path.name, path.read_text(errors="replace")[-4000:])
