"""Review of generated labels: the least sure first, accepted, rejected or changed, and taken back."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from datasets_app import checks, deriving, labelling, reviewing
from datasets_app.deriving import Part
from datasets_app.models import Annotation, Dataset, Image
from projects_app.models import AnnotationType, ModelType
from tests.parts import import_parts

pytestmark = pytest.mark.django_db
SCORES = (0.9, 0.4, None, 0.6)  # of the images in their order; None: nothing was found


@pytest.fixture
def labelled(project, bob, tmp_path):
    """Makes a dataset as an inference leaves it."""

    def make(kind: str = "OD", scores=SCORES) -> Dataset:
        source = import_parts(project, bob, tmp_path / kind, kind, name=kind.lower())["val"]
        parts = []
        for image, score in zip(source.images.all(), scores, strict=True):
            labels = list(image.annotations.all())
            for label in labels:
                label.pk, label.score, label.is_generated = None, score, True
            is_there = score is not None
            parts.append(
                Part(image.name, image, labels=labels if is_there else [], is_labelled=True, needs_review=True)
            )
        return deriving.make(project, bob, f"{kind} labelled", parts, kind, made_as="inference")

    return make


@pytest.fixture
def desk(client_of, bob):
    """What bob does on the page."""

    class Desk:
        client = client_of(bob)

        def see(self, dataset: Dataset, query: str = ""):
            return self.client.get(f"{reverse('datasets:review', args=['valves', dataset.pk])}{query}")

        def decide(self, image: Image, act: str = "accept", **labels: str):
            url = reverse("datasets:review_decide", args=["valves", image.dataset_id, image.pk])
            return self.client.post(url, {"act": act} | labels, follow=True)

        def undo(self, dataset: Dataset):
            return self.client.post(reverse("datasets:review_undo", args=["valves", dataset.pk]), follow=True)

    return Desk()


def only(image: Image) -> Annotation:
    return Annotation.objects.get(image=image)


def test_the_least_sure_come_first_and_those_without_a_find_last(labelled, desk):
    dataset = labelled()
    order = [image.least for image in reviewing.waiting(dataset)]
    assert order == [0.4, 0.6, 0.9, None]
    answer = desk.see(dataset)
    assert answer.context["image"] == reviewing.waiting(dataset)[0]
    assert answer.context["progress"] == reviewing.Progress(0, 4)


def test_an_accepted_label_is_a_persons_and_the_next_image_follows(labelled, desk):
    dataset = labelled()
    first, second = reviewing.waiting(dataset)[:2]
    answer = desk.decide(first)
    assert (only(first).is_generated, only(first).score) == (False, 0.4)
    assert answer.context["image"] == second
    assert only(second).is_generated
    assert answer.context["progress"] == reviewing.Progress(1, 4)


def test_a_rejected_shape_goes_and_the_image_is_an_empty_sample(labelled, desk):
    dataset = labelled()
    first = reviewing.waiting(dataset)[0]
    desk.decide(first, "reject")
    first.refresh_from_db()
    assert not first.annotations.exists()
    assert (first.labelled_od, first.needs_review) == (True, False)


def test_one_label_is_rejected_and_another_changed_at_once(labelled, desk):
    dataset = labelled()
    image = reviewing.waiting(dataset)[0]
    known = only(image)
    twin = Annotation.objects.create(
        image=image, annotation_type=known.annotation_type, kind="rectangle", points=[[1, 1], [5, 5]], score=0.2,
        is_generated=True,
    )  # fmt: skip
    other = AnnotationType.objects.filter(training_type="OD").exclude(pk=known.annotation_type_id).first()
    answer = desk.see(dataset)
    assert [row.label for row in answer.context["rows"]] == [twin, known]
    desk.decide(image, **{f"label-{twin.pk}": "-", f"label-{known.pk}": str(other.pk)})
    left = only(image)
    assert (left.pk, left.annotation_type, left.is_generated) == (known.pk, other, False)


def test_a_category_is_changed_or_taken_away(labelled, desk):
    dataset = labelled("CL", (0.9, 0.4, 0.7, 0.6))
    first, second = reviewing.waiting(dataset)[:2]
    wanted = only(first).annotation_type.categories.exclude(pk=only(first).category_id).get()
    desk.decide(first, **{f"label-{only(first).pk}": str(wanted.pk)})
    assert (only(first).category, only(first).is_generated) == (wanted, False)
    desk.decide(second, "reject")
    second.refresh_from_db()
    assert (second.labelled_cl, second.annotations.count()) == (False, 0)


def test_a_verdict_is_turned(labelled, desk):
    dataset = labelled("RC", (0.9, 0.4, 0.7, 0.6))
    image = reviewing.waiting(dataset)[0]
    before = only(image).verdict
    desk.decide(image, **{f"label-{only(image).pk}": str(not before).lower()})
    assert (only(image).verdict, only(image).is_generated) == (not before, False)


def test_the_last_decision_can_be_taken_back(labelled, desk):
    dataset = labelled("CL", (0.9, 0.4, 0.7, 0.6))
    image = reviewing.waiting(dataset)[0]
    category = only(image).category
    desk.decide(image, "reject")
    answer = desk.undo(dataset)
    image.refresh_from_db()
    assert (image.needs_review, image.labelled_cl, only(image).category, only(image).is_generated) == (
        True, True, category, True,
    )  # fmt: skip
    assert answer.context["image"] == image
    assert "There is nothing to take back." in desk.undo(dataset).content.decode()


def counts(dataset: Dataset) -> dict[object, int]:
    return {row["code"]: row["count"] for row in Dataset.objects.get(pk=dataset.pk).label_counts()}


def test_labels_are_counted_once_until_one_changes(labelled, desk, django_assert_num_queries):
    dataset = labelled()
    before = counts(dataset)
    assert sum(before.values()) == 3
    kept = Dataset.objects.get(pk=dataset.pk)
    with django_assert_num_queries(1):  # how many images there are
        assert {row["code"]: row["count"] for row in kept.label_counts()} == before
    first = reviewing.waiting(dataset).first()
    desk.decide(first, "reject")
    assert sum(counts(dataset).values()) == 2
    desk.undo(dataset)
    assert counts(dataset) == before
    reviewing.waiting(dataset).first().delete()
    assert sum(counts(dataset).values()) == 2


def test_a_count_that_a_decision_overtook_is_not_kept(labelled, desk):
    dataset = labelled()
    slow = Dataset.objects.get(pk=dataset.pk)
    assert slow.counted is None
    desk.decide(reviewing.waiting(dataset).first(), "reject")
    slow.label_counts()
    assert Dataset.objects.get(pk=dataset.pk).counted is None


def test_who_comes_second_changes_nothing(labelled, desk, bob):
    dataset = labelled()
    image = reviewing.waiting(dataset)[0]
    reviewing.decide(image, {}, bob)
    answer = desk.decide(image, "reject")
    assert "Somebody has reviewed" in answer.content.decode()
    assert only(image).is_generated is False


def test_a_class_that_is_none_is_refused_and_nothing_changes(labelled, desk):
    dataset = labelled()
    image = reviewing.waiting(dataset)[0]
    for value in ("999999", "x", "true", ""):
        answer = desk.decide(image, **{f"label-{only(image).pk}": value})
        assert "That is no class of this label." in answer.content.decode(), value
        assert only(image).is_generated, value
        image.refresh_from_db()
        assert image.needs_review, value


def test_labels_of_other_images_cannot_be_decided(labelled, desk):
    dataset = labelled()
    first, second = reviewing.waiting(dataset)[:2]
    desk.decide(first, **{f"label-{only(second).pk}": "-"})
    assert only(second).is_generated
    assert desk.decide(Image(pk=first.pk, dataset_id=dataset.pk + 99)).status_code == 404


def test_at_the_end_the_page_says_so_and_leads_on(labelled, desk):
    dataset = labelled()
    for image in list(reviewing.waiting(dataset)):
        answer = desk.decide(image)
    shown = answer.content.decode()
    assert "Everything is reviewed" in shown
    assert f"?train={dataset.pk}" in shown
    assert not Annotation.objects.filter(image__dataset=dataset, is_generated=True).exists()


def test_what_is_not_reviewed_shows_on_the_datasets_pages(labelled, desk, bob):
    dataset = labelled()
    reviewing.decide(reviewing.waiting(dataset)[0], {}, bob)
    shown = desk.client.get(dataset.get_absolute_url()).content.decode()
    assert "3 images: a model labelled them" in shown
    assert shown.count("not reviewed</span>") == 3
    only_open = desk.client.get(f"{dataset.get_absolute_url()}?labelled=generated")
    assert only_open.context["page"].paginator.count == 3
    assert re.search(r"3 not reviewed", desk.client.get(reverse("datasets:list", args=["valves"])).content.decode())


def test_a_training_says_how_much_nobody_reviewed(labelled, project, bob):
    dataset = labelled()
    model_type = ModelType.objects.get(project=project, training_type="OD")
    said = [one.message for one in checks.set_facts(model_type, [dataset], [dataset]).remarks]
    assert any("4 training images were labelled by a model" in one for one in said)
    assert any("4 validation images were labelled by a model" in one for one in said)
    for image in list(reviewing.waiting(dataset)):
        reviewing.decide(image, {}, bob)
    said = [one.message for one in checks.set_facts(model_type, [dataset], [dataset]).remarks]
    assert not any("labelled by a model" in one for one in said)


def test_who_decided_what_stands_in_the_history_and_so_does_taking_it_back(labelled, desk):
    dataset = labelled()
    first, second = reviewing.waiting(dataset)[:2]
    desk.decide(first)
    desk.decide(second, "reject")
    told = [(one.who, one.sentence) for image in (first, second) for one in image.label_changes.all()]
    code = only(first).annotation_type.code
    assert told == [("bob", f"{code} confirmed"), ("bob", f"{code} rejected")]
    desk.undo(dataset)
    assert [one.sentence for one in second.label_changes.all()] == [f"Taken back: {code} rejected", f"{code} rejected"]
    assert only(second).is_generated
    desk.decide(second)
    assert second.label_changes.first().sentence == f"{code} confirmed"
    desk.undo(dataset)
    assert [one.undoes is not None for one in second.label_changes.all()] == [True, False, True, False]


def test_what_a_review_decided_is_taken_back_by_the_review_alone(labelled, desk, bob):
    dataset = labelled()
    image = reviewing.waiting(dataset)[0]
    desk.decide(image)
    image.refresh_from_db()
    with pytest.raises(labelling.Refused, match="nothing to take back"):
        labelling.undo(image, bob, image.label_version)
