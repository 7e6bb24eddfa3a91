"""Who is next, and that no device is ever given twice."""

from __future__ import annotations

import ast
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs import dispatch, hosts, line, queue
from jobs.models import Host, Job, Lease, State


@pytest.fixture
def four_slots(settings, host):
    settings.TRAINPORTAL_CPU_SLOTS = 4
    return hosts.beat()


def test_the_oldest_job_that_fits_goes_first(submit, four_slots):
    first, second = submit(), submit()
    assert queue.claim_next(four_slots) == first
    assert queue.claim_next(four_slots) == second
    assert queue.claim_next(four_slots) is None


def test_a_job_that_does_not_fit_lets_a_smaller_one_pass(submit, four_slots):
    assert queue.claim(submit(devices=2), four_slots)
    big, small = submit(devices=3), submit(devices=1)
    assert queue.claim_next(four_slots) == small
    big.refresh_from_db()
    assert big.state == State.QUEUED


def test_a_job_that_waits_too_long_for_many_devices_blocks_younger_ones(submit, four_slots, settings):
    settings.JOB_PATIENCE = 60
    assert queue.claim(submit(devices=2), four_slots)
    big = submit(devices=3)
    Job.objects.filter(pk=big.pk).update(queued_at=timezone.now() - timedelta(hours=1))
    submit(devices=1)
    assert queue.claim_next(four_slots) is None


def test_a_claim_raises_the_epoch_and_leases_exactly_what_was_asked(submit, four_slots):
    job = submit(devices=3)
    assert queue.claim(job, four_slots)
    assert job.epoch == 1
    assert job.lease_until is not None
    assert list(job.leases.values_list("index", flat=True)) == [0, 1, 2]


def test_functions_need_no_device_but_are_limited(submit, host, settings):
    settings.JOB_FUNCTIONS = 1
    assert queue.claim(submit(devices=1), host)
    first, _second = submit(devices=0), submit(devices=0)
    assert queue.claim_next(host) == first
    assert queue.claim_next(host) is None


def test_the_place_in_the_queue_counts_those_before(submit):
    jobs = [submit() for _ in range(3)]
    function = submit(devices=0)
    places = {place.pk: place.ahead for place in line.places()}
    assert [places[job.pk] for job in (*jobs, function)] == [0, 1, 2, 0]


def test_a_claimed_job_is_not_claimed_again(submit, four_slots):
    job = submit()
    assert queue.claim(job, four_slots)
    assert not queue.claim(job, four_slots)
    assert Lease.objects.count() == 1


def test_ten_thousand_that_wait_cost_a_claim_no_more_queries_than_ten(submit, four_slots):
    """One that fits stands behind all that do not; and nothing fits."""
    pattern = submit(devices=4)
    assert queue.claim(submit(devices=1), four_slots)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert queue.claim_next(four_slots) is None
        return len(found)

    few = queries()
    fields = {f.attname: getattr(pattern, f.attname) for f in Job._meta.concrete_fields if f.attname != "id"}
    Job.objects.bulk_create(Job(**fields) for _ in range(10_000))
    assert queries() == few
    last = submit(devices=1)
    with CaptureQueriesContext(connection) as found:
        assert queue.claim_next(four_slots) == last
    assert len(found) < 40


@pytest.mark.django_db(transaction=True)
def test_a_storm_of_dispatchers_gives_no_device_twice_and_loses_none(submit, four_slots, monkeypatch):
    monkeypatch.setattr(dispatch, "spawn", lambda job: None)
    for _ in range(12):
        submit()
    errors: list[BaseException] = []

    def storm() -> None:
        try:
            for _ in range(3):
                dispatch.fill(Host.objects.get(pk=four_slots.pk))
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=storm) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(Lease.objects.values_list("index", flat=True)) == [0, 1, 2, 3]
    assert Job.objects.filter(state=State.STARTING).count() == 4
    assert set(Job.objects.filter(state=State.STARTING).values_list("epoch", flat=True)) == {1}


def test_nothing_but_numbers_goes_through_the_task_queue(settings):
    """What django-q2 carries is pickled: it is told which job, and everything else stands in the job's row."""
    calls = []
    for app in ("jobs", "datasets_app", "kernels_app", "models_app", "projects_app", "trainportal"):
        for path in (settings.BASE_DIR / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "async_task":
                    calls.append(node)
    assert len(calls) >= 4
    for call in calls:
        assert isinstance(call.args[0], ast.Constant)
        assert all(isinstance(given, ast.Attribute) and given.attr == "pk" for given in call.args[1:])
        assert {word.arg for word in call.keywords} <= {"cluster"}
