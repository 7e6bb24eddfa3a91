import pytest
from faster_coco_eval.core import mask as coco_masks

from datasets_app.formats import coco_file, json_stream, read
from datasets_app.records import FormatError

from .conftest import codes, counts, shapes


@pytest.fixture(autouse=True, params=["one piece", "many pieces"])
def pieces(request, monkeypatch) -> None:
    """However many pieces a file is read in, and however many rows are packed at a time."""
    if request.param == "many pieces":
        monkeypatch.setattr(json_stream, "_CHUNK", 48)
        monkeypatch.setattr(coco_file, "_BATCH", 1)


TRIANGLE = [10, 10, 30, 10, 10, 30]


def coco(*annotations, images=("a.png",), categories=({"id": 7, "name": "crack"},)) -> dict:
    listed = [{"id": number, "file_name": name} for number, name in enumerate(images, 40)]
    filled = [{"id": number, "image_id": 40, "category_id": 7, **each} for number, each in enumerate(annotations)]
    return {"images": listed, "annotations": filled, "categories": list(categories)}


def one(folder, *annotations, **more):
    folder.image("images/a.png")
    folder.json("annotations/instances_default.json", coco(*annotations, **more))
    return read(folder.source)


def test_a_polygon_is_read_and_no_polygon_means_the_box(folder):
    reading = one(
        folder, {"segmentation": [TRIANGLE], "bbox": [0, 0, 1, 1]}, {"segmentation": [], "bbox": [1, 2, 3, 4]}
    )
    polygon, box = shapes(reading)
    assert polygon.points == ((10.0, 10.0), (30.0, 10.0), (10.0, 30.0))
    assert (box.kind, box.points) == ("rectangle", ((1.0, 2.0), (4.0, 6.0)))
    assert codes(reading) == []


def test_several_parts_are_several_shapes_and_counted(folder):
    reading = one(folder, {"segmentation": [TRIANGLE, [50, 50, 60, 50, 50, 60]]})
    assert counts(reading) == {("crack", "polygon"): 2}
    assert codes(reading) == ["multi_part"]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_run_length_mask_becomes_its_outline(folder, is_compressed):
    mask = {"counts": [85, 2, 78, 2, 7833], "size": [80, 100]}
    if is_compressed:
        packed = coco_masks.frPyObjects(mask, 80, 100)["counts"]
        mask["counts"] = packed if isinstance(packed, str) else packed.decode()
    reading = one(folder, {"segmentation": mask, "bbox": [1, 1, 5, 5], "iscrowd": 1})
    assert shapes(reading)[0].points == ((1.0, 5.0), (3.0, 5.0), (3.0, 7.0), (1.0, 7.0))
    assert codes(reading) == []


def test_a_mask_of_two_parts_with_a_hole_is_counted(folder):
    ring = [81, 3, 77, 1, 1, 1, 77, 3, 240, 2]
    mask = {"counts": [*ring, 8000 - sum(ring)], "size": [80, 100]}
    reading = one(folder, {"segmentation": mask})
    assert counts(reading) == {("crack", "polygon"): 2}
    assert codes(reading) == ["multi_part", "mask_holes"]


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        ({"bbox": [1, 1, 0, 5]}, "zero_size_box"),
        ({"bbox": [1, 1, -4, 5]}, "bad_coordinates"),
        ({"bbox": [1, 1, 4]}, "bad_coordinates"),
        ({"bbox": None}, "bad_coordinates"),
        ({"segmentation": [TRIANGLE[:5]]}, "bad_coordinates"),
        ({"segmentation": [TRIANGLE[:4]]}, "too_few_points"),
        ({"segmentation": {}}, "bad_coordinates"),
        ({"segmentation": {"counts": [1], "size": [80, 100]}, "bbox": [1, 1, 4, 5]}, "bad_mask"),
        ({"bbox": [500, 1, 4, 5]}, "outside_image"),
        ({"bbox": [1, 1, 4, 5], "category_id": 8}, "unknown_category"),
        ({"bbox": [1, 1, 4, 5], "image_id": 1}, "unknown_image"),
        ({"bbox": [1, 1, 4, 5], "image_id": [1]}, "unknown_image"),
    ],
)
def test_an_annotation_that_cannot_be_is_dropped_and_counted(folder, annotation, code):
    reading = one(folder, annotation)
    assert (codes(reading), shapes(reading)) == ([code], [])


def test_a_listed_image_without_annotation_is_labelled_and_one_not_listed_is_not(folder):
    folder.image("images/b.png")
    assert [image.labelled for image in one(folder).images] == [True, False]


def test_a_listed_image_that_is_missing_is_counted(folder):
    reading = one(folder, images=("a.png", "../../etc/passwd", "gone.png"))
    assert [problem.detail.split("/")[-1] for problem in reading.problems] == ["passwd", "gone.png"]
    assert codes(reading) == ["image_missing"] * 2


def test_an_unused_category_stays_unless_it_only_groups_others(folder):
    categories = [
        {"id": 0, "name": "things", "supercategory": "none"},
        {"id": 7, "name": "crack", "supercategory": "things"},
        {"id": 9, "name": "never", "supercategory": "things"},
        {"id": 11, "name": "own", "supercategory": "own"},
    ]
    assert one(folder, {"bbox": [1, 1, 4, 4]}, categories=categories).labels == ("crack", "never", "own")


def test_a_used_parent_category_stays(folder):
    categories = [{"id": 7, "name": "things"}, {"id": 8, "name": "crack", "supercategory": "things"}]
    assert one(folder, {"bbox": [1, 1, 4, 4]}, categories=categories).labels == ("things", "crack")


@pytest.mark.parametrize(
    ("paths", "images"),
    [
        (("annotations/instances_train2017.json", "annotations/instances_val2017.json"), "{}2017"),
        (("train/_annotations.coco.json", "val/_annotations.coco.json"), "{}"),
        (("train.json", "val.json"), "images/{}"),
    ],
)
def test_a_file_a_split_keeps_to_its_own_images(folder, paths, images):
    for split, path in zip(("train", "val"), paths, strict=True):
        folder.image(f"{images.format(split)}/a.png")
        categories = [{"id": 7, "name": split}]
        folder.json(path, coco({"bbox": [1, 1, 4, 4]}, categories=categories))
    reading = read(folder.source)
    assert [(image.split, image.shapes[0].label) for image in reading.images] == [("train", "train"), ("val", "val")]
    assert (codes(reading), reading.labels) == (["same_name"], ("train", "val"))


def test_files_of_one_split_add_up(folder):
    folder.image("a.png")
    for name in ("crack", "hole"):
        folder.json(f"{name}.json", coco({"bbox": [1, 1, 4, 4]}, categories=[{"id": 7, "name": name}]))
    assert counts(read(folder.source)) == {("crack", "rectangle"): 1, ("hole", "rectangle"): 1}


def test_rubbish_inside_the_lists_is_counted(folder):
    folder.image("a.png")
    document = coco({"bbox": [1, 1, 4, 4]})
    document["images"] += [None, {"id": 41}, {"id": 40, "file_name": "b.png"}]
    document["annotations"] += ["x"]
    document["categories"] += [3, {"id": 9}]
    folder.json("all.json", document)
    reading = read(folder.source)
    assert codes(reading) == ["bad_entry"] * 6
    assert len(shapes(reading)) == 1


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ([{"image_id": 1, "category_id": 1, "bbox": [1, 1, 2, 2], "score": 0.5}], "COCO results list, not a data set"),
        ({**coco({"bbox": [1, 1, 4, 4], "keypoints": [1, 2, 3]})}, "COCO keypoints"),
        ({**coco({"segments_info": []})}, "COCO panoptic"),
        ({**coco({"caption": "a crack"})}, "COCO captions"),
    ],
)
def test_other_files_of_coco_are_refused_by_name(folder, document, name):
    folder.image("a.png")
    folder.json("file.json", document)
    with pytest.raises(FormatError, match=name):
        read(folder.source)


def test_beside_a_data_set_other_files_of_coco_are_counted(folder):
    folder.json("annotations/keypoints.json", coco({"keypoints": [1, 2, 3]}))
    reading = one(folder, {"bbox": [1, 1, 4, 4]})
    assert [(problem.code, problem.detail) for problem in reading.problems] == [
        ("ignored_file", "COCO keypoints, 1 files")
    ]
