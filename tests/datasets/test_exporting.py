"""Datasets go out and come in again as they were; what a format does not hold is said before."""

from __future__ import annotations

import json
import zipfile
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import translation

from datasets_app import deleting, export_jobs, exporting, importing
from datasets_app.formats import FORMATS, Source
from datasets_app.formats.writing import WRITERS
from datasets_app.job_kinds import ExportDataset
from datasets_app.models import Annotation, Dataset, Image
from jobs.kinds import Cancelled
from jobs.models import Job, State
from jobs.said import Said
from projects_app.models import AnnotationType

pytestmark = pytest.mark.django_db

BOX = {"label": "crack", "shape_type": "rectangle", "points": [[10.5, 10.25], [30, 20]]}
POLYGON = {"label": "dent", "shape_type": "polygon", "points": [[1, 1], [9, 1.125], [5, 9]]}


def imported(project, user, folder, name="mine", **options) -> Dataset:
    reading = importing.read(folder.source, importing.Options(**options))
    plan = importing.propose(project, name, reading, importing.Options(**options))
    return importing.commit(project, user, folder.source, reading, plan)[0]


@pytest.fixture
def mixed(folder, project, bob) -> Dataset:
    """Boxes of two labels, one image without and one that nobody labelled; meta data."""
    for number, shapes in enumerate(([BOX, {**BOX, "label": "dent"}], [BOX], [], None)):
        folder.image(f"sub/{number}.png", size=(100, 80 + number))
        if shapes is not None:
            folder.json(f"sub/{number}.json", {"imagePath": f"{number}.png", "shapes": shapes})
    folder.text("meta.csv", "file,data_category,obj_id\nsub/0.png,FRONT,=7\n")
    return imported(project, bob, folder)


@pytest.fixture
def run(project, tmp_path):
    """Exports and imports by command: the answer of the import."""

    def command(name, format, again, **options):
        out, target = StringIO(), tmp_path / f"{format}.zip"
        call_command(
            "export_dataset",
            name,
            project=project.code,
            format=format,
            output=target,
            json=True,
            stdout=out,
            stderr=StringIO(),
            **options,
        )
        answer = json.loads(out.getvalue())
        call_command("import_dataset", again, project=project.code, images=target, json=True, stdout=StringIO())
        return answer

    return command


def ask(dataset: Dataset, code: str, answers: dict[str, str]) -> None:
    """One more question about the images, with its answers by name."""
    question = AnnotationType.objects.create(project=dataset.project, code=code, name=code, training_type="CL")
    for name, answer in answers.items():
        category, _new = question.categories.get_or_create(code=answer, defaults={"name": answer, "position": 0})
        Annotation.objects.create(image=dataset.images.get(name=name), annotation_type=question, category=category)
    dataset.images.filter(name__in=answers).update(labelled_cl=True)


def content(dataset: Dataset) -> list:
    """Everything about it but where it came from; names without the folder of a layout."""
    images = dataset.images.order_by("name")
    prefix = exporting._common_layout([dataset])
    return [
        (
            image.name.removeprefix(f"{prefix}/"), image.blob_id, image.width, image.height,
            image.data_category, image.meta,
            image.labelled_cl, image.labelled_rc, image.labelled_od, image.labelled_seg,
            [
                (one.annotation_type.code, str(one.category or ""), one.verdict, one.kind, one.points)
                for one in image.annotations.select_related("annotation_type", "category").order_by("pk")
            ],
        )
        for image in images
    ]  # fmt: skip


@pytest.mark.parametrize("format", sorted(set(WRITERS) - {"folders"}))
def test_boxes_go_out_and_come_in_as_they_were(mixed, run, project, format):
    answer = run("mine", format, "again")
    assert (answer["images"], answer["losses"]) == (4, {})
    again = Dataset.objects.get(name="again")
    assert content(again) == content(mixed)
    assert again.problems == {}
    assert run("again", format, "third")["losses"] == {}  # and names do not grow
    assert content(Dataset.objects.get(name="third")) == content(mixed)
    assert sorted(Dataset.objects.get(name="third").images.values_list("name", flat=True)) == sorted(
        again.images.values_list("name", flat=True)
    )
    assert AnnotationType.objects.count() == 2


def test_categories_go_out_as_folders_and_come_in_as_they_were(folder, run, project, bob):
    for name in ("good/a.png", "bad/b.png", "bad/c.png"):
        folder.image(name, size=(50, 40 + len(name) + ord(name[-5])))
    dataset = imported(project, bob, folder)
    assert run("mine", "folders", "again")["losses"] == {}
    assert content(Dataset.objects.get(name="again")) == content(dataset)


def test_judged_regions_go_out_and_come_in_as_they_were(folder, run, project, bob):
    folder.image("a.png")
    folder.json("a.json", {"imagePath": "a.png", "shapes": [BOX, {**BOX, "label": "ok", "points": [[1, 1], [5, 5]]}]})
    dataset = imported(project, bob, folder, rc_type="VALVE", rc_false_labels=("ok",))
    assert {one.verdict for one in Annotation.objects.all()} == {True, False}
    for format in ("coco", "labelme_json", "labelme_xml", "original", "voc"):
        assert run("mine", format, f"again-{format}")["losses"] == {}, format
        assert content(Dataset.objects.get(name=f"again-{format}")) == content(dataset), format
    assert exporting.losses([dataset], "yolo") == [exporting.Loss("verdicts", 2)]


def test_datasets_of_several_splits_go_out_together(folder, run, project, bob):
    for split in ("train", "val"):
        folder.image(f"{split}/a.png", size=(100, 80 + len(split)))
        folder.json(f"{split}/a.json", {"imagePath": "a.png", "shapes": [BOX]})
    folder.text("split.csv", "file,split\ntrain/a.png,train\nval/a.png,val\n")
    reading = importing.read(folder.source)
    importing.commit(
        project, bob, folder.source, reading, importing.propose(project, "mine", reading, importing.Options())
    )
    found = Dataset.objects.order_by("name")
    assert [one.name for one in found] == ["mine-train", "mine-val"]
    out = folder.root.parent / "both.zip"
    assert exporting.write(list(found), "yolo", None, out) == 2
    assert zipfile.ZipFile(out).read("train.txt") == b"./images/train/a.png\n"
    call_command("import_dataset", "again", project=project.code, images=out, stdout=StringIO())
    for split in ("train", "val"):
        assert content(Dataset.objects.get(name=f"again-{split}")) == content(Dataset.objects.get(name=f"mine-{split}"))


def test_what_a_format_does_not_hold_is_counted(folder, project, bob):
    folder.image("a_A.png")
    folder.image("a_X.png", size=(50, 50))
    roi = {**BOX, "label": "", "isroi": True}
    folder.json(
        "a.json",
        {
            "imagePath": "a_A.png",
            "shapes": [POLYGON, {**POLYGON, "isgenerated": True, "score": 0.5, "label": "x"}, roi],
        },
    )
    dataset = imported(project, bob, folder, image_types=("_A.png", "_X.png"))
    question = AnnotationType.objects.create(project=project, code="STATE", name="State", training_type="CL")
    Annotation.objects.create(
        image=dataset.images.get(),
        annotation_type=question,
        category=question.categories.create(code="good", name="good", position=0),
    )
    dataset.images.update(labelled_cl=True)
    lost = {format: {one.code: one.count for one in exporting.losses([dataset], format)} for format in WRITERS}
    assert lost["labelme_json"] == {"other_types": 1, "siblings": 1}
    assert lost["voc"] == {"polygons": 2, "rois": 1, "scores": 1, "other_types": 1, "siblings": 1}
    assert lost["original"] == {"siblings": 1}
    assert lost["folders"] == {"rois": 1, "other_types": 2, "siblings": 1, "single_class": 1}
    for format in WRITERS:
        assert exporting.write([dataset], format, None, folder.root.parent / "out.zip") == 1
        names = zipfile.ZipFile(folder.root.parent / "out.zip").namelist()
        assert len([name for name in names if name.endswith("_X.png")]) == 1, format


@pytest.fixture
def two(folder, project, bob) -> Dataset:
    """Images `0.png` and `1.png` without labels."""
    for number in range(2):
        folder.image(f"{number}.png", size=(50, 40 + number))
    return imported(project, bob, folder)


def test_folders_hold_one_question_and_the_categories_of_others_are_counted(two):
    ask(two, "STATE", {"0.png": "good", "1.png": "bad"})
    ask(two, "SIDE", {"0.png": "left", "1.png": "right"})
    assert exporting.losses([two], "folders") == [exporting.Loss("other_questions", 2)]
    assert exporting.losses([two], "original", "CL") == []


def test_one_class_is_judged_by_the_question_that_becomes_folders(two, run):
    ask(two, "STATE", {"0.png": "good", "1.png": "good"})
    ask(two, "SIDE", {"0.png": "left", "1.png": "right"})
    assert {one.code for one in exporting.losses([two], "folders")} == {"other_questions", "single_class"}
    Annotation.objects.get(image__name="1.png", category__code="good").delete()  # it lies beside the folder now
    assert run("mine", "folders", "again")["losses"] == {"other_questions": 2}
    assert Annotation.objects.filter(image__dataset__name="again").count() == 1


@pytest.mark.parametrize("training_type", ["RC", None])
def test_the_old_layout_counts_regions_that_nobody_judged_whatever_is_drawn(mixed, training_type):
    """In its list a region has no line without a verdict."""
    valve = AnnotationType.objects.create(project=mixed.project, code="VALVE", name="Valve", training_type="RC")
    shape = {"annotation_type": valve, "kind": "rectangle", "points": [[1, 1], [5, 5]]}
    image = mixed.images.get(name="sub/0.png")
    Annotation.objects.create(image=image, verdict=True, **shape)
    Annotation.objects.create(image=image, **shape | {"points": [[2, 2], [5, 5]]})
    lost = {one.code: one.count for one in exporting.losses([mixed], "original", training_type)}
    assert lost["unjudged"] == 1
    assert exporting.losses([mixed], "labelme_json", "RC") == [exporting.Loss("other_types", 3)]


def test_regions_of_interest_stay_with_judged_regions_in_the_old_layout(folder, run, project, bob):
    roi = {"label": "", "shape_type": "rectangle", "points": [[2, 2], [60, 60]], "isroi": True}
    folder.image("a.png")
    folder.json(
        "a.json", {"imagePath": "a.png", "shapes": [BOX, {**BOX, "label": "ok", "points": [[1, 1], [5, 5]]}, roi]}
    )
    dataset = imported(project, bob, folder, rc_type="VALVE", rc_false_labels=("ok",))
    assert run("mine", "original", "again")["losses"] == {}
    again = Dataset.objects.get(name="again")
    rois = Annotation.objects.filter(is_roi=True)
    assert [one.points for one in rois.filter(image__dataset=again)] == [[[2.0, 2.0], [60.0, 60.0]]]
    image, before = again.images.get(), dataset.images.get()
    assert (image.labelled_rc, image.labelled_od) == (before.labelled_rc, before.labelled_od) == (True, False)
    assert again.images.get().annotations.count() == 3


@pytest.mark.parametrize("format", ["labelme_json", "original"])
def test_a_region_of_interest_makes_no_image_a_labelled_one(mixed, run, format):
    """A file with nothing else drawn would say that somebody looked and found nothing: the loss is counted."""
    image = mixed.images.get(name="sub/3.png")
    Annotation.objects.create(image=image, is_roi=True, kind="rectangle", points=[[1, 1], [5, 5]])
    assert run("mine", format, "again")["losses"] == {"rois": 1}
    again = Dataset.objects.get(name="again")
    assert again.images.get(labelled_od=False).name.endswith("sub/3.png")
    assert not Annotation.objects.filter(image__dataset=again, is_roi=True).exists()


def test_regions_of_interest_alone_are_no_class(two):
    for image in two.images.all():
        Annotation.objects.create(image=image, is_roi=True, kind="rectangle", points=[[1, 1], [5, 5]])
    assert exporting.losses([two], "folders", "CL") == [exporting.Loss("rois", 2)]


@pytest.mark.parametrize("format", ["labelme_json", "original"])
def test_regions_of_interest_go_out_and_come_in_without_any_label(two, run, format):
    Annotation.objects.create(
        image=two.images.get(name="1.png"), is_roi=True, kind="rectangle", points=[[1, 1], [5, 5]]
    )
    assert run("mine", format, "again")["losses"] == {}
    found = Annotation.objects.get(image__dataset__name="again")
    assert (found.is_roi, found.points) == (True, [[1.0, 1.0], [5.0, 5.0]])
    assert found.image.name.endswith("1.png")


def test_questions_of_the_old_layout_are_no_drawn_labels(two, tmp_path):
    ask(two, "STATE", {"0.png": "good", "1.png": "bad"})
    exporting.write([two], "original", "CL", tmp_path / "out.zip")
    assert [name for name in zipfile.ZipFile(tmp_path / "out.zip").namelist() if name.endswith(".json")] == []


def test_siblings_of_two_parts_keep_apart_where_folders_become_names(folder, run, project, bob):
    for number, stem in enumerate(("p/q", "p_q", "p_q_2", "r")):
        folder.image(f"{stem}_A.png", size=(50, 40 + number))
        folder.image(f"{stem}_X.png", size=(60, 40 + number))
    types = importing.Options(image_types=("_A.png", "_X.png"))
    dataset = imported(project, bob, folder, image_types=types.image_types)
    Annotation.objects.all().delete()
    ask(dataset, "STATE", {"p/q_A.png": "ok", "p_q_A.png": "ok", "p_q_2_A.png": "ok", "r_A.png": "bad"})
    out = folder.root.parent / "out.zip"
    exporting.write([dataset], "folders", None, out)
    packed = zipfile.ZipFile(out).namelist()
    assert len(set(packed)) == len(packed) == 8
    with importing.opened(out) as unpacked:
        source = Source(unpacked)
        reading = importing.read(source, types)
        importing.commit(project, bob, source, reading, importing.propose(project, "again", reading, types))

    def pairs(of: Dataset) -> list:
        return sorted(
            (one.blob_id, one.siblings.get().blob_id, one.annotations.get().category.code) for one in of.images.all()
        )

    assert pairs(Dataset.objects.get(name="again")) == pairs(dataset)


def test_a_cancel_is_seen_at_the_next_image_and_leaves_no_archive(mixed, bob, home):
    job, told = export_jobs.start(mixed, "coco", "", bob), []

    def progress(percentage, sentence):
        told.append((percentage, sentence))
        if len(told) == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        ExportDataset().run(job, progress)
    assert told == [(0, "Packing image 1 of 4"), (25, "Packing image 2 of 4")]
    assert not list((home / "exports").rglob("*.zip*"))


def test_a_training_type_that_a_format_has_no_place_for_is_refused(mixed, project, tmp_path):
    with pytest.raises(exporting.ExportRefused, match="no place for labels of Object detection"):
        exporting.write([mixed], "folders", "OD", tmp_path / "out.zip")
    assert not list(tmp_path.glob("*out.zip*"))
    with pytest.raises(CommandError, match="no dataset nobody"):
        call_command("export_dataset", "nobody", project=project.code, format="coco", output=tmp_path / "out.zip")


def test_the_page_names_each_format_with_what_it_loses_and_starts_a_job(mixed, bob, client_of, project):
    client, url = client_of(bob), reverse("datasets:export", args=["valves", mixed.pk])
    page = client.get(url).content.decode()
    assert all(module.TITLE in page for module in FORMATS.values())
    assert "Nothing is lost." in page
    assert client.post(url, {"format": "coco"}).url == url
    assert client.post(url, {"format": "coco"}).url == url  # the same once more: no second job
    job = Job.objects.get()
    assert "every 2s" in client.get(url).content.decode()
    ExportDataset().run(job, lambda percentage, sentence: None)
    Job.objects.update(state=State.SUCCEEDED)
    answer = client.get(reverse("datasets:export_download", args=["valves", mixed.pk, job.pk]))
    assert answer["Content-Disposition"] == 'attachment; filename="mine-coco.zip"'
    assert b"".join(answer.streaming_content)[:2] == b"PK"
    assert "every 2s" not in client.get(url, headers={"hx-request": "true"}).content.decode()


def test_the_page_says_how_an_export_ended_in_the_readers_language(mixed, bob, client_of):
    client, url = client_of(bob), reverse("datasets:export", args=["valves", mixed.pk])
    cancelled, failed = (export_jobs.start(mixed, format, "", bob) for format in ("coco", "voc"))
    cancelled.request_cancel(bob)
    gone = Said("The dataset of this export is gone.")
    failed.move((State.QUEUED,), State.FAILED, who="runner", why=gone, message=gone)
    page = client.get(url, headers={"hx-request": "true"}).content.decode()
    assert "Cancelled" in page
    assert "The dataset of this export is gone." in page
    korean = client.get(url, headers={"hx-request": "true", "accept-language": "ko"}).content.decode()
    with translation.override("ko"):
        assert str(State.CANCELLED.label) in korean
        assert gone.here() in korean
    assert "The dataset of this export is gone." not in korean


def test_a_format_that_is_none_starts_nothing(mixed, bob, client_of):
    url = reverse("datasets:export", args=["valves", mixed.pk])
    page = client_of(bob).post(url, {"format": "dicom"}, follow=True).content.decode()
    assert "There is no format “dicom”." in page
    assert not Job.objects.exists()


def test_an_export_that_fails_leaves_nothing_and_a_deleted_dataset_takes_its_archives(mixed, bob, project, home):
    job = export_jobs.start(mixed, "coco", "", bob)
    blob = Image.objects.first().blob
    blob.path.rename(blob.path.with_suffix(".away"))
    with pytest.raises(Exception, match="could not be written"):
        ExportDataset().run(job, lambda percentage, sentence: None)
    assert not list((home / "exports").rglob("*.zip*"))
    blob.path.with_suffix(".away").rename(blob.path)
    ExportDataset().run(job, lambda percentage, sentence: None)
    assert list((home / "exports").rglob("*.zip"))
    deleting.delete(mixed)
    assert not list((home / "exports").rglob("*.zip"))
