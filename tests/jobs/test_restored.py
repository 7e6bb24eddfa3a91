"""After a restore from a backup: numbers that folders have are not given again, and who still runs is fenced off."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from jobs import ingest, logmetrics, queue, restored, runfolder, runner
from jobs.models import Host, Job, State


@pytest.fixture
def waiting(submit) -> Job:
    return submit()


def test_a_number_that_a_folder_has_is_not_given_again(waiting, submit, home):
    ahead = waiting.pk + 1000  # the database gives numbers across tests, however many those before took
    for name in (f"runs/{ahead}", f"runs/{ahead + 1}.3", "runs/none", "runs/.draft", f"runs/{10**30}"):
        (home / name).mkdir(parents=True)
    restored.settle()
    assert submit().pk == ahead + 2


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


@pytest.fixture
def measured(waiting, host) -> Job:
    """It runs; a metrics file, a graph out of the log and a status line were read, and one line was none."""
    assert queue.claim(waiting, host)
    waiting.move((State.STARTING,), State.RUNNING, epoch=waiting.epoch, who="")
    metrics = runfolder.output(waiting) / "save" / "metrics"
    metrics.mkdir(parents=True)
    (metrics / "loss.csv").write_text("step,train\n1,0.5\n2,0.25\n")
    logmetrics.keep(runfolder.of(waiting), [{"name": "speed", "regex": "speed=([0-9]+)"}])
    runfolder.log(waiting).write_text("speed=10\nspeed=20\n")
    (runfolder.of(waiting) / runfolder.STATUS).write_text("nonsense\n")
    read(waiting)
    return Job.objects.get()


def read(job: Job) -> None:
    """What a new runner of it does."""
    job = Job.objects.get(pk=job.pk)
    ingest.Ingest(job, runfolder.of(job), runfolder.output(job), lambda: None).step()


def drawn(chart: str) -> list[tuple[float, float, float]]:
    return list(Job.objects.get().points.filter(chart=chart).order_by("pk").values_list("x", "value", "t"))


def values(chart: str) -> list[tuple[float, float]]:
    return [(x, value) for x, value, _t in drawn(chart)]


def test_what_a_runner_wrote_behind_a_gap_is_read_again(measured):
    before = values("loss"), values("speed")
    for chart in ("loss", "speed"):  # the runner of the present had read on, of which the backup knows only the end
        measured.points.filter(chart=chart, x=1).delete()
    restored.settle()
    for _ in range(2):
        read(measured)
        assert (values("loss"), values("speed")) == before
        assert Job.objects.get().bad_lines == 1


def test_a_job_whose_files_were_all_read_ends_with_its_graphs(measured):
    before = drawn("loss"), drawn("speed")
    measured.move((State.RUNNING,), State.FINALIZING, epoch=measured.epoch, who="", kernel_done=True, exit_code=0)
    restored.settle()
    job = Job.objects.get()
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert (job.state, job.bad_lines) == (State.SUCCEEDED, 1)
    assert (drawn("loss"), drawn("speed")) == before


@pytest.mark.parametrize("state", [State.RUNNING, State.QUEUED])
def test_what_nobody_reads_again_stays_as_it_was(measured, alice, state):
    """Its host never comes back, or it is cancelled while it waits."""
    before = drawn("loss"), drawn("speed")
    Job.objects.update(state=state)
    restored.settle()
    job = Job.objects.get()
    job.request_cancel(alice)
    job.move((state,), State.CANCELLED, who="worker")
    assert Job.objects.get().state == State.CANCELLED
    assert [len(points) for points in before] == [2, 2]
    assert (drawn("loss"), drawn("speed")) == before
