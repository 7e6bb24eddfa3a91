"""The readers on files as the real tools wrote them."""

from collections import Counter

import pytest
from PIL import Image

from datasets_app.formats import Source, read
from datasets_app.formats.geometry import bounds
from datasets_app.formats.splits import read_splits
from datasets_app.problems import PROBLEMS
from datasets_app.records import FormatError

from .conftest import codes, counts, shapes


def test_circuit_board_crops_are_700_images_of_7_classes_in_two_splits(real_data):
    source = Source(real_data("quickstart/cl_pcb"))
    reading = read(source)
    assert reading.labels == ("copper", "mousebite", "normal", "open", "pin_hole", "short", "spur")
    assert set(Counter(image.category for image in reading.images).values()) == {100}
    splits = read_splits(source.annotation_path("split.csv"), source)
    assert (Counter(splits.by_image.values()), splits.problems) == ({"train": 490, "val": 210}, ())


def test_circuit_board_pairs_hold_620_rectangles(real_data):
    reading = read(Source(real_data("quickstart/rc_pcb")))
    assert (len(reading.images), len(shapes(reading)), codes(reading)) == (80, 620, [])
    assert counts(reading)["ok", "rectangle"] == 310
    assert len(reading.labels) == 7


def test_blood_cells_have_their_boxes_and_official_splits(real_data):
    reading = read(Source(real_data("quickstart/od_bccd")))
    boxes = {("RBC", "rectangle"): 2287, ("WBC", "rectangle"): 204, ("Platelets", "rectangle"): 178}
    assert (counts(reading), codes(reading)) == (boxes, [])
    assert Counter(image.split for image in reading.images) == {"train": 120, "val": 40, "test": 40}


def test_nuclei_are_the_same_in_labelme_and_coco(real_data):
    source = Source(real_data("quickstart/seg_nuclei"))
    coco, labelme = read(source, "coco"), read(source, "labelme_json")
    assert counts(coco) == counts(labelme) == {("nucleus", "polygon"): 1979}
    assert [image.shapes for image in coco.images] == [image.shapes for image in labelme.images]
    assert read(source).format == "coco"


CVAT = {
    "coco": "coco_json/cvat_coco_1.0",
    "labelme_xml": "labelme_xml/cvat_labelme_3.0",
    "voc": "voc_xml/cvat_voc_1.1",
    "yolo": "yolo_txt/cvat_yolo_1.1",
}


@pytest.mark.parametrize(("format", "count"), [("labelme_xml", 23), ("voc", 18), ("yolo", 18)])
def test_cvat_wrote_the_same_shapes_in_every_format_that_holds_them(real_data, format, count):
    """VOC and YOLO hold boxes only; LabelMe's masks are COCO's run lengths."""
    coco, other = (read(Source(real_data(f"fixtures/{CVAT[one]}"))) for one in ("coco", format))
    assert codes(coco) == []
    assert codes(other) == (["mask_ignored"] * 2 if format == "voc" else [])
    found, expected = _boxes(other), _boxes(coco)
    assert len(found) == count
    for image, label, kind, box in found:
        overlaps = [_iou(box, one[3]) for one in expected if one[:3] == (image, label, kind)]
        assert max(overlaps, default=0) >= 0.99, (image, label, box)


def _boxes(reading):
    """(image name, label, kind, corners)."""
    return [
        (image.path.split("/")[-1], shape.label, shape.kind, (*corners[0], *corners[1]))
        for image in reading.images
        for shape in image.shapes
        if (corners := bounds(shape.points))
    ]


def _iou(one, other):
    def area(left, top, right, bottom):
        return max(right - left, 0) * max(bottom - top, 0)

    both = area(*map(max, one[:2], other[:2]), *map(min, one[2:], other[2:]))
    return both / (area(*one) + area(*other) - both)


def test_the_tools_of_the_same_pictures_agree_in_counts_and_labels(real_data):
    """labelme's and labelImg's labels were drawn by hand once more; labelme has a line strip and no crack."""
    labelimg, yolo = (
        read(Source(real_data(f"fixtures/{name}"))) for name in ("voc_xml/labelimg", "yolo_txt/labelimg_yolo")
    )
    assert counts(yolo) == counts(labelimg)
    labelme = counts(read(Source(real_data("fixtures/labelme_json/labelme_5.2.1"))))
    by_label = Counter()
    for (label, _kind), count in counts(labelimg).items():
        by_label[label] += count
    for (label, _kind), count in labelme.items():
        assert by_label[label] == count, label


def test_roboflows_unused_category_is_no_label(real_data):
    reading = read(Source(real_data("fixtures/coco_json/roboflow_wagon")))
    assert (reading.labels, len(shapes(reading)), codes(reading)) == (("gunny_bag", "wire"), 41, [])
    assert {image.split for image in reading.images} == {"test"}


def test_coco_files_of_two_splits_are_one_set(real_data):
    reading = read(Source(real_data("fixtures/coco_json/datumaro_asset/coco_instances")))
    assert [(image.path, image.split) for image in reading.images] == [
        ("images/train/a.jpg", "train"),
        ("images/val/b.jpg", "val"),
    ]
    assert (reading.labels, codes(reading)) == (("a", "b", "c"), [])
    assert counts(reading) == {("a", "polygon"): 1, ("b", "polygon"): 1, ("b", "rectangle"): 1}


def test_labelme_files_are_read_with_what_they_do_not_hold(real_data):
    reading = read(Source(real_data("fixtures/labelme_json/labelme_5.2.1")))
    assert [(image.path, image.labelled) for image in reading.images if not image.labelled] == [("crack.jpeg", False)]
    assert counts(reading)["strawberry", "rectangle"] == 17
    assert [(problem.path, problem.code) for problem in reading.problems] == [("shapes.json", "unsupported_shape")]
    grapes = read(Source(real_data("fixtures/labelme_json/labelme_5.3.1_grapes")))
    assert counts(grapes) == {("black_grape", "polygon"): 5, ("green_grape", "polygon"): 2}


def test_labelimg_files_and_their_zero_size_boxes(real_data):
    assert codes(read(Source(real_data("fixtures/voc_xml/bccd_zero_boxes")))) == ["zero_size_box"] * 2
    labelimg = read(Source(real_data("fixtures/voc_xml/labelimg")))
    assert (len(labelimg.images), len(shapes(labelimg)), codes(labelimg)) == (6, 35, [])


def test_the_format_that_datumaro_made_difficult(real_data):
    reading = read(Source(real_data("fixtures/voc_xml/datumaro_asset/voc_dataset1")))
    assert counts(reading) == {("cat", "rectangle"): 1, ("person", "rectangle"): 1}
    with pytest.raises(FormatError, match="No image was found in it"):
        read(Source(real_data("fixtures/voc_xml/datumaro_asset/voc_dataset2")))


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("coco_json/cocoapi_results_not_a_dataset", "is a COCO results list, not a data set"),
        ("coco_json/datumaro_asset/coco_panoptic", "COCO panoptic segmentation"),
        ("coco_json/datumaro_asset/coco_person_keypoints", "COCO keypoints"),
        ("other_formats/cvat_images_1.1", "CVAT XML"),
        ("other_formats/via_createml", "VIA"),
        ("voc_xml/datumaro_asset/voc_dataset2", "No image was found in it"),
        ("yolo_txt/coco128_labels_only", "No image was found in it"),
        ("yolo_txt/ultralytics_variants_datumaro/yolov8_oriented_boxes", "turned boxes of YOLO"),
        ("yolo_txt/ultralytics_variants_datumaro/yolov8_pose", "YOLO key points"),
    ],
)
def test_files_that_cannot_be_imported_are_refused_by_name(real_data, name, title):
    with pytest.raises(FormatError, match=title):
        read(Source(real_data(f"fixtures/{name}")))


def test_odd_images_are_images_and_the_macos_twin_is_not(real_data):
    source = Source(real_data("fixtures/oddities"))
    assert len(source.images) == 5
    assert all(source.size(image)[0] > 0 for image in source.images)


def test_labelme_xml_of_the_web_tool_is_read_with_its_masks(real_data):
    asset = read(Source(real_data("fixtures/labelme_xml/datumaro_asset")))
    kinds = dict(counts(asset).keys())
    assert kinds.pop("b1") == "rectangle"
    assert (set(kinds), set(kinds.values())) == (
        {"window", "license plate", "o1", "q1", "m1", "hg"},
        {"polygon"},
    )
    web = read(Source(real_data("fixtures/labelme_xml/mit_webtool")))
    plate = next(shape for shape in shapes(web) if shape.label == "license plate")
    box = (1457, 1671.75, 1559, 1706.75)  # the tool's own, of its own mask
    assert _iou((*bounds(plate.points)[0], *bounds(plate.points)[1]), box) > 0.9


def test_yolo_of_coco128_has_its_boxes_and_polygons_where_its_images_are(real_data, tmp_path):
    """The pictures are not at hand: blank ones of the same sizes stand for them."""
    folder = real_data("fixtures/yolo_txt/coco128_labels_only")
    for line in (folder / "image_sizes.csv").read_text().splitlines()[1:]:
        name, width, height, mode = line.split(",")
        path = tmp_path / "images" / "train2017" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (int(width), int(height))).save(path)
    boxes = read(Source(tmp_path, folder / "object_detection"))
    polygons = read(Source(tmp_path, folder / "instance_segmentation"))
    for reading, kind, lists in (
        (boxes, "rectangle", "object_detection"),
        (polygons, "polygon", "instance_segmentation"),
    ):
        rows = sum(len(path.read_text().splitlines()) for path in (folder / lists).rglob("*.txt"))
        assert {shape.kind for shape in shapes(reading)} == {kind}
        assert len(shapes(reading)) + codes(reading).count("duplicate_shape") == rows
        assert set(codes(reading)) <= {"clipped", "duplicate_shape"}
    assert "person" in boxes.labels
    assert "person" in polygons.labels


@pytest.mark.parametrize("name", ["yolov8_detection", "yolov8_detection_with_list_of_names", "yolov8_segmentation"])
def test_yolo_of_ultralytics_is_read(real_data, name):
    reading = read(Source(real_data(f"fixtures/yolo_txt/ultralytics_variants_datumaro/{name}")))
    kind = "polygon" if "segmentation" in name else "rectangle"
    assert (counts(reading), codes(reading)) == ({("label_2", kind): 1, ("label_4", kind): 1}, [])


def test_every_file_of_the_fixtures_is_read_or_refused_by_name_and_every_problem_has_its_sentence(real_data):
    """Each folder that holds annotations or pictures, as somebody might send it."""
    root = real_data("fixtures")
    outcomes = {}
    for folder in sorted({path.parent for path in root.rglob("*") if path.is_file() and path.parent != root}):
        if "LICENSES" in folder.parts:
            continue
        try:
            reading = read(Source(folder))
        except FormatError as refusal:
            outcomes[folder] = "refused" if str(refusal) else "without a word"
        else:
            assert set(codes(reading)) <= set(PROBLEMS), folder
            outcomes[folder] = reading.format
    assert set(outcomes.values()) == {"refused", "coco", "folders", "labelme_json", "labelme_xml", "voc", "yolo"}
