"""Named people, a project, and a TRAINPORTAL_HOME of its own for every test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.utils import translation

from tests import needs

missed: list[str] = []  # skips for want of a tool or of data


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may not touch the database need not run on both."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if names.isdisjoint(("db", "transactional_db", "live_server")) and not item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.one_database)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    reason = str(report.longrepr[2]) if report.skipped and isinstance(report.longrepr, tuple) else ""
    if reason.removeprefix("Skipped: ").startswith(needs.MARK):
        missed.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where CI is set, nothing may be left untested in silence."""
    if missed and os.environ.get("CI") and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter) -> None:
    if missed and os.environ.get("CI"):
        terminalreporter.section("left untested for want of something: in CI this fails the run", red=True)
        for line in missed:
            terminalreporter.line(line)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings) -> Path:
    """An empty TRAINPORTAL_HOME."""
    settings.TRAINPORTAL_HOME = tmp_path / "home"
    settings.TRAINPORTAL_HOME.mkdir()
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    return settings.TRAINPORTAL_HOME


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A test that spoke Korean leaves no Korean behind for the next."""
    yield
    translation.deactivate()


@pytest.fixture
def project(db):
    from projects_app.models import Project

    return Project.objects.create(code="valves", name="밸브 검사 Valves")


@pytest.fixture
def person(db, project) -> Callable:
    """Makes a user, with a role in the project where one is named."""
    from projects_app.models import Membership, User

    def make(name: str, role: str | None = None):
        user = User.objects.create_user(name, password="secret-for-tests")
        if role:
            Membership.objects.create(project=project, user=user, role=role)
        return user

    return make


@pytest.fixture
def alice(person):
    """A manager."""
    return person("alice", "manager")


@pytest.fixture
def dev(person):
    """A developer."""
    return person("dev", "developer")


@pytest.fixture
def bob(person):
    """A labeller."""
    return person("bob", "labeller")


@pytest.fixture
def vera(person):
    """A viewer."""
    return person("vera", "viewer")


@pytest.fixture
def charlie(person):
    """A stranger: a user without any project."""
    return person("charlie")


@pytest.fixture
def client_of() -> Callable:
    """A test client, logged in as the person given."""
    from django.test import Client

    def make(user, **defaults):
        client = Client(**defaults)
        client.force_login(user)
        return client

    return make
