"""What the portal proposes for labels, and that an import is all or nothing."""

from __future__ import annotations

import pytest
from PIL import Image as Picture

from datasets_app import committing, importing
from datasets_app.importing import ImportRefused, Options, Source
from datasets_app.models import Blob, Dataset, Image
from datasets_app.plan_checks import check
from datasets_app.plans import propose
from datasets_app.records import ImageRecord, Reading, Shape
from projects_app.models import AnnotationType, Category, ModelType

pytestmark = pytest.mark.django_db


def shapes(*labels: str, kind: str = "rectangle") -> Reading:
    points = ((1, 1), (9, 9)) if kind == "rectangle" else ((1, 1), (9, 1), (9, 9))
    found = tuple(Shape(label, kind, points) for label in labels)
    return Reading("test", (ImageRecord("a.png", shapes=found, labelled=True),), tuple(dict.fromkeys(labels)))


def classes(*labels: str) -> Reading:
    records = tuple(ImageRecord(f"{label}.png", category=label, labelled=True) for label in labels)
    return Reading("folders", records, labels, is_classification=True)


def codes(plan) -> dict[str, str]:
    return {label.label: label.code for label in plan.labels}


def test_white_space_in_a_label_becomes_an_underscore_and_codes_stay_apart(project):
    plan = propose(project, "mine", shapes("a b", "a/b", "밸브 균열", "??"), Options())
    assert codes(plan) == {"a b": "a_b", "a/b": "OD_a_b", "밸브 균열": "밸브_균열", "??": "label_4"}


def test_rectangles_teach_detection_and_mostly_polygons_segmentation(project):
    assert propose(project, "mine", shapes("x"), Options()).training_type == "OD"
    assert propose(project, "mine", shapes("x", kind="polygon"), Options()).training_type == "SEG"
    assert propose(project, "mine", classes("x", "y"), Options()).training_type == "CL"


def test_a_code_that_another_training_type_has_is_not_taken(project):
    AnnotationType.objects.create(project=project, training_type="SEG", code="dent", name="dent")
    assert codes(propose(project, "mine", shapes("dent"), Options())) == {"dent": "OD_dent"}


def test_labels_attach_to_types_that_are_known_by_code_or_name(project):
    AnnotationType.objects.create(project=project, training_type="OD", code="T1", name="dent")
    AnnotationType.objects.create(project=project, training_type="OD", code="OD_hole", name="Loch")
    plan = propose(project, "mine", shapes("dent", "hole"), Options())
    assert codes(plan) == {"dent": "T1", "hole": "OD_hole"}


def test_folders_attach_to_a_question_whose_categories_cover_them(project):
    question = AnnotationType.objects.create(project=project, training_type="CL", code="plate", name="plate")
    for position, code in enumerate(("good", "bad", "odd")):
        Category.objects.create(annotation_type=question, code=code, name=code, position=position)
    assert propose(project, "mine", classes("good", "bad"), Options()).question == "plate"
    assert propose(project, "mine", classes("good", "new"), Options()).question == "mine"


def test_a_false_label_that_no_region_has_is_refused_with_those_there_are(project):
    with pytest.raises(ImportRefused, match="Found: ok, bad"):
        propose(project, "mine", shapes("ok", "bad"), Options(rc_type="X", rc_false_labels=("OK",)))


def test_an_import_that_leaves_everything_out_is_refused(project):
    plan = propose(project, "mine", shapes("ok"), Options())
    nothing = plan.from_json(plan.as_json() | {"labels": [{"label": "ok", "count": 1, "code": ""}]})
    with pytest.raises(ImportRefused, match="Keep at least one"):
        check(project, nothing, [""])


def test_a_failure_while_writing_leaves_no_row_and_no_file(project, bob, folder, home, monkeypatch):
    folder.image("a.png")
    reading = shapes("dent")
    plan = propose(project, "mine", reading, Options())

    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(committing, "_fill", fail)
    with pytest.raises(OSError, match="disk full"):
        importing.commit(project, bob, folder.source, reading, plan)
    assert Dataset.objects.count() + Image.objects.count() + Blob.objects.count() + ModelType.objects.count() == 0
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_images_without_a_split_keep_the_plain_name(project, bob, folder):
    records = []
    for number, split in enumerate(("train", "val", "")):
        folder.image(f"{number}.png", size=(100, 80 + number))
        records.append(ImageRecord(f"{number}.png", split=split))
    reading = Reading("folders", tuple(records), ())
    made = importing.commit(project, bob, folder.source, reading, propose(project, "mine", reading, Options()))
    assert [(one.name, one.split) for one in made] == [("mine-train", "train"), ("mine-val", "val"), ("mine", "")]


def test_progress_is_told_and_ends_with_the_writing(project, bob, folder):
    folder.image("a.png")
    told = []
    reading = shapes("dent")
    importing.commit(
        project,
        bob,
        folder.source,
        reading,
        propose(project, "mine", reading, Options()),
        progress=lambda percentage, sentence: told.append(sentence),
    )
    assert told == ["Reading image 1 of 1", "Writing 1 images"]


def test_a_split_file_that_lies_beside_the_images_is_used(tmp_path):
    for split in ("train", "val"):
        for label in ("good", "bad"):
            path = tmp_path / label / f"{split}.png"
            path.parent.mkdir(exist_ok=True)
            Picture.new("RGB", (8, 8), "red").save(path)
    rows = [f"{label}/{split}.png,{split}" for split in ("train", "val") for label in ("good", "bad")]
    (tmp_path / "split.csv").write_text("file,split\n" + "\n".join(rows))
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    found = importing.read(Source(tmp_path))
    assert {image.path: image.split for image in found.images} == dict(row.split(",") for row in rows)


def test_a_label_that_says_that_nothing_is_wrong_is_proposed_as_false(project):
    plan = propose(project, "mine", shapes("OK", "crack"), Options(training_type="RC"))
    assert {label.label: label.verdict for label in plan.labels} == {"OK": False, "crack": True}


def test_regions_that_all_have_the_same_verdict_are_refused(project):
    plan = propose(project, "mine", shapes("crack", "dent"), Options(training_type="RC"))
    with pytest.raises(ImportRefused, match="same verdict"):
        check(project, plan, [""])
