"""The line: fair between projects, moved to the front and back, and the same for the claim as for the page."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from jobs import dispatch, hosts, line, queue
from jobs.models import Host, Job, Lease, State
from jobs.waiting import Queue
from projects_app.models import Project
from tests.jobs import test_pages

toy, make, page = test_pages.toy, test_pages.make, test_pages.page  # fixtures


@pytest.fixture
def other(db):
    return Project.objects.create(code="other", name="Other")


@pytest.fixture
def four_slots(settings, host):
    settings.TRAINPORTAL_CPU_SLOTS = 4
    return hosts.beat()


@pytest.fixture
def wait(make, project):
    """Puts a job into the queue, a second after the one before it."""
    count = 0

    def waiting(title: str, *, of: Project = project, devices: int = 1, **fields) -> Job:
        nonlocal count
        count += 1
        at = timezone.now() - timedelta(seconds=1000 - count)
        return make(State.QUEUED, title=title, project=of, devices=devices, **({"queued_at": at} | fields))

    return waiting


def order() -> list[str]:
    titles = dict(Job.objects.values_list("pk", "title"))
    return [titles[place.pk] for place in line.places()]


# --- fair -----------------------------------------------------------------------------------------------------------
def test_projects_take_turns_and_each_keeps_its_own_order(wait, other):
    for n in range(3):
        wait(f"a{n}")
    wait("b0", of=other)
    wait("b1", of=other)
    assert order() == ["a0", "b0", "a1", "b1", "a2"]


def test_who_holds_least_goes_first(wait, make, other):
    make(State.RUNNING, devices=2)
    wait("a0")
    wait("b0", of=other)
    wait("b1", of=other)
    wait("b2", of=other)
    wait("b3", of=other)
    assert order() == ["b0", "b1", "a0", "b2", "b3"]  # it holds two, so it waits until the other has had two


def test_many_devices_count_as_many(wait, other):
    wait("a4", devices=4)
    wait("a1")
    for n in range(5):
        wait(f"b{n}", of=other)
    assert order() == ["a4", "b0", "b1", "b2", "b3", "a1", "b4"]


def test_imports_and_trainings_do_not_stand_in_each_others_way(wait, make, other):
    make(State.RUNNING, devices=0)
    wait("a training")
    wait("a import", devices=0)
    wait("b import", of=other, devices=0)
    ahead = {Job.objects.get(pk=place.pk).title: place.ahead for place in line.places()}
    assert ahead == {"a training": 0, "b import": 0, "a import": 1}


def test_a_job_of_many_devices_that_waited_too_long_keeps_them_free(wait, make, other, four_slots, settings):
    settings.JOB_PATIENCE = 60
    Lease.objects.create(host=four_slots, index=0, job=make(State.RUNNING, devices=1, host=four_slots))
    big = wait("big", of=other, devices=4)
    wait("small")
    assert Queue().reason(Job.objects.get(title="small")).startswith("The free devices are kept for a job of another")
    assert queue.claim_next(four_slots) is None
    Job.objects.filter(pk=big.pk).update(queued_at=timezone.now())
    assert queue.claim_next(four_slots).title == "small"


@pytest.mark.django_db(transaction=True)
def test_a_storm_of_workers_on_two_hosts_is_fair_and_gives_no_device_twice(
    project, other, alice, settings, monkeypatch
):
    """Each project has asked for more than there is: each gets half, whoever came first."""
    monkeypatch.setattr(dispatch, "spawn", lambda job: None)
    usual = {"device_kind": "cpu", "seen_at": timezone.now(), "devices": 4, "free_bytes": 2**40}
    two = [Host.objects.create(name=name, **usual) for name in ("one", "two")]
    for owner, count in ((project, 30), (other, 6)):
        for n in range(count):
            Job.submit(project=owner, kind="toy", title=f"{owner.code} {n}", created_by=alice, devices=1)
    errors: list[BaseException] = []

    def storm(host: Host) -> None:
        try:
            for _ in range(3):
                dispatch.fill(host)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=storm, args=(two[n % 2],)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(Lease.objects.values_list("host__name", "index")) == [
        (h, n) for h in ("one", "two") for n in range(4)
    ]
    held = Counter(Job.objects.filter(state=State.STARTING).values_list("project__code", flat=True))
    # two hosts may look at the same moment, so that one of them does not see what the other has just given
    assert held in ({"valves": 4, "other": 4}, {"valves": 5, "other": 3}, {"valves": 3, "other": 5})
    assert Lease.objects.values("job").distinct().count() == 8


# --- priority -------------------------------------------------------------------------------------------------------
def test_moved_to_the_front_it_goes_before_all_others_and_back_again(wait, other, alice):
    wait("a0")
    wait("b0", of=other)
    last = wait("a1")
    assert last.move_to_front(alice)
    assert order() == ["a1", "b0", "a0"]
    assert not last.move_to_front(alice)
    assert last.move_back(alice)
    assert order() == ["a0", "b0", "a1"]
    assert not last.move_back(alice)
    assert [event.why for event in last.events.all()] == ["moved to the front", "moved back to its place"]


def test_of_two_that_were_moved_in_a_project_the_later_goes_first_but_projects_still_take_turns(wait, other, alice):
    first, second = wait("a0"), wait("a1")
    theirs = wait("b0", of=other)
    for job in (first, second, theirs):
        assert job.move_to_front(alice)
    assert order() == ["a1", "b0", "a0"]


def test_what_runs_already_cannot_be_moved(make, alice):
    job = make(State.RUNNING)
    assert not job.move_to_front(alice)
    assert not job.events.exists()


def test_the_claim_follows_the_line(wait, other, four_slots, alice):
    wait("a0")
    wait("a1")
    wait("b0", of=other).move_to_front(alice)
    wait("b1", of=other)
    assert [queue.claim_next(four_slots).title for _ in range(4)] == ["b0", "a0", "a1", "b1"]


def test_a_manager_moves_it_on_the_page_and_nobody_else_may(wait, client_of, alice, bob, four_slots):
    wait("first")
    job = wait("second")
    url, lists = reverse("jobs:front", args=["valves", job.pk]), reverse("jobs:list", args=["valves"])
    client = client_of(alice)
    assert f'action="{url}"' in client.get(lists).content.decode()
    answer = client.post(url, {"next": f"{lists}?size=50"})
    assert answer["Location"] == f"{lists}?size=50"
    assert order() == ["second", "first"]
    page = client.get(job.get_absolute_url()).content.decode()
    assert "Moved to the front of the queue" in page
    assert "Back to its place" in page
    client.post(url, {"back": "1", "next": "https://evil.example/"})
    assert order() == ["first", "second"]
    assert client_of(bob).post(url).status_code == 403
    assert url not in client_of(bob).get(lists).content.decode()


def test_a_strange_address_to_go_on_to_is_not_followed(wait, client_of, alice):
    job = wait("one")
    url = reverse("jobs:front", args=["valves", job.pk])
    assert client_of(alice).post(url, {"next": "https://evil.example/"})["Location"] == job.get_absolute_url()


# --- what it waits for ----------------------------------------------------------------------------------------------
@pytest.fixture
def gpus(db):
    def host(name: str, devices: int, **fields) -> Host:
        usual = {"device_kind": "gpu", "seen_at": timezone.now(), "free_bytes": 2**40} | fields
        return Host.objects.create(name=name, devices=devices, **usual)

    return host


def test_it_says_what_it_needs_and_where_most_is_free(wait, make, gpus):
    small, large = gpus("alpha", 2), gpus("beta", 4)
    for index in range(3):
        Lease.objects.create(host=large, index=index, job=make(devices=1))
    Lease.objects.create(host=small, index=0, job=make(devices=1))
    job = wait("two", devices=2)
    assert Queue().reason(job) == "It needs 2 GPUs on one machine, at most 1 free now (beta). It starts by itself."
    Host.objects.filter(name="alpha").delete()
    assert Queue().reason(job) == "It needs 2 GPUs, 1 free now. It starts by itself."


def test_it_names_the_silent_machine_that_alone_has_enough(wait, gpus):
    gpus("alpha", 1)
    gpus("giant", 8, seen_at=timezone.now() - timedelta(hours=1))
    job = wait("eight", devices=8)
    assert "Only giant has so many, and says nothing" in Queue().reason(job)
    assert Queue().is_stuck(job)


def test_it_says_that_every_disk_is_nearly_full(wait, gpus):
    gpus("alpha", 2, free_bytes=2**20)
    job = wait("one")
    assert Queue().reason(job).startswith("It waits for disk: 1.0")
    assert Queue().is_stuck(job)
    gpus("beta", 1)
    assert "at most 0 free" not in Queue().reason(job)
    assert not Queue().is_stuck(job)


def test_a_machine_that_was_lost_counts_as_full_until_it_is_clean(wait, gpus):
    gpus("alpha", 2, is_stale=True)
    assert Queue().reason(wait("one")) == "It needs 1 GPU, 0 free now. It starts by itself."


def test_it_says_that_no_machine_is_large_enough(wait, gpus):
    gpus("alpha", 2)
    job = wait("many", devices=5)
    assert "no machine has more than 2: it cannot start" in Queue().reason(job)


def test_an_import_waits_for_other_imports(wait, make, gpus, settings):
    settings.JOB_FUNCTIONS = 1
    make(devices=0, host=gpus("alpha", 1))
    assert "1 import or the like runs at a time" in Queue().reason(wait("import", devices=0))


def test_cpu_slots_are_not_called_gpus(wait, four_slots):
    assert "CPU slots" in Queue().reason(wait("many", devices=9))


def test_it_waits_for_disk_and_nothing_is_claimed_meanwhile(wait, gpus, settings):
    host, job = gpus("alpha", 2, free_bytes=500 * 1024**2), wait("one")
    found = Queue()
    assert found.reason(job).startswith(
        "It waits for disk: 500.0\xa0MB are free on alpha, and nothing starts below 1.0"
    )
    assert found.is_stuck(job)
    assert queue.claim_next(host) is None
    roomy = gpus("beta", 1)
    assert Queue().reason(job) == "It starts in a moment, by itself."
    assert queue.claim_next(roomy) == job
