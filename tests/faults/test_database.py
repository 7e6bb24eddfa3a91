"""The database is away, locked, full, or answers no more at the worst moment. Kernels do not care; rows catch up."""

from __future__ import annotations

import os
import signal
import time

import pytest
from django.db import connection

from jobs.models import Job, State
from tests.faults.harness import WITHIN, words
from tests.faults.invariants import lives

pytestmark = pytest.mark.django_db(transaction=True)
AWAY = float(os.environ.get("FAULTS_AWAY", "1.5"))  # seconds


def test_f18_a_database_that_is_away_while_it_trains_costs_nothing(proxied):
    portal = proxied
    portal.worker()
    job = portal.at_step(portal.train(), 3)
    with portal.outage():
        time.sleep(AWAY)
    portal.at_step(job, (job.step or 0) + int(AWAY / 0.2))  # and those of the time in which nobody could hear of them
    portal.finish(job)
    [life] = lives(portal.home).values()
    assert life.steps == list(range(1, len(life.steps) + 1))
    assert (job.epoch, job.resumes) == (1, 0)


def test_f18c_a_network_that_swallows_everything_for_a_while_neither(on_postgresql, proxied):
    portal = proxied
    portal.worker()
    job = portal.at_step(portal.train(), 3)
    portal.proxy.mute()
    time.sleep(AWAY)
    portal.proxy.mend()
    portal.at_step(job, (job.step or 0) + 3)
    portal.finish(job)
    assert job.resumes == 0


def test_f19_a_database_that_is_away_just_when_the_kernel_ends_hears_of_it_later(proxied):
    portal = proxied
    portal.worker()
    job = portal.at_step(portal.train(), 3)
    with portal.outage():
        (portal.home / "runs" / str(job.pk) / "out" / "enough").touch()
        portal.wait("the kernel to end", lambda: (portal.home / "runs" / str(job.pk) / "exit.json").exists())
        time.sleep(0.5)
    portal.until(job, State.SUCCEEDED)
    assert (job.exit_code, job.epoch) == (0, 1)


@pytest.mark.parametrize("state", [State.STARTING, State.RUNNING, State.FINALIZING, State.SUCCEEDED])
def test_f20_an_answer_that_is_lost_after_the_commit_changes_nothing(portal, state):
    """Whoever asked finds its own work done, and goes on."""
    who = "worker" if state == State.STARTING else "runner"
    portal.point("commit", who=who, sql=f"state becomes {state.value}", when="commit", do="lose")
    portal.worker()
    job = portal.until(portal.train(steps=3), State.SUCCEEDED)
    assert portal.happened("commit")
    assert job.events.filter(new=state).exclude(old=state).count() == 1
    assert len(lives(portal.home)) == 1


def test_f21_a_writer_that_locks_sqlite_for_longer_than_anybody_waits_stops_nothing(on_sqlite, proxied):
    portal = proxied
    portal.worker()
    job = portal.at_step(portal.train(), 2)
    with portal.outage():
        time.sleep(AWAY)
    waiting = portal.train(steps=2)
    portal.finish(job)
    portal.until(waiting, State.SUCCEEDED)


def test_f41_a_database_whose_disk_is_full_takes_up_again_when_there_is_room(portal):
    """Stub: every write fails as it does on a full disk."""
    portal.tend()
    job = portal.at_step(portal.train(), 3)
    full = portal.file("full", "")
    time.sleep(0.5)  # for what was on its way
    step = Job.objects.get(pk=job.pk).step
    time.sleep(AWAY)
    assert Job.objects.get(pk=job.pk).step == step
    full.unlink()
    portal.at_step(job, (step or 0) + 3)
    portal.finish(job)
    assert (job.epoch, job.resumes) == (1, 0)


def test_f13b_a_worker_that_waits_for_the_database_ends_in_five_seconds_all_the_same(proxied):
    portal = proxied
    portal.more["FAULTS_SQLITE_TIMEOUT"] = "20"
    worker = portal.worker(queue=True)
    job = portal.at_step(portal.train(), 2)
    with portal.outage() if not portal.proxy else portal.muted():
        time.sleep(1)
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
        assert time.monotonic() - began < WITHIN
        assert not [process for process in portal.all() if "qcluster" in words(process)]
    portal.finish(job)


def test_f53_four_workers_and_a_busy_web_on_one_sqlite_never_say_that_it_is_locked(on_sqlite, portal, browse):
    """Nobody who looks at a page gets an error, and no process logs one."""
    hosts = ["alpha", "beta", "gamma", "delta"]
    portal.file("gpus", "1")
    for host in hosts:
        portal.worker(host)
    jobs = [portal.train(steps=30) for _ in hosts]
    answers = browse(jobs)
    portal.end(*jobs)
    assert {job.state for job in jobs} == {State.SUCCEEDED}
    codes = answers()
    assert set(codes) == {200}
    assert len(codes) > 20
    said = [path.read_text() for path in [*portal.home.glob("*.out"), *portal.home.glob("runs/*/runner.log")]]
    assert not [text for text in said if "locked" in text]


@pytest.fixture
def browse(portal, alice, client_of):
    """A web server, and two people who look at pages all the time; what they were answered, in the end."""
    import threading
    import urllib.error
    import urllib.request

    from django.conf import settings

    cookie = client_of(alice).cookies[settings.SESSION_COOKIE_NAME].value
    process, address = portal.web()
    codes: list[int] = []
    ending = threading.Event()

    def look(paths: list[str]) -> None:
        while not ending.is_set():
            for path in paths:
                request = urllib.request.Request(
                    f"{address}{path}", headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}={cookie}"}
                )
                try:
                    with urllib.request.urlopen(request, timeout=60) as answer:
                        codes.append(answer.status)
                except urllib.error.HTTPError as error:
                    codes.append(error.code)
                except OSError:
                    time.sleep(0.1)  # the web is not up yet

    def start(jobs: list[Job]):
        code = portal.shop.project.code
        paths = [
            f"/p/{code}/jobs/",
            *(job.get_absolute_url() for job in jobs),
            *(m.get_absolute_url() for m in portal.models),
        ]
        threads = [threading.Thread(target=look, args=(paths,)) for _ in range(2)]
        for thread in threads:
            thread.start()

        def end() -> list[int]:
            portal.wait("the web", lambda: len(codes) > 20)
            ending.set()
            for thread in threads:
                thread.join()
            return codes

        return end

    yield start
    ending.set()
    process.kill()
    connection.close()
