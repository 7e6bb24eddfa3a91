"""Going on with a training that failed or was cancelled: a new job on the same model, from its last checkpoint."""

from __future__ import annotations

import csv

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from jobs import diagnosis, following, hosts, queue, runfolder, runner
from jobs.models import Job, State
from kernels_app.contract import results
from models_app import resuming
from models_app.complaints import OrderRefused
from models_app.models import TrainedModel
from models_app.resuming import ResumeOrder
from tests import fake_kernels

pytestmark = pytest.mark.django_db


def again(model: TrainedModel) -> TrainedModel:
    return TrainedModel.objects.get(pk=model.pk)


def steps(model: TrainedModel) -> list[int]:
    with (model.folder / results.METRICS / "loss.csv").open() as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def cancelled(shop) -> TrainedModel:
    """A training that was cancelled before it started, as if it had saved something before."""
    model = shop.ready()
    Job.objects.filter(pk=model.job_id).update(state=State.CANCELLED)
    (model.folder / results.RESUME).write_text("3")
    return again(model)


def test_it_goes_on_where_it_was_and_loses_and_doubles_no_row(shop):
    model = shop.trained(behaviour="recovers", rows=4)
    first = model.job
    assert (first.state, steps(model)) == (State.FAILED, [1, 2, 3, 4])
    job = ResumeOrder(model).start(shop.user)
    assert (job.pk, job.follows) != (first.pk, None)
    following.run_here(job)
    model = again(model)
    assert (model.job, model.job.state) == (job, State.SUCCEEDED)
    assert "going on at 5" in runfolder.log(job).read_text()
    assert fake_kernels.seen(model.folder)["config"]["resume"] is True
    assert steps(model) == [1, 2, 3, 4]
    assert sorted(job.points.filter(series="train_loss").values_list("x", flat=True)) == [1, 2, 3, 4]
    first.refresh_from_db()
    assert first.state == State.FAILED


def test_what_the_last_run_said_is_not_what_this_one_says(shop):
    model = shop.trained(behaviour="failure_file")
    ResumeOrder(model).start(shop.user)
    job = again(model).job
    assert resuming.seed(again(model), runfolder.of(job))
    assert not (runfolder.output(job) / results.FAILURE).exists()
    assert (model.folder / results.FAILURE).exists()


def test_extra_files_come_along(shop):
    model = shop.trained(behaviour="killed", extra_files=[SimpleUploadedFile("teacher.txt", b"wise")])
    job = ResumeOrder(model).start(shop.user)
    following.run_here(job)
    assert fake_kernels.seen(model.folder)["etc"] == {"teacher.txt": "wise"}


def test_of_two_who_press_at_once_one_is_told_that_it_runs(shop):
    model = cancelled(shop)
    one, other = ResumeOrder(again(model)), ResumeOrder(again(model))
    one.start(shop.user)
    with pytest.raises(OrderRefused, match="It runs already"):
        other.start(shop.user)
    assert Job.objects.filter(follows=model.job).count() == 1


@pytest.mark.parametrize("ends", ["running", "succeeded", "without a state"])
def test_what_cannot_go_on_is_refused_in_words(shop, ends):
    model = cancelled(shop)
    state = {"running": State.RUNNING, "succeeded": State.SUCCEEDED}.get(ends)
    if state:
        Job.objects.filter(pk=model.job_id).update(state=state)
    else:
        (model.folder / results.RESUME).unlink()
    with pytest.raises(OrderRefused):
        ResumeOrder(again(model)).start(shop.user)
    assert not Job.objects.exclude(follows=None).exists()


def test_a_kernel_that_was_switched_off_is_refused(shop):
    model = cancelled(shop)
    type(model.kernel).objects.update(state="failed")
    with pytest.raises(OrderRefused, match="not ready"):
        ResumeOrder(again(model)).start(shop.user)


def test_a_resumed_job_that_never_starts_costs_the_model_nothing(shop):
    model = cancelled(shop)
    before = sorted(path.name for path in model.folder.rglob("*"))
    job = ResumeOrder(model).start(shop.user)
    job.request_cancel(shop.user)
    assert sorted(path.name for path in model.folder.rglob("*")) == before
    assert resuming.can_resume(again(model))


def test_a_runner_that_dies_while_it_copies_leaves_the_model_whole_and_the_next_one_goes_on(shop, monkeypatch):
    model = shop.trained(behaviour="recovers", rows=3)
    job = ResumeOrder(model).start(shop.user)
    folder = runfolder.of(job)
    (folder / resuming.DRAFT / "save").mkdir(parents=True)
    (folder / resuming.DRAFT / "save" / "resume.pth").write_text("tor")  # half of it
    assert queue.claim(job, hosts.beat())
    runner.run(job.pk, job.epoch)
    assert again(model).job.state == State.SUCCEEDED
    assert not (folder / resuming.DRAFT).exists()


def test_the_button_on_the_page_queues_it_and_both_jobs_lead_to_the_model(shop, client_of):
    model = shop.trained(behaviour="recovers")
    client, first = client_of(shop.user), model.job
    html = client.get(model.get_absolute_url()).content.decode()
    url = reverse("models:resume", args=[shop.project.code, model.pk])
    assert f'action="{url}"' in html
    answer = client.post(url, follow=True)
    assert "is in the queue" in answer.content.decode()
    assert again(model).job.state == State.QUEUED
    assert first.subject == again(model).job.subject == (model.name, model.get_absolute_url())
    assert url not in client.get(first.get_absolute_url()).content.decode()
    assert "It runs already." in client.post(url, follow=True).content.decode()


def test_a_viewer_sees_no_button_and_may_not_press_it(shop, client_of, vera):
    model = cancelled(shop)
    client = client_of(vera)
    assert f"models/{model.pk}/resume" not in client.get(model.get_absolute_url()).content.decode()
    assert client.post(reverse("models:resume", args=[shop.project.code, model.pk])).status_code == 403


def test_a_cancelled_training_offers_to_go_on_only_with_a_state(shop):
    model = cancelled(shop)
    assert [repair.label for repair in diagnosis.repairs(model.job)] == ["Resume"]
    (model.folder / results.RESUME).unlink()
    assert diagnosis.repairs(model.job) == []


def test_deleting_the_model_frees_the_runs_of_all_its_jobs(shop, dev, client_of):
    model = shop.trained(behaviour="recovers")
    first = model.job
    job = ResumeOrder(model).start(shop.user)
    following.run_here(job)
    client_of(dev).post(reverse("models:delete", args=[shop.project.code]), {"model": model.pk})
    assert not Job.objects.filter(pk__in=[first.pk, job.pk]).exists()
    assert not runfolder.of(first).exists()
    assert not runfolder.of(job).exists()
