"""What a format writes, its reader reads: the same images, labels, splits and meta data, for all that it holds."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from datasets_app import importing
from datasets_app.formats import Source
from datasets_app.formats.writing import WRITERS
from datasets_app.formats.writing.outgoing import CATEGORIES, POLYGONS, ROIS, SCORES, VERDICTS, Classes, Outgoing, Sink
from datasets_app.records import Shape
from projects_app.archive import unpack

WIDTH, HEIGHT = 640, 480
LABELS = ("crack", "밸브", "a-b.c_1", "0")
GOOD, BAD = "good", "불량"
DRAWN = sorted(name for name, writer in WRITERS.items() if POLYGONS in writer.KEEPS or name == "voc")
HOW_OFTEN = settings(max_examples=12, deadline=None, derandomize=True)

numbers = st.integers(0, 1000).map(lambda value: value / 1000)
names = st.lists(
    st.sampled_from(["a", "b", "labels", "images", "사진", "with space", "train", "x&y'z"]), min_size=1, max_size=3
).map("/".join)


@st.composite
def boxes(draw) -> tuple:
    left, top = draw(st.integers(0, WIDTH * 900)) / 1000, draw(st.integers(0, HEIGHT * 900)) / 1000
    width, height = draw(st.integers(1000, WIDTH * 100)) / 1000, draw(st.integers(1000, HEIGHT * 100)) / 1000
    return (left, top), (round(min(left + width, WIDTH), 3), round(min(top + height, HEIGHT), 3))


@st.composite
def shapes(draw, keeps: frozenset[str]) -> Shape:
    kind = draw(st.sampled_from(["rectangle", "polygon"] if POLYGONS in keeps else ["rectangle"]))
    (left, top), (right, bottom) = corners = draw(boxes())
    if kind == "polygon":  # never the four corners of a box
        corners = ((left, top), (right, top), (round((left + right) / 2, 3), bottom))
    is_generated = SCORES in keeps and draw(st.booleans())
    is_roi = ROIS in keeps and draw(st.integers(0, 5)) == 0
    return Shape(
        "" if is_roi else draw(st.sampled_from(LABELS)),
        kind,
        corners,
        draw(numbers) if is_generated else None,
        is_generated=is_generated,
        is_roi=is_roi,
        verdict=draw(st.sampled_from([None, True, False])) if VERDICTS in keeps and not is_roi else None,
    )


@st.composite
def datasets(draw, keeps: frozenset[str]) -> list[Outgoing]:
    taken = draw(st.lists(names, min_size=1, max_size=4, unique_by=str.casefold))
    splits = draw(st.booleans())
    found = []
    for name in taken:
        labelled = draw(st.booleans())
        drawn = draw(st.lists(shapes(keeps), max_size=4, unique_by=_identity)) if labelled else []
        found.append(
            Outgoing(
                f"{name}.png",
                Path(),
                (WIDTH, HEIGHT),
                labelled=labelled,
                shapes=tuple(drawn),
                meta=draw(
                    st.dictionaries(st.sampled_from(["obj_id", "shift"]), st.sampled_from(["7", "=1+1", "값, x"]))
                ),
                split=draw(st.sampled_from(["train", "val"])) if splits else "",
            )
        )
    if not any(one.shapes for one in found):  # else there would be nothing to tell the format by
        one = Shape(LABELS[0], "rectangle", ((1, 1), (9, 9)))
        found[0] = Outgoing(found[0].name, Path(), (WIDTH, HEIGHT), True, (one,), split=found[0].split)
    return found


def _identity(shape: Shape) -> tuple:
    return shape.label, shape.kind, shape.points, shape.is_roi


def written(format: str, images: list[Outgoing], classes: Classes, folder: Path):
    """Write them with a picture each, unpack, read."""
    picture = folder / "picture.png"
    Image.new("L", (WIDTH, HEIGHT)).save(picture)
    with zipfile.ZipFile(folder / "out.zip", "w") as archive:
        sink = Sink(archive)
        leaving = (Outgoing(**{**one.__dict__, "file": picture}) for one in images)
        WRITERS[format].write(leaving, classes, sink)
        sink.finish("meta/meta.csv" if format == "original" else "meta.csv")
    unpack(folder / "out.zip", folder / "out")
    return importing.read(Source(folder / "out"))


def plain(name: str) -> str:
    """A name without the folder that a layout keeps all images in."""
    return name.removeprefix("images/").removeprefix("JPEGImages/")


@pytest.mark.parametrize("format", DRAWN)
def test_what_is_drawn_comes_back(format):
    keeps = WRITERS[format].KEEPS

    @HOW_OFTEN
    @given(datasets(keeps))
    def check(images: list[Outgoing]) -> None:
        is_split_by_folder = format == "yolo" and not images[0].split
        assume(not (is_split_by_folder and any("train" in one.name.split("/")[:-1] for one in images)))
        with tempfile.TemporaryDirectory() as folder:
            reading = written(format, images, Classes(LABELS), Path(folder))
        # one name in two folders is worth a word, whatever the format
        assert [(one.code, one.detail) for one in reading.problems if one.code != "same_name"] == []
        by_name = {
            plain(image.path) if format in ("coco", "voc", "yolo", "original") else image.path: image
            for image in reading.images
        }
        assert set(by_name) == {one.name for one in images}
        for one in images:
            image = by_name[one.name]
            assert (image.labelled, image.split, image.meta) == (one.labelled, one.split, one.meta)
            assert list(map(_identity, map(_rounded, image.shapes))) == list(map(_identity, one.shapes))
            for came, went in zip(image.shapes, one.shapes, strict=True):
                assert (came.score, came.is_generated, came.verdict) == (went.score, went.is_generated, went.verdict)

    check()


def _rounded(shape: Shape) -> Shape:
    """As the rows keep it."""
    points = tuple((round(x, 3), round(y, 3)) for x, y in shape.points)
    return Shape(shape.label, shape.kind, points, is_roi=shape.is_roi)


@pytest.mark.parametrize("format", sorted(name for name, writer in WRITERS.items() if CATEGORIES in writer.KEEPS))
@HOW_OFTEN
@given(st.lists(st.sampled_from([GOOD, BAD, ""]), min_size=1, max_size=5))
def test_categories_come_back(format, answers):
    found = [GOOD, BAD, *answers]  # of one class alone a folder could not be told from a wrapper
    images = [
        Outgoing(f"{n}.png", Path(), (WIDTH, HEIGHT), categories={"STATE": one} if one else {}, meta={"obj_id": str(n)})
        for n, one in enumerate(found)
    ]
    with tempfile.TemporaryDirectory() as folder:
        reading = written(format, images, Classes(questions={"STATE": (GOOD, BAD)}), Path(folder))
    assert reading.problems == ()
    assert reading.is_classification
    came = {image.path.split("/")[-1]: (image.category, image.meta) for image in reading.images}
    assert came == {f"{n}.png": (one or None, {"obj_id": str(n)}) for n, one in enumerate(found)}


def test_the_old_layout_holds_all_training_types_at_once(tmp_path):
    region = Shape("VALVE", "rectangle", ((1, 2), (30, 40)), verdict=True)
    images = [
        Outgoing("a.png", Path(), (WIDTH, HEIGHT), True, (Shape("crack", "rectangle", ((1, 1), (9, 9))),)),
        Outgoing("sub/a.png", Path(), (WIDTH, HEIGHT), regions=(region,), categories={"STATE": GOOD}),
    ]
    classes = Classes(("crack",), ("VALVE",), {"STATE": (GOOD, BAD)})
    reading = written("original", images, classes, tmp_path)
    regions, question = reading.also
    assert [image.labelled for image in reading.images] == [True, False]
    assert [image.shapes for image in regions.images] == [(), (region,)]
    assert [image.category for image in question.images] == [None, GOOD]
    assert question.labels == (GOOD, BAD)


def test_two_images_of_one_stem_keep_their_labels_apart(tmp_path):
    for format in DRAWN:
        images = [
            Outgoing(name, Path(), (WIDTH, HEIGHT), True, (Shape(label, "rectangle", ((1, 1), (9, 9))),))
            for name, label in (("a.png", "crack"), ("a.jpg", "밸브"))
        ]
        folder = tmp_path / format
        folder.mkdir()
        reading = written(format, images, Classes(LABELS), folder)
        assert sorted(image.shapes[0].label for image in reading.images) == ["crack", "밸브"], format
