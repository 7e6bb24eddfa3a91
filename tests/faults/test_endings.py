"""How kernels end, and what is asked for while they run: what the job says is what the contract says."""

from __future__ import annotations

import json
import os
import signal

import pytest
from django.db.models import ProtectedError

from jobs import runfolder
from jobs.launchers import shim
from jobs.models import Job, State
from projects_app.models import Project
from tests.faults.harness import words

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.one_database
def test_f31_an_end_without_a_word_is_a_success_with_a_remark(portal):
    portal.tend()
    job = portal.until(portal.train(steps=3, behaviour="no_done"), State.SUCCEEDED)
    assert "without saying" in job.remark


@pytest.mark.one_database
def test_f32_done_and_then_a_crash_is_a_success_with_a_remark(portal):
    portal.tend()
    job = portal.until(portal.train(steps=3, behaviour="done_then_crash"), State.SUCCEEDED)
    assert "SIGSEGV" in job.remark


@pytest.mark.one_database
def test_f33_an_error_and_then_done_is_a_failure(portal):
    portal.tend()
    job = portal.until(portal.train(steps=3, behaviour="error_then_done"), State.FAILED)
    assert job.message == "The images are too small."


@pytest.mark.one_database
def test_f44_links_that_lead_out_of_the_results_are_taken_away(portal):
    """What a kernel links to is not its own to give; the file that it owes is missing then."""
    portal.tend()
    fine = portal.train(steps=3, behaviour="links")
    owing = portal.train(steps=3, behaviour="links_its_checkpoint")
    portal.end(fine, owing)
    assert fine.state == State.SUCCEEDED, fine.message
    assert owing.state == State.FAILED
    assert "save/checkpoint.pth" in owing.message
    for model in portal.models:
        links = [path for path in model.folder.rglob("*") if path.is_symlink()]
        assert all(link.resolve().is_relative_to(model.folder) for link in links)
        assert "root:" not in "".join(p.read_text() for p in model.folder.rglob("*.txt") if p.is_file())
    assert [path.name for path in portal.models[0].folder.glob("inside*")] == ["inside.txt"]


def test_f47_a_project_is_not_deleted_under_a_training_that_runs(portal):
    portal.tend()
    job = portal.at_step(portal.train(), 1)
    with pytest.raises(ProtectedError):
        Project.objects.get(pk=job.project_id).delete()
    portal.finish(job)


@pytest.mark.one_database
def test_f47b_a_row_that_is_gone_all_the_same_takes_its_kernel_along(portal):
    """Deleted in the database by hand: nobody is left to look after the kernel, so its runner ends it."""
    portal.tend()
    job = portal.at_step(portal.train(), 1)
    job.leases.all().delete()
    job.trained_models.all().delete()
    Job.objects.filter(pk=job.pk).delete()
    portal.wait("the kernel to end", lambda: not portal.kernels(job))
    portal.models.clear()


@pytest.mark.one_database
def test_f51_a_kernel_started_by_an_older_version_is_picked_up(portal):
    """What it left unsaid, the new one does without."""
    portal.tend()
    job = portal.at_step(portal.train(), 2)
    folder = runfolder.of(job)
    order = json.loads((folder / shim.ORDER).read_text())
    shim.write_json(
        folder / shim.ORDER, {key: order[key] for key in ("argv", "environment", "cwd", "grace", "attempt")}
    )
    (folder / runfolder.RUNNER_LOCK).write_text("")
    os.kill(next(p.pid for p in portal.all() if "runner" in words(p)), signal.SIGKILL)
    portal.wait("a new runner", lambda: Job.objects.get(pk=job.pk).epoch == 2 and portal.runner_of(job))
    portal.finish(job)
    assert job.epoch == 2
