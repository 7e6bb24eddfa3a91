"""What a training will take is told from what this kernel took before, or not at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from datasets_app import checks
from datasets_app.models import Annotation, Image, ImageFile
from jobs import hosts, queue
from jobs.models import DeviceKind, Host, Job, State
from models_app import preflight
from models_app.models import TrainedModel
from tests import fake_kernels

pytestmark = pytest.mark.django_db
GB = 1024**3
SECTION = {
    "type": "object",
    "properties": {name: {"type": "integer"} for name in ("epochs", "image_size", "cache_mb")},
}


@pytest.fixture(autouse=True)
def host(db, settings) -> Host:
    """This machine: two CPU slots and 100 GB."""
    settings.TRAINPORTAL_CPU_SLOTS = 2
    Host.objects.filter(pk=hosts.beat().pk).update(free_bytes=100 * GB)
    return Host.objects.get()


@pytest.fixture
def shop(make_shop):
    """4 training and 4 validation images; a kernel with epochs, an image size and a cache."""
    return make_shop(training_params=SECTION, supported_gpu_count={"type": "integer", "minimum": 1, "maximum": 4})


def order(shop, *, devices: int = 1, **params):
    return shop.order(params=params, devices=devices)


def look(shop, *, trainings: int = 1, devices: int = 1, keep: int | None = None, **params) -> preflight.Estimates:
    asked = order(shop, devices=devices, **params)
    facts = checks.set_facts(asked.model_type, asked.train, asked.validation)
    return preflight.look(asked, facts, trainings=trainings, keep_best=keep)


def ran(shop, seconds: float, *, devices: int = 1, size: int = 0, job: dict | None = None, **params) -> TrainedModel:
    """An earlier training that took so long."""
    model = order(shop, devices=devices, **params).start(shop.user)
    at = timezone.now()
    usual = {"state": State.SUCCEEDED, "ended_at": at, "started_at": at - timedelta(seconds=seconds)}
    Job.objects.filter(pk=model.job_id).update(**usual | {"host": Host.objects.get(), **(job or {})})
    TrainedModel.objects.filter(pk=model.pk).update(size=size)
    return model


def span(estimates: preflight.Estimates) -> tuple[int, int]:
    assert estimates.time
    return round(estimates.time.low), round(estimates.time.high)


def shown(estimates: preflight.Estimates | None) -> str:
    return " ".join(render_to_string("models/_train_estimates.html", {"estimates": estimates}).split())


# --- time ------------------------------------------------------------------------------------------------------------


def test_without_an_earlier_training_there_is_no_time(shop):
    found = look(shop, epochs=4)
    assert (found.time, found.total, found.runs) == (None, None, 0)
    assert "No earlier training of this kernel to judge from." in shown(found)


def test_time_grows_with_epochs_and_the_pixels_of_an_image(shop):
    ran(shop, 80, epochs=2, image_size=64)
    assert span(look(shop, epochs=4, image_size=64)) == (160, 160)
    assert span(look(shop, epochs=2, image_size=128)) == (320, 320)
    assert "about 3 min, from 1 earlier training" in shown(look(shop, epochs=4, image_size=64))


def test_time_grows_with_the_images(shop):
    ran(shop, 80, epochs=2)
    asked = order(shop, epochs=2)
    shop.train.images.first().annotations.all().delete()
    facts = checks.set_facts(asked.model_type, asked.train, asked.validation)
    assert span(preflight.look(asked, facts)) == (60, 60)


def test_an_earlier_training_counts_with_the_images_it_saw(shop):
    """Not with those that its datasets have by now."""
    ran(shop, 80, epochs=2)
    Annotation.objects.filter(image__in=shop.train.images.all()[:2]).delete()
    assert span(look(shop, epochs=2)) == (40, 40)


def test_no_name_of_an_image_is_taken_for_images(shop):
    for image, name in zip(shop.train.images.all(), ['"labels":[', '"validation":[', '"train":[', "\\"], strict=True):
        Image.objects.filter(pk=image.pk).update(name=name)
    sibling = {"name": "x", "blob": shop.train.images.first().blob}
    for suffix in ("labels", "train", "validation"):
        ImageFile.objects.create(image=shop.train.images.first(), suffix=suffix, **sibling)
    ran(shop, 80, epochs=2)
    assert span(look(shop, epochs=2)) == (80, 80)


def test_a_kernel_without_such_settings_is_judged_by_images_alone(make_shop):
    plain = make_shop()
    ran(plain, 60, **fake_kernels.params(rows=3))
    assert span(look(plain, **fake_kernels.params(rows=9))) == (60, 60)


def test_runs_of_different_sizes_tell_the_start_up_from_the_work(shop):
    ran(shop, 30, epochs=2)  # 10 s to start, 10 s an epoch
    ran(shop, 110, epochs=10)
    assert span(look(shop, epochs=4)) == (50, 50)
    assert span(look(shop, epochs=100)) == (1010, 1010)


def test_a_larger_run_that_took_less_is_no_reason_for_a_time_below_nothing(shop):
    ran(shop, 100, epochs=2)
    ran(shop, 50, epochs=10)
    found = look(shop, epochs=1000)
    assert found.time
    assert 0 < found.time.low < found.time.high


def test_runs_that_differ_give_a_range(shop):
    for seconds in (100, 140, 240):
        ran(shop, seconds, epochs=2)
    found = look(shop, epochs=2)
    assert span(found) == (100, 240)
    assert "2 min to 4 min, from 3 earlier trainings" in shown(found)


@pytest.mark.parametrize(
    "job",
    [
        {"state": State.FAILED},
        {"state": State.CANCELLED},
        {"resumes": 1},
        {"devices": 2},
        {"started_at": None},
        {"host": None},
    ],
)
def test_a_run_that_went_otherwise_is_not_judged_from(shop, job):
    ran(shop, 80, epochs=2, job=job)
    assert look(shop, epochs=2).time is None


def test_a_run_on_other_devices_is_not_judged_from(shop, host):
    ran(shop, 80, epochs=2)
    ran(shop, 50, epochs=2, devices=2)
    assert span(look(shop, epochs=2, devices=2)) == (50, 50)
    Host.objects.create(name="gpus", device_kind=DeviceKind.GPU, devices=4, seen_at=timezone.now())
    assert look(shop, epochs=2).time is None


def test_this_version_of_the_kernel_counts_more_than_others(shop, make_shop):
    ran(shop, 80, epochs=2)
    old = shop.kernel
    shop.kernel = fake_kernels.register("CL", version="2", training_params=SECTION | {"title": "faster"})
    assert shop.kernel != old
    assert span(look(shop, epochs=2)) == (80, 80)
    ran(shop, 20, epochs=2)
    assert span(look(shop, epochs=2)) == (20, 20)


def test_a_kernel_of_another_name_is_not_judged_from(shop):
    ran(shop, 80, epochs=2)
    shop.kernel = fake_kernels.register("CL", name="other", training_params=SECTION)
    assert look(shop, epochs=2).time is None


@pytest.mark.parametrize("epochs", ["", "1e", None, True, [3], {"a": 1}, -1, 10**400, 1e300, float("nan")])
def test_a_setting_that_is_half_typed_gives_no_time(shop, epochs):
    ran(shop, 80, epochs=2)
    found = preflight.look(order(shop, epochs=epochs, image_size="x", cache_mb=epochs), None)
    assert (found.time, found.disk.temporary) == (None, 0)
    assert "This can be said once the settings are right." in shown(found)


def test_a_setting_that_is_missing_gives_no_time_where_the_kernel_must_have_it(make_shop):
    shop = make_shop(training_params=SECTION | {"required": ["epochs"]})
    ran(shop, 80, epochs=2)
    found = look(shop, image_size=64)
    assert (found.time, found.no_time) == (None, "This can be said once the settings are right.")
    assert look(shop, epochs=2).time


def test_settings_that_cannot_be_read_give_no_time_and_no_memory(shop):
    ran(shop, 80, epochs=2, job={"peak_memory": GB})
    found = preflight.look(order(shop), None, is_read=False)
    assert (found.time, found.memory.span, found.memory.runs) == (None, None, 0)
    assert shown(found).count("This can be said once the settings are right.") == 2


def test_that_none_of_the_earlier_trainings_is_alike_is_said_so(shop, host):
    ran(shop, 80, devices=2, epochs=2)
    found = look(shop, epochs=2)
    assert (found.time, found.no_time) == (None, "No earlier training of this kernel is like this one.")


def test_without_facts_the_images_are_counted(shop):
    ran(shop, 80, epochs=2)
    asked = order(shop, epochs=2)
    assert span(preflight.look(asked, None)) == (80, 80)
    asked.train = []
    assert "Choose labelled datasets first." in shown(preflight.look(asked, None))


def test_a_snapshot_whose_file_is_gone_is_not_judged_from(shop):
    ran(shop, 80, epochs=2).snapshot.manifest.path.unlink()
    assert look(shop, epochs=2).time is None


# --- a batch ---------------------------------------------------------------------------------------------------------


def test_a_batch_takes_as_many_rounds_as_the_devices_that_exist_need(shop):
    ran(shop, 600, epochs=2)
    found = look(shop, epochs=2, trainings=5)
    assert found.total
    assert (found.together, round(found.total.high)) == (2, 1800)
    text = shown(found)
    assert "All 5 trainings" in text
    assert "about 30 min, 2 at a time" in text
    assert "All" not in shown(look(shop, epochs=2))


def test_a_batch_on_many_devices_each_goes_one_by_one(shop):
    ran(shop, 600, epochs=2, devices=2)
    found = look(shop, epochs=2, devices=2, trainings=5)
    assert found.total
    assert (found.together, round(found.total.high)) == (1, 3000)


# --- disk ------------------------------------------------------------------------------------------------------------


def test_disk_is_what_the_largest_result_took_and_the_cache(shop):
    ran(shop, 80, epochs=2, size=30_000_000)
    ran(shop, 80, epochs=2, size=20_000_000)
    assert look(shop, cache_mb=1, image_size=1000).disk == preflight.Disk(30_000_000, 2**20, 100 * GB)
    assert look(shop, cache_mb=1000, image_size=10).disk.temporary == 8 * 10 * 10 * 3
    assert look(shop, cache_mb=7).disk.temporary == 7 * 2**20
    batch = look(shop, cache_mb=1, image_size=1000, trainings=5).disk
    assert (batch.results, batch.temporary) == (150_000_000, 2 * 2**20)


def test_of_a_batch_only_the_best_stay_on_the_disk_where_that_was_asked_for(shop):
    ran(shop, 80, epochs=2, size=10_000_000)
    both = {n: (found.results, found.temporary) for n in (1, 4, 9) for found in [look(shop, trainings=5, keep=n).disk]}
    assert both == {1: (10_000_000, 20_000_000), 4: (40_000_000, 10_000_000), 9: (50_000_000, 0)}
    assert "about 9.5 MB to keep<br>up to 19.1 MB while it runs" in shown(look(shop, trainings=5, keep=1)).replace(
        "\xa0", " "
    )


def test_more_than_is_free_is_a_remark(shop):
    ran(shop, 80, epochs=2, size=3 * GB)
    assert look(shop, epochs=2).remarks == []
    Host.objects.update(free_bytes=2 * GB)
    (remark,) = look(shop, epochs=2).remarks
    assert remark.kind == "warning"
    assert remark.message.replace("\xa0", " ").startswith("This may take 3.0 GB of disk, and 2.0 GB is free.")


def test_room_counts_where_the_devices_are(shop):
    Host.objects.create(name="big", devices=4, free_bytes=500 * GB, seen_at=timezone.now())
    assert look(shop, devices=3).disk.free == 500 * GB
    assert look(shop, devices=9).disk.free is None
    assert "free" not in shown(look(shop, devices=9))


# --- the queue -------------------------------------------------------------------------------------------------------


def test_it_starts_at_once_where_devices_are_free(shop, host):
    queue.claim(shop.order().start(shop.user).job, host)
    assert look(shop).place.at_once
    assert "Starts at once." in shown(look(shop))
    assert look(shop, devices=2).place == preflight.Place(waiting=0, running=1)


def test_it_waits_for_what_runs_and_for_what_waits(shop, host):
    for _device in range(2):
        queue.claim(shop.order().start(shop.user).job, host)
    shop.order().start(shop.user)
    late = shop.order().start(shop.user).job
    Job.objects.filter(pk=late.pk).update(priority=-1)
    found = look(shop)
    assert (found.place.running, found.place.waiting, found.place.ahead) == (2, 1, 3)
    assert "3 jobs ahead (running: 2, waiting: 1)" in shown(found)


def test_a_small_training_starts_before_a_large_one_that_does_not_fit(shop, host, settings):
    queue.claim(shop.order().start(shop.user).job, host)
    large = shop.order(devices=2).start(shop.user).job
    assert look(shop).place.at_once
    Job.objects.filter(pk=large.pk).update(queued_at=timezone.now() - timedelta(seconds=settings.JOB_PATIENCE + 9))
    assert look(shop).place == preflight.Place(waiting=1, running=1)


def test_a_job_without_devices_stands_in_nobodys_way(shop):
    job = shop.order().start(shop.user).job
    Job.objects.filter(pk=job.pk).update(devices=0)
    assert look(shop).place.at_once


def test_without_a_worker_it_says_so(shop):
    Host.objects.update(seen_at=timezone.now() - timedelta(hours=1))
    shop.order().start(shop.user)
    found = look(shop)
    assert (found.place.has_worker, found.place.waiting, found.disk.free) == (False, 1, None)
    assert [remark.message for remark in found.remarks] == [
        "No worker is running: the training will wait in the queue. Start one (manage.py worker)."
    ]
    assert "1 job ahead" in shown(found)


# --- all of it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("devices", "trainings"), [(0, 0), (-3, -1), (10**30, 10**30)])
def test_numbers_that_make_no_sense_do_no_harm(shop, devices, trainings):
    ran(shop, 80, epochs=2, size=9)
    assert shown(look(shop, devices=devices, trainings=trainings, epochs=2))


def test_the_number_of_statements_does_not_grow_with_the_past(shop):
    asked, counts = order(shop, epochs=2), []
    facts = checks.set_facts(asked.model_type, asked.train, asked.validation)
    for _round in range(2):
        ran(shop, 80, epochs=2)
        shop.order().start(shop.user)
        cache.clear()
        with CaptureQueriesContext(connection) as found:
            preflight.look(asked, facts)
        counts.append(len([one for one in found if "clock_timestamp" not in one["sql"]]))
    assert counts[0] == counts[1] <= 4


def test_nothing_is_shown_without_estimates():
    assert "<dl" not in shown(None)
