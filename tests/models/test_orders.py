"""An order is checked in one place and, refused, leaves nothing behind; what starts ends as its kernel does."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from jobs import hosts, queue, runfolder
from jobs.models import Job, State
from kernels_app.models import KernelState, KernelSwitch
from models_app.complaints import OrderRefused
from models_app.models import Operation, Origin, TrainedModel
from models_app.orders import ValidationOrder
from tests import fake_kernels

pytestmark = pytest.mark.django_db


def refused(order, user) -> dict[str, str]:
    """What a refused order says, by field; nothing was written."""
    before = TrainedModel.objects.count(), Job.objects.count()
    with pytest.raises(OrderRefused) as caught:
        order.start(user)
    assert (TrainedModel.objects.count(), Job.objects.count()) == before
    return {complaint.field: complaint.message for complaint in caught.value.complaints}


# --- what is refused -------------------------------------------------------------------------------------------------


def test_a_name_that_is_taken_is_refused_and_a_free_one_named(shop):
    shop.order(name="valve").start(shop.user)
    shop.order(name="valve.1").start(shop.user)
    said = refused(shop.order(name="valve"), shop.user)
    assert said == {"name": "A model named “valve” is there already; “valve.2” is free."}


def test_the_same_name_in_another_project_is_free(shop, other_shop):
    shop.order(name="valve").start(shop.user)
    assert other_shop.order(name="valve").start(shop.user).name == "valve"


def test_a_name_that_somebody_took_in_between_is_refused_in_words(shop, monkeypatch):
    first = shop.order(name="valve")
    first.start(shop.user)
    late = shop.order(name="valve")
    report = shop.order(name="free").check()
    monkeypatch.setattr(type(late), "check", lambda self, **options: report)  # the look of a moment ago
    assert refused(late, shop.user) == {"name": "A model named “valve” is there already; “valve.1” is free."}
    assert not list((runfolder.of(Job.objects.get()).parent).glob("[!1-9]*"))


@pytest.mark.parametrize(("name", "sentence"), [("  ", "Give the model a name."), ("x" * 201, "at most 200")])
def test_a_model_needs_a_name_of_some_length(shop, name, sentence):
    assert sentence in refused(shop.order(name=name), shop.user)["name"]


def test_everything_that_is_wrong_is_said_at_once(shop):
    order = shop.order(name="", train=[], validation=[], lr=5, rows="many", devices=9)
    assert refused(order, shop.user).keys() == {"name", "train", "validation", "params.lr", "params.rows", "devices"}


@pytest.mark.parametrize("value", ["a\0b", "a\ud800", ["x", {"a\0": 1}], {"a": ["\0"]}])
def test_a_setting_holds_no_character_that_cannot_be_kept(shop, value):
    assert "params.message" in refused(shop.order(message=value), shop.user)
    assert not shop.order(message="밸브 \\u0000").check().errors


def test_a_kernel_that_is_switched_off_is_refused(shop):
    KernelSwitch.objects.create(kernel=shop.kernel, project=shop.project, is_on=False)
    assert refused(shop.order(), shop.user) == {"kernel": "The kernel is switched off in this project."}


def test_a_kernel_that_nobody_switched_on_is_refused(shop):
    chosen = fake_kernels.register(is_on=False, name="own")
    assert "switched off" in refused(shop.order(kernel=chosen), shop.user)["kernel"]
    KernelSwitch.objects.create(kernel=chosen, project=shop.project, is_on=True)
    assert shop.order(kernel=chosen).start(shop.user)


@pytest.mark.parametrize("state", [KernelState.FAILED, KernelState.ARCHIVED, KernelState.IMPORTING])
def test_a_kernel_that_is_not_ready_is_refused(shop, state):
    shop.kernel.state = state
    shop.kernel.save()
    assert "not ready" in refused(shop.order(), shop.user)["kernel"]


def test_a_kernel_of_another_training_type_is_refused(shop):
    said = refused(shop.order(kernel=fake_kernels.register("OD")), shop.user)
    assert "trains OD, not" in said["kernel"]


def test_a_kernel_bound_to_other_model_types_is_refused(shop):
    bound = fake_kernels.register(name="bound", model_type={"enum": ["CL_OTHER"]})
    assert "kernel" in refused(shop.order(kernel=bound), shop.user)


def test_a_kernel_that_cannot_train_is_refused(shop):
    judge = fake_kernels.register(name="judge", supported_operations={"const": "validation, inference"})
    said = refused(shop.order(kernel=judge), shop.user)["kernel"]
    assert said == "The kernel does not support this operation; it supports: validation, inference."


def test_a_dataset_of_another_project_is_refused(shop, other_shop):
    said = refused(shop.order(train=[shop.train, other_shop.train]), shop.user)
    assert said == {"train": "A dataset belongs to another project."}


def test_a_dataset_without_labels_for_the_model_type_is_refused(shop, make_shop):
    boxes = make_shop("OD", name="boxes")
    said = refused(shop.order(validation=[boxes.val]), shop.user)
    assert said["validation"].startswith("No image of the validation datasets is labelled for this model type.")


def test_a_base_model_of_another_project_is_refused(shop, other_shop):
    base = other_shop.ready()
    assert "base_model" in refused(shop.order(base_model=base), shop.user)


def test_a_base_model_without_a_checkpoint_is_refused(shop):
    failed = shop.trained(behaviour="nothing")
    said = refused(shop.order(base_model=failed), shop.user)
    assert said == {"base_model": "The base model has no weights to start from."}


def test_a_base_model_of_another_training_type_is_refused(shop, make_shop):
    base = make_shop("OD", name="boxes").ready()
    assert "another training type" in refused(shop.order(base_model=base), shop.user)["base_model"]


def test_devices_beyond_the_kernels_range_are_refused(shop):
    assert refused(shop.order(devices=2), shop.user) == {"devices": "This kernel runs on 1 to 1 devices; you chose 2."}


def test_more_devices_than_any_host_has_are_refused(make_shop, settings):
    settings.TRAINPORTAL_CPU_SLOTS = 2
    hosts.beat()
    shop = make_shop(supported_gpu_count={"type": "integer", "minimum": 1, "maximum": 8})
    most = queue.most_devices()
    said = refused(shop.order(devices=most + 1), shop.user)
    assert said["devices"].startswith("No host has more than")
    assert not shop.order(devices=most).check().errors


def test_a_wait_for_devices_is_only_a_warning(shop):
    hosts.beat()
    for _device in range(queue.most_devices()):
        queue.claim(shop.order().start(shop.user).job, hosts.beat())
    report = shop.order().check()
    assert not report.errors
    assert any("wait in the queue" in warning for warning in report.warnings)


# --- what an accepted order is ---------------------------------------------------------------------------------------


def test_an_accepted_order_is_a_model_and_a_job_in_the_queue(shop):
    model = shop.order(name="밸브 1", description="first").start(shop.user)
    assert (model.job.state, model.job.kind, model.job.title) == (State.QUEUED, "training", "밸브 1")
    assert model.classes == shop.model_type.class_codes()
    assert model.snapshot.images == 8
    assert (model.origin, model.created_by, list(model.train_datasets.all())) == (Origin.TRAIN, shop.user, [shop.train])


def test_extra_files_arrive_in_etc_path(shop):
    files = [SimpleUploadedFile("전처리.json", b'{"crop": 3}'), SimpleUploadedFile("b.txt", b"two")]
    model = shop.finished(extra_files=files)
    seen = fake_kernels.seen(model.folder)
    assert seen["etc"] == {"전처리.json": '{"crop": 3}', "b.txt": "two"}
    assert Path(seen["config"]["etc_path"]) == runfolder.of(model.job) / "etc"


def test_an_extra_file_cannot_leave_its_folder(shop):
    file = SimpleUploadedFile("x", b"!")
    file._name = "../../escaped.txt"
    model = shop.order(extra_files=[file]).start(shop.user)
    folder = runfolder.of(model.job) / runfolder.EXTRA
    assert [path.parent for path in folder.iterdir()] == [folder]


def test_the_kernel_gets_what_was_ordered(shop):
    model = shop.finished(rows=2, lr=0.5)
    seen = fake_kernels.seen(model.folder)
    assert seen["settings"] == model.settings
    assert seen["settings"]["training_params"] == fake_kernels.params(rows=2, lr=0.5)
    assert seen["labels"] == model.classes == ["GOOD", "BAD"]
    assert seen["samples"] == {"train": 4, "validation": 4}
    config = seen["config"]
    assert (config["model_id"], config["operation"], config["resume"]) == (str(model.pk), "training", False)
    assert config["base_model_path"] == ""


def test_the_kernel_gets_no_secret_and_no_way_to_the_database(shop, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://portal:secret@db/portal")
    monkeypatch.setenv("TRAINPORTAL_SECRET_KEY", "not yours")
    seen = fake_kernels.seen(shop.finished().folder)
    assert not {"DATABASE_URL", "TRAINPORTAL_SECRET_KEY", "DJANGO_SETTINGS_MODULE"} & set(seen["environment"])
    assert not {"postgres://portal:secret@db/portal", "not yours"} & set(seen["environment"].values())


def test_additional_training_gets_its_base_model(shop):
    base = shop.finished()
    child = shop.finished(base_model=base, origin=Origin.ADDITIONAL)
    seen = fake_kernels.seen(child.folder)
    assert Path(seen["config"]["base_model_path"]) == base.folder
    assert "save" in seen["base"]


def test_a_model_that_is_trained_keeps_its_files_and_their_size(shop):
    model = shop.finished()
    assert (model.folder / "save/checkpoint.pth").is_file()
    assert (model.folder / f"{model.model_type.code}.onnx").is_file()
    assert model.size == sum(path.stat().st_size for path in model.folder.rglob("*") if path.is_file())
    run = runfolder.of(model.job)
    assert not (run / "dataset").exists()
    assert not (run / "tmp").exists()
    assert (run / "out/seen.json").is_file()


# --- how a training ends ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("exit3", "The kernel failed: exit code 3."),
        ("error", "The images are too small for this network."),
        ("error_then_done", "The images are too small for this network."),
        ("traceback", "ValueError: the learning rate fell into a well"),
        ("failure_file", "The GPU ran out of memory: choose a smaller batch."),
        ("killed", "The kernel failed: it was killed by the signal SIGKILL."),
        ("no_checkpoint", "save/checkpoint.pth is missing or empty"),
        ("nothing", "save/checkpoint.pth is missing or empty"),
    ],
)
def test_a_training_that_failed_says_why(shop, behaviour, says):
    model = shop.trained(behaviour=behaviour)
    assert model.job.state == State.FAILED
    assert says in model.job.message
    assert not model.is_finished
    assert not model.job.leases.exists()


def test_what_a_failed_training_saved_is_kept(shop):
    model = shop.trained(behaviour="exit3")
    assert model.has_checkpoint
    assert model.size > 0
    assert model.job.points.filter(chart="loss", series="train_loss").count() == 3


@pytest.mark.parametrize(
    ("behaviour", "remark"),
    [
        ("good", ""),
        ("no_done", "without saying that it was done"),
        ("done_then_crash", "The kernel said that it was done, then: it was killed by the signal SIGSEGV."),
        ("leaves_children", ""),
    ],
)
def test_a_training_that_succeeded_says_what_was_odd(shop, behaviour, remark):
    model = shop.finished(behaviour=behaviour)
    assert model.job.remark == remark if not remark else remark in model.job.remark


def test_lines_that_cannot_be_read_are_counted_and_do_no_harm(shop):
    model = shop.finished(behaviour="bad_lines")
    assert model.job.bad_lines == 3
    assert list(model.job.points.filter(series="train_loss").values_list("x", flat=True)) == [1, 2, 3, 10]


def test_progress_and_metrics_arrive(shop):
    model = shop.finished(rows=4)
    assert (model.job.percentage, model.job.step) == (100, 4)
    points = model.job.points.filter(chart="loss", series="val_loss").values_list("x", "value")
    assert list(points) == [(1, 1.5), (2, None), (3, 0.5), (4, None)]


# --- validations -----------------------------------------------------------------------------------------------------


def refused_validation(order, user) -> dict[str, str]:
    jobs = Job.objects.count()
    with pytest.raises(OrderRefused) as caught:
        order.start(user)
    assert Job.objects.count() == jobs
    return {complaint.field: complaint.message for complaint in reversed(caught.value.complaints)}


@pytest.mark.parametrize("behaviour", ["exit3", None])
def test_only_a_model_that_was_trained_is_validated(shop, behaviour):
    model = shop.trained(behaviour=behaviour) if behaviour else shop.order().start(shop.user)
    said = refused_validation(ValidationOrder(model, shop.kernel, [shop.val]), shop.user)
    assert said == {"model": "Only a model whose training succeeded can be validated."}


def test_a_validation_wants_labelled_datasets_of_its_project(shop, other_shop, make_shop):
    model, boxes = shop.ready(), make_shop("OD", name="boxes")
    said = [
        refused_validation(ValidationOrder(model, shop.kernel, datasets), shop.user)["datasets"]
        for datasets in ([], [other_shop.val], [boxes.val])
    ]
    assert said[0] == "Choose at least one dataset."
    assert said[1] == "A dataset belongs to another project."
    assert said[2].startswith("No image of boxes-val is labelled for")


def test_an_inference_needs_no_labels(shop, make_shop):
    boxes = make_shop("OD", name="boxes")
    order = ValidationOrder(shop.ready(), shop.kernel, [boxes.val], Operation.INFERENCE)
    assert order.start(shop.user).job.state == State.QUEUED


def test_a_kernel_validates_only_what_it_supports(shop):
    only = fake_kernels.register(name="only", supported_operations={"const": "training"})
    model = shop.ready(kernel=only)
    said = refused_validation(ValidationOrder(model, only, [shop.val]), shop.user)
    assert said == {"kernel": "The kernel does not support this operation; it supports: training."}
