import contextlib
import random

import pytest

from datasets_app.formats import FORMATS, detect, read
from datasets_app.formats import safe_files as safe_files_module
from datasets_app.records import FormatError


def refusal(folder, format=None) -> FormatError:
    with pytest.raises(FormatError) as caught:
        read(folder.source, format)
    return caught.value


def test_every_format_is_registered_by_its_name():
    assert set(FORMATS) == {"coco", "folders", "labelme_json", "labelme_xml", "original", "voc", "yolo"}
    assert all(module.TITLE and module.read and module.match for module in FORMATS.values())


def test_formats_that_fit_come_first_and_the_others_say_why_not(folder):
    folder.image("a.png")
    folder.json("a.json", {"shapes": []})
    found = detect(folder.source)
    assert [(candidate.format, candidate.fits) for candidate in found] == [
        ("labelme_json", True),
        ("folders", True),
        ("original", False),
        ("coco", False),
        ("labelme_xml", False),
        ("voc", False),
        ("yolo", False),
    ]
    assert found[3].reason == "COCO: no JSON file with images, annotations and categories was found"


def test_an_empty_source_is_refused(folder):
    error = refusal(folder)
    assert (error.code, "empty" in str(error)) == ("empty", True)


def test_a_source_without_images_says_what_it_holds(folder):
    folder.json("a.json", {"shapes": []})
    error = refusal(folder)
    assert error.code == "no_images"
    assert "No image was found in it: 0 images and 1 annotation files (a.json)" in str(error)


@pytest.mark.parametrize(
    ("name", "text", "title"),
    [
        ("a.xml", "<annotations><image/></annotations>", "CVAT XML"),
        ("a.json", '{"a.png1": {"filename": "a.png", "regions": []}}', "VIA"),
        ("a.json", '{"_via_img_metadata": {"a.png1": {"regions": []}}}', "VIA"),
        ("a.csv", "filename,region_shape_attributes,region_attributes\n", "VIA"),
        ("a.json", '[{"image": "a.png", "annotations": []}]', "CreateML"),
        ("data.yaml", "names: [a]\nkpt_shape: [3, 2]", "YOLO key points"),
    ],
)
def test_known_formats_are_refused_by_name(folder, name, text, title):
    folder.image("a.png")
    folder.text(name, text)
    error = refusal(folder)
    assert error.code == "unsupported_format"
    assert f"{name} looks like {title}" in str(error)


def test_images_of_a_refused_format_can_still_be_taken_without_labels(folder):
    folder.image("a.png")
    folder.text("a.txt", "0 0.5 0.5 0.1 0.1\n")
    reading = read(folder.source, "folders")
    assert [(problem.code, problem.detail) for problem in reading.problems] == [("ignored_file", "YOLO, 1 files")]


def test_images_beside_only_broken_labels_are_not_taken_for_unlabelled(folder):
    folder.image("a.png")
    folder.text("a.json", "{")
    error = refusal(folder)
    assert (error.code, "a.json: line 1: no JSON" in str(error)) == ("unreadable_file", True)


def test_a_format_that_was_asked_for_but_does_not_fit_says_what_was_found(folder):
    folder.image("a.png")
    folder.json("a.json", {"shapes": []})
    assert "Pascal VOC: no XML file with an annotation was found; found: 1 images" in str(refusal(folder, "voc"))
    assert refusal(folder, "dicom").code == "unknown_format"


def test_a_huge_file_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(safe_files_module, "MAX_BYTES", 10)
    folder.image("a.png")
    folder.json("a.json", {"shapes": [], "imageData": "x" * 20})
    assert "larger than" in str(refusal(folder))


def test_damaged_files_never_raise_anything_else(folder):
    """Real enough files with random bytes changed: refused or read, with problems."""
    folder.image("a.png")
    seeds = {
        "a.json": b'{"version":"5","imagePath":"a.png","shapes":[{"label":"x","shape_type":"rectangle",'
        b'"points":[[1,2],[3,4]]}]}',
        "b.json": b'{"images":[{"id":1,"file_name":"a.png"}],"annotations":[{"id":1,"image_id":1,"category_id":1,'
        b'"bbox":[1,2,3,4],"segmentation":[[1,2,3,4,5,9]]}],"categories":[{"id":1,"name":"x","supercategory":""}]}',
        "c.xml": b"<annotation><filename>a.png</filename><object><name>x</name><bndbox><xmin>1</xmin><ymin>2</ymin>"
        b"<xmax>3</xmax><ymax>4</ymax></bndbox></object></annotation>",
    }
    dice = random.Random(1)
    for _ in range(300):
        for name, seed in seeds.items():
            data = bytearray(seed)
            for _ in range(dice.randint(1, 4)):
                data[dice.randrange(len(data))] = dice.choice(b'0123456789"[]{}<>,:-eE \\xntf\xff')
            folder.text(name, bytes(data))
        for format in (None, *FORMATS):
            with contextlib.suppress(FormatError):
                read(folder.source, format)
