"""django-q2 breaks in every way it is known to: it is noticed and replaced, and no job depends on it."""

from __future__ import annotations

import os
import signal

import pytest
from django_q.models import OrmQ

from datasets_app.models import Dataset
from jobs import clock
from jobs.models import Host, State
from tests.faults.harness import words

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster(portal):
    """A worker with its task queue proven alive; its processes: main, sentinel, two workers, monitor, pusher."""
    worker = portal.worker(queue=True)
    portal.wait("the task queue to deliver", lambda: Host.objects.filter(canary_at__isnull=False).exists())
    main, sentinel, *rest = portal.wait("all of it", lambda: _complete(portal, worker))
    rest.sort(key=lambda process: (process.create_time(), process.pid))
    return worker, main, sentinel, rest[:2], rest[2], rest[3]


def _complete(portal, worker):
    found = portal.queue_processes(worker)
    return found if len(found) == 6 else None


def replaced(portal, worker, main) -> bool:
    now = portal.queue_processes(worker)
    return len(now) == 6 and now[0].pid != main.pid


def delivers_again(portal) -> None:
    portal.file("canary", "1")
    before = Host.objects.get().canary_at
    portal.wait("the next canary", lambda: Host.objects.get().canary_at > before)


def only_one_is_left(portal, worker) -> None:
    """No process of a task queue but those of the worker's own."""

    def look() -> bool:
        own = {process.pid for process in portal.queue_processes(worker)}
        return {process.pid for process in portal.all() if "qcluster" in words(process)} == own

    portal.wait("the old one to be gone", look)


def test_f09_a_queue_whose_idle_workers_are_killed_is_noticed_and_replaced(portal, cluster):
    """It hangs for ever and looks well. A training that runs meanwhile does not notice."""
    worker, main, _sentinel, workers, _monitor, _pusher = cluster
    job = portal.at_step(portal.train(), 1)
    for process in workers:
        process.kill()
    portal.file("canary", "1")
    portal.wait("a new task queue", lambda: replaced(portal, worker, main))
    delivers_again(portal)
    only_one_is_left(portal, worker)
    portal.finish(job)
    assert job.epoch == 1


@pytest.mark.one_database
def test_f11_a_monitor_that_is_killed_loses_no_effect_and_doubles_none(portal, cluster):
    _worker, _main, _sentinel, _workers, monitor, _pusher = cluster
    monitor.kill()
    job = portal.train(steps=3)
    portal.until(job, State.SUCCEEDED)
    delivers_again(portal)
    assert job.events.filter(new=State.STARTING).count() == 1


@pytest.mark.one_database
@pytest.mark.parametrize("who", ["sentinel", "main", "pusher"])
def test_f12_whatever_of_the_queue_is_killed_one_whole_queue_is_there_again(portal, cluster, who):
    worker, main, sentinel, _workers, _monitor, pusher = cluster
    {"sentinel": sentinel, "main": main, "pusher": pusher}[who].kill()
    job = portal.train(steps=3)
    portal.until(job, State.SUCCEEDED)
    delivers_again(portal)
    portal.wait("all of it", lambda: _complete(portal, worker))
    only_one_is_left(portal, worker)


@pytest.mark.one_database
def test_f12b_a_worker_killed_hard_leaves_a_queue_that_the_next_one_ends(portal, cluster):
    worker, main, *_rest = cluster
    worker.kill()
    worker.wait()
    assert main.is_running()
    after = portal.worker(queue=True)
    portal.wait("a new task queue", lambda: _complete(portal, after))
    only_one_is_left(portal, after)
    job = portal.train(steps=3)
    portal.until(job, State.SUCCEEDED)


def test_f22_nudges_that_are_lost_are_not_missed(portal):
    job = portal.train(steps=3)
    assert OrmQ.objects.count() == 1
    OrmQ.objects.all().delete()
    portal.worker()
    portal.until(job, State.SUCCEEDED)


def test_f23_nudges_signed_with_another_key_are_dropped_and_not_missed(portal):
    portal.more["TRAINPORTAL_SECRET_KEY"] = "another key than the one that the nudge was signed with"
    job = portal.train(steps=3)
    portal.worker(queue=True)
    portal.until(job, State.SUCCEEDED)


def test_f22b_a_nudge_that_comes_twice_starts_nothing_twice(portal):
    job = portal.train(steps=5)
    [nudge] = OrmQ.objects.all()
    for _ in range(3):
        OrmQ.objects.create(key=nudge.key, payload=nudge.payload, lock=nudge.lock)
    portal.worker(queue=True)
    portal.until(job, State.SUCCEEDED)
    assert job.events.filter(new=State.STARTING).count() == 1


def test_f10_an_import_that_is_killed_in_the_middle_is_done_again_and_once(portal, tmp_path, upload):
    """All or nothing: one dataset, no half of its rows."""
    from datasets_app import drafts
    from datasets_app.importing import Options

    draft = drafts.receive(portal.shop.project, portal.shop.user, "mine", Options(), upload)
    portal.point("import", who="runner", sql="INSERT INTO .*datasets_app_image", do="kill")
    job = drafts.start(draft, drafts.plan_of(draft), portal.shop.user)
    portal.worker()
    portal.until(job, State.SUCCEEDED)
    assert portal.happened("import")
    assert job.epoch == 2
    assert [dataset.images.count() for dataset in Dataset.objects.filter(name="mine")] == [4]


def test_f10b_an_import_during_which_the_database_goes_away_is_done_again_and_once(portal, upload):
    from datasets_app import drafts
    from datasets_app.importing import Options

    draft = drafts.receive(portal.shop.project, portal.shop.user, "mine", Options(), upload)
    portal.point("import", who="runner", sql="INSERT INTO .*datasets_app_image", do="lose")
    job = drafts.start(draft, drafts.plan_of(draft), portal.shop.user)
    portal.worker()
    portal.until(job, State.SUCCEEDED)
    assert portal.happened("import")
    assert [dataset.images.count() for dataset in Dataset.objects.filter(name="mine")] == [4]


@pytest.fixture
def upload(tmp_path):
    """An archive of four images in a folder per class."""
    import io
    import zipfile

    from django.core.files.uploadedfile import SimpleUploadedFile
    from PIL import Image as Picture

    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for n in range(4):
            picture = io.BytesIO()
            Picture.new("RGB", (20, 20), (60 * n, 0, 0)).save(picture, "PNG")
            archive.writestr(f"{'GOOD' if n % 2 else 'BAD'}/{n}.png", picture.getvalue())
    return SimpleUploadedFile("mine.zip", held.getvalue())


def test_f08_a_storm_of_dispatchers_gives_no_device_twice_and_loses_none(portal):
    """Three processes of six threads, one host of two devices: every job once, every device to one at a time."""
    from tests.faults import storm

    Host.objects.create(name="alpha", devices=2, seen_at=clock.now())
    jobs = [portal.train(devices=1 + n % 2) for n in range(16)]
    storms = [portal.start(["shell", "-c", f"from tests.faults import storm; storm.run({n})"]) for n in range(3)]
    codes = [process.wait(120) for process in storms]
    assert codes == [0, 0, 0], (portal.home / "shell-alpha.out").read_text()[-3000:]
    for job in jobs:
        job.refresh_from_db()
        assert (job.state, job.epoch) == (State.FAILED, 1)
    assert storm.overlaps(portal.home) == []
    assert len(storm.held(portal.home)) == sum(job.devices for job in jobs)


@pytest.mark.one_database
def test_f14b_sigint_to_the_task_queue_is_clean(portal, cluster):
    worker, main, *_rest = cluster
    os.kill(main.pid, signal.SIGINT)
    portal.wait("a new task queue", lambda: replaced(portal, worker, main))
    only_one_is_left(portal, worker)
