"""The memory of a training is told from what this kernel took before, or not at all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.template.loader import render_to_string
from django.utils import timezone

from jobs import hosts
from jobs.models import DeviceKind, Host, Job, State
from models_app import preflight
from models_app.preflight.memory import BASE
from tests import fake_kernels

pytestmark = pytest.mark.django_db
MB, GB = 2**20, 2**30
NUMBERS = {name: {"type": "integer"} for name in ("batch_size", "image_size")}
SECTION = {"type": "object", "properties": NUMBERS | {"backbone": {"type": "string"}}}


@pytest.fixture(autouse=True)
def host(db, settings) -> Host:
    """This machine: two CPU slots and 16 GB."""
    settings.TRAINPORTAL_CPU_SLOTS = 2
    Host.objects.filter(pk=hosts.beat().pk).update(memory_bytes=16 * GB, name="here")
    return Host.objects.get()


@pytest.fixture
def shop(make_shop):
    return make_shop(training_params=SECTION, supported_gpu_count={"type": "integer", "minimum": 1, "maximum": 4})


@pytest.fixture
def ran(shop):
    """An earlier training that had so many bytes at most."""

    def make(peak: float | None, *, devices: int = 1, job: dict | None = None, **params) -> None:
        model = shop.order(params=params, devices=devices).start(shop.user)
        at = timezone.now()
        usual = {"state": State.SUCCEEDED, "started_at": at, "ended_at": at, "host": Host.objects.get(name="here")}
        usual["peak_memory"] = None if peak is None else int(peak)
        Job.objects.filter(pk=model.job_id).update(**usual | (job or {}))

    return make


@pytest.fixture
def look(shop):
    def make(*, trainings: int = 1, devices: int = 1, variants: list | None = None, **params) -> preflight.Estimates:
        asked = shop.order(params=params, devices=devices)
        return preflight.look(asked, None, trainings=trainings, variants=variants or ())

    return make


def span(estimates: preflight.Estimates) -> tuple[int, int]:
    """In MB."""
    found = estimates.memory.span
    assert found
    return round(found.low / MB), round(found.high / MB)


def shown(estimates: preflight.Estimates) -> str:
    """The lines of memory alone."""
    page = " ".join(render_to_string("models/_train_estimates.html", {"estimates": estimates}).split())
    return page.replace("\xa0", " ").split("<dt>Memory</dt>")[1].split("<dt>")[0]


# --- from what was before --------------------------------------------------------------------------------------------


def test_without_an_earlier_training_there_is_no_memory(look):
    found = look(batch_size=8)
    assert (found.memory.span, found.memory.runs, found.memory.remarks) == (None, 0, [])
    assert "No earlier training of this kernel to judge from." in shown(found)
    assert "here has 16.0 GB" in shown(found)


def test_a_run_that_recorded_nothing_is_not_judged_from(ran, look):
    ran(None, batch_size=8)
    assert look(batch_size=8).memory.span is None


def test_the_same_settings_take_the_same(ran, look):
    ran(2 * GB, batch_size=8, image_size=128)
    assert span(look(batch_size=8, image_size=128)) == (2048, 2048)
    assert "about 2.0 GB, from 1 earlier training" in shown(look(batch_size=8, image_size=128))


def test_what_is_above_the_imports_grows_with_batch_and_pixels(ran, look):
    ran(BASE + 1 * GB, batch_size=8, image_size=128)
    base = BASE // MB
    assert span(look(batch_size=16, image_size=128)) == (base + 2048, base + 2048)
    assert span(look(batch_size=8, image_size=256)) == (base + 4096, base + 4096)
    assert span(look(batch_size=4, image_size=64)) == (base + 128, base + 128)


def test_what_is_less_than_the_imports_stays(ran, look):
    ran(50 * MB, batch_size=8)
    assert span(look(batch_size=80)) == (50, 50)


def test_runs_that_differ_tell_what_stays_from_what_grows(ran, look):
    ran(1000 * MB, batch_size=8, image_size=100)  # 800 MB that stay, and 200
    ran(2400 * MB, batch_size=64, image_size=100)
    assert span(look(batch_size=16, image_size=100)) == (1200, 1200)
    assert span(look(batch_size=8, image_size=400)) == (4000, 4000)


def test_a_larger_run_that_took_less_is_no_reason_for_a_figure_below_nothing(ran, look):
    ran(3 * GB, batch_size=8)
    ran(2 * GB, batch_size=64)
    found = look(batch_size=1)
    assert found.memory.span
    assert BASE < found.memory.span.low <= found.memory.span.high


def test_runs_that_lie_apart_give_a_range(ran, look):
    ran(1 * GB, batch_size=8)
    ran(2 * GB, batch_size=8)
    assert span(look(batch_size=8)) == (1024, 2048)
    assert "1.0 GB to 2.0 GB, from 2 earlier trainings" in shown(look(batch_size=8))


def test_runs_with_the_same_words_count_alone_where_there_are_some(ran, look):
    ran(1 * GB, batch_size=8, backbone="small")
    ran(3 * GB, batch_size=8, backbone="large")
    assert span(look(batch_size=8, backbone="large")) == (3072, 3072)
    assert span(look(batch_size=8, backbone="huge")) == (1024, 3072)
    assert span(look(batch_size=8)) == (1024, 3072)


@pytest.mark.parametrize("job", [{"state": State.FAILED}, {"devices": 2}, {"host": None}])
def test_a_run_that_went_otherwise_is_not_judged_from(ran, look, job):
    ran(GB, batch_size=8, job=job)
    assert look(batch_size=8).memory.span is None


def test_an_interrupted_run_counts(ran, look):
    ran(GB, batch_size=8, job={"resumes": 1})
    assert span(look(batch_size=8)) == (1024, 1024)


@pytest.mark.parametrize("size", ["", "1e", None, True, [3], -1, 10**400, float("nan")])
def test_a_setting_that_is_half_typed_gives_no_memory(ran, look, size):
    ran(GB, batch_size=8)
    assert look(batch_size=size).memory.span is None


def test_a_kernel_without_such_settings_takes_what_it_took(make_shop, look, ran, shop):
    shop.kernel = fake_kernels.register("CL", name="plain")
    ran(GB, **fake_kernels.params())
    assert span(look(**fake_kernels.params())) == (1024, 1024)


# --- the machine -----------------------------------------------------------------------------------------------------


def test_more_than_the_machine_has_is_a_remark(ran, look):
    ran(20 * GB, batch_size=8)
    (remark,) = look(batch_size=8).remarks
    assert remark.kind == "warning"
    assert remark.message.replace("\xa0", " ") == (
        "This may take 20.0 GB of memory, and here has 16.0 GB. Smaller batches or images need less."
    )
    assert look(batch_size=4).remarks == []


def test_a_machine_that_did_not_say_is_not_judged(ran, look):
    ran(20 * GB, batch_size=8)
    Host.objects.update(memory_bytes=0)
    found = look(batch_size=8)
    assert (found.memory.total, found.remarks) == (None, [])
    assert "has" not in shown(found)


def test_of_several_machines_the_one_that_it_fills_most_counts(ran, look, host):
    ran(10 * GB, batch_size=8)
    usual = {"devices": 1, "seen_at": timezone.now()}
    Host.objects.create(name="small", memory_bytes=8 * GB, **usual)
    Host.objects.create(name="silent", memory_bytes=1 * GB, devices=1, seen_at=timezone.now().replace(year=2020))
    found = look(batch_size=8).memory
    assert (found.host, found.total) == ("small", 8 * GB)
    assert "and small has 8.0 GB" in found.remarks[0].message.replace("\xa0", " ")
    ran(10 * GB, batch_size=8, devices=2)
    assert look(batch_size=8, devices=2).memory.host == "here"


def test_on_gpus_it_is_said_whose_memory_it_is_and_that_of_layers_is_not_reckoned(ran, look, host):
    Host.objects.update(device_kind=DeviceKind.GPU)
    ran(3 * GB, batch_size=8)
    found = look(batch_size=32)
    assert span(found) == (3072, 3072)
    assert "of the machine, not of its GPUs" in shown(found)
    ran(4 * GB, batch_size=32)
    assert span(look(batch_size=56)) == (5120, 5120)


def test_on_cpus_nothing_is_said_of_gpus(ran, look):
    ran(GB, batch_size=8)
    assert "GPU" not in shown(look(batch_size=8))


# --- a batch ---------------------------------------------------------------------------------------------------------


def test_a_batch_takes_what_those_take_that_run_at_a_time(ran, look):
    ran(9 * GB, batch_size=8)
    found = look(batch_size=8, trainings=5)
    assert (found.memory.together, found.memory.need) == (2, 18 * GB)
    assert "up to 18.0 GB for 2 at a time" in shown(found)
    (remark,) = found.remarks
    assert remark.message.replace("\xa0", " ").startswith("2 trainings at a time may take 18.0 GB of memory, and here")
    assert look(batch_size=8).remarks == []


def test_machines_do_not_share_their_memory(ran, look, host):
    ran(9 * GB, batch_size=8)
    Host.objects.update(devices=1)
    usual = {"devices": 1, "seen_at": timezone.now()}
    Host.objects.create(name="there", memory_bytes=16 * GB, **usual)
    found = look(batch_size=8, trainings=5)
    assert (found.together, found.memory.together, found.remarks) == (2, 1, [])


def test_the_largest_of_a_batch_counts(ran, look):
    ran(BASE + GB, batch_size=8)
    sizes = [{"batch_size": size} for size in (4, 8, 32)]
    base = BASE // MB
    found = look(batch_size=8, trainings=3, variants=sizes)
    assert span(found) == (base + 512, base + 4096)
    assert look(batch_size=8, trainings=3, variants=[*sizes, {"batch_size": "x"}]).memory.span is None


# --- all of it -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("devices", "trainings"), [(0, 0), (-3, -1), (10**30, 10**30)])
def test_numbers_that_make_no_sense_do_no_harm(ran, look, devices, trainings):
    ran(GB, batch_size=8)
    assert shown(look(devices=devices, trainings=trainings, batch_size=8))


@pytest.mark.parametrize(
    ("size", "expected"), [(0, 10 * MB), (123 * MB, 120 * MB), (1.26 * GB, 1.3 * GB), (17.6 * GB, 18 * GB)]
)
def test_a_size_is_no_more_exact_than_it_is(size, expected):
    assert preflight.Size(size, size).most == pytest.approx(expected)


def test_a_size_stays_a_size():
    assert preflight.Size(1, 2).times(3) == preflight.Size(3, 6) != preflight.Span(3, 6)
    assert replace(preflight.Memory(), total=1).remarks == []


def test_the_page_of_the_form_shows_it(page, shop, ran):
    ran(2 * GB, **fake_kernels.params())
    answer = page.post("train_check", headers={"HX-Request": "true"}).content.decode().replace("\xa0", " ")
    lines = " ".join(answer.split()).split("<dt>Memory</dt>")[1].split("<dt>")[0]
    assert "about 2.0 GB, from 1 earlier training" in lines
    assert "here has 16.0 GB" in lines


def test_the_page_says_nothing_of_it_while_the_json_cannot_be_read(page, ran):
    ran(2 * GB, **fake_kernels.params())
    answer = page.post("train_check", headers={"HX-Request": "true"}, params_view="json", params_json="{")
    lines = " ".join(answer.content.decode().split()).split("<dt>Memory</dt>")[1].split("<dt>")[0]
    assert "This can be said once the settings are right." in lines
