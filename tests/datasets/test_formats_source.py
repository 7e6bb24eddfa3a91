import unicodedata

import pytest
from PIL import Image

from datasets_app.formats.safe_files import UnreadableFile
from datasets_app.formats.source import Source


def test_what_systems_leave_behind_is_no_image(folder):
    for name in ("a.png", "sub/B.JPG", "._a.png", "__MACOSX/a.png", ".hidden/c.png", "Thumbs.db", ".DS_Store"):
        folder.text(name, "x")
    assert folder.source.images == ("a.png", "sub/B.JPG")


def test_a_link_is_not_followed(folder, tmp_path):
    (tmp_path / "secret.png").write_text("x")
    (folder.root / "a.png").symlink_to(tmp_path / "secret.png")
    (folder.root / "sub").symlink_to(tmp_path)
    assert folder.source.images == ()


def test_pixel_masks_of_voc_are_no_images(folder):
    folder.image("JPEGImages/a.png")
    folder.image("SegmentationClassPNG/a.png")
    assert folder.source.images == ("JPEGImages/a.png",)
    assert folder.source.masks == ("SegmentationClassPNG/a.png",)


@pytest.mark.parametrize(
    ("stated", "found", "how"),
    [
        ("images/front/a.png", "images/front/a.png", "exact"),
        ("front/a.png", "images/front/a.png", "exact"),
        (r"C:\data\front\A.PNG", "images/front/a.png", "name"),
        ("/home/me/images/back/a.png", "images/back/a.png", "name"),
        ("b.png", "images/back/b.png", "name"),
        ("../../b.png", "images/back/b.png", "name"),
        ("b.tif", "images/back/b.png", "stem"),
        ("c.1.2", "images/c.1.2.bmp", "stem"),
        ("nothing.png", None, ""),
        ("", None, ""),
        ("..", None, ""),
    ],
)
def test_a_stated_name_is_looked_up(folder, stated, found, how):
    for name in ("images/front/a.png", "images/back/a.png", "images/back/b.png", "images/c.1.2.bmp"):
        folder.image(name)
    lookup = folder.source.lookup(stated)
    assert (lookup.image, lookup.how) == (found, how)


def test_a_name_that_fits_two_images_is_ambiguous_unless_the_annotation_lies_near_one(folder):
    folder.image("one/a.png")
    folder.image("two/a.png")
    assert folder.source.lookup("a.png").candidates == ("one/a.png", "two/a.png")
    assert folder.source.lookup("a.png", near="two/labels/a.xml").image == "two/a.png"


def test_decomposed_korean_of_macos_is_the_same_name(folder):
    folder.image(unicodedata.normalize("NFD", "불량.png"))
    assert folder.source.lookup("불량.png").image == unicodedata.normalize("NFD", "불량.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_the_size_is_that_of_the_image_as_it_is_seen(folder, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6
    folder.image(f"a.{suffix}", (100, 80), exif=exif)
    assert folder.source.size(f"a.{suffix}") == (80, 100)


def test_a_file_that_only_looks_like_an_image_has_no_size(folder):
    folder.text("a.png", "no image")
    Image.new("L", (9, 9)).save(folder.root / "b.png", format="GIF")
    for name in ("a.png", "b.png"):
        with pytest.raises(UnreadableFile):
            folder.source.size(name)


def test_annotations_may_lie_in_a_folder_of_their_own(folder, tmp_path):
    folder.image("a.png")
    folder.json("ignored.json", {})
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.json").write_text("{}")
    source = Source(folder.root, tmp_path / "labels")
    assert source.annotations == ("a.json",)
    assert source.annotation_path("a.json") == tmp_path / "labels" / "a.json"
