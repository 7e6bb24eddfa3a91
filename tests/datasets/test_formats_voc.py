import pytest

from datasets_app.formats import read

from .conftest import codes, shapes


def voc(*objects: str, filename: str = "a.png") -> str:
    return f"<annotation><filename>{filename}</filename><segmented>0</segmented>{''.join(objects)}</annotation>"


def box(name="crack", xmin="10", ymin="10", xmax="30", ymax="20", extra="") -> str:
    sides = f"<xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
    return f"<object><name>{name}</name>{extra}<bndbox>{sides}</bndbox></object>"


def one(folder, *objects):
    folder.image("JPEGImages/a.png")
    folder.text("Annotations/a.xml", voc(*objects))
    return read(folder.source)


def test_boxes_keep_their_pixel_values(folder):
    (shape,) = shapes(one(folder, box(xmin="10.5")))
    assert (shape.label, shape.kind, shape.points) == ("crack", "rectangle", ((10.5, 10.0), (30.0, 20.0)))


def test_a_file_without_objects_is_a_labelled_image(folder):
    assert one(folder).images[0].labelled


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (box(xmax="10"), "zero_size_box"),
        (box(xmax="nan"), "bad_coordinates"),
        (box(xmax="inf"), "bad_coordinates"),
        (box(xmax=""), "bad_coordinates"),
        (box(xmin="500", xmax="600"), "outside_image"),
        (box(name=" "), "no_label"),
        ("<object><name>x</name></object>", "unsupported_shape"),
    ],
)
def test_a_box_that_cannot_be_is_dropped_and_counted(folder, text, code):
    reading = one(folder, text, box())
    assert codes(reading) == [code]
    assert len(shapes(reading)) == 1


def test_a_polygon_beside_the_box_is_ignored_and_counted(folder):
    reading = one(folder, box(extra="<polygon><x1>1</x1></polygon>"))
    assert (codes(reading), len(shapes(reading))) == (["polygon_ignored"], 1)


def test_boxes_of_parts_are_not_taken_for_objects(folder):
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part>"
    assert [shape.label for shape in shapes(one(folder, box(extra=part)))] == ["crack"]


def test_entities_are_refused(folder):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]><annotation><filename>&a;</filename></annotation>'
    folder.text("Annotations/bomb.xml", bomb)
    reading = one(folder, box())
    assert [(problem.path, problem.detail) for problem in reading.problems] == [
        ("Annotations/bomb.xml", "XML with entities is refused")
    ]


@pytest.mark.parametrize("text", ["<annotation>\n<object>", "", '<?xml version="1.0" encoding="cp949"?><a/>', "\0"])
def test_broken_xml_is_named(folder, text):
    folder.text("Annotations/bad.xml", text)
    assert codes(one(folder, box())) == ["unreadable_file"]


def test_splits_come_from_the_lists_of_all_images(folder):
    for name in "abcd":
        folder.image(f"JPEGImages/{name}.png")
    folder.text("Annotations/a.xml", voc())
    folder.text("ImageSets/Main/train.txt", "a\r\nb\n\n")
    folder.text("ImageSets/Main/val.txt", "c\nmissing\na\n")
    folder.text("ImageSets/Main/trainval.txt", "a\nb\nc\nd\n")
    folder.text("ImageSets/Main/cat_test.txt", "d  1\nb -1\n")
    folder.text("ImageSets/Segmentation/test.txt", "d\n")
    reading = read(folder.source)
    assert [image.split for image in reading.images] == ["train", "train", "val", ""]
    assert codes(reading) == ["image_missing", "two_splits"]


def test_a_wrong_file_name_falls_back_to_the_files_own(folder):
    folder.image("JPEGImages/b.png")
    folder.text("Annotations/b.xml", voc(box(name="of b"), filename="a.png"))
    reading = one(folder, box())
    assert [image.shapes[0].label for image in reading.images] == ["crack", "of b"]
