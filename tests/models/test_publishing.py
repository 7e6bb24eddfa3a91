"""Results go from the run folder to where they stay: whole, whatever crashes in between, and none of them is lost."""

from __future__ import annotations

import shutil

import pytest

from jobs import hosts, kinds, queue, runfolder
from jobs.kinds import Cancelled
from models_app import publishing
from models_app.models import Operation
from models_app.orders import ValidationOrder

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(tmp_path):
    """A run folder with an output."""
    (tmp_path / "run/out/save").mkdir(parents=True)
    (tmp_path / "run/out/save/checkpoint.pth").write_text("weights")
    return tmp_path / "run"


def test_a_crash_between_the_rename_and_the_link_loses_nothing(shop):
    model = shop.finished()
    folder, kind = runfolder.of(model.job), kinds.get("training")
    (folder / runfolder.OUTPUT).unlink()
    assert kind.check(model.job, folder) == []
    (folder / runfolder.OUTPUT).unlink()
    kind.keep_partial(model.job, folder)
    assert (folder / "out/save/checkpoint.pth").read_text() == (model.folder / "save/checkpoint.pth").read_text()


def test_the_same_crash_after_a_validation_loses_nothing(shop):
    validation = shop.validated(shop.finished())
    folder, kind = runfolder.of(validation.job), kinds.get("validation")
    (folder / runfolder.OUTPUT).unlink()
    assert kind.check(validation.job, folder) == []
    (folder / runfolder.OUTPUT).unlink()
    validation.predictions.all().delete()
    kind.finish(validation.job, folder)
    assert validation.predictions.count() == 4


def test_publishing_twice_is_publishing_once(run, tmp_path):
    target = tmp_path / "models/1"
    for _time in range(2):
        publishing.publish(run, target)
    assert (run / "out").resolve() == target
    assert (target / "save/checkpoint.pth").read_text() == "weights"


def test_images_that_a_run_produced_are_kept_and_stay_where_its_list_says(run, tmp_path):
    produced = run / runfolder.IMAGES / "a/1.png"
    produced.parent.mkdir(parents=True)
    produced.write_bytes(b"picture")
    for _time in range(2):
        publishing.publish(run, tmp_path / "validations/1")
    assert (tmp_path / "validations/1/images/a/1.png").read_bytes() == b"picture"
    assert produced.read_bytes() == b"picture"


def test_images_beside_an_output_that_has_its_own_stay_where_they_are(run, tmp_path):
    for place in (run / "out/images", run / "images"):
        place.mkdir()
        (place / "1.png").write_text(str(place))
    publishing.publish(run, tmp_path / "validations/1")
    assert (tmp_path / "validations/1/images/1.png").read_text() == str(run / "out/images")
    assert (run / "images/1.png").read_text() == str(run / "images")


def test_scratch_and_an_empty_folder_of_images_go(run, tmp_path):
    for name in ("dataset", "tmp", "images"):
        (run / name).mkdir()
    publishing.publish(run, tmp_path / "models/1")
    assert [path.name for path in run.iterdir()] == ["out"]


# --- what is there, but of no use ------------------------------------------------------------------------------------


@pytest.fixture
def complaints(make_shop):
    """What the check says of results that a kernel would leave; `files`: name in the output -> bytes."""

    def check(training_type: str, files: dict[str, bytes], operation: str = Operation.VALIDATION) -> list[str]:
        shop = make_shop(training_type, name=f"{training_type}-{len(files)}")
        order = ValidationOrder(shop.ready(), shop.kernel, [shop.val], operation)
        job = order.start(shop.user).job
        folder, kind = runfolder.of(job), kinds.get("validation")
        kind.prepare(job, folder, resume=False)
        for name, content in files.items():
            path = folder / runfolder.OUTPUT / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return kind.check(job, folder)

    return check


GOOD_ROWS = b"filename,y,y_pred,p0,p1\n/a.png,0,0,1,0\n"
GOOD_MATRIX = b"0,1,name\n3,1,GOOD\n0,4,BAD\n"


@pytest.mark.parametrize(
    ("detections", "confusion", "says"),
    [
        (GOOD_ROWS, GOOD_MATRIX, []),
        (GOOD_ROWS + b"short,0\n", GOOD_MATRIX, []),
        (b"\xff\xfe\x00\x01", GOOD_MATRIX, ["detections.csv is of no use: cannot be read as CSV"]),
        (b"a\0b\n\0\n", GOOD_MATRIX, ["detections.csv is of no use: cannot be read as CSV (it holds NUL bytes)"]),
        (b"filename,y,y_pred,p0,p1\nx,0\n", GOOD_MATRIX, ["detections.csv is of no use: no row can be read (line 2: "]),
        (b"filename,y,y_pred\n", b"0,1,name\n", ["detections.csv is of no use: no row", "confusion.csv is of no use"]),
        (GOOD_ROWS, b"\x89PNG\xff", ["confusion.csv is of no use: cannot be read as CSV"]),
        (GOOD_ROWS, b"0,1,name\nmany,few,GOOD\n", ["confusion.csv is of no use: no row can be read"]),
    ],
)
def test_tables_that_say_nothing_are_no_success(complaints, detections, confusion, says):
    found = complaints("CL", {"detections.csv": detections, "confusion.csv": confusion})
    assert len(found) == len(says)
    assert all(sentence.startswith(start) for sentence, start in zip(found, says, strict=True)), found


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"annotations/1.json": b'{"shapes": []}', "annotations/2.json": b"{", "summary.csv": b"mAP,1\n"}, []),
        ({"annotations/1.json": b"{", "summary.csv": b"mAP,1\n"}, ["annotations is of no use: no file can be read (1"]),
        ({"annotations/x.txt": b"", "summary.csv": b"mAP,1\n"}, ["annotations is of no use: no file can be read"]),
        ({"annotations/1.json": b'{"shapes": []}', "summary.csv": b"\xff\xfe\x00"}, ["summary.csv is of no use: cann"]),
    ],
)
def test_shapes_that_say_nothing_are_no_success(complaints, files, says):
    found = complaints("OD", files)
    assert len(found) == len(says)
    assert all(sentence.startswith(start) for sentence, start in zip(found, says, strict=True)), found


def test_a_list_of_produced_images_that_is_no_text_is_no_success(complaints, monkeypatch):
    monkeypatch.setattr("models_app.complaints.why_not", lambda *given: "")  # the fake kernel does not preprocess
    found = complaints("CL", {"files.txt": b"\xff\xfe\x00"}, Operation.PREPROCESSING)
    assert found == ["files.txt is of no use: is not UTF-8 text"]


def test_no_row_is_needed_where_there_was_nothing_to_judge(shop):
    validation = shop.validated(shop.finished())
    folder = runfolder.of(validation.job)
    shutil.rmtree(folder / runfolder.DATASET, ignore_errors=True)
    (folder / "out/detections.csv").write_text("filename,y,y_pred,p0,p1\n")
    assert kinds.get("validation").check(validation.job, folder) == []


def test_packages_that_are_installed_before_a_training_hear_a_cancel(shop, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    job = shop.order().start(shop.user).job
    (shop.kernel.folder / "requirements.txt").write_text("no-such-package-anywhere\n")
    assert queue.claim(job, hosts.beat())
    job.refresh_from_db()
    job.request_cancel(by=shop.user)
    with pytest.raises(Cancelled):
        kinds.get("training").prepare(job, runfolder.of(job), resume=False)
