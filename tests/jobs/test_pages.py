"""The pages of jobs: what one sees while it waits, runs, fails and ends; each fragment stops its own polling."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from jobs import kinds, listing
from jobs.models import Host, Job, Lease, State
from jobs.templatetags.job_words import CANCEL, about_left, actor, kind_word, sentence
from projects_app.models import Project

HTMX = {"HX-Request": "true"}


class Toy:
    """A function kind that nobody runs here."""

    name = "toy"

    def run(self, job, progress):
        raise NotImplementedError

    def subject(self, job):
        return None


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    monkeypatch.setitem(kinds._kinds, "toy", Toy())


@pytest.fixture
def make(project):
    """Makes a job in a state."""

    def job(state: str = State.RUNNING, *, title: str = "toy job", project=project, **fields) -> Job:
        at = timezone.now()
        fields = {"created_at": at, "queued_at": at, "kind": "toy"} | fields
        return Job.objects.create(project=project, title=title, state=state, **fields)

    return job


@pytest.fixture
def host(db):
    return Host.objects.create(
        name="gpu-01",
        device_kind="gpu",
        devices=2,
        device_names=["H200", "H200"],
        seen_at=timezone.now(),
        free_bytes=2**40,
    )


@pytest.fixture
def page(client_of, vera):
    """The text of a page as the viewer sees it."""
    client = client_of(vera)

    def get(name: str, *args, headers=None, **query) -> str:
        return client.get(reverse(name, args=["valves", *args]), query, headers=headers or {}).content.decode()

    return get


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


# --- the list -------------------------------------------------------------------------------------------------------
def test_an_empty_list_says_the_first_step(page, project):
    html = page("jobs:list")
    assert "Nothing has run here yet" in html
    assert reverse("datasets:list", args=["valves"]) in html
    assert "No machine runs jobs yet" in html


def test_the_list_polls_only_while_something_is_active(page, make):
    make(State.SUCCEEDED)
    assert "every 3s" not in page("jobs:list")
    make(State.QUEUED)
    assert "every 3s" in page("jobs:list", state="SUCCEEDED")


def test_htmx_gets_the_rows_and_the_machines_but_no_page(page, make, host):
    make()
    html = page("jobs:list", headers=HTMX)
    assert "<html" not in html
    assert 'hx-swap-oob="true"' in html
    assert "gpu-01" in html


def test_what_runs_comes_first_then_the_queue_in_its_order_then_the_newest_end(page, make):
    now = timezone.now()
    make(State.SUCCEEDED, title="ended-1", ended_at=now)
    make(State.FAILED, title="ended-2", ended_at=now + timedelta(seconds=1))
    make(State.QUEUED, title="waits-2", queued_at=now)
    make(State.QUEUED, title="waits-1", queued_at=now - timedelta(minutes=5))
    make(State.QUEUED, title="waits-0", queued_at=now, priority=5)
    make(State.RUNNING, title="runs")
    order = re.findall(r">((?:runs|waits-\d|ended-\d))</a>", page("jobs:list"))
    assert order == ["runs", "waits-0", "waits-1", "waits-2", "ended-2", "ended-1"]
    assert re.findall(r"Next in line|\d jobs? ahead", page("jobs:list")) == [
        "Next in line",
        "1 job ahead",
        "2 jobs ahead",
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"state": "active"}, {"runs", "waits"}),
        ({"state": "running"}, {"runs"}),
        ({"state": "FAILED"}, {"failed"}),
        ({"state": "ended"}, {"failed"}),
        ({"q": "wAi"}, {"waits"}),
        ({"kind": "other"}, set()),
        ({"state": "nonsense"}, {"runs", "waits", "failed"}),
    ],
)
def test_filters(page, make, query, expected):
    for title, state in (("runs", State.RUNNING), ("waits", State.QUEUED), ("failed", State.FAILED)):
        make(state, title=title)
    html = page("jobs:list", **query)
    assert {title for title in ("runs", "waits", "failed") if f">{title}</a>" in html} == expected
    assert ("Nothing matches these filters" in html) == (not expected)


def test_only_ones_own(page, client_of, bob, make):
    make(title="of bob", created_by=bob)
    make(title="of nobody")
    html = client_of(bob).get(reverse("jobs:list", args=["valves"]), {"by": "me"}).content.decode()
    assert (">of bob</a>" in html, ">of nobody</a>" in html) == (True, False)


def test_pages_and_order_are_in_the_address(page, make):
    for n in range(25):
        make(State.SUCCEEDED, title=f"job-{n:02}")
    html = page("jobs:list", sort="title", page=2)
    assert re.findall(r">(job-\d\d)</a>", html) == [f"job-{n}" for n in range(20, 25)]
    assert page("jobs:list", page="x", size="7", sort="-nothing").count(">job-") == 20


def test_many_jobs_cost_no_more_queries(client_of, vera, make, django_assert_max_num_queries):
    for _n in range(60):
        make(State.QUEUED)
    client = client_of(vera)
    with django_assert_max_num_queries(20):
        client.get(reverse("jobs:list", args=["valves"]), {"size": 100})


def test_each_page_goes_on_where_the_last_one_ended_over_all_groups(page, make):
    now = timezone.now()
    for n in range(15):
        make(title=f"runs-{n:02}", started_at=now - timedelta(seconds=n))
        make(State.QUEUED, title=f"waits-{n:02}", queued_at=now + timedelta(seconds=n))
        make(State.SUCCEEDED, title=f"ended-{n:02}", ended_at=now - timedelta(seconds=n))
    found = []
    for n in (1, 2, 3):
        html = page("jobs:list", page=n)
        found += re.findall(r">((?:runs|waits|ended)-\d\d)</a>", html)
    assert found == [f"{name}-{n:02}" for name in ("runs", "waits", "ended") for n in range(15)]
    assert "Waiting, the first in line first" in html or "Ended, the latest first" in html


def test_ten_thousand_jobs_cost_few_queries_and_little_time(client_of, vera, project, django_assert_max_num_queries):
    now = timezone.now()
    usual = {"project": project, "kind": "toy", "devices": 1, "created_at": now, "queued_at": now}
    Job.objects.bulk_create(Job(title=f"ended {n}", state=State.SUCCEEDED, ended_at=now, **usual) for n in range(9600))
    Job.objects.bulk_create(Job(title=f"waits {n}", state=State.QUEUED, **usual) for n in range(400))
    client, url = client_of(vera), reverse("jobs:list", args=["valves"])
    client.get(url)
    for query in ({}, {"page": 300}, {"sort": "title"}, {"q": "ended 77"}, {"state": "QUEUED", "size": 100}):
        with django_assert_max_num_queries(24):
            began = time.process_time()
            assert client.get(url, query).status_code == 200
            assert time.process_time() - began < 1.0  # CPU seconds, so that a busy machine does not matter


def test_a_device_held_by_another_project_is_not_named(page, make, host, project):
    secret = make(title="secret work", project=Project.objects.create(code="other", name="Other"), host=host)
    mine = make(title="my work", host=host)
    Lease.objects.create(host=host, index=0, job=secret)
    Lease.objects.create(host=host, index=1, job=mine)
    html = page("jobs:list")
    assert "secret work" not in html
    assert "used by another project" in html
    assert html.count(">my work</a>") == 2


def test_a_silent_machine_says_how_to_start_it(page, host):
    Host.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    assert "This machine says nothing" in page("jobs:list")


def test_a_late_task_queue_shows(page, host):
    Host.objects.update(canary_at=timezone.now())
    assert "Task queue works" in page("jobs:list")
    Host.objects.update(canary_at=timezone.now() - timedelta(hours=1))
    assert "Task queue is slow" in page("jobs:list")


def test_the_top_bar_counts(page, make):
    make()
    make(State.QUEUED)
    assert "1 running, 1 waiting" in words(page("jobs:running"))


# --- one job --------------------------------------------------------------------------------------------------------
def test_waiting_says_the_place_and_what_is_missing(page, make, host):
    ahead = make(State.QUEUED, devices=1, queued_at=timezone.now() - timedelta(minutes=1))
    job = make(State.QUEUED, devices=2)
    Lease.objects.create(host=host, index=0, job=make(devices=1))
    html = page("jobs:status", job.pk)
    assert "1 job ahead" in html
    assert "It needs 2 GPUs, 1 free now" in html
    assert "Next in line" in page("jobs:status", ahead.pk)


def test_waiting_says_that_no_worker_runs(page, make):
    html = page("jobs:status", make(State.QUEUED).pk)
    assert "No worker is running" in html
    assert "manage.py worker" in html


def test_waiting_for_more_than_there_is_says_so(page, make, host):
    assert "no machine has more than 2" in page("jobs:status", make(State.QUEUED, devices=5).pk)


def test_running_shows_progress_step_time_and_estimate(page, make, host):
    job = make(
        percentage=50, step=1234, note="epoch 5 of 10", bad_lines=2, started_at=timezone.now() - timedelta(minutes=10)
    )
    html = words(page("jobs:status", job.pk))
    for text in ("50 %", "1,234", "epoch 5 of 10", "10 min", "about 10 min left", "2 lines of its status"):
        assert text in html


def test_a_failure_is_quoted_and_harmless(page, make):
    job = make(State.FAILED, message="ValueError: <script>alert(1)</script>\nsecond line", exit_code=3)
    html = page("jobs:detail", job.pk)
    assert "ValueError: &lt;script&gt;alert(1)&lt;/script&gt;<br>second line" in html
    assert "Exit code 3." in html


def test_the_status_polls_until_the_end_then_reloads_the_page(client_of, vera, make):
    job = make()
    url = reverse("jobs:status", args=["valves", job.pk])
    running = client_of(vera).get(url, headers=HTMX)
    assert "every 2s" in running.content.decode()
    assert "HX-Refresh" not in running
    Job.objects.update(state=State.SUCCEEDED)
    ended = client_of(vera).get(url, headers=HTMX)
    assert "every 2s" not in ended.content.decode()
    assert ended["HX-Refresh"] == "true"


def test_the_timeline_comes_along_only_with_news(page, make):
    job = make()
    job.record(None, State.QUEUED, who="bob")
    assert "job-timeline" in page("jobs:status", job.pk, events=0)
    assert "job-timeline" not in page("jobs:status", job.pk, events=1)
    assert "job-timeline" not in page("jobs:status", job.pk, events="x")


def test_events_are_in_words(page, make):
    job = make()
    job.record(State.QUEUED, State.STARTING, who="worker on gpu-01")
    job.record(State.RUNNING, State.RUNNING, who="bob", why="cancel asked")
    html = words(page("jobs:detail", job.pk))
    assert "the worker on gpu-01" in html
    assert "Cancelling was asked for" in html


def test_a_viewer_sees_no_cancel_button_and_a_labeller_does(page, client_of, bob, make):
    job = make(kind="training")
    assert "Cancel training" not in page("jobs:status", job.pk)
    html = client_of(bob).get(reverse("jobs:status", args=["valves", job.pk])).content.decode()
    assert "Cancel training" in html
    assert "Keep running" in html
    assert "hx-preserve" in html  # a poll must not take the button away from its open dialog


def test_cancel_without_scripts_and_with_htmx(client_of, bob, make):
    client = client_of(bob)
    waiting, running = make(State.QUEUED), make()
    answer = client.post(reverse("jobs:cancel", args=["valves", waiting.pk]), follow=True)
    assert "“toy job” was cancelled." in answer.content.decode()
    html = client.post(reverse("jobs:cancel", args=["valves", running.pk]), headers=HTMX).content.decode()
    assert "Cancelling …" in html
    assert "Cancel job" not in html
    running.refresh_from_db()
    assert running.cancel_requested_by == bob


def test_a_job_of_another_project_is_not_here(client_of, vera, make):
    job = make(project=Project.objects.create(code="other", name="Other"))
    for name in ("detail", "status", "log", "log_download", "metrics", "scores"):
        assert client_of(vera).get(reverse(f"jobs:{name}", args=["valves", job.pk])).status_code == 404


# --- words ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (10, "less than a minute left"),
        (12 * 60 + 20, "about 12 min left"),
        (3600, "about 1 h left"),
        (2 * 3600 + 17 * 60, "about 2 h 15 min left"),
    ],
)
def test_an_estimate_is_as_coarse_as_it_is_sure(seconds, text):
    assert about_left(seconds) == text


def test_every_kind_has_a_word_and_says_what_its_cancel_ends():
    registered = set(kinds._kinds) - {Toy.name}
    assert len(registered) >= 7
    assert registered == set(listing.KINDS) == set(CANCEL)


def test_unknown_words_stay_as_they_are():
    assert kind_word("some_kind") == "some kind"
    assert sentence("exit code 3") == "exit code 3"
    assert actor("bob") == "bob"
