"""A program from its claim to its end: real processes, judged as the contract says."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError
from django.db.models import F

from jobs import ingest, locks, patience, queue, runfolder, runner
from jobs.kinds import Cancelled
from jobs.launchers import local
from jobs.launchers.errors import NotNow
from jobs.models import IngestCursor, Job, JobEvent, Lease, State
from tests.jobs.conftest import wait_for

SAY_DONE = "say(cmd='training_status', status='training_done')\n"


def test_a_program_that_says_done_and_exits_well_succeeds(run, script_kind):
    job = run(SAY_DONE)
    assert (job.state, job.exit_code, job.message, job.remark) == (State.SUCCEEDED, 0, "", "")
    assert job.percentage == 100
    assert script_kind.finished == [job.pk]


def test_each_change_of_state_is_an_event_with_its_author(run):
    job = run(SAY_DONE)
    steps = list(job.events.values_list("old", "new"))
    assert steps == [
        ("", "QUEUED"), ("QUEUED", "STARTING"), ("STARTING", "RUNNING"), ("RUNNING", "FINALIZING"),
        ("FINALIZING", "SUCCEEDED"),
    ]  # fmt: skip
    assert all(job.events.values_list("who", flat=True))


def test_the_devices_are_free_again_after_the_end(run):
    run(SAY_DONE)
    assert not Lease.objects.exists()


def test_exit_0_without_done_succeeds_with_a_remark(run):
    job = run("pass")
    assert job.state == State.SUCCEEDED
    assert "without saying" in job.remark


def test_done_and_then_a_crash_succeeds_with_a_remark(run):
    job = run(SAY_DONE + "sys.exit(9)")
    assert job.state == State.SUCCEEDED
    assert "exit code 9" in job.remark


def test_exit_3_fails_and_says_so(run, script_kind):
    job = run("sys.exit(3)")
    assert (job.state, job.exit_code) == (State.FAILED, 3)
    assert "exit code 3" in job.message
    assert script_kind.kept == [job.pk]


def test_an_error_message_is_final_whatever_comes_later(run):
    job = run("say(cmd='training_status', status='training_error', message='The disk is full.')\n" + SAY_DONE)
    assert (job.state, job.message) == (State.FAILED, "The disk is full.")


def test_the_failure_file_is_quoted_before_the_traceback(run):
    job = run("pathlib.Path('out/failure').write_text('No images.')\nraise ValueError('deep inside')")
    assert job.message == "No images."


def test_the_last_line_of_the_traceback_is_quoted(run):
    job = run("raise ValueError('learning rate too high')")
    assert job.message == "ValueError: learning rate too high"


def test_a_killed_program_names_the_signal(run):
    job = run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert job.state == State.FAILED
    assert "SIGKILL" in job.message


def test_results_that_are_not_there_fail_a_job_that_says_done(run):
    job = run(SAY_DONE, owes=["save/checkpoint.pth"])
    assert job.state == State.FAILED
    assert "save/checkpoint.pth" in job.message


def test_a_program_that_cannot_be_prepared_fails_with_its_reason(run):
    job = run("", refuse="The dataset is gone.")
    assert (job.state, job.message) == (State.FAILED, "The dataset is gone.")
    assert not Lease.objects.exists()


def test_the_environment_holds_nothing_of_the_portal(run, monkeypatch):
    monkeypatch.setenv("DATABASE_SECRET", "hush")
    job = run("import os; print(sorted(os.environ))\n" + SAY_DONE)
    assert "DATABASE_SECRET" not in runfolder.log(job).read_text()


def test_progress_and_metrics_are_read_while_it_runs_and_to_the_last_line(run):
    job = run(
        "metric('step,train_loss,val_loss\\n')\n"
        "for n in range(50):\n"
        "    metric(f'{n},{1 / (n + 1)},\\n')\n"
        "    say(cmd='training_status', status='training_ing', percentage=2 * n, step=n)\n"
        "metric('50,0.5,0.25')\n" + SAY_DONE
    )
    assert job.step == 49
    points = job.points.filter(series="val_loss").order_by("pk")
    assert points.count() == 51
    assert [points.first().value, points.last().value] == [None, 0.25]


def test_a_status_line_with_another_key_is_counted_and_changes_nothing(run):
    job = run("KEY = 'stolen'\nsay(cmd='training_status', status='training_error', message='x')\nsys.exit(0)")
    assert job.state == State.SUCCEEDED
    assert job.bad_lines == 1


def test_a_job_of_a_kind_that_nobody_knows_fails_and_says_so(submit, host, alice, client_of):
    job = submit("pass")
    Job.objects.filter(pk=job.pk).update(kind="from the future")
    assert queue.claim(job, host)
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert "from the future" in job.message
    assert client_of(alice).get(job.get_absolute_url()).status_code == 200


def test_an_earlier_holder_writes_nothing(submit, host):
    job = submit("pass")
    assert queue.claim(job, host)
    Job.objects.filter(pk=job.pk).update(epoch=job.epoch + 1)
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert job.state == State.STARTING
    assert not (runfolder.of(job) / "program.py").exists()


def test_a_second_runner_of_the_same_job_leaves_at_once(submit, host):
    job = submit("pass")
    assert queue.claim(job, host)
    folder = runfolder.of(job)
    folder.mkdir(parents=True)
    with locks.hold(folder / runfolder.RUNNER_LOCK):
        runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert job.state == State.STARTING


@pytest.mark.django_db(transaction=True)
def test_a_running_program_is_cancelled_with_sigterm_and_keeps_what_it_saved(submit, host, alice, script_kind):
    job = submit(
        "import signal, time\n"
        "def bye(*_): pathlib.Path('out/save/resume.pth').write_text('x'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, bye)\n"
        "metric('step,loss\\n1,2\\n')\n"
        "time.sleep(60)\n"
    )
    assert queue.claim(job, host)
    thread = threading.Thread(target=_run_in_thread, args=(job,))
    thread.start()
    wait_for(lambda: job.points.exists())
    job.request_cancel(by=alice)
    job.request_cancel(by=alice)  # a second click does no harm
    thread.join(20)
    job.refresh_from_db()
    assert (job.state, job.message) == (State.CANCELLED, "")
    assert (runfolder.output(job) / "save" / "resume.pth").exists()
    assert script_kind.kept == [job.pk]
    assert JobEvent.objects.filter(job=job, why="cancel asked", who="alice", old=F("new")).count() == 1
    assert not Lease.objects.exists()


def test_a_waiting_job_is_cancelled_at_once(submit, alice):
    job = submit()
    job.request_cancel(by=alice)
    assert job.state == State.CANCELLED


def test_an_ended_job_is_not_changed_by_a_late_cancel(run, alice):
    job = run(SAY_DONE)
    job.request_cancel(by=alice)
    assert (job.state, job.cancel_requested_at) == (State.SUCCEEDED, None)


def _run_in_thread(job: Job) -> None:
    from django.db import connection

    try:
        runner.run(job.pk, job.epoch)
    finally:
        connection.close()


HOSTILE = {
    "a file name that is no text": "open(b'out/save/metrics/\\xff\\xfe.csv', 'w').write('step,a\\n1,2\\n')",
    "a very long file name": "open('out/save/metrics/' + 'x' * 250 + '.csv', 'w').write('step,a\\n1,2\\n')",
    "NUL in a header": "open('out/save/metrics/n.csv', 'w').write('step,a\\0b\\n1,2\\n')",
    "a pipe instead of a file": "import os; os.mkfifo('out/save/metrics/pipe.csv')",
    "a link instead of a file": "import os; os.symlink('/etc/passwd', 'out/save/metrics/link.csv')",
    "a lone surrogate in a message": "say(cmd='training_status', status='training_ing', note='\\udcff')",
    "a percentage that is no number": "say(cmd='training_status', status='training_ing', percentage='\\udcff')",
}


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_a_kernel_writes_it_is_read_to_the_end(run, code):
    job = run(
        "pathlib.Path('out/save/metrics').mkdir(parents=True)\n" + code + "\nmetric('step,loss\\n1,2\\n')\n" + SAY_DONE
    )
    assert job.state == State.SUCCEEDED, job.message
    assert job.points.filter(chart="loss").count() == 1


@pytest.mark.parametrize("text", ["a\0b", "\udcff"], ids=["NUL", "surrogate"])
def test_an_error_message_that_no_database_takes_is_shown_all_the_same(run, text):
    job = run(f"say(cmd='training_status', status='training_error', message={'Disk ' + text!r})")
    assert job.state == State.FAILED
    assert job.message.startswith("Disk")
    job = run("pathlib.Path('out/failure').write_bytes(b'Bad \\0 \\xff file'); sys.exit(1)")
    assert job.message.startswith("Bad")


def test_a_failure_of_the_portal_s_own_ends_the_kernel_before_the_devices_are_free(submit, host, monkeypatch):
    job = submit("import time; time.sleep(60)")
    assert queue.claim(job, host)

    def broken(self, *, final=False):
        assert locks.is_held(runfolder.of(job) / "kernel.lock")
        raise RuntimeError("a defect in the portal")

    monkeypatch.setattr(ingest.Ingest, "step", broken)
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert "a defect in the portal" in job.message
    assert not locks.is_held(runfolder.of(job) / "kernel.lock")
    assert not Lease.objects.exists()


def test_results_that_cannot_be_kept_fail_the_job_and_free_its_devices(run, script_kind, monkeypatch):
    def full(job, folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(script_kind, "finish", full)
    monkeypatch.setattr(script_kind, "keep_partial", full)
    job = run(SAY_DONE)
    assert job.state == State.FAILED
    assert "No space left" in job.message
    assert not Lease.objects.exists()


def test_a_commit_that_fails_loses_neither_rows_nor_the_error(submit, host, monkeypatch):
    job = submit(
        "metric('step,loss\\n1,1\\n2,2\\n')\nsay(cmd='training_status', status='training_error', message='No.')\n"
        + SAY_DONE
    )
    assert queue.claim(job, host)
    save, failures = IngestCursor.save, [OperationalError("database is locked")] * 2

    def hiccup(self, *args, **kwargs):
        if failures:
            raise failures.pop()
        return save(self, *args, **kwargs)

    monkeypatch.setattr(IngestCursor, "save", hiccup)
    monkeypatch.setattr(patience.connections, "close_all", lambda: None)
    monkeypatch.setattr(patience.time, "sleep", lambda seconds: None)
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert failures == []
    assert (job.state, job.message) == (State.FAILED, "No.")
    assert list(job.points.order_by("pk").values_list("value", flat=True)) == [1, 2]


def test_a_cancel_that_comes_after_the_end_changes_nothing(submit, host, alice, script_kind, monkeypatch):
    job = submit("pass")
    assert queue.claim(job, host)
    check = script_kind.check

    def late_click(job, folder):
        Job.objects.get(pk=job.pk).request_cancel(by=alice)
        return check(job, folder)

    monkeypatch.setattr(script_kind, "check", late_click)
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert (job.state, job.cancel_requested_at) == (State.SUCCEEDED, None)


def test_a_cancel_that_is_heard_while_it_is_prepared_ends_it(run, script_kind, monkeypatch):
    def prepare(job, folder, *, resume):
        raise Cancelled

    monkeypatch.setattr(script_kind, "prepare", prepare)
    assert run(SAY_DONE).state == State.CANCELLED


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_what_a_start_needs_and_does_not_answer_is_waited_for(submit, host, alice, monkeypatch, is_cancelled):
    start, tries = local.start, []

    def later(launch, **how):
        tries.append(1)
        if is_cancelled:
            Job.objects.get(pk=job.pk).request_cancel(alice)
        if is_cancelled or len(tries) < 3:
            raise NotNow("the tool does not answer")
        return start(launch, **how)

    monkeypatch.setattr(local, "start", later)
    job = submit()
    assert queue.claim(job, host)
    runner.run(job.pk, job.epoch)
    job.refresh_from_db()
    assert (job.state, len(tries)) == ((State.CANCELLED, 1) if is_cancelled else (State.SUCCEEDED, 3))
