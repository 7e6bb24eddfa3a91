"""The database is restored from a backup while runners and kernels of later times live."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest
from django.db import OperationalError, connection, transaction

from jobs.models import Job, State
from tests.faults.invariants import DIARY, lives

pytestmark = pytest.mark.django_db(transaction=True)
TABLES = ("jobs_", "models_app_", "django_q_", DIARY)  # what changes in the case


def test_f52_after_a_restore_every_job_is_found_as_it_is_and_strangers_are_ended(portal, backup):
    """One runs on, one has ended since, one was started since, and one was ordered since: of that nobody knows."""
    portal.file("gpus", "2")
    worker = portal.worker()
    running, ended = portal.train(), portal.train()
    portal.at_step(running, 1), portal.at_step(ended, 1)
    waiting = portal.train()
    backup.take()
    portal.file("gpus", "4")
    stranger = portal.train()
    portal.finish(ended)
    portal.at_step(waiting, 2), portal.at_step(stranger, 1)
    worker.terminate()
    worker.wait(30)
    kernel = portal.started(running)

    backup.restore()
    assert not Job.objects.filter(pk=stranger.pk).exists()
    assert [Job.objects.get(pk=job.pk).state for job in (running, waiting)] == [State.RUNNING, State.QUEUED]
    assert portal.start(["after_restore"]).wait(60) == 0, (portal.home / "after_restore-alpha.out").read_text()
    portal.worker()
    portal.wait("the stranger to end", lambda: not portal.kernels(stranger))
    portal.until(ended, State.SUCCEEDED)
    portal.wait("the second kernel of what waited", lambda: portal.kernels(waiting))
    portal.until(waiting, State.RUNNING)
    portal.at_step(waiting, 1)
    portal.finish(running, waiting)
    assert (portal.started(running), running.resumes) == (kernel, 0)
    runs = [life.run for life in lives(portal.home).values()]
    assert [runs.count(str(job.pk)) for job in (running, ended, waiting, stranger)] == [1, 1, 2, 1]
    later = portal.train(steps=2)
    assert later.pk > stranger.pk
    portal.until(later, State.SUCCEEDED)


@pytest.fixture
def backup(portal, tmp_path) -> Iterator[SqliteBackup | PostgresBackup]:
    made = SqliteBackup(str(tmp_path / "backup.sqlite3")) if connection.vendor == "sqlite" else PostgresBackup()
    yield made
    made.forget()


class SqliteBackup:
    def __init__(self, place: str) -> None:
        self.place = place

    def take(self) -> None:
        self._copy(connection.settings_dict["NAME"], self.place)

    def restore(self) -> None:
        connection.close()
        self._copy(self.place, connection.settings_dict["NAME"])

    def forget(self) -> None:
        pass

    @staticmethod
    def _copy(source: str, target: str) -> None:
        with (
            contextlib.closing(sqlite3.connect(source)) as old,
            contextlib.closing(sqlite3.connect(target, timeout=60)) as new,
        ):
            old.backup(new)


class PostgresBackup:
    """The tables once more in another schema: a dump without the tools of the server."""

    def take(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE SCHEMA backup")
            for table in self._tables():
                cursor.execute(f'CREATE TABLE backup."{table}" AS TABLE "{table}"')

    def restore(self) -> None:
        """As a dump is loaded: without triggers and references in between, and the sequences as the rows have it.

        Runners of the present write meanwhile, and the server may choose this as the victim of a deadlock: again, then.
        """
        while True:
            with contextlib.suppress(OperationalError):
                self._load()
                return

    def _load(self) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for table in self._tables():
                cursor.execute(f'LOCK TABLE "{table}" IN ACCESS EXCLUSIVE MODE')
                cursor.execute(f'DELETE FROM "{table}"')
                cursor.execute(f'INSERT INTO "{table}" OVERRIDING SYSTEM VALUE SELECT * FROM backup."{table}"')
            cursor.execute("SELECT setval(pg_get_serial_sequence('jobs_job', 'id'), (SELECT max(id) FROM jobs_job))")

    def forget(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA IF EXISTS backup CASCADE")

    @staticmethod
    def _tables() -> list[str]:
        return [name for name in connection.introspection.table_names() if name.startswith(TABLES)]
