import pytest

from datasets_app.formats import read

from .conftest import codes


def places(folder, *names):
    for name in names:
        folder.image(name)
    return [(image.split, image.category) for image in read(folder.source).images]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a.png", "b.png"), [("", None), ("", None)]),
        (("photos/a.png", "photos/b.png"), [("", None), ("", None)]),
        (("cat/a.png", "dog/b.png"), [("", "cat"), ("", "dog")]),
        (("set/cat/a.png", "set/dog/b.png"), [("", "cat"), ("", "dog")]),
        (("set/train/cat/a.png", "set/valid/cat/b.png"), [("train", "cat"), ("val", "cat")]),
        (("Test/cat/a.png", "Validation/dog/b.png"), [("test", "cat"), ("val", "dog")]),
        (("train/cat/a.png", "train/dog/b.png"), [("train", "cat"), ("train", "dog")]),
        (("train/a.png", "val/b.png"), [("train", None), ("val", None)]),
        (("train/images/a.png", "val/images/b.png"), [("train", None), ("val", None)]),
        (("bus/a.png", "train/b.png"), [("", "bus"), ("", "train")]),
        (("a.png", "cat/b.png"), [("", None), ("", "cat")]),
    ],
)
def test_folders_say_split_and_class(folder, names, expected):
    assert places(folder, *names) == expected


def test_labels_are_categories_in_order(folder):
    for name in ("dog/a.png", "cat/b.png", "c.png"):
        folder.image(name)
    reading = read(folder.source)
    assert (reading.labels, reading.is_classification) == (("cat", "dog"), True)
    assert [image.labelled for image in reading.images] == [False, True, True]


def test_images_alone_are_a_set_that_nobody_labelled(folder):
    folder.image("a.png")
    reading = read(folder.source)
    assert (reading.format, reading.labels, reading.is_classification) == ("folders", (), False)


def test_folders_below_a_class_are_counted(folder):
    folder.image("cat/2024/a.png")
    folder.image("dog/b.png")
    assert codes(read(folder.source)) == ["nested_folder"]


def test_files_that_might_be_labels_are_counted(folder):
    folder.image("cat/a.png")
    folder.image("dog/b.png")
    folder.json("meta.json", {"who": "me"})
    folder.text("split.csv", "file,split\n")
    assert codes(read(folder.source)) == ["ignored_file"]
