"""What a validation left becomes rows: whatever a kernel writes is read, and what is wrong is kept with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.models import State
from models_app import overlays, reports
from models_app.models import FoundObject, TruthObject, Validation

pytestmark = pytest.mark.django_db


def detail(prediction) -> tuple:
    return prediction.truth, prediction.predicted, prediction.is_right, round(prediction.score, 3)


def test_categories_become_predictions_and_the_summary_figures(shop):
    validation = shop.validated(shop.ready(wrong=1))
    assert validation.summary == {"accuracy": 0.75, "macro_f1": 0.5}
    assert validation.headline == [("accuracy", 0.75), ("macro_f1", pytest.approx((2 / 3 + 4 / 5) / 2))]
    found = sorted(detail(one) for one in validation.predictions.all())
    assert found == [
        ("BAD", "BAD", True, 0.9), ("BAD", "BAD", True, 0.9), ("GOOD", "BAD", False, 0.9), ("GOOD", "GOOD", True, 0.9),
    ]  # fmt: skip
    assert {one.image.dataset for one in validation.predictions.all()} == {shop.val}


def test_shapes_become_predictions_with_their_scores(make_shop):
    boxes = make_shop("OD", name="boxes")
    validation = boxes.validated(boxes.ready(wrong=1))
    assert [name for name, _value in validation.headline] == ["mAP50", "mAP"]
    assert validation.predictions.count() == 4
    found = FoundObject.objects.filter(validation=validation)
    assert {(one.kind, one.score, one.is_right, one.iou) for one in found} == {("rectangle", 0.9, True, 1.0)}
    assert [one.points for one in found] == [[[2, 3], [20, 18]]] * 3
    assert TruthObject.objects.filter(validation=validation, found_score=None).count() == 1
    assert [one.is_right for one in validation.predictions.order_by("-worst")] == [False, True, True, True]


def test_the_portals_own_figures_come_before_what_only_the_kernel_says(make_shop):
    regions = make_shop("SEG", name="regions")
    validation = regions.validated(regions.ready(wrong=1))
    assert validation.summary["mAP50"] == 0.75
    assert [name for name, _value in validation.headline] == ["IoU", "mIoU"]


def test_lines_that_cannot_be_read_are_named_and_the_rest_counts(shop):
    validation = shop.validated(shop.ready(judging="bad_lines"))
    assert [fault["file"] for fault in validation.faults] == ["detections.csv", "detections.csv"]
    assert validation.faults[0]["reason"] == "line 6: y and y_pred must be class indices from 0 to 1"
    assert validation.faults[1]["reason"] == "line 7: 2 columns instead of 5"
    assert validation.predictions.count() == 4


def test_shapes_that_cannot_be_read_are_named_and_the_rest_counts(make_shop):
    boxes = make_shop("OD", name="boxes")
    validation = boxes.validated(boxes.ready(judging="bad_lines"))
    assert validation.faults == [{"file": "999999.json", "reason": "999999.json: shapes must be a list"}]
    assert validation.predictions.count() == 4


@pytest.mark.parametrize("training_type", ["CL", "OD"])
def test_an_image_that_was_not_asked_for_is_named(make_shop, training_type):
    shop = make_shop(training_type, name="things")
    validation = shop.validated(shop.ready(judging="foreign_image"))
    assert validation.job.state == State.SUCCEEDED, validation.job.message
    [fault] = validation.faults
    assert "is about an image that was not asked for" in fault["reason"]
    assert validation.predictions.count() == 4


def test_the_original_systems_spelling_of_the_summary_is_read(shop):
    assert shop.validated(shop.ready(judging="old_summary")).summary["accuracy"] == 0.75


def test_a_summary_that_is_no_text_is_named(shop):
    validation = shop.validated(shop.ready(judging="binary_summary"))
    assert validation.job.state == State.SUCCEEDED
    assert validation.summary == {}
    assert validation.faults[0]["file"] == "summary.csv"


@pytest.fixture
def judged(shop):
    """A validation, and the folder that it left, to spoil and read again."""
    validation = shop.validated(shop.ready(wrong=0))
    return validation, validation.folder


def again(validation, output, dataset="/nowhere") -> Validation:
    reports.store(validation, output, Path(dataset))
    return Validation.objects.get(pk=validation.pk)


def rewrite(validation, output, name_of) -> None:
    """`detections.csv` with the images named as `name_of` says."""
    rows = [f"{name_of(image)},0,0,1,0" for image in validation.datasets.get().images.order_by("pk")]
    (output / "detections.csv").write_text("\n".join(["filename,y,y_pred,p0,p1", *rows]) + "\n")


def test_images_are_known_by_every_name_a_kernel_may_give_them(judged):
    validation, output = judged
    for form in ("/run/data/images/{dataset}/{name}", "images/{dataset}/{name}", "{dataset}/{name}"):
        rewrite(validation, output, lambda image, form=form: form.format(dataset=image.dataset_id, name=image.name))
        found = again(validation, output, "/run/data")
        assert (found.predictions.count(), found.faults) == (4, []), form


def test_storing_again_replaces_what_was_stored(judged):
    validation, output = judged
    rewrite(validation, output, lambda image: f"{image.dataset_id}/{image.name}")
    for _time in range(2):
        assert again(validation, output).predictions.count() == 4


def test_faults_without_end_are_cut(judged):
    validation, output = judged
    (output / "detections.csv").write_text("filename,y,y_pred,p0,p1\n" + "x,1\n" * 5000)
    found = again(validation, output)
    assert len(found.faults) == reports.FAULT_LIMIT
    assert found.predictions.count() == 0


def test_a_class_index_that_is_none_is_a_fault_never_a_crash(judged):
    validation, output = judged
    image = validation.datasets.get().images.first()
    for cell in ("nan", "inf", "", "1e999", "²", "-1", "x", "2"):
        line = f"{image.dataset_id}/{image.name},0,{cell},1,0\n"
        (output / "detections.csv").write_text("filename,y,y_pred,p0,p1\n" + line)
        assert len(again(validation, output).faults) == 1, cell


def test_a_probability_that_is_no_number_is_never_stored_as_one(judged):
    validation, output = judged
    image = validation.datasets.get().images.first()
    for cell in ("nan", "inf", "-inf", "1e999"):
        line = f"{image.dataset_id}/{image.name},0,0,{cell},0\n"
        (output / "detections.csv").write_text("filename,y,y_pred,p0,p1\n" + line)
        (output / "summary.csv").write_text(f"accuracy,{cell}\nother,3\n")
        found = again(validation, output)
        assert all(one.score is None or 0 <= one.score <= 1 for one in found.predictions.all()), cell
        assert (found.summary["other"], found.headline) == (3, []), cell


def test_an_image_named_twice_counts_once(judged):
    validation, output = judged
    image = validation.datasets.get().images.first()
    line = f"{image.dataset_id}/{image.name},0,0,1,0\n"
    (output / "detections.csv").write_text("filename,y,y_pred,p0,p1\n" + line * 3)
    assert again(validation, output).predictions.count() == 1


def test_an_image_id_or_a_score_that_is_none_is_a_fault(make_shop):
    boxes = make_shop("OD", name="boxes")
    validation = boxes.validated(boxes.ready())
    known = str(boxes.val.images.first().pk)
    for image_id, score in (("²", "1"), ("", "1"), ("-1", "1"), ("1.0", "1"), ("9" * 30, "1"), (known, "1e999")):
        shape = f'{{"label": "GOOD", "shape_type": "rectangle", "points": [[1, 1], [2, 2]], "score": {score}}}'
        content = f'{{"shapes": [{shape}], "image_id": "{image_id}", "imageWidth": 1, "imageHeight": 1}}'
        (validation.folder / "annotations/odd.json").write_text(content)
        found = again(validation, validation.folder)
        assert (len(found.faults), found.predictions.count()) == (1, 4), (image_id, score)


def test_overlays_of_many_images_take_two_queries(make_shop, django_assert_max_num_queries):
    boxes = make_shop("OD", name="boxes")
    validation = boxes.validated(boxes.ready())
    rows = list(validation.predictions.select_related("image"))
    with django_assert_max_num_queries(4):  # two of them for the validation's model and its type
        assert len(overlays.cards(validation, rows)) == 4
