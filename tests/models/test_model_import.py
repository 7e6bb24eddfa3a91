"""Models come in: unpacked safely, checked against a kernel's schema before there is a model, all or nothing."""

from __future__ import annotations

import io
import json
import pickle
import stat
import tarfile
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from jobs import charts, following, runfolder
from jobs.models import Job, State
from kernels_app.models import Kernel, KernelState, KernelSwitch
from models_app import activating, exporting
from models_app.imports import committing, drafts
from models_app.models import ModelDraft, ModelExport, TrainedModel
from models_app.orders import TrainOrder
from projects_app.models import Membership, ModelType, Project
from tests import fake_kernels

pytestmark = pytest.mark.django_db
WEIGHTS = {"save/checkpoint.pth": b"weights", "CL_parts.onnx": b"network"}


def packed(files: dict[str, bytes], how: str = "zip") -> bytes:
    buffer = io.BytesIO()
    if how == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode=how) as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def settings_of(shop):
    """A `model.json` that fits, or does not where something is changed."""

    def make(**changed) -> str:
        usual = {"training_type": "CL", "model_type": shop.model_type.code, "training_params": fake_kernels.params()}
        return json.dumps({key: value for key, value in (usual | changed).items() if value is not None}, indent=1)

    return make


@pytest.fixture
def devs(dev, client_of):
    return client_of(dev)


@pytest.fixture
def send(shop, devs, settings_of):
    """Uploads as the developer; the response."""

    def post(files, settings: str | None = None, *, name: str = "part.zip", how: str = "zip"):
        content = files if isinstance(files, bytes) else packed(files, how)
        fields = {"weights": SimpleUploadedFile(name, content)}
        text = settings_of() if settings is None else settings
        fields |= {"settings_file": SimpleUploadedFile("model.json", text.encode())} if text else {}
        return devs.post(reverse("models:import", args=[shop.project.code]), fields)

    return post


@pytest.fixture
def draft_page(devs):
    """The preview of an upload; with fields, what is posted from it (all the rest as it stands there)."""

    def get(draft: ModelDraft | None = None, **fields):
        draft = draft or ModelDraft.objects.get()
        url = reverse("models:import_draft", args=[draft.project.code, draft.pk])
        shown = devs.get(url)
        if not fields:
            return shown
        order = shown.context["order"]
        usual = {"name": order.name, "description": order.description, "settings": order.text}
        return devs.post(url, usual | fields)

    return get


@pytest.fixture
def imported(send, draft_page):
    """From the upload to the model, nothing changed on the way."""

    def run(*args, **kwargs) -> TrainedModel:
        send(*args, **kwargs)
        answer = draft_page(start="1")
        assert answer.status_code == 302, answer.context["errors"]
        job = following.run_here(Job.objects.get(kind="import_model"))
        assert job.state == State.SUCCEEDED, job.message
        return TrainedModel.objects.get(job=job)

    return run


def text(answer) -> str:
    return answer.content.decode()


def nothing_is_left(home: Path) -> bool:
    files = [path for folder in ("model-imports", "tmp", "models") for path in (home / folder).rglob("*")]
    return not files and not ModelDraft.objects.exists() and not TrainedModel.objects.exists()


# --- what becomes of an archive --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["zip", "w", "w:gz"])
def test_weights_and_settings_become_a_model(shop, imported, how, dev, home):
    model = imported(WEIGHTS, how=how)
    assert (model.folder / "save/checkpoint.pth").read_bytes() == b"weights"
    assert (model.folder / "CL_parts.onnx").read_bytes() == b"network"
    assert (model.model_type, model.kernel, model.origin) == (shop.model_type, shop.kernel, "import")
    assert (model.settings["training_params"], model.classes) == (fake_kernels.params(), ["GOOD", "BAD"])
    assert (model.is_finished, model.has_checkpoint, model.size) == (True, True, 14)
    assert (model.name, model.created_by) == (f"{shop.model_type.code}-part", dev)
    assert model.imported_from == {"file": "part.zip"}
    assert not ModelDraft.objects.exists()
    assert not list((home / "model-imports").iterdir())


def test_an_imported_model_is_validated_activated_exported_and_a_base(shop, imported, alice, client_of):
    model = imported(WEIGHTS)
    assert shop.validated(model).summary["accuracy"] == 0.75
    activating.activate(model, alice, "it came well recommended", instead_of=None)
    export = exporting.start(model, alice)
    assert following.run_here(export.job).state == State.SUCCEEDED
    child = shop.finished(name="child", base_model=model, origin="additional")
    assert fake_kernels.seen(child.folder)["base"] == ["CL_parts.onnx", "save"]
    page = text(client_of(alice).get(model.get_absolute_url()))
    for part in ("part.zip", "Imported by", child.get_absolute_url()):
        assert part in page


def test_an_archive_that_is_one_folder_counts_from_inside(imported):
    model = imported({f"a/best model/{name}": content for name, content in WEIGHTS.items()} | {"__MACOSX/x": b""})
    assert (model.folder / "CL_parts.onnx").is_file()
    assert (model.folder / "save/checkpoint.pth").is_file()


def test_files_that_belong_into_save_are_put_there(send, draft_page, imported):
    files = {"checkpoint.pth": b"weights", "metrics/loss.csv": b"step,loss\n1,0.5\n2,0.25\n", "x.onnx": b"network"}
    model = imported(files)
    assert sorted(path.name for path in (model.folder / "save").iterdir()) == ["checkpoint.pth", "metrics"]
    assert (model.folder / "x.onnx").is_file()
    assert charts.best_and_last(model.job, {})["loss"]["loss"]["last"] == 0.25


def test_classes_come_from_the_archive_where_it_says_them(shop, send, draft_page, imported):
    model = imported(WEIGHTS | {"label.txt": b"GOOD\nBAD\nSTRANGE\n"})
    assert model.classes == ["GOOD", "BAD", "STRANGE"]
    model.delete()
    send(WEIGHTS | {f"{shop.model_type.code}.json": b'{"classes": ["GOOD", "ODD"]}'})
    page = draft_page()
    assert page.context["order"].classes == ["GOOD", "ODD"]
    assert "It knows classes that" in text(page)
    assert "It does not know BAD" in text(page)


def test_the_weights_are_never_unpickled(shop, imported, tmp_path, client_of, dev):
    mark = tmp_path / "opened"

    class Bomb:
        def __reduce__(self):
            return (Path.touch, (mark,))

    content = pickle.dumps(Bomb())
    pickle.loads(content)
    assert mark.exists(), "the bomb works"
    mark.unlink()
    model = imported({"save/checkpoint.pth": content})
    client_of(dev).get(model.get_absolute_url())
    following.run_here(exporting.start(model, dev).job)
    assert not mark.exists()


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"../../evil": b"x"}, "points out of the archive"),
        ({"/etc/evil": b"x"}, "absolute path"),
        ({"C:\\evil": b"x"}, "names a drive"),
        ({"readme.txt": b"x"}, "There is no save/checkpoint.pth in the archive"),
        ({"save/checkpoint.pth": b"\0" * 3 * 2**20}, None),
        (b"", "empty"),
        (b"hello", "no archive"),
        (b"PK\x03\x04broken", "damaged"),
    ],
)
def test_an_archive_that_is_unsafe_or_no_model_leaves_nothing(send, home, files, says):
    if says is None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("save/checkpoint.pth", files["save/checkpoint.pth"])
        files, says = buffer.getvalue(), "as an attack would"
    answer = send(files)
    assert answer.status_code == 422
    assert says in str(answer.context["form"].errors["weights"])
    assert nothing_is_left(home)


def test_links_are_refused(send, home):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("save/checkpoint.pth")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert "links or devices" in str(send(buffer.getvalue()).context["form"].errors["weights"])
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        info = zipfile.ZipInfo("save/checkpoint.pth")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert "links or devices" in str(send(zipped.getvalue()).context["form"].errors["weights"])
    assert nothing_is_left(home)


def test_a_file_larger_than_the_limit_is_refused(send, settings, home):
    settings.UPLOAD_LIMIT = 100
    assert "larger than this installation takes" in text(send(WEIGHTS))
    assert nothing_is_left(home)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "Choose a model.json"),
        ('{"training_type": "CL",\n "model_type" 1}', "This is not JSON: line 2"),
        ("[1]", "is an object"),
        ('{"training_type": "XX", "model_type": "A", "training_params": {}}', "must be one of CL, RC, OD, SEG"),
        ('{"model_type": "A", "training_params": {}}', "you gave nothing"),
        ('{"training_type": "CL", "model_type": "NEW", "training_params": {}}', "no model type “NEW” in this project"),
        ('{"training_type": "CL", "model_type": 5, "training_params": {}}', "code of a model type"),
        ('{"training_type": "CL", "model_type": "A\\u0000", "training_params": {}}', "cannot be kept"),
        ('{"training_type": "CL", "model_type": "A", "extra": 1, "training_params": {}}', "“extra” is not known"),
    ],
)
def test_settings_that_cannot_be_are_told_with_what_to_do_and_start_nothing(send, draft_page, given, says):
    send(WEIGHTS, given)
    assert says in text(draft_page())
    answer = draft_page(start="1")
    assert answer.status_code == 422
    assert not Job.objects.filter(kind="import_model").exists()


def test_settings_are_checked_against_the_kernels_schema_as_in_the_form(send, draft_page, settings_of):
    wrong = fake_kernels.params(lr=5, rows="many", lern=1)
    send(WEIGHTS, settings_of(training_params=wrong))
    page = draft_page()
    said = page.context["errors"]["settings"]
    assert len(said) == 3
    assert any("rows: must be a whole number; you gave “many”" in line for line in said), said
    assert any("lr: must be at most 1; you gave 5" in line for line in said), said
    assert any("“lern” is not a setting of this kernel; did you mean “lr”?" in line for line in said), said
    lines = page.context["order"].text.splitlines()
    for line in said:
        number = int(line.split()[1].rstrip(":"))
        assert any(name in lines[number - 1] for name in ("rows", "lr", "lern"))
    assert text(page).count('class="is-bad"') == 3


def test_settings_that_stand_in_one_line_are_laid_out_for_people(shop, send, draft_page, settings_of):
    given = json.loads(settings_of())
    send(WEIGHTS, json.dumps(given))
    text = draft_page().context["order"].text
    assert text.count("\n") > len(given["training_params"])
    assert json.loads(text) == given


def test_a_wrong_settings_file_is_mended_on_the_page_without_sending_the_weights_again(
    shop, send, draft_page, settings_of
):
    send(WEIGHTS, settings_of(training_params=fake_kernels.params(lr=5)))
    assert draft_page(check="1").status_code == 422
    again = draft_page(check="1", settings=settings_of())
    assert again.status_code == 200
    assert not again.context["errors"]
    better = SimpleUploadedFile("model.json", settings_of().encode())
    assert draft_page(start="1", settings_file=better).status_code == 302
    assert following.run_here(Job.objects.get(kind="import_model")).state == State.SUCCEEDED


def test_the_model_type_must_be_of_that_training_type(send, draft_page, make_shop, settings_of):
    boxes = make_shop("OD", name="boxes")
    send(WEIGHTS, settings_of(model_type=boxes.model_type.code))
    assert "learns OD, not CL" in text(draft_page())


def test_a_name_that_is_taken_is_refused_and_a_free_one_proposed(shop, send, draft_page):
    shop.ready(name=f"{shop.model_type.code}-part")
    send(WEIGHTS)
    assert draft_page().context["order"].name == f"{shop.model_type.code}-part.1"
    answer = draft_page(start="1", name=f"{shop.model_type.code}-part")
    assert "is free" in answer.context["errors"]["name"][0]


# --- which kernel ----------------------------------------------------------------------------------------------------


def test_the_kernel_whose_schema_the_settings_satisfy_is_filled_in(shop, send, draft_page):
    strict = fake_kernels.register(name="a-strict", model_type={"const": "OTHER"})
    send(WEIGHTS)
    finder = draft_page().context["finder"]
    assert finder.chosen == shop.kernel
    [reason] = [why for kernel, why in finder.others if kernel == strict]
    assert "only for these model types: OTHER" in reason


def test_another_kernel_can_be_chosen_and_the_settings_are_checked_against_it(shop, send, draft_page):
    other = fake_kernels.register(name="other", trainable_image_type={"type": "array", "minItems": 1})
    send(WEIGHTS)
    assert draft_page().context["finder"].chosen == other, "the newest of those that fit"
    answer = draft_page(start="1", kernel=str(shop.kernel.pk))
    assert answer.status_code == 302
    following.run_here(Job.objects.get(kind="import_model"))
    assert TrainedModel.objects.get().kernel == shop.kernel


def test_without_a_kernel_that_fits_it_is_said(shop, send, draft_page):
    for kernel in Kernel.objects.all():
        KernelSwitch.objects.create(kernel=kernel, project=shop.project, is_on=False)
    send(WEIGHTS)
    assert "No kernel that is on here supports CL" in draft_page().context["errors"]["kernel"][0]
    answer = draft_page(start="1", kernel=str(shop.kernel.pk))
    assert "switched off" in answer.context["errors"]["kernel"][0]


# --- an export of a portal -------------------------------------------------------------------------------------------


@pytest.fixture
def exported(shop, dev):
    """The bytes of an export of a finished model."""

    def run(**changed) -> bytes:
        model = shop.finished(**({"name": "original", "description": "the best"} | changed))
        export = exporting.start(model, dev)
        following.run_here(export.job)
        return ModelExport.objects.get(pk=export.pk).path.read_bytes()

    return run


@pytest.fixture
def elsewhere(dev):
    """A project that has nothing, of the same developer."""
    project = Project.objects.create(code="pumps", name="Pumps")
    Membership.objects.create(project=project, user=dev, role="developer")
    return project


@pytest.fixture
def take_in(devs, draft_page):
    """Uploads an export into a project, and imports it with nothing filled in."""

    def run(project: Project, content: bytes) -> TrainedModel:
        url = reverse("models:import", args=[project.code])
        answer = devs.post(url, {"weights": SimpleUploadedFile("original.zip", content)})
        assert answer.status_code == 302, answer.context["form"].errors
        answer = draft_page(start="1")
        assert answer.status_code == 302, answer.context["errors"]
        job = following.run_here(Job.objects.get(kind="import_model", project=project))
        assert job.state == State.SUCCEEDED, job.message
        return TrainedModel.objects.get(job=job)

    return run


def test_an_export_needs_nothing_filled_in_where_there_is_nothing(shop, exported, elsewhere, take_in, devs):
    content = exported(lr=0.125)
    original = TrainedModel.objects.get()
    model = take_in(elsewhere, content)
    assert (model.name, model.description, model.settings) == ("original", "the best", original.settings)
    assert (model.classes, model.kernel) == (original.classes, original.kernel)
    assert model.model_type == ModelType.objects.get(project=elsewhere, code=shop.model_type.code)
    assert model.model_type.class_codes() == original.classes
    assert model.snapshot.sha256 == original.snapshot.sha256
    assert model.snapshot.project == elsewhere
    assert model.snapshot.images == 8
    for path in original.folder.rglob("*"):
        if path.is_file():
            assert (model.folder / path.relative_to(original.folder)).read_bytes() == path.read_bytes()
    assert charts.best_and_last(model.job, model.goals) == charts.best_and_last(original.job, original.goals)
    page = text(devs.get(model.get_absolute_url()))
    for part in ("step 3", "“original” of the project", "parts-train", model.snapshot.sha256[:12]):
        assert part in page
    assert devs.get(reverse("jobs:metrics_csv", args=["pumps", model.job_id, "loss"])).status_code == 200


def test_a_kernel_that_is_not_here_comes_along_and_is_on_in_this_project_alone(
    shop, exported, elsewhere, take_in, devs, home, settings
):
    content = exported()
    TrainedModel.objects.all().delete()
    digest = shop.kernel.digest
    Kernel.objects.filter(pk=shop.kernel.pk).delete()
    url = reverse("models:import", args=[elsewhere.code])
    devs.post(url, {"weights": SimpleUploadedFile("original.zip", content)})
    draft = ModelDraft.objects.get()
    page = text(devs.get(reverse("models:import_draft", args=[elsewhere.code, draft.pk])))
    assert "comes along and will be registered and tried" in page
    assert "people you trust" in page
    assert not Kernel.objects.filter(digest=digest).exists(), "looking registers nothing"
    drafts.discard(draft)
    model = take_in(elsewhere, content)
    assert (model.kernel.digest, model.kernel.is_bundled) == (digest, False)
    assert (model.kernel.folder / "train.py").read_bytes() == fake_kernels.PROGRAM.read_bytes()
    assert model.kernel in Kernel.objects.on_in(elsewhere)
    assert model.kernel not in Kernel.objects.on_in(shop.project)
    assert (model.kernel.state, model.kernel.origin["kind"]) == (KernelState.IMPORTING, "model"), "nobody tried it yet"
    settings.JOB_POLL, settings.JOB_GRACE = 0.05, 5.0
    following.run_here(model.kernel.job)
    model.kernel.refresh_from_db()
    assert (model.kernel.state, model.kernel.tried_at is not None) == (KernelState.READY, True)
    assert "✓ CL: Starts" in model.kernel.log.read_text()


def test_a_kernel_that_is_off_here_is_switched_on(shop, exported, elsewhere, take_in):
    content = exported()
    KernelSwitch.objects.create(kernel=shop.kernel, project=elsewhere, is_on=False)
    model = take_in(elsewhere, content)
    assert model.kernel == shop.kernel
    assert shop.kernel in Kernel.objects.on_in(elsewhere)


def test_where_the_kernel_is_nowhere_another_is_filled_in_with_a_warning(shop, exported, elsewhere, devs, draft_page):
    (shop.kernel.folder / "notes.txt").write_text("so that it does not come along")
    content = exported()
    fake_kernels.register(version="2", supported_gpu_count={"maximum": 2})
    TrainedModel.objects.all().delete()
    Kernel.objects.filter(pk=shop.kernel.pk).delete()
    devs.post(reverse("models:import", args=["pumps"]), {"weights": SimpleUploadedFile("o.zip", content)})
    page = draft_page()
    assert str(page.context["finder"].chosen) == "fake-cl@2"
    assert "It was trained with fake-cl@1, which is not here" in text(page)


def test_an_export_that_was_changed_is_refused(exported, elsewhere, devs, home):
    content = exported()
    url = reverse("models:import", args=["pumps"])
    for change in ("replace", "add", "drop"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
            for name in old.namelist():
                if change == "drop" and name == "label.txt":
                    continue
                is_changed = change == "replace" and name.endswith("checkpoint.pth")
                new.writestr(name, b"other weights" if is_changed else old.read(name))
            if change == "add":
                new.writestr("model/more.bin", b"x")
        answer = devs.post(url, {"weights": SimpleUploadedFile("o.zip", buffer.getvalue())})
        assert "is not what was exported" in str(answer.context["form"].errors["weights"]), change
    assert not ModelDraft.objects.exists()


@pytest.mark.parametrize("broken", ["{", "[]", '{"format": "trainportal-model", "version": 9}'])
def test_an_export_that_says_nonsense_of_itself_is_refused_or_taken_for_weights(send, broken):
    answer = send({"export.json": broken.encode(), "model/save/checkpoint.pth": b"x"}, "")
    assert answer.status_code == 422


def test_a_label_that_is_here_for_another_training_type_fails_the_import_and_leaves_no_row(
    shop, exported, elsewhere, devs, draft_page
):
    content = exported()
    kind = shop.model_type.annotation_types.get()
    elsewhere.annotation_types.create(code=kind.code, name="x", training_type="OD")
    devs.post(reverse("models:import", args=["pumps"]), {"weights": SimpleUploadedFile("o.zip", content)})
    draft_page(start="1")
    job = following.run_here(Job.objects.get(kind="import_model"))
    assert job.state == State.FAILED
    assert "for another training type" in job.message
    assert not TrainedModel.objects.filter(project=elsewhere).exists()
    assert not ModelType.objects.filter(project=elsewhere).exists()
    assert ModelDraft.objects.exists(), "it can be tried again"
    assert draft_page().status_code == 200


# --- all or nothing, whatever dies -----------------------------------------------------------------------------------


@pytest.fixture
def waiting(send, draft_page):
    """An import in the queue; its job."""
    send(WEIGHTS | {"save/metrics/loss.csv": b"step,loss\n1,0.5\n"})
    draft_page(start="1")
    return Job.objects.get(kind="import_model")


def silent(percentage: float, sentence: str) -> None:
    """Nobody wants to know."""


def test_an_import_that_is_run_again_makes_one_model(waiting):
    committing.commit(waiting, silent)
    committing.commit(waiting, silent)
    model = TrainedModel.objects.get()
    assert (model.folder / "save/checkpoint.pth").is_file()
    assert model.job.points.count() == 1


def test_an_import_that_was_cut_off_after_the_row_goes_on_with_the_files(waiting, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(committing, "_place", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            committing.commit(waiting, silent)
    assert not TrainedModel.objects.get().has_checkpoint
    committing.commit(waiting, silent)
    model = TrainedModel.objects.get()
    assert (model.folder / "save/checkpoint.pth").is_file()
    assert not ModelDraft.objects.exists()


def test_a_name_taken_while_it_waited_fails_the_job_and_keeps_the_upload(shop, waiting, draft_page):
    shop.ready(name=waiting.args["name"])
    job = following.run_here(waiting)
    assert (job.state, "is free" in job.message) == (State.FAILED, True)
    assert TrainedModel.objects.count() == 1
    assert job.subject[1] == reverse("models:import_draft", args=[shop.project.code, ModelDraft.objects.get().pk])
    assert draft_page(start="1", name="another").status_code == 302


def test_files_that_cannot_be_placed_take_the_row_along(waiting, home):
    (home / "models").write_text("a file where the folder should be")
    job = following.run_here(waiting)
    assert (job.state, "Nothing was imported" in job.message) == (State.FAILED, True)
    assert not TrainedModel.objects.exists()
    assert (ModelDraft.objects.get().folder / "model/save/checkpoint.pth").is_file()


def test_a_cancelled_import_leaves_nothing(waiting, dev, home):
    waiting.request_cancel(by=dev)
    assert not TrainedModel.objects.exists()
    following.run_here(waiting)
    assert not TrainedModel.objects.exists()


def test_an_import_of_a_discarded_upload_fails_in_words(waiting):
    drafts.discard(ModelDraft.objects.get())
    job = following.run_here(waiting)
    assert "this upload was discarded" in job.message


def test_two_who_press_start_get_one_job(send, draft_page):
    send(WEIGHTS)
    draft = ModelDraft.objects.get()
    draft_page(start="1")
    page = draft_page(draft)
    assert page.status_code == 302
    assert Job.objects.filter(kind="import_model").count() == 1


def test_a_discarded_upload_leaves_nothing(shop, send, devs, home):
    send(WEIGHTS)
    draft = ModelDraft.objects.get()
    devs.post(reverse("models:import_discard", args=[shop.project.code, draft.pk]))
    assert nothing_is_left(home)
    url = reverse("models:import_draft", args=[shop.project.code, draft.pk])
    assert "imported or discarded" in text(devs.get(url, follow=True))


def test_uploads_that_nobody_imported_go_after_some_days(send, home):
    send(WEIGHTS)
    old = ModelDraft.objects.get()
    ModelDraft.objects.update(created_at=timezone.now() - timedelta(days=8))
    drafts.drop_old()
    assert not ModelDraft.objects.exists()
    assert not old.folder.exists()


def test_an_imported_model_says_nothing_of_how_long_a_training_takes(shop, imported):
    from models_app.preflight import earlier

    imported(WEIGHTS)
    assert earlier.past(shop.order()) == []
    assert isinstance(shop.order(), TrainOrder)


def test_deleting_an_imported_model_frees_its_bytes(shop, imported, devs):
    model = imported(WEIGHTS)
    run = runfolder.of(model.job)
    devs.post(reverse("models:delete", args=[shop.project.code]), {"model": model.pk})
    assert not model.folder.exists()
    assert not run.exists()
