import pytest
from PIL import Image

from datasets_app.formats import read

from .conftest import codes, counts, shapes

POINTS = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((10, 10), (30, 10), (30, 20), (10, 20)))


def polygon(name: str = "crack", inside: str = "", points: str = POINTS) -> str:
    return f"<object><name>{name}</name>{inside}<polygon>{points}</polygon></object>"


def segm(mask: str) -> str:
    return f"<object><name>crack</name><segm><mask>{mask}</mask></segm></object>"


def one(folder, *objects: str, name: str = "a"):
    folder.image("a.png")
    size = "<imagesize><nrows>80</nrows><ncols>100</ncols></imagesize>"
    folder.text(f"{name}.xml", f"<annotation><filename>a.png</filename>{size}{''.join(objects)}</annotation>")
    return read(folder.source)


def test_a_polygon_that_says_bounding_box_is_a_rectangle(folder):
    box, other = shapes(one(folder, polygon(inside="<type>bounding_box</type>"), polygon("dent")))
    assert (box.kind, box.points) == ("rectangle", ((10.0, 10.0), (30.0, 20.0)))
    assert (other.kind, len(other.points)) == ("polygon", 4)


def test_a_turned_bounding_box_stays_a_polygon(folder):
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in ((20, 5), (35, 20), (20, 35), (5, 20)))
    (shape,) = shapes(one(folder, polygon(inside="<type>bounding_box</type>", points=points)))
    assert shape.kind == "polygon"


def test_a_deleted_object_stays_deleted(folder):
    reading = one(folder, polygon(inside="<deleted>1</deleted>"))
    assert (shapes(reading), codes(reading), reading.images[0].labelled) == ([], [], True)


def test_a_mask_becomes_its_outline(folder):
    mask = Image.new("L", (100, 80))
    mask.paste(255, (5, 6, 15, 26))
    (folder.root / "Masks").mkdir()
    mask.save(folder.root / "Masks" / "a_mask_1.png")
    reading = one(folder, segm("a_mask_1.png"))
    assert shapes(reading)[0].points == ((5.0, 6.0), (15.0, 6.0), (15.0, 26.0), (5.0, 26.0))
    assert [image.path for image in reading.images] == ["a.png"]


def test_a_folder_called_masks_holds_pictures_where_there_is_no_labelme_xml(folder):
    folder.image("masks/a.png")
    folder.image("helmets/b.png")
    assert read(folder.source).labels == ("helmets", "masks")


@pytest.mark.parametrize(
    ("element", "code"),
    [
        (segm("gone.png"), "mask_missing"),
        (polygon(""), "no_label"),
        (polygon(points=""), "unsupported_shape"),
        (polygon(points="<pt><x>1</x><y>x</y></pt>"), "bad_coordinates"),
        (polygon(points="<pt><x>1</x></pt>"), "bad_coordinates"),
    ],
)
def test_an_object_that_cannot_be_is_dropped_and_counted(folder, element, code):
    reading = one(folder, polygon(), element)
    assert (codes(reading), len(shapes(reading))) == ([code], 1)


def test_images_and_files_may_lie_in_folders_of_the_same_name(folder):
    for part in ("one", "two"):
        folder.image(f"Images/{part}/a.png")
        text = f"<annotation><filename>a.png</filename><folder>{part}</folder>{polygon(part)}</annotation>"
        folder.text(f"Annotations/{part}/a.xml", text)
    assert [image.shapes[0].label for image in read(folder.source).images] == ["one", "two"]


def test_a_verdict_among_the_attributes_is_read(folder):
    attributes = "<attributes>rotation=0.0, verdict=true</attributes>"
    reading = one(folder, polygon(inside=attributes), polygon("dent", "<attributes>verdict=maybe</attributes>"))
    assert [shape.verdict for shape in shapes(reading)] == [True, None]
    assert counts(reading) == {("crack", "polygon"): 1, ("dent", "polygon"): 1}
