"""The readers on files as the real tools wrote them."""

from collections import Counter

import pytest

from datasets_app.formats import Source, read
from datasets_app.formats.splits import read_splits
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


def test_cvat_wrote_the_same_boxes_as_coco_and_voc(real_data):
    """VOC's two decimals are corners, COCO's are sizes: they agree to a hundredth of a pixel."""
    coco = read(Source(real_data("fixtures/coco_json/cvat_coco_1.0")))
    voc = read(Source(real_data("fixtures/voc_xml/cvat_voc_1.1")))
    assert codes(coco) == ["rle_as_box"] * 2
    assert codes(voc) == ["mask_ignored"] * 2
    of_coco, of_voc = (_boxes(reading) for reading in (coco, voc))
    assert len(of_voc) == 18
    for (image, label, corners), (voc_image, voc_label, voc_corners) in zip(of_coco, of_voc, strict=True):
        assert (image, label) == (voc_image, voc_label)
        assert corners == pytest.approx(voc_corners, abs=0.011)


def _boxes(reading):
    """(image name, label, corners), without the ellipses that are masks in COCO and missing in VOC."""
    return sorted(
        (image.path.split("/")[-1], shape.label, (*shape.points[0], *shape.points[1]))
        for image in reading.images
        for shape in image.shapes
        if shape.kind == "rectangle" and shape.label != "ellipse"
    )


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
    assert (reading.labels, codes(reading)) == (("a", "b", "c"), ["rle_as_box"])


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
        ("labelme_xml/cvat_labelme_3.0", "LabelMe XML"),
        ("labelme_xml/datumaro_asset", "LabelMe XML"),
        ("labelme_xml/mit_webtool", "LabelMe XML"),
        ("other_formats/cvat_images_1.1", "CVAT XML"),
        ("other_formats/via_createml", "VIA"),
        ("yolo_txt/coco128_labels_only", "YOLO"),
        ("yolo_txt/cvat_yolo_1.1", "YOLO"),
        ("yolo_txt/labelimg_yolo", "YOLO"),
        ("yolo_txt/ultralytics_variants_datumaro", "YOLO"),
    ],
)
def test_files_that_cannot_be_imported_are_refused_by_name(real_data, name, title):
    with pytest.raises(FormatError, match=title):
        read(Source(real_data(f"fixtures/{name}")))


def test_odd_images_are_images_and_the_macos_twin_is_not(real_data):
    source = Source(real_data("fixtures/oddities"))
    assert len(source.images) == 5
    assert all(source.size(image)[0] > 0 for image in source.images)
