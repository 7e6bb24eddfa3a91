"""The dataset that comes of a validation: what is in it for each operation, all or nothing, linked both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets_app import deleting, deriving
from datasets_app.models import Annotation, Blob, Dataset, Image
from datasets_app.rows import rows
from jobs import kinds, runfolder
from jobs.models import State
from models_app.models import Operation, Validation
from tests import fake_kernels
from tests.models import answers

pytestmark = pytest.mark.django_db
ALL_OPERATIONS = {"const": "training, validation, inference, preprocessing"}


def labels(dataset: Dataset, **of) -> list[tuple]:
    found = Annotation.objects.filter(image__dataset=dataset, **of).order_by("image__position", "pk")
    return [
        (one.image.name, one.category.code if one.category else one.annotation_type.code, one.is_generated)
        for one in found.select_related("image", "category", "annotation_type")
    ]


# --- inference -------------------------------------------------------------------------------------------------------


def test_an_inference_makes_a_dataset_of_its_images_with_generated_labels_only(shop):
    validation = shop.validated(shop.ready(wrong=0), operation=Operation.INFERENCE)
    made = validation.result
    assert validation.job.state == State.SUCCEEDED, validation.job.message
    assert (made.project, made.name) == (shop.project, f"parts-val-inference-{validation.pk}")
    assert [one.name for one in made.images.all()] == [one.name for one in shop.val.images.all()]
    assert {(code, is_generated) for _name, code, is_generated in labels(made)} == {("GOOD", True)}
    assert len(labels(made)) == 4
    assert made.images.filter(needs_review=True, labelled_cl=True).count() == 4
    assert made.made_by == validation


def test_images_are_kept_once_however_many_datasets_hold_them(shop):
    before = Blob.objects.filter(content_type="image/png").count()
    made = shop.validated(shop.ready(), operation=Operation.INFERENCE).result
    assert Blob.objects.filter(content_type="image/png").count() == before
    assert set(made.images.values_list("blob", flat=True)) == set(shop.val.images.values_list("blob", flat=True))


def test_shapes_become_labels_from_the_score_that_was_asked_for(make_shop):
    boxes = make_shop("OD", name="boxes")
    for min_score, expected in ((None, [0.95, 0.85, 0.75]), (0.8, [0.95, 0.85]), (0.0, [0.95, 0.85, 0.75])):
        validation = boxes.validated(boxes.ready(), operation=Operation.INFERENCE, min_score=min_score)
        found = Annotation.objects.filter(image__dataset=validation.result).order_by("pk")
        assert [one.score for one in found] == expected
        assert all(one.points == [[4, 5], [14, 15]] and one.kind == "rectangle" for one in found)
        assert validation.result.images.filter(needs_review=True, labelled_od=True).count() == 4  # one with nothing


@pytest.mark.parametrize(("kind", "expected"), [("SEG", 3), ("RC", 4)])
def test_outlines_and_verdicts_become_labels_too(make_shop, kind, expected):
    shop = make_shop(kind, name="others")
    validation = shop.validated(shop.ready(), operation=Operation.INFERENCE)
    assert validation.job.state == State.SUCCEEDED, validation.job.message
    found = list(Annotation.objects.filter(image__dataset=validation.result))
    assert len(found) == expected
    assert {one.kind for one in found} == {"polygon" if kind == "SEG" else "rectangle"}
    assert {one.verdict for one in found} == ({None} if kind == "SEG" else {True, False})
    assert validation.faults == []


def test_a_result_can_be_trained_on_at_once(make_shop):
    boxes = make_shop("OD", name="boxes")
    made = boxes.validated(boxes.ready(), operation=Operation.INFERENCE).result
    model = boxes.finished(train=[made])
    seen = fake_kernels.seen(model.folder)
    assert seen["samples"] == {"train": 4, "validation": 4}


def test_a_class_the_model_type_does_not_know_is_named_and_makes_no_label(make_shop):
    boxes = make_shop("OD", name="boxes")
    validation, folder = answers.prepared(boxes, boxes.ready(), Operation.INFERENCE)
    image = boxes.val.images.first()
    place = folder / "dataset/images" / str(boxes.val.pk) / image.name
    shape = '{"label": "%s", "shape_type": "rectangle", "points": [[1, 1], [9, 9]], "score": 0.9}'
    shapes = ", ".join(shape % label for label in ("GOOD", "NEW", "NEW"))
    (folder / "out/annotations").mkdir()
    (folder / "out/annotations/a.json").write_text(f'{{"imagePath": "{place}", "shapes": [{shapes}]}}')
    validation = answers.finished(validation)
    assert [one[1] for one in labels(validation.result)] == ["GOOD"]
    assert [fault["reason"] for fault in validation.faults] == [
        "2 × 'NEW': is no annotation type of the model type, so no label came of it"
    ]
    assert validation.figures["unanswered"]["count"] == 3
    assert validation.result.images.filter(labelled_od=True).count() == 1


def test_labels_stay_within_the_image(make_shop):
    boxes = make_shop("OD", name="boxes")
    validation, folder = answers.prepared(boxes, boxes.ready(), Operation.INFERENCE)
    image = boxes.val.images.first()
    shape = '{"label": "GOOD", "shape_type": "rectangle", "points": %s, "score": 0.9}'
    shapes = ", ".join(shape % points for points in ("[[-5, -5], [9, 9]]", "[[50, 50], [60, 60]]"))
    (folder / "out/annotations").mkdir()
    (folder / "out/annotations/1.json").write_text(f'{{"image_id": "{image.pk}", "shapes": [{shapes}]}}')
    made = answers.finished(validation).result
    assert [one.points for one in Annotation.objects.filter(image__dataset=made)] == [[[0, 0], [9, 9]]]


# --- validation ------------------------------------------------------------------------------------------------------


def test_a_validation_makes_a_dataset_with_both_labels(shop):
    made = shop.validated(shop.ready(wrong=1)).result
    assert made.compares
    found = labels(made)
    assert len(found) == 8
    first = [one for one in found if one[0] == found[0][0]]
    assert [(code, is_generated) for _name, code, is_generated in first] == [("GOOD", False), ("BAD", True)]
    assert not made.images.filter(needs_review=True).exists()


def test_nobody_learns_from_labels_that_only_compare(make_shop):
    boxes = make_shop("OD", name="boxes")
    made = boxes.validated(boxes.ready(wrong=0)).result
    assert Annotation.objects.filter(image__dataset=made).count() == 8
    assert [len(row.labels) for row in rows([made], boxes.model_type)] == [1, 1, 1, 1]
    [count] = {row["count"] for row in made.label_counts(boxes.model_type)}
    assert count == 2


# --- preprocessing ---------------------------------------------------------------------------------------------------


@pytest.fixture
def producer(make_shop):
    return make_shop("CL", name="raw", supported_operations=ALL_OPERATIONS)


def test_preprocessing_makes_a_dataset_of_the_produced_images_without_labels(producer):
    validation = producer.validated(producer.ready(), operation=Operation.PREPROCESSING)
    assert validation.job.state == State.SUCCEEDED, validation.job.message
    made = validation.result
    assert sorted(one.name for one in made.images.all()) == [
        f"val/{c}-{n}.png" for c in ("BAD", "GOOD") for n in (0, 1)
    ]
    assert not Annotation.objects.filter(image__dataset=made).exists()
    assert not made.images.filter(labelled_cl=True).exists()
    assert all(one.blob.path.is_file() and (one.width, one.height) == (40, 30) for one in made.images.all())


def test_produced_images_that_are_none_are_named_and_the_rest_is_kept(producer):
    validation, folder = answers.prepared(producer, producer.ready(), Operation.PREPROCESSING)
    source = folder / "dataset/images" / str(producer.val.pk) / "val/GOOD-0.png"
    (folder / "images/good.png").write_bytes(source.read_bytes())
    (folder / "images/bad.png").write_text("no picture")
    rows = [(str(source), "good.png"), (str(source), "bad.png"), (str(source), "../model.json"), ("/x.png", "good.png")]
    text = ", ".join(f'{{"src": "{src}", "dst": "{dst}"}}' for src, dst in rows)
    (folder / "out/files.txt").write_text(f"[{text}, 3]")
    validation = answers.finished(validation)
    assert [one.name for one in validation.result.images.all()] == ["good.png"]
    named = {fault["file"]: fault["reason"] for fault in validation.faults}
    assert "is no picture that can be read" in named["bad.png"]
    reasons = " ".join(fault["reason"] for fault in validation.faults)
    for part in ("entry 4", "../model.json: is no file below", "/x.png: is no image that was asked for"):
        assert part in reasons


def test_a_list_of_images_that_are_not_there_is_no_success(producer):
    validation, folder = answers.prepared(producer, producer.ready(), Operation.PREPROCESSING)
    (folder / "out/files.txt").write_text('[{"src": "/a.png", "dst": "nowhere.png"}]')
    found = kinds.get("validation").check(validation.job, folder)
    assert found == ["None of the images that files.txt names is there."]


# --- all or nothing, once, linked ------------------------------------------------------------------------------------


def test_a_crash_in_the_middle_leaves_nothing_and_the_next_try_makes_it(shop, monkeypatch):
    validation, folder = answers.prepared(shop, shop.ready())
    answers.categories(folder)
    datasets, images = Dataset.objects.count(), Image.objects.count()
    with monkeypatch.context() as broken:
        broken.setattr(deriving, "_fill", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            kinds.get("validation").finish(validation.job, folder)
    assert (Dataset.objects.count(), Image.objects.count()) == (datasets, images)
    assert answers.finished(validation).result is not None


def test_finishing_twice_makes_one_dataset(shop):
    validation = shop.validated(shop.ready())
    made = validation.result
    kinds.get("validation").finish(validation.job, runfolder.of(validation.job))
    assert Validation.objects.get(pk=validation.pk).result == made
    assert Dataset.objects.filter(format=Operation.VALIDATION).count() == 1


def test_a_result_is_not_deleted_under_its_validation(shop):
    validation = shop.validated(shop.ready(), operation=Operation.INFERENCE)
    with pytest.raises(deleting.InUse) as caught:
        deleting.delete(validation.result)
    assert [(one.name, one.url) for one in caught.value.dependants] == [
        (str(validation), validation.get_absolute_url())
    ]


def test_images_of_several_datasets_keep_their_names_apart(shop):
    model = shop.ready()
    other = Dataset.objects.create(project=shop.project, name="twin")
    for one in shop.val.images.all():
        Image.objects.create(dataset=other, name=one.name, position=one.position, blob=one.blob, width=40, height=30)
    validation = shop.validated(model, operation=Operation.INFERENCE, datasets=[shop.val, other])
    names = [one.name for one in validation.result.images.all()]
    assert len(names) == len(set(names)) == 8
    assert {Path(name).parts[0] for name in names} == {"parts-val", "twin"}
