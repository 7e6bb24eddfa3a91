"""Import on the page: upload, look, change, start; what is wrong is said beside its field and leaves nothing."""

from __future__ import annotations

import io
import os
import shutil
import time
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from PIL import Image as Picture

from datasets_app import drafts
from datasets_app.job_kinds import ImportDataset
from datasets_app.models import Annotation, Blob, Dataset, Image, ImportDraft
from jobs.kinds import Cancelled, JobError
from jobs.models import Job
from projects_app.models import AnnotationType, ModelType

pytestmark = pytest.mark.django_db


def archive(folder: Path, name: str = "data.zip") -> SimpleUploadedFile:
    path = shutil.make_archive(str(folder.parent / "packed"), "zip", folder)
    return SimpleUploadedFile(name, Path(path).read_bytes())


@pytest.fixture
def boxes(folder):
    """Three images with rectangles of two labels, one of them with white space, and one polygon."""
    for number in range(3):
        folder.image(f"{number}.png", size=(100, 80 + number))
        shapes = [
            {"label": "a crack", "shape_type": "rectangle", "points": [[1, 2], [30, 40]]},
            {"label": "dent", "shape_type": "rectangle", "points": [[5, 5], [20 + number, 20]]},
        ]
        if number == 2:
            shapes.append({"label": "dent", "shape_type": "polygon", "points": [[1, 1], [9, 1], [9, 9]]})
        folder.json(f"{number}.json", {"imagePath": f"{number}.png", "shapes": shapes, "imageData": None})
    return folder


@pytest.fixture
def send(project, bob, client_of):
    """Uploads as bob; the response."""
    client = client_of(bob)

    def post(upload, **fields):
        return client.post(reverse("datasets:import", args=["valves"]), {"name": "mine", "images": upload} | fields)

    return post


def run(job: Job) -> None:
    ImportDataset().run(job, lambda percentage, sentence: None)


def the_form(draft: ImportDraft, **changes) -> dict:
    """What the preview page posts when nothing is changed."""
    plan = drafts.plan_of(draft)
    fields = {"name": plan.name, "model_type": "+", "model_type-code": plan.model_type}
    if plan.question:
        fields |= {"question": "+", "question-code": plan.question}
    for number, label in enumerate(plan.labels):
        fields |= {f"becomes-{number}": "+", f"code-{number}": label.code}
    return fields | changes


def address(draft: ImportDraft, name: str = "preview") -> str:
    return reverse(f"datasets:{name}", args=["valves", draft.pk])


def nothing_is_left(home: Path) -> bool:
    files = [path for folder in ("blobs", "imports", "tmp") for path in (home / folder).rglob("*") if path.is_file()]
    return not files and not ImportDraft.objects.exists() and not Dataset.objects.exists() and not Blob.objects.exists()


def test_an_upload_is_shown_before_anything_is_imported(send, boxes, bob, client_of):
    response = send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    assert response.url == address(draft)
    page = client_of(bob).get(response.url).content.decode()
    assert "a_crack" in page
    assert "OD_mine" in page
    assert "Choose object detection to import its box" in page
    assert page.count("<polygon") == 7
    assert not Dataset.objects.exists()


def test_characters_that_no_database_takes_are_problems_of_the_preview(send, boxes, bob, client_of):
    box = {"label": "dent\0", "shape_type": "rectangle", "points": [[1, 2], [30, 40]]}
    for name, document in (
        ("3", {"imagePath": "0.png", "shapes": [box], "version": "5\0"}),
        ("4", {"imagePath": "no\0where\ud800.png", "shapes": []}),
    ):
        boxes.json(f"{name}.json", document)
    assert send(archive(boxes.root)).status_code == 302
    draft = ImportDraft.objects.get()
    found = {one["code"]: one["files"] for one in draft.preview["problems"]}
    assert found["bad_label"] == ["3.json: shape 1, rectangle 'dent\\x00'"]
    assert found["image_missing"] == ["4.json: no\ufffdwhere\ufffd.png"]
    page = client_of(bob).get(address(draft)).content.decode()
    assert "A shape whose label holds characters that cannot be kept was left out." in page


def test_a_coco_category_that_no_database_takes_is_left_out(send, folder, bob, client_of):
    folder.image("a.png")
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
        "categories": [{"id": 1, "name": "dent\0"}, {"id": 2, "name": "hole"}],
        "annotations": [{"id": n, "image_id": 1, "category_id": n, "bbox": [1, 1, 9, 9]} for n in (1, 2)],
    }
    folder.json("a.json", document)
    assert send(archive(folder.root)).status_code == 302
    assert [label.label for label in drafts.plan_of(ImportDraft.objects.get()).labels] == ["hole"]


def test_an_import_that_two_people_start_at_once_is_one_job(send, boxes, bob):
    send(archive(boxes.root))
    first, second = ImportDraft.objects.get(), ImportDraft.objects.get()
    job = drafts.start(first, drafts.plan_of(first), bob)
    assert drafts.start(second, drafts.plan_of(second), bob) == job
    assert Job.objects.count() == 1


def test_reading_anew_does_not_forget_an_import_that_was_started_meanwhile(send, boxes, bob):
    send(archive(boxes.root))
    first, second = ImportDraft.objects.get(), ImportDraft.objects.get()
    job = drafts.start(first, drafts.plan_of(first), bob)
    drafts.revise(second, "mine", drafts.options_of(second))
    assert drafts.job_of(ImportDraft.objects.get()) == job


def test_an_upload_that_was_discarded_meanwhile_is_not_imported(send, boxes, bob):
    send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    drafts.discard(ImportDraft.objects.get())
    with pytest.raises(drafts.ImportRefused, match="discarded"):
        drafts.start(draft, drafts.plan_of(draft), bob)
    assert not Job.objects.exists()


def test_the_import_runs_as_a_job_and_leaves_no_upload(send, boxes, bob, client_of, home):
    send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    response = client_of(bob).post(address(draft), the_form(draft))
    job = Job.objects.get()
    assert response.url == job.get_absolute_url()
    run(job)
    dataset = Dataset.objects.get()
    assert (dataset.name, dataset.created_by, dataset.images.count()) == ("mine", bob, 3)
    assert dataset.problems == {"polygon_left_out": 1}
    assert job.subject == ("mine", dataset.get_absolute_url())
    assert not ImportDraft.objects.exists()
    assert not any((home / "imports").iterdir())
    run(job)  # a runner that was lost after the end: nothing happens twice
    assert Dataset.objects.count() == 1


def test_labels_can_be_renamed_attached_and_left_out(send, boxes, bob, client_of, project):
    AnnotationType.objects.create(project=project, training_type="OD", code="OD_CRACK", name="Crack")
    send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    changes = {"becomes-0": "OD_CRACK", "becomes-1": "", "name": "other", "model_type-code": "OD_VALVE"}
    client_of(bob).post(address(draft), the_form(draft, **changes))
    run(Job.objects.get())
    assert set(Annotation.objects.values_list("annotation_type__code", flat=True)) == {"OD_CRACK"}
    assert ModelType.objects.get().class_codes() == ["OD_CRACK"]
    assert Dataset.objects.get().name == "other"
    assert Image.objects.filter(labelled_od=True).count() == 3


def test_a_model_type_that_does_not_cover_the_labels_is_not_extended(send, boxes, bob, client_of, project):
    small = ModelType.objects.create(project=project, code="OD_SMALL", name="Small", training_type="OD")
    small.learn(AnnotationType.objects.create(project=project, training_type="OD", code="dent", name="Dent"))
    send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    assert drafts.plan_of(draft).model_type == "OD_mine"
    response = client_of(bob).post(address(draft), the_form(draft, model_type="OD_SMALL"))
    assert response.status_code == 422
    assert "does not learn a_crack" in response.content.decode()
    assert small.class_codes() == ["dent"]


def test_a_model_type_that_covers_the_labels_is_proposed(send, boxes, project):
    large = ModelType.objects.create(project=project, code="OD_LARGE", name="Large", training_type="OD")
    for code in ("dent", "a_crack", "stain"):
        large.learn(AnnotationType.objects.create(project=project, training_type="OD", code=code, name=code))
    send(archive(boxes.root))
    assert drafts.plan_of(ImportDraft.objects.get()).model_type == "OD_LARGE"


def test_a_code_that_is_none_is_said_beside_its_label_and_a_blank_one_is_not_taken_for_left_out(
    send, boxes, bob, client_of
):
    send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    response = client_of(bob).post(address(draft), the_form(draft, **{"code-0": "a b", "code-1": ""}))
    assert set(response.context["faults"]) == {"code-0", "code-1"}
    assert not Job.objects.exists()


def test_rectangles_become_judged_regions_when_asked_for(send, boxes, bob, client_of):
    send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    client_of(bob).post(address(draft, "revise"), {"training_type": "RC", "rc_type": "VALVE"})
    draft.refresh_from_db()
    changes = {"question-code": "VALVE", "becomes-0": "true", "becomes-1": "false"}
    client_of(bob).post(address(draft), the_form(draft, **changes))
    run(Job.objects.get())
    labels = Annotation.objects.filter(annotation_type__code="VALVE", kind="rectangle")
    assert (labels.filter(verdict=True).count(), labels.filter(verdict=False).count()) == (3, 4)


def test_polygons_become_boxes_when_object_detection_is_chosen(send, boxes, bob, client_of):
    send(archive(boxes.root), training_type="OD")
    draft = ImportDraft.objects.get()
    client_of(bob).post(address(draft), the_form(draft))
    run(Job.objects.get())
    assert Annotation.objects.filter(kind="rectangle").count() == 7
    assert Dataset.objects.get().problems == {"polygon_as_box": 1}


def test_sibling_pictures_belong_to_one_image(send, folder, bob, client_of):
    for part in ("P1", "P2"):
        folder.image(f"ok/{part}_A.png", size=(100, 78 + int(part[1])))
        folder.image(f"ok/{part}_X.png", size=(50, 50))
    folder.image("bad/P3_A.png")
    send(archive(folder.root), image_types="_A.png, _X.png")
    draft = ImportDraft.objects.get()
    client_of(bob).post(address(draft), the_form(draft))
    run(Job.objects.get())
    image = Image.objects.get(name="ok/P1_A.png")
    assert [(one.suffix, one.name) for one in image.siblings.all()] == [("_X.png", "ok/P1_X.png")]
    assert Image.objects.count() == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"hello", "no archive"), (b"PK\x03\x04broken", "damaged")],
)
def test_what_is_no_archive_is_said_beside_the_field(send, home, content, message):
    response = send(SimpleUploadedFile("a.zip", content))
    assert response.status_code == 422
    assert message in str(response.context["form"].errors["images"])
    assert nothing_is_left(home)


def test_an_archive_without_a_readable_image_is_refused(send, folder, home):
    folder.text("ok/a.png", b"hello")
    folder.text("bad/b.png", b"hello")
    response = send(archive(folder.root))
    assert "None of the 2 images can be read" in response.content.decode()
    assert nothing_is_left(home)


def test_a_broken_image_is_left_out_and_counted(send, folder, bob, client_of):
    folder.image("ok/a.png")
    good = folder.image("bad/b.png", size=(2000, 2000))
    folder.text("bad/c.png", good.read_bytes()[:600])
    folder.text("bad/d.png", b"")
    send(archive(folder.root))
    draft = ImportDraft.objects.get()
    client_of(bob).post(address(draft), the_form(draft))
    run(Job.objects.get())
    dataset = Dataset.objects.get()
    assert dataset.images.count() == 2
    assert dataset.problems == {"broken_image": 1, "empty_file": 1}


def test_a_name_that_is_taken_is_refused(send, folder, project, home):
    folder.image("ok/a.png")
    Dataset.objects.create(project=project, name="mine")
    response = send(archive(folder.root))
    assert "already" in str(response.context["form"].errors["name"])
    assert not ImportDraft.objects.exists()


def test_a_split_file_without_columns_is_said_beside_its_field(send, folder, home):
    folder.image("ok/a.png")
    response = send(archive(folder.root), split_file=SimpleUploadedFile("s.csv", b"a,b\n1,2\n"))
    assert "column" in str(response.context["form"].errors["split_file"])
    assert nothing_is_left(home)


def test_a_name_taken_while_the_import_waited_fails_the_job_and_leaves_no_row(
    send, boxes, bob, client_of, project, home
):
    send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    client_of(bob).post(address(draft), the_form(draft))
    Dataset.objects.create(project=project, name="mine")
    with pytest.raises(JobError, match="already"):
        run(Job.objects.get())
    assert (Image.objects.count(), Blob.objects.count(), AnnotationType.objects.count()) == (0, 0, 0)
    assert not list((home / "blobs").rglob("*")) if (home / "blobs").exists() else True
    assert ImportDraft.objects.exists()  # its name can be changed, and it can be imported again


def test_a_cancelled_import_leaves_nothing(send, boxes, bob, client_of, home):
    send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    client_of(bob).post(address(draft), the_form(draft))

    def stop(percentage: float, sentence: str) -> None:
        if percentage >= 90:
            raise Cancelled

    with pytest.raises(Cancelled):
        ImportDataset().run(Job.objects.get(), stop)
    assert nothing_is_left(home)


def test_a_discarded_upload_leaves_nothing(send, boxes, bob, client_of, home):
    send(archive(boxes.root))
    client_of(bob).post(address(ImportDraft.objects.get(), "discard"))
    assert nothing_is_left(home)


def test_uploads_that_nobody_imported_go_after_some_days(send, boxes, home):
    send(archive(boxes.root))
    ImportDraft.objects.update(created_at=timezone.now() - timedelta(days=8))
    old = ImportDraft.objects.get()
    send(archive(boxes.root))
    assert not ImportDraft.objects.filter(pk=old.pk).exists()
    assert not old.folder.exists()


def test_folders_that_nobody_knows_any_more_go_after_some_days(send, boxes, home):
    send(archive(boxes.root))
    known = ImportDraft.objects.get().folder
    leftovers = [home / name for name in ("tmp/import-1", "tmp/unpacked-1", "tmp/blob-1", "imports/1")]
    young, others = home / "tmp/import-2", home / "tmp/somebody"
    for folder in (*leftovers, young, others):
        (folder / "deep").mkdir(parents=True)
    week_ago = time.time() - 8 * 24 * 3600
    for folder in (*leftovers, others, known):
        os.utime(folder, (week_ago, week_ago))
    drafts.drop_old()
    assert not [folder for folder in leftovers if folder.exists()]
    assert young.is_dir()
    assert others.is_dir()
    assert known.is_dir()


def test_the_preview_shows_pictures_of_the_upload(send, boxes, bob, client_of):
    send(archive(boxes.root))
    url = reverse("datasets:preview_image", args=["valves", ImportDraft.objects.get().pk, 0])
    response = client_of(bob).get(url)
    assert response["Content-Type"] == "image/jpeg"
    assert io.BytesIO(b"".join(response.streaming_content)).read(2) == b"\xff\xd8"


def test_a_viewer_cannot_import_and_a_stranger_sees_nothing(project, vera, charlie, client_of):
    url = reverse("datasets:import", args=["valves"])
    assert client_of(vera).get(url).status_code == 403
    assert client_of(charlie).get(url).status_code == 404


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("ARCHIVE_ENTRIES", 2, "too many files"),
        ("ARCHIVE_BYTES", 300, "too large"),
        ("ARCHIVE_FILE_BYTES", 100, "too large"),
        ("ARCHIVE_RATIO", 0.001, None),  # small files may be as compressible as they like
    ],
)
def test_an_archive_beyond_the_limits_of_the_installation_is_refused(
    send, boxes, home, settings, limit, value, message
):
    setattr(settings, limit, value)
    response = send(archive(boxes.root))
    if message is None:
        assert response.status_code == 302
        return
    assert message in str(response.context["form"].errors["images"])
    assert nothing_is_left(home)


def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(send, boxes, home):
    boxes.text("zeros.bmp", bytes(8 * 2**20))
    response = send(archive(boxes.root))
    assert "as an attack would" in str(response.context["form"].errors["images"])
    assert nothing_is_left(home)


@pytest.mark.parametrize("name", ["../evil.png", "/abs/evil.png", "a/../../evil.png", "C:\\evil.png", "..\\evil.png"])
def test_an_archive_whose_names_lead_outside_is_refused(send, home, name):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(name, b"x")
    response = send(SimpleUploadedFile("a.zip", buffer.getvalue()))
    assert "points out of it" in str(response.context["form"].errors["images"])
    assert nothing_is_left(home)
    assert not list(home.parent.rglob("evil.png"))


def test_files_that_attack_the_reader_are_problems_of_the_preview(send, boxes, bob, client_of, settings):
    boxes.text("deep.json", "[" * 100_000)
    boxes.text("laughs.xml", '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><annotation>&c;</annotation>')
    boxes.text("outside.xml", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><annotation>&b;</annotation>')
    boxes.image("bomb.png", size=(60, 50))
    settings.IMAGE_PIXELS = 2000
    for number in range(3):
        boxes.image(f"{number}.png", size=(40, 41 + number))
    send(archive(boxes.root))
    draft = ImportDraft.objects.get()
    found = {one["code"]: one for one in draft.preview["problems"]}
    assert found["unreadable_file"]["count"] == 3
    assert any("nested too deeply" in file for file in found["unreadable_file"]["files"])
    client_of(bob).post(address(draft), the_form(draft))
    run(Job.objects.get())
    assert Dataset.objects.get().problems["too_many_pixels"] == 1
    assert Image.objects.count() == 3


def test_what_is_odd_is_counted_in_the_preview_and_in_the_dataset(send, folder, bob, client_of):
    good = folder.image("ok/a.png", size=(300, 200))
    folder.text("bad/copy.png", good.read_bytes())
    noise = folder.root / "bad" / "cut.jpg"
    Picture.effect_noise((300, 200), 50).save(noise)
    noise.write_bytes(noise.read_bytes()[:2000])
    Picture.new("CMYK", (30, 20)).save(folder.root / "bad" / "print.jpg")
    folder.text("bad/._cut.jpg", b"x")
    send(archive(folder.root))
    draft = ImportDraft.objects.get()
    found = {one["code"]: one["count"] for one in draft.preview["problems"]}
    assert found == {"same_picture": 1, "cut_off": 1, "cmyk": 1, "system_file": 1}
    client_of(bob).post(address(draft), the_form(draft))
    run(Job.objects.get())
    assert Dataset.objects.get().problems == {"same_picture": 1, "broken_image": 1, "cmyk": 1, "system_file": 1}
