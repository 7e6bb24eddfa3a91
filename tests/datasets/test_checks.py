"""What is wrong with two sets is said before they are trained on, with what to do; and every change of them is seen."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.db import connection
from django.template.loader import render_to_string
from django.test.utils import CaptureQueriesContext

from datasets_app import checks
from datasets_app.models import Annotation, Dataset, Image, ShapeKind
from datasets_app.remarks import Remark
from projects_app.models import AnnotationType, Category, ModelType
from tests.parts import import_parts

pytestmark = pytest.mark.django_db


class Sets:
    """Two datasets of GOOD and BAD with ten samples of each in both, and the verbs."""

    def __init__(self, project, user, folder, training_type: str, each: int = 10) -> None:
        found = import_parts(project, user, folder, training_type, each=each)
        self.project, self.train, self.val = project, found["train"], found["val"]
        self.kind = ModelType.objects.get(project=project, training_type=training_type)

    def facts(self, train: list[Dataset] | None = None, val: list[Dataset] | None = None) -> checks.SetFacts:
        return checks.set_facts(self.kind, train or [self.train], val or [self.val])

    def remarks(self, kind: str = "") -> list[str]:
        return [remark.message for remark in self.facts().remarks if kind in ("", remark.kind)]

    def labels(self, code: str, dataset: Dataset | None = None):
        by = "category__code" if self.kind.training_type == "CL" else "annotation_type__code"
        return Annotation.objects.filter(image__dataset=dataset or self.train, **{by: code}).order_by("pk")

    def learn(self, code: str, *, is_learnt: bool = True) -> AnnotationType:
        added = AnnotationType.objects.create(
            project=self.project, training_type=self.kind.training_type, code=code, name=code
        )
        if is_learnt:
            self.kind.learn(added)
        return added

    def mark(self, dataset: Dataset, what: AnnotationType, count: int, **more) -> None:
        """`count` rectangles on its first image."""
        points = [[1, 1], [9, 9]]
        Annotation.objects.bulk_create(
            Annotation(
                image=dataset.images.first(), annotation_type=what, kind=ShapeKind.RECTANGLE, points=points, **more
            )
            for _ in range(count)
        )


@pytest.fixture
def make(project, bob, tmp_path):
    return lambda training_type="OD", **more: Sets(project, bob, tmp_path / training_type, training_type, **more)


@pytest.fixture
def boxes(make) -> Sets:
    return make("OD")


@pytest.fixture
def parts(make) -> Sets:
    return make("CL")


def only(remarks: list[Remark]) -> Remark:
    assert len(remarks) == 1, remarks
    return remarks[0]


# --- remarks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training_type", ["OD", "CL"])
def test_sets_that_are_fine_have_no_remark(make, training_type):
    facts = make(training_type).facts()
    assert (facts.errors, facts.remarks, facts.warnings, facts.leaves_out) == ([], [], [], False)
    assert [(code, learnt.labels, judged.labels) for code, learnt, judged in facts.by_class] == [
        ("GOOD", 10, 10), ("BAD", 10, 10),
    ]  # fmt: skip


def test_the_same_dataset_in_both_sets_is_one_loud_remark(boxes):
    remark = only(boxes.facts(val=[boxes.train]).remarks)
    assert remark.kind == "loud"
    assert remark.message == (
        "Validation = training data: the figures will look better than the model is. "
        "In both at once: parts-train. Choose other validation data."
    )


def test_a_copy_of_the_training_data_is_the_same_loud_remark(boxes):
    blobs = list(boxes.train.images.values_list("blob", flat=True))
    for image, blob in zip(boxes.val.images.all(), blobs, strict=True):
        Image.objects.filter(pk=image.pk).update(blob=blob)
    boxes.val.images.last().delete()  # not the same number: each is one of the training images all the same
    remark = only(boxes.facts().remarks)
    assert remark.kind == "loud"
    assert remark.message.endswith("Every validation image is a training image too. Choose other validation data.")


def test_a_loud_remark_comes_first(boxes):
    boxes.learn("HOLE")
    kinds = [remark.kind for remark in boxes.facts(val=[boxes.val, boxes.train]).remarks]
    assert kinds == ["loud", "warning", "warning"]


def test_single_images_in_both_sets_are_counted_and_linked(boxes, client_of, bob):
    shared = boxes.val.images.first()
    Image.objects.filter(pk=shared.pk).update(blob=boxes.train.images.last().blob)
    remark = only(boxes.facts().remarks)
    assert (remark.kind, boxes.facts().same) == ("warning", 1)
    assert remark.message.startswith("1 validation image is in the training data too")
    ((text, address),) = remark.links
    assert text == shared.name
    assert client_of(bob).get(address).status_code == 200


def test_a_part_in_both_sets_is_a_remark_with_both_pictures(boxes):
    judged, learnt = boxes.val.images.first(), boxes.train.images.last()
    Image.objects.filter(pk__in=[judged.pk, learnt.pk]).update(meta={"obj_id": "P-17"})
    remark = only(boxes.facts().remarks)
    assert boxes.facts().part == 1
    assert remark.message == (
        "1 validation image shows a part (obj_id) that is in the training data too. "
        "Keep all pictures of one part in one set."
    )
    assert [text for text, _address in remark.links] == [judged.name, learnt.name]


def test_a_near_duplicate_is_a_remark(boxes):
    boxes.train.images.filter(name__contains="GOOD-0").update(phash="e664999966669999")
    boxes.val.images.filter(name__contains="BAD-3").update(phash="e664999966669998")
    assert boxes.facts().similar == 1
    assert only(boxes.facts().remarks).message.startswith("1 validation image looks nearly the same as a training")


def test_the_text_of_a_link_is_short(boxes):
    name = "폴더/" * 40 + "마지막.png"
    Image.objects.filter(pk=boxes.val.images.first().pk).update(name=name, blob=boxes.train.images.first().blob)
    ((text, _address),) = only(boxes.facts().remarks).links
    assert len(text) == 60
    assert text.endswith("마지막.png")


def test_a_class_missing_in_a_set_is_a_remark(boxes):
    hole, dent = boxes.learn("HOLE"), boxes.learn("DENT")
    boxes.mark(boxes.train, hole, 12)
    boxes.mark(boxes.val, dent, 12)
    said = boxes.remarks("warning")
    assert said == [
        "The training data has no sample of DENT: the model cannot learn it. Add a dataset that has some.",
        "The validation data has no sample of HOLE: nothing will be known of it. Add a dataset that has some.",
    ]


def test_of_many_classes_the_first_are_named(boxes):
    for number in range(8):
        boxes.learn(f"C{number}")
    assert "no sample of C0, C1, C2, C3, C4 and 3 more:" in boxes.remarks()[0]


def test_few_samples_are_a_remark_with_their_number(boxes):
    boxes.labels("BAD").filter(pk__gt=boxes.labels("BAD")[2].pk).delete()
    assert boxes.remarks("warning") == [
        "Few training samples: BAD (3) here, 10 or more recommended. Label more, or add a dataset."
    ]


def test_a_class_with_twenty_times_the_samples_of_another_is_a_remark(boxes):
    good = boxes.labels("GOOD").first().annotation_type
    boxes.mark(boxes.train, good, 190)
    assert boxes.remarks() == []
    boxes.mark(boxes.train, good, 10)
    assert boxes.remarks("warning") == [
        "GOOD has 21 times as many training samples as BAD: the model may overlook BAD. Add samples of it."
    ]


def test_labels_that_a_detector_does_not_learn_are_counted_by_type(boxes):
    scratch, hole = (boxes.learn(code, is_learnt=False) for code in ("SCRATCH", "HOLE"))
    boxes.mark(boxes.train, scratch, 2)
    boxes.mark(boxes.val, scratch, 1)
    boxes.mark(boxes.val, hole, 1)
    said = only(boxes.facts().remarks)
    assert said.message.startswith(
        f"4 labels are of types that {boxes.kind.code} does not learn and will be ignored: SCRATCH (3), HOLE (1). "
        "What they mark counts as background."
    )
    assert (said.kind, boxes.facts().train.ignored_labels, boxes.facts().validation.ignored_labels) == ("warning", 2, 2)


def test_answers_to_another_question_are_only_information(parts):
    other = parts.learn("colour", is_learnt=False)
    Annotation.objects.create(image=parts.train.images.first(), annotation_type=other)
    assert only(parts.facts().remarks).kind == "info"
    assert parts.facts().warnings == []


def test_labels_of_another_training_type_and_regions_of_interest_are_no_matter(parts):
    box = AnnotationType.objects.create(project=parts.project, training_type="OD", code="BOX", name="box")
    parts.mark(parts.train, box, 3)
    parts.mark(parts.train, None, 2, is_roi=True)
    assert parts.facts().remarks == []


def test_images_that_nobody_labelled_are_counted(boxes):
    boxes.train.images.filter(name__contains="GOOD-0").update(labelled_od=False)
    boxes.val.images.filter(name__contains="-1").update(labelled_od=False)
    remark = only(boxes.facts().remarks)
    assert remark.kind == "info"
    assert remark.message.startswith("3 images are left out (training 1, validation 2): nobody labelled them")


def test_what_nobody_labelled_is_compared_with_nothing(boxes):
    judged = boxes.val.images.first()
    Image.objects.filter(pk=judged.pk).update(blob=boxes.train.images.first().blob, labelled_od=False)
    assert boxes.facts().same == 0


@pytest.mark.parametrize("verdict", [True, False])
def test_regions_that_all_have_one_verdict_are_a_remark(project, boxes, verdict):
    region = AnnotationType.objects.create(project=project, training_type="RC", code="BOLT", name="bolt")
    kind = ModelType.objects.create(project=project, training_type="RC", code="RC_BOLT", name="bolts")
    kind.learn(region)
    for dataset in (boxes.train, boxes.val):
        for image in dataset.images.all():
            Annotation.objects.create(image=image, annotation_type=region, verdict=verdict, kind=ShapeKind.RECTANGLE)
    facts = checks.set_facts(kind, [boxes.train], [boxes.val])
    assert "All training regions of BOLT have the same verdict" in only(facts.remarks).message
    last = boxes.train.images.last().annotations.get(annotation_type=region)
    Annotation.objects.filter(pk=last.pk).update(verdict=not verdict)
    facts = checks.set_facts(kind, [boxes.train], [boxes.val])
    assert facts.remarks == []
    assert {facts.train.classes[0].true, facts.train.classes[0].false} == {19, 1}


def test_errors_are_none_of_the_remarks(boxes):
    boxes.val.images.update(labelled_od=False)
    facts = boxes.facts()
    assert [fault.field for fault in facts.errors] == ["validation"]
    assert facts.remarks == []


# --- what was counted is used again only while nothing changed -------------------------------------------------------


def test_counting_again_costs_three_statements(boxes):
    boxes.facts()
    with CaptureQueriesContext(connection) as asked:
        boxes.facts()
    assert len(asked) == 3


def test_the_number_of_statements_does_not_grow_with_images_classes_and_datasets(make, project, bob, tmp_path):
    small = make("OD", each=1)
    more = import_parts(project, bob, tmp_path / "more", "OD", name="more", each=9)
    asked = []
    for train, classes in (([small.train], 0), ([small.train, more["train"]], 20)):
        for number in range(classes):
            small.learn(f"C{number}")
        cache.clear()
        with CaptureQueriesContext(connection) as found:
            small.facts(train=train)
        asked.append(len(found))
    assert asked[0] == asked[1] <= 10


def test_a_changed_category_is_seen(parts):
    assert parts.facts().train.classes[0].labels == 10
    parts.labels("GOOD").filter(pk=parts.labels("GOOD")[0].pk).update(category=Category.objects.get(code="BAD"))
    assert [one.labels for one in parts.facts().train.classes] == [9, 11]


def test_changes_that_would_cancel_each_other_out_are_seen(boxes):
    """A label goes up to the next type and another down to it: neither their number nor the sum of types changes."""
    types = sorted(
        [boxes.learn("THIRD"), *(boxes.labels(code)[0].annotation_type for code in ("GOOD", "BAD"))],
        key=lambda kind: kind.pk,
    )
    boxes.mark(boxes.train, types[2], 1)
    assert types[2].pk - types[1].pk == types[1].pk - types[0].pk
    boxes.facts()
    for moved in (types[0], types[2]):
        found = boxes.labels(moved.code).last()
        Annotation.objects.filter(pk=found.pk).update(annotation_type=types[1])
    counts = {one.code: one.labels for one in boxes.facts().train.classes}
    assert [counts[kind.code] for kind in types] == [9, 12, 0]


def test_a_label_that_comes_or_goes_is_seen(boxes):
    boxes.facts()
    boxes.labels("BAD").first().delete()
    assert boxes.facts().train.classes[1].labels == 9
    boxes.mark(boxes.train, boxes.labels("BAD").first().annotation_type, 2)
    assert boxes.facts().train.classes[1].labels == 11


def test_an_image_that_comes_or_goes_is_seen(boxes):
    assert boxes.facts().train.images == 20
    last = boxes.train.images.last()
    Image.objects.create(dataset=boxes.train, name="new.png", position=99, blob=last.blob, width=40, height=30)
    assert boxes.facts().train.images == 21
    assert boxes.facts().train.unlabelled == 1
    last.delete()
    assert boxes.facts().train.images == 20


def test_a_look_at_another_image_instead_is_seen(boxes):
    """The numbers stay as they are; which image is labelled does not."""
    judged = boxes.val.images.first()
    Image.objects.filter(pk=judged.pk).update(blob=boxes.train.images.first().blob, labelled_od=False)
    assert boxes.facts().same == 0
    boxes.val.images.filter(pk=boxes.val.images.last().pk).update(labelled_od=False)
    Image.objects.filter(pk=judged.pk).update(labelled_od=True)
    assert boxes.facts().same == 1


def test_a_part_that_becomes_known_is_seen(boxes):
    assert boxes.facts().part == 0
    Image.objects.update(meta={"obj_id": "P1"})
    assert boxes.facts().part == 20


def test_a_class_that_the_model_type_learns_later_is_seen(boxes):
    boxes.facts()
    boxes.learn("HOLE")
    assert boxes.facts().train.without_samples == ["HOLE"]


# --- the table -------------------------------------------------------------------------------------------------------


def table(facts: checks.SetFacts) -> str:
    return render_to_string("models/_train_facts.html", {"report": {"facts": facts}})


def test_the_table_marks_a_class_without_samples(boxes):
    boxes.learn("HOLE<b>")
    text = table(boxes.facts())
    assert "HOLE&lt;b&gt;" in text
    assert text.count('<td class="num is-none">0</td>') == 2
    assert '<meter min="0" max="10" value="10" aria-hidden="true">' in text
    assert "left out" not in text


def test_the_table_says_what_is_left_out(boxes):
    boxes.mark(boxes.val, boxes.learn("HOLE", is_learnt=False), 3)
    boxes.train.images.filter(name__contains="GOOD-0").update(labelled_od=False)
    text = " ".join(table(boxes.facts()).split())
    assert 'Images left out: nobody labelled them</th><td class="num">1</td><td class="num">0</td>' in text
    assert 'Labels ignored: of other types</th><td class="num">0</td><td class="num">3</td>' in text


def test_the_table_of_regions_has_their_verdicts(project, boxes):
    region = AnnotationType.objects.create(project=project, training_type="RC", code="BOLT", name="bolt")
    kind = ModelType.objects.create(project=project, training_type="RC", code="RC_BOLT", name="bolts")
    kind.learn(region)
    boxes.mark(boxes.train, region, 4, verdict=True)
    boxes.mark(boxes.train, region, 3, verdict=False)
    boxes.mark(boxes.val, region, 2, verdict=False)
    text = table(checks.set_facts(kind, [boxes.train], [boxes.val]))
    cells = [part.split("<")[0].split(">")[1] for part in text.split('<td class="num')[1:]]
    assert cells[2:6] == ["4", "3", "0", "2"]
    assert 'colspan="2">Training</th>' in text
