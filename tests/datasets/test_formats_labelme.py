import pytest

from datasets_app.formats import FORMATS, Source, read
from datasets_app.records import Shape

from .conftest import codes, shapes

BOX = {"label": "crack", "shape_type": "rectangle", "points": [[10, 10], [30, 20]]}
WANTED = Shape("crack", "rectangle", ((10.0, 10.0), (30.0, 20.0)))


def one(folder, *raw, **document):
    """Reading of one image with these shapes."""
    folder.image("a.png")
    folder.json("a.json", {"imagePath": "a.png", "shapes": list(raw), **document})
    return read(folder.source)


@pytest.mark.parametrize(
    "points", [[[30, 20], [10, 10]], [[10, 20], [30, 10]], [[10, 10], [30, 10], [30, 20], [10, 20]]]
)
def test_corners_of_a_rectangle_may_come_in_any_order(folder, points):
    assert shapes(one(folder, {**BOX, "points": points})) == [WANTED]


def test_a_circle_becomes_a_polygon(folder):
    reading = one(folder, {"label": "hole", "shape_type": "circle", "points": [[50, 40], [60, 40]]})
    (shape,) = shapes(reading)
    assert (shape.kind, len(shape.points), shape.points[0]) == ("polygon", 24, (60.0, 40.0))


def test_the_type_of_old_versions_is_polygon(folder):
    assert shapes(one(folder, {"label": "x", "points": [[1, 1], [9, 1], [5, 9]]}))[0].kind == "polygon"


def test_shapes_that_are_neither_box_nor_polygon_are_counted(folder):
    reading = one(folder, BOX, *({**BOX, "shape_type": kind} for kind in ("point", "line", "linestrip", "mask", 7)))
    assert shapes(reading) == [WANTED]
    assert codes(reading) == ["unsupported_shape"] * 5
    assert reading.problems[0].detail == "shape 2, point 'crack'"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ({**BOX, "points": [[10, 10], [10, 20]]}, "zero_size_box"),
        ({**BOX, "points": [[10, 10]]}, "too_few_points"),
        ({**BOX, "points": [[10, "x"], [1, 2]]}, "bad_coordinates"),
        ({**BOX, "points": [[10, 1e30], [1, 2]]}, "bad_coordinates"),
        ({**BOX, "points": [[10, True], [1, 2]]}, "bad_coordinates"),
        ({**BOX, "points": None}, "bad_coordinates"),
        ({**BOX, "points": [[200, 10], [210, 20]]}, "outside_image"),
        ({**BOX, "label": " "}, "no_label"),
        ({**BOX, "label": "a\0b"}, "bad_label"),
        ({**BOX, "label": "a\ud800"}, "bad_label"),
        ({"label": "x", "shape_type": "polygon", "points": [[1, 1], [2, 2], [1, 1]]}, "too_few_points"),
        ({"label": "x", "shape_type": "polygon", "points": [[1, 1], [2, 2], [3, 3]]}, "zero_area_polygon"),
        ("no shape", "bad_shape"),
    ],
)
def test_a_shape_that_cannot_be_is_dropped_and_counted(folder, raw, code):
    reading = one(folder, raw)
    assert codes(reading) == [code]
    assert shapes(reading) == []
    assert reading.images[0].labelled


def test_a_number_too_large_for_a_float_is_no_coordinate(folder):
    folder.image("a.png")
    folder.text(
        "a.json", '{"shapes": [{"label": "x", "points": [[1e400, 1]]}, {"label": "x", "points": [[1000, -1e999]]}]}'
    )
    assert codes(read(folder.source)) == ["bad_coordinates"] * 2


def test_a_box_over_the_border_is_clipped(folder):
    reading = one(folder, {**BOX, "points": [[-5, -5], [200, 20]]})
    assert shapes(reading)[0].points == ((0.0, 0.0), (100.0, 20.0))
    assert codes(reading) == ["clipped"]


def test_rounding_over_the_border_is_clipped_without_remark(folder):
    reading = one(folder, {**BOX, "points": [[10, 10], [100.000001, 20]]})
    assert shapes(reading)[0].points == ((10.0, 10.0), (100.0, 20.0))
    assert codes(reading) == []


def test_a_polygon_is_cut_at_the_border_not_squeezed(folder):
    triangle = {"label": "x", "shape_type": "polygon", "points": [[90, 10], [110, 10], [90, 30]]}
    reading = one(folder, triangle)
    assert set(shapes(reading)[0].points) == {(90.0, 10.0), (100.0, 10.0), (100.0, 20.0), (90.0, 30.0)}
    assert codes(reading) == ["clipped"]


def test_the_same_shape_twice_is_kept_once(folder):
    reading = one(folder, BOX, {**BOX, "points": [[30, 20], [10, 10]]}, {**BOX, "label": "other"})
    assert [shape.label for shape in shapes(reading)] == ["crack", "other"]
    assert codes(reading) == ["duplicate_shape"]


def test_what_a_model_wrote_is_read(folder):
    reading = one(folder, {**BOX, "isgenerated": True, "score": 0.75}, {**BOX, "label": "", "isroi": True})
    generated, roi = shapes(reading)
    assert (generated.is_generated, generated.score) == (True, 0.75)
    assert roi.is_roi
    assert reading.labels == ("crack",)


def test_a_file_without_shapes_is_labelled_and_an_image_without_file_is_not(folder):
    folder.image("b.png")
    reading = one(folder)
    assert [(image.path, image.labelled) for image in reading.images] == [("a.png", True), ("b.png", False)]
    assert codes(reading) == []


@pytest.mark.parametrize("stated", [r"C:\Users\me\Desktop\A.PNG", "../elsewhere/renamed.png", "", None, 7])
def test_the_stated_path_may_be_of_another_computer(folder, stated):
    assert one(folder, BOX, imagePath=stated).images[0].shapes == (WANTED,)


def test_files_of_the_same_name_keep_to_their_folders(folder):
    for name in ("one", "two"):
        folder.image(f"{name}/a.png")
        folder.json(f"{name}/a.json", {"imagePath": "a.png", "shapes": [{**BOX, "label": name}]})
    assert [image.shapes[0].label for image in read(folder.source).images] == ["one", "two"]


def test_two_files_cannot_both_describe_an_image(folder):
    folder.json("b.json", {"imagePath": "a.png", "shapes": []})
    reading = one(folder, BOX)
    assert shapes(reading) == [WANTED]
    assert [(problem.path, problem.code) for problem in reading.problems] == [("b.json", "image_twice")]


def test_a_copied_file_that_still_names_the_old_image_counts_for_its_own(folder):
    folder.image("b.png")
    folder.json("b.json", {"imagePath": "a.png", "shapes": [{**BOX, "label": "of b"}]})
    reading = one(folder, BOX)
    assert [image.shapes[0].label for image in reading.images] == ["crack", "of b"]


def test_a_file_without_image_is_counted(folder):
    folder.json("lost.json", {"imagePath": "lost.png", "shapes": []})
    reading = one(folder, BOX)
    assert [(problem.path, problem.code) for problem in reading.problems] == [("lost.json", "image_missing")]


def test_an_ambiguous_name_is_counted(folder, tmp_path):
    folder.image("one/a.png")
    folder.image("two/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "x.json").write_text('{"imagePath": "a.png", "shapes": []}')
    reading = FORMATS["labelme_json"].read(Source(folder.root, tmp_path / "labels"))
    assert [(problem.code, problem.detail) for problem in reading.problems] == [
        ("ambiguous_name", "a.png: one/a.png, two/a.png")
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"shapes": [\n}', "line 2: no JSON"),
        ('{"shapes": [NaN]}', "NaN is no JSON number"),
        ("[" * 100_000, "nested too deeply"),
        (b'\n{"a": "\xff"}', "line 2: the text is not UTF-8"),
        ("1" * 5000, "Exceeds the limit"),
    ],
)
def test_a_broken_file_is_named_with_its_line_and_the_others_are_read(folder, text, reason):
    folder.text("broken.json", text)
    reading = one(folder, BOX)
    (problem,) = reading.problems
    assert (problem.path, problem.code) == ("broken.json", "unreadable_file")
    assert reason in problem.detail
    assert shapes(reading) == [WANTED]


def test_a_byte_order_mark_does_no_harm(folder):
    folder.image("a.png")
    folder.text("a.json", b'\xef\xbb\xbf{"shapes": []}')
    assert read(folder.source).images[0].labelled


def test_a_stated_size_that_is_not_the_image_is_remarked(folder):
    reading = one(folder, BOX, imageWidth=200, imageHeight=160)
    assert [(problem.code, problem.detail) for problem in reading.problems] == [
        ("size_differs", "200x160 stated, 100x80 found")
    ]


def test_a_broken_image_is_counted_and_not_labelled(folder):
    folder.text("bad.png", "no image")
    folder.json("bad.json", {"imagePath": "bad.png", "shapes": [BOX]})
    reading = one(folder, BOX)
    assert ("bad.png", "unreadable_image") in [(problem.path, problem.code) for problem in reading.problems]
    assert not reading.images[1].labelled
