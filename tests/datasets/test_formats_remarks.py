"""What is odd about a source is said, whatever format it is in."""

import pytest
from PIL import Image

from datasets_app.formats import read, remarks
from datasets_app.problems import PROBLEMS

from .conftest import codes


def said(folder, *left_out: str) -> list[tuple[str, str]]:
    return [(one.code, one.path) for one in read(folder.source).problems if one.code not in left_out]


def save(folder, name: str, image: Image.Image, **options) -> None:
    path = folder.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def test_an_ordinary_picture_is_no_problem(folder):
    for name in ("a.png", "b.jpg", "c.jpeg", "d.bmp", "e.tif", "f.webp"):
        save(folder, name, Image.new("RGB", (20, 10)))
    assert said(folder) == []


@pytest.mark.parametrize(
    ("name", "mode", "options", "code"),
    [
        ("a.jpg", "RGB", {"format": "PNG"}, "extension_lies"),
        ("a.png", "I;16", {}, "deep_pixels"),
        ("a.tif", "F", {}, "deep_pixels"),
        ("a.jpg", "CMYK", {}, "cmyk"),
        ("a.png", "P", {}, "palette"),
        ("a.png", "RGBA", {}, "alpha"),
        ("a.png", "LA", {}, "alpha"),
    ],
)
def test_what_is_odd_about_a_picture_is_said(folder, name, mode, options, code):
    save(folder, name, Image.new(mode, (20, 10)), **options)
    assert said(folder) == [(code, name)]


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
@pytest.mark.parametrize(("orientation", "size"), [(3, (20, 10)), (6, (10, 20))])
def test_a_picture_that_its_exif_turns_is_said_and_measured_as_it_is_seen(folder, name, orientation, size):
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(folder, name, Image.new("RGB", (20, 10)), exif=exif)
    assert said(folder) == [("turned", name)]
    assert folder.source.size(name) == size


def test_files_of_the_same_name_and_files_that_nobody_reads_are_said(folder):
    folder.image("one/A.png")
    folder.image("two/a.png")
    folder.text("two/._a.png", b"Mac OS X        ")
    folder.text("__MACOSX/one/a.png", b"x")
    folder.text("Thumbs.db", b"x")
    folder.text("notes.docx", b"x")
    folder.text(".git/config", b"x")
    assert said(folder) == [
        ("same_name", "two/a.png"),
        ("system_file", "Thumbs.db"),
        ("system_file", "__MACOSX/one/a.png"),
        ("system_file", "two/._a.png"),
        ("extra_file", "notes.docx"),
    ]


def test_a_class_that_is_named_in_two_ways_is_said(folder):
    for name in ("Crack", "crack", "hair line", "hair_line", "Hair-Line", "dent"):
        folder.image(f"{name}/{name}.png")
    found = [path for code, path in said(folder) if code == "label_twice"]
    assert found == ["Crack, crack", "Hair-Line, hair line, hair_line"]


def test_a_look_into_the_files_finds_what_is_cut_off_and_what_is_there_twice(folder):
    for name in ("a.png", "b.jpg", "c.bmp"):
        save(folder, name, Image.effect_noise((200, 100), 50))
    for name in ("a.png", "b.jpg"):
        whole = (folder.root / name).read_bytes()
        folder.text(f"cut/{name}", whole[: len(whole) // 2])
        folder.text(f"copy/{name}", whole)
        folder.text(f"more/{name}", whole + b"what a camera wrote behind it")
    found = [(one.code, one.path, one.detail) for one in remarks.of_files(folder.source)]
    assert sorted(found) == [
        ("cut_off", "cut/a.png", ""),
        ("cut_off", "cut/b.jpg", ""),
        ("same_picture", "copy/a.png", "a.png"),
        ("same_picture", "copy/b.jpg", "b.jpg"),
    ]


def test_the_real_oddities_are_each_called_by_name(real_data):
    from datasets_app.formats import Source

    reading = read(Source(real_data("fixtures/oddities")))
    assert sorted(codes(reading)) == ["alpha", "deep_pixels", "palette", "system_file"]
    assert set(codes(reading)) <= set(PROBLEMS)
