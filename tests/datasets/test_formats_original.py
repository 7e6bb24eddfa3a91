"""The layout of the system before this one, from its files to the rows."""

import pytest

from datasets_app import importing
from datasets_app.formats import read
from datasets_app.models import Annotation, Image
from datasets_app.plans import Options
from projects_app.models import AnnotationType, ModelType

from .conftest import codes


@pytest.fixture
def layout(folder):
    """Three images; one is named with a space. All of CL, RC, OD and meta data speak of them."""
    for name in ("a.png", "b 1.png", "c.png"):
        folder.image(f"images/{name}")
    folder.text("annotations/STATE.cat", "good\nbad broken or bent\n")
    folder.text("annotations/STATE.txt", "a.png good\nb 1.png bad\n")
    folder.text("annotations/rc.cat", "VALVE\nBOLT\n")
    folder.text(
        "annotations/rc.txt",
        "a.png VALVE true 1 2 10 20\nb 1.png VALVE false 5 5 10 10\nb 1.png BOLT TRUE 50 5 10 10\n",
    )
    box = {"label": "dent", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]}
    folder.json("annotations/c.json", {"imagePath": "../images/c.png", "shapes": [box]})
    folder.text("meta/meta.csv", "file,data_category,obj_id\na.png,FRONT,7\nc.png,SIDE,\ngone.png,TOP,1\n")
    return folder


def test_each_part_becomes_a_reading_of_its_own(layout):
    reading = read(layout.source)
    assert (reading.format, reading.labels) == ("original", ("dent",))
    regions, question = reading.also
    assert [(shape.label, shape.verdict, shape.points) for image in regions.images for shape in image.shapes] == [
        ("VALVE", True, ((1.0, 2.0), (11.0, 22.0))),
        ("VALVE", False, ((5.0, 5.0), (15.0, 15.0))),
        ("BOLT", True, ((50.0, 5.0), (60.0, 15.0))),
    ]
    assert [(image.category, image.labelled) for image in question.images] == [
        ("good", True),
        ("bad", True),
        (None, False),
    ]
    assert (question.question, question.labels) == ("STATE", ("good", "bad"))
    assert codes(reading) == []


@pytest.mark.django_db
def test_all_of_it_is_imported_at_once(layout, project, bob):
    reading = importing.read(layout.source)
    plan = importing.propose(project, "mine", reading, Options())
    (dataset,) = importing.commit(project, bob, layout.source, reading, plan)
    labels = Annotation.objects.filter(image__dataset=dataset).order_by("annotation_type__code", "image__name", "pk")
    assert [(one.annotation_type.code, str(one.category or ""), one.verdict) for one in labels] == [
        ("BOLT", "", True),
        ("STATE", "good", None),
        ("STATE", "bad", None),
        ("VALVE", "", True),
        ("VALVE", "", False),
        ("dent", "", None),
    ]
    kinds = {one.code: str(one.training_type) for one in AnnotationType.objects.all()}
    assert kinds == {"BOLT": "RC", "STATE": "CL", "VALVE": "RC", "dent": "OD"}
    assert {one.code: one.class_codes() for one in ModelType.objects.all()} == {
        "CL_mine_STATE": ["good", "bad"],
        "OD_mine": ["dent"],
        "RC_mine": ["VALVE", "BOLT"],
    }
    assert list(Image.objects.filter(labelled_rc=True).values_list("name", flat=True)) == [
        "images/a.png",
        "images/b 1.png",
    ]
    image = Image.objects.get(name="images/a.png")
    assert (image.data_category, image.meta) == ("FRONT", {"data_category": "FRONT", "obj_id": "7"})
    assert dataset.problems == {"image_missing": 1, "same_picture": 2}


@pytest.mark.django_db
def test_a_code_that_two_parts_use_is_given_once(layout, project, bob):
    layout.text("annotations/rc.cat", "dent\n")
    layout.text("annotations/rc.txt", "a.png dent true 1 2 10 20\n")
    reading = importing.read(layout.source)
    importing.commit(project, bob, layout.source, reading, importing.propose(project, "mine", reading, Options()))
    kinds = {one.code: str(one.training_type) for one in AnnotationType.objects.all()}
    assert kinds == {"STATE": "CL", "RC_dent": "RC", "dent": "OD"}


@pytest.mark.django_db
@pytest.mark.parametrize("text", [b"", b"\xff\xfe\xfa"])
def test_a_list_that_names_no_category_does_not_refuse_the_rest(layout, project, bob, text):
    layout.text("annotations/EMPTY.cat", text)
    reading = importing.read(layout.source)
    importing.commit(project, bob, layout.source, reading, importing.propose(project, "mine", reading, Options()))
    assert sorted(AnnotationType.objects.values_list("code", flat=True)) == ["BOLT", "STATE", "VALVE", "dent"]


def test_the_training_type_that_is_chosen_comes_first(layout):
    reading = importing.read(layout.source, Options(training_type="CL"))
    assert (reading.question, [one.is_classification for one in reading.also]) == ("STATE", [False, False])


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("a.png VALVE maybe 1 2 10 20", "bad_row"),
        ("a.png VALVE true 1 2 10", "bad_row"),
        ("a.png VALVE true 1 2 x 20", "bad_coordinates"),
        ("a.png VALVE true 1 2 0 20", "zero_size_box"),
        ("a.png OTHER true 1 2 10 20", "unknown_category"),
        ("../../etc/passwd VALVE true 1 2 10 20", "image_missing"),
        ("a.png VALVE true 500 2 10 20", "outside_image"),
        ("a.png VALVE true 1 2 10 20", "duplicate_shape"),
    ],
)
def test_a_region_that_cannot_be_is_dropped_and_counted(folder, line, code):
    folder.image("images/a.png")
    folder.text("annotations/rc.cat", "VALVE\n")
    folder.text("annotations/rc.txt", f"a.png VALVE true 1 2 10 20\n\n{line}\n")
    reading = read(folder.source)
    assert codes(reading) == [code]
    assert len(reading.images[0].shapes) == 1


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("a.png ugly", "unknown_category"),
        ("good", "bad_row"),
        ("gone.png good", "image_missing"),
        ("a.png bad", "two_categories"),
    ],
)
def test_a_category_that_cannot_be_is_dropped_and_counted(folder, line, code):
    folder.image("images/a.png")
    folder.text("annotations/Q.cat", "good\nbad\n")
    folder.text("annotations/Q.txt", f"a.png good\n{line}\n")
    reading = read(folder.source)
    assert (codes(reading), reading.images[0].category) == ([code], "good")


def test_a_list_without_its_text_is_a_problem(folder):
    folder.image("images/a.png")
    folder.text("annotations/Q.cat", "good\nbad\n")
    assert codes(read(folder.source)) == ["unreadable_file"]


def test_a_table_that_comes_along_and_is_none_is_said(layout):
    layout.text("meta/meta.csv", "some,thing\n1,2\n")
    reading = importing.read(layout.source)
    assert [problem.code for problem in reading.problems] == ["meta_ignored"]


def test_a_table_that_was_sent_has_to_be_one(layout, tmp_path):
    (tmp_path / "meta.csv").write_text("some,thing\n1,2\n")
    with pytest.raises(importing.ImportRefused) as refusal:
        importing.read(layout.source, meta_file=tmp_path / "meta.csv")
    assert refusal.value.faults[0][0] == "meta_file"


def test_what_a_row_of_meta_data_gets_wrong_is_counted(layout):
    layout.text("meta/meta.csv", 'image,shift\na.png,early\na.png,late\nc.png,"x\0y"\n\ngone.png,late\n')
    reading = importing.read(layout.source)
    assert [problem.code for problem in reading.problems] == ["two_metas", "bad_meta", "image_missing"]
    assert [image.meta for image in reading.images] == [{"shift": "early"}, {}, {}]
