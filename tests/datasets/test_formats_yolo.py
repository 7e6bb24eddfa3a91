import pytest

from datasets_app.formats import Source, read
from datasets_app.records import FormatError

from .conftest import codes, counts, shapes

BOX = "0 0.5 0.5 0.2 0.5\n"
POLYGON = "1 0.1 0.1 0.4 0.1 0.4 0.5\n"
TURNED = "0 0.5 0.2 0.7 0.45 0.5 0.7 0.3 0.45\n"  # a rectangle of an image of 100 x 80 pixels, turned by 45 degrees


def one(folder, text=BOX, **files):
    folder.image("images/a.png")
    folder.text("labels/a.txt", text)
    for name, content in ({"data.yaml": "names: [crack, dent]\n"} | files).items():
        folder.text(name, content)
    return read(folder.source)


def test_boxes_and_polygons_are_fractions_of_the_image(folder):
    box, polygon = shapes(one(folder, BOX + POLYGON))
    assert (box.label, box.kind, box.points) == ("crack", "rectangle", ((40.0, 20.0), (60.0, 60.0)))
    assert (polygon.label, polygon.kind) == ("dent", "polygon")
    assert [tuple(map(round, point)) for point in polygon.points] == [(10, 8), (40, 8), (40, 40)]


@pytest.mark.parametrize(
    "yaml",
    [
        "names:\n  0: crack\n  1: dent\n",
        "names: [crack, dent]\nnc: 2",
        "names: {0: crack, 1: 'dent'}",
        "names:\n- crack\n- dent\n",
    ],
)
def test_names_may_be_a_list_or_a_mapping(folder, yaml):
    reading = one(folder, BOX + POLYGON, **{"data.yaml": yaml})
    assert (reading.labels, codes(reading)) == (("crack", "dent"), [])


def test_classes_come_from_the_nearest_list(folder):
    for part, name in (("one", "crack"), ("two", "hole")):
        folder.image(f"{part}/a.png")
        folder.text(f"{part}/a.txt", BOX)
        folder.text(f"{part}/classes.txt", f"{name}\n\n")
    assert [image.shapes[0].label for image in read(folder.source).images] == ["crack", "hole"]


def test_without_a_list_a_class_is_called_by_its_number(folder):
    folder.image("a.png")
    folder.text("a.txt", BOX + BOX.replace("0 0.5", "10 0.4") + BOX.replace("0 0.5", "2 0.3"))
    assert read(folder.source).labels == ("0", "2", "10")


def test_an_empty_file_is_a_labelled_image_and_none_is_not(folder):
    folder.image("images/b.png")
    folder.image("images/c.png")
    folder.text("labels/b.txt", "")
    assert [image.labelled for image in one(folder).images] == [True, True, False]


def test_a_sixth_number_is_the_confidence_of_a_model(folder):
    (shape,) = shapes(one(folder, BOX.strip() + " 0.75\n"))
    assert (shape.kind, shape.score, shape.is_generated) == ("rectangle", 0.75, True)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("0 0.5 0.5 0 0.5", "zero_size_box"),
        ("0 0.5 0.5 -0.1 0.5", "bad_coordinates"),
        ("0 1.5 0.5 0.1 0.1", "outside_image"),
        ("7 0.5 0.5 0.1 0.1", "unknown_category"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "bad_coordinates"),
        ("crack 0.5 0.5 0.1 0.1", "bad_row"),
        ("0 0.5 0.5 nan 0.1", "bad_row"),
        ("0.5 0.5 0.5 0.1 0.1", "bad_row"),
        ("0 0.5 0.5 0.1", "bad_row"),
    ],
)
def test_a_row_that_cannot_be_is_dropped_and_counted(folder, row, code):
    reading = one(folder, f"{BOX}{POLYGON}{row}\n")
    assert (codes(reading), len(shapes(reading))) == ([code], 2)


def test_splits_come_from_folders_and_lists(folder):
    for split in ("train", "valid"):
        folder.image(f"{split}/images/a.png")
        folder.text(f"{split}/labels/a.txt", BOX)
    folder.text("data.yaml", "names: [crack]\ntrain: ../train/images\n")
    assert [image.split for image in read(folder.source).images] == ["train", "val"]


def test_a_list_of_images_names_a_split_whatever_its_folder_is_called(folder):
    reading = one(folder, **{"val.txt": "data/elsewhere/a.png\nC:\\data\\gone.png\n"})
    assert (reading.images[0].split, codes(reading)) == ("val", ["image_missing"])


@pytest.mark.parametrize(
    ("text", "yaml", "name"),
    [
        (TURNED, "names: [crack, dent]", "turned boxes of YOLO"),
        (BOX, "kpt_shape: [3, 3]\nnames: [crack]", "YOLO key points"),
        ("0 0.5 0.5 0.2 0.5 0.1 0.2 2 0.3 0.4 1 0.5 0.6 0\n", "names: [crack]", "YOLO key points"),
        ("0 0.5 0.5 0.2 0.5 0.1 0.2 2 0.3 0.4 1 0.5 0.6 0 0.5 0.6 0\n", "names: [crack]", "YOLO key points"),
    ],
)
def test_other_tasks_of_yolo_are_refused_by_name(folder, text, yaml, name):
    with pytest.raises(FormatError, match=name) as refusal:
        one(folder, text, **{"data.yaml": yaml})
    assert refusal.value.code == "unsupported_format"


@pytest.mark.parametrize(
    ("text", "yaml"),
    [
        (TURNED, "names: [crack]\ntask: segment"),  # a list says so
        (TURNED + POLYGON.replace("1 ", "0 "), "names: [crack]"),  # another is no rectangle
        ("0 0.1 0.1 0.4 0.1 0.4 0.5 0.1 0.5\n", "names: [crack]"),  # none is turned
    ],
)
def test_four_points_are_a_polygon_where_something_speaks_against_turned_boxes(folder, text, yaml):
    reading = one(folder, text, **{"data.yaml": yaml})
    assert set(counts(reading)) == {("crack", "polygon")}


@pytest.mark.parametrize("yaml", ["names: [" * 3000, "names: &a [*a]", "names: {[1]: 2}", "a: b: c", "\x00"])
def test_a_yaml_file_that_is_none_is_a_problem_and_not_the_end(folder, yaml):
    reading = one(folder, **{"data.yaml": yaml})
    assert codes(reading) == ["unreadable_file"]
    assert reading.labels == ("0",)


def test_labels_may_lie_in_a_folder_of_their_own(folder, tmp_path):
    folder.image("x/a.png")
    (tmp_path / "txt").mkdir()
    (tmp_path / "txt" / "a.txt").write_text(BOX)
    (tmp_path / "txt" / "obj.names").write_text("crack\n")
    assert counts(read(Source(folder.root, tmp_path / "txt"))) == {("crack", "rectangle"): 1}
