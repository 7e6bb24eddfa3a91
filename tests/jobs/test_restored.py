"""After a restore from a backup: numbers that folders have are not given again, and who still runs is fenced off."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from jobs import restored, runfolder
from jobs.models import Host, Job, State


@pytest.fixture
def waiting(submit) -> Job:
    return submit()


def test_a_number_that_a_folder_has_is_not_given_again(waiting, submit, home):
    for name in ("runs/2000", "runs/2001.3", "runs/none", "runs/.draft", f"runs/{10**30}"):
        (home / name).mkdir(parents=True)
    restored.settle()
    assert submit().pk == 2002


def test_numbers_go_on_where_no_folder_is_higher(waiting, submit):
    restored.settle()
    assert submit().pk > waiting.pk


def test_what_waits_goes_on_in_a_folder_that_nobody_wrote_into(waiting):
    for name in (f"runs/{waiting.pk}", f"runs/{waiting.pk}.1"):
        (runfolder.of(waiting).parents[1] / name).mkdir(parents=True)
    restored.settle()
    waiting.refresh_from_db()
    assert (waiting.state, runfolder.of(waiting).name) == (State.QUEUED, f"{waiting.pk}.2")


def test_whoever_held_a_job_is_fenced_off_and_its_host_looks_around_first(waiting, host):
    assert waiting.move((State.QUEUED,), State.RUNNING, who="", epoch_up=True, host=host)
    call_command("after_restore")
    held = Job.objects.get()
    assert held.epoch > waiting.epoch + 100
    assert held.lease_until <= held.events.latest("pk").at
    assert held.events.latest("pk").why == "the database was restored from a backup"
    assert Host.objects.get().is_stale


def test_an_ended_job_is_left_alone(waiting, alice):
    waiting.request_cancel(alice)
    restored.settle()
    assert Job.objects.get().epoch == waiting.epoch
