"""Labels corrected by people: what is refused, what is marked, who did what, and how it is taken back."""

from __future__ import annotations

import json
import threading

import pytest
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from datasets_app import labelling, merging, snapshots
from datasets_app.models import Annotation, AnnotationChange, Dataset, Image
from projects_app.models import AnnotationType, Category, ModelType
from tests.parts import import_parts

pytestmark = pytest.mark.django_db
BOX = [[2, 3], [20, 18]]


@pytest.fixture
def dataset(project, bob, tmp_path):
    """Makes four images of 40 × 30 pixels, labelled for a training type."""

    def make(kind: str = "OD") -> Dataset:
        return import_parts(project, bob, tmp_path / kind, kind, name=kind.lower())["train"]

    return make


@pytest.fixture
def desk(client_of, bob):
    """What bob does on the page of an image: each post at the version that the page would have now."""

    class Desk:
        client = client_of(bob)
        headers = {"HX-Request": "true"}

        def see(self, image: Image):
            return self.client.get(reverse("datasets:image", args=["valves", image.dataset_id, image.pk]))

        def do(self, image: Image, act: str, *, script: bool = True, **fields):
            image.refresh_from_db()
            values = {"act": act, "seen": image.label_version} | fields
            if "points" in values and not isinstance(values["points"], str):
                values["points"] = json.dumps(values["points"])
            url = reverse("datasets:label_change", args=["valves", image.dataset_id, image.pk])
            headers = self.headers if script else {}
            return self.client.post(url, values, headers=headers, follow=not script)

    return Desk()


def only(image: Image) -> Annotation:
    return Annotation.objects.get(image=image)


def kind_of(code: str) -> AnnotationType:
    return AnnotationType.objects.get(code=code)


def said(answer) -> str:
    """Why it was refused."""
    assert answer.status_code == 422
    return answer.context["error"]


# --- what is done ---


def test_a_box_is_drawn_cut_at_the_border_and_marked_as_a_persons(dataset, desk):
    one = dataset()
    image = one.images.get(name="train/BAD-0.png")
    Image.objects.filter(pk=image.pk).update(labelled_od=False)
    counted, version = one.label_counts(), one.label_version
    answer = desk.do(image, "add", type=kind_of("GOOD").pk, points=[[50, 25], [30, -4]])
    made = image.annotations.last()
    assert (made.points, made.kind, made.is_generated) == ([[30, 0], [40, 25]], "rectangle", False)
    assert (answer.status_code, answer.context["chosen"]) == (200, made.pk)
    image.refresh_from_db()
    one.refresh_from_db()
    assert (image.labelled_od, image.label_version) == (True, 1)
    assert one.label_version == version + 1
    assert one.label_counts() != counted


def test_a_polygon_is_cut_along_its_edges_not_corner_by_corner(dataset, desk):
    image = dataset("SEG").images.first()
    desk.do(image, "move", label=only(image).pk, points=[[20, 10], [60, 10], [20, 50]])
    assert only(image).points == [[20, 30], [20, 10], [40, 10], [40, 30]]


def test_a_class_is_changed_and_a_models_label_becomes_a_persons(dataset, desk):
    image = dataset().images.get(name="train/BAD-0.png")
    Annotation.objects.filter(image=image).update(is_generated=True, score=0.4)
    desk.do(image, "class", label=only(image).pk, type=kind_of("GOOD").pk)
    assert (only(image).annotation_type.code, only(image).is_generated) == ("GOOD", False)
    desk.do(image, "undo")
    assert (only(image).annotation_type.code, only(image).is_generated) == ("BAD", True)


def test_a_region_is_judged(dataset, desk):
    image = dataset("RC").images.get(name="train/GOOD-0.png")
    assert only(image).verdict is False
    desk.do(image, "true", label=only(image).pk)
    assert only(image).verdict is True
    assert AnnotationChange.objects.get().sentence == "HAS_FAULT: false → HAS_FAULT: true"


def test_the_category_is_changed_taken_away_and_given_by_a_form_alone(dataset, desk):
    image = dataset("CL").images.get(name="train/BAD-0.png")
    question = only(image).annotation_type
    good = question.categories.get(code="GOOD")
    answer = desk.do(image, "category", script=False, type=question.pk, category=good.pk)
    assert answer.redirect_chain
    assert only(image).category == good
    desk.do(image, "category", script=False, type=question.pk, category="-")
    image.refresh_from_db()
    assert (image.annotations.count(), image.labelled_cl) == (0, False)
    desk.do(image, "category", script=False, type=question.pk, category=good.pk)
    image.refresh_from_db()
    assert (only(image).category, image.labelled_cl) == (good, True)


def test_an_image_without_its_last_box_is_empty_and_without_its_last_region_unlabelled(dataset, desk):
    for kind, field, still in (("OD", "labelled_od", True), ("RC", "labelled_rc", False)):
        image = dataset(kind).images.first()
        desk.do(image, "delete", script=False, label=only(image).pk)
        image.refresh_from_db()
        assert (image.annotations.count(), getattr(image, field)) == (0, still)


# --- what is refused ---


@pytest.mark.parametrize(
    ("act", "points", "words"),
    [
        ("OD", [[5, 5], [5, 20]], "no area"),
        ("OD", [[5, 5], [5.001, 20]], "no area"),
        ("OD", [[50, 5], [60, 20]], "outside of the image, which is 40 × 30"),
        ("OD", [[1, 2], [3, 4], [5, 6]], "two corners, 3 were given"),
        ("OD", [], "two corners"),
        ("OD", "[[1, NaN], [3, 4]]", "no pairs of numbers"),
        ("OD", "[[1, true], [3, 4]]", "no pairs of numbers"),
        ("OD", "{", "no pairs of numbers"),
        ("OD", "[" * 5000, "no pairs of numbers"),
        ("SEG", [[1, 1], [5, 5], [1, 1], [5, 5]], "three different corners"),
        ("SEG", [[1, 1], [5, 5], [9, 9]], "no area"),
        ("SEG", [[1, n / 1000] for n in range(20_000)], "at most 10000 corners"),
    ],
)
def test_what_is_no_shape_of_this_image_is_refused(dataset, desk, act, points, words):
    image = dataset(act).images.first()
    before = list(image.annotations.values())
    assert words in said(desk.do(image, "add", type=kind_of("GOOD").pk, points=points))
    assert words in said(desk.do(image, "move", label=only(image).pk, points=points))
    image.refresh_from_db()
    assert (list(image.annotations.values()), image.label_version) == (before, 0)
    assert not AnnotationChange.objects.exists()


def test_a_class_belongs_to_the_training_type_and_to_the_project(dataset, desk, project):
    image = dataset().images.first()
    label = only(image)
    region = AnnotationType.objects.create(project=project, training_type="RC", code="R", name="R")
    question = AnnotationType.objects.create(project=project, training_type="CL", code="Q", name="Q")
    other = question.categories.create(code="X", name="X", position=0)
    elsewhere = type(project).objects.create(code="elsewhere", name="E")
    foreign = AnnotationType.objects.create(project=elsewhere, training_type="OD", code="F", name="F")
    assert "another training type" in said(desk.do(image, "class", label=label.pk, type=region.pk))
    assert "no such class" in said(desk.do(image, "class", label=label.pk, type=foreign.pk))
    assert "no such class" in said(desk.do(image, "add", type="9" * 30, points=BOX))
    assert "label of the whole image" in said(desk.do(image, "add", type=question.pk, points=BOX))
    assert "Only regions are judged" in said(desk.do(image, "true", label=label.pk))
    assert "no such category" in said(desk.do(image, "category", type=region.pk, category=other.pk))
    assert "it is so already" in said(desk.do(image, "class", label=label.pk, type=label.annotation_type_id))
    assert "it is so already" in said(desk.do(image, "category", type=question.pk, category="-"))
    assert "not there any more" in said(desk.do(image, "delete", label=label.pk + 999))
    assert "Choose a label" in said(desk.do(image, "delete"))
    assert "Nothing was asked for" in said(desk.do(image, "dance", label=label.pk))
    assert only(image) == label
    assert not AnnotationChange.objects.exists()


def test_a_label_of_another_image_is_not_reached(dataset, desk):
    first, second = dataset().images.all()[:2]
    assert "not there any more" in said(desk.do(first, "delete", label=only(second).pk))
    assert only(second)


def test_a_frozen_dataset_is_refused_in_words_and_its_page_offers_nothing(dataset, desk):
    one = dataset()
    Dataset.objects.filter(pk=one.pk).update(frozen_at=timezone.now())
    image = one.images.first()
    for act, more in (("delete", {"label": only(image).pk}), ("add", {"type": kind_of("GOOD").pk, "points": BOX})):
        assert "is frozen: nothing can change it" in said(desk.do(image, act, **more))
    answer = desk.do(image, "delete", script=False, label=only(image).pk)
    assert "is frozen: its labels stay" in answer.content.decode()
    assert 'name="act"' not in answer.content.decode()
    image.refresh_from_db()
    assert (image.annotations.count(), image.label_version) == (1, 0)


def test_a_viewer_is_refused_and_sees_no_buttons(dataset, client_of, vera):
    image = dataset().images.first()
    client = client_of(vera)
    url = reverse("datasets:label_change", args=["valves", image.dataset_id, image.pk])
    answer = client.post(url, {"act": "delete", "label": only(image).pk, "seen": 0})
    assert answer.status_code == 403
    assert "Labeller" in answer.content.decode()
    page = client.get(reverse("datasets:image", args=["valves", image.dataset_id, image.pk])).content.decode()
    assert 'name="act"' not in page
    assert "data-editable" not in page


def test_what_a_model_put_beside_labels_to_compare_stays(dataset, desk):
    one = dataset()
    Dataset.objects.filter(pk=one.pk).update(compares=True)
    image = one.images.first()
    Annotation.objects.filter(image=image).update(is_generated=True)
    assert "to compare" in said(desk.do(image, "delete", label=only(image).pk))
    Annotation.objects.filter(image=image).update(is_generated=False, is_roi=True)
    assert "region of interest" in said(desk.do(image, "delete", label=only(image).pk))


# --- at the same time ---


def test_a_change_on_older_labels_is_refused_and_both_keep_what_they_have(dataset, desk, client_of, alice):
    image = dataset().images.first()
    label = only(image)
    desk.do(image, "move", label=label.pk, points=[*BOX[:1], [30, 20]])
    url = reverse("datasets:label_change", args=["valves", image.dataset_id, image.pk])
    late = client_of(alice).post(url, {"act": "delete", "label": label.pk, "seen": 0}, headers={"HX-Request": "true"})
    assert "Somebody changed the labels of this image meanwhile" in said(late)
    assert late.context["image"].label_version == 1
    assert only(image).points == [[2, 3], [30, 20]]
    again = client_of(alice).post(url, {"act": "delete", "label": label.pk, "seen": 1}, headers={"HX-Request": "true"})
    assert again.status_code == 200


def test_a_review_makes_what_was_seen_before_old(dataset, desk, bob):
    from datasets_app import reviewing

    image = dataset().images.first()
    Image.objects.filter(pk=image.pk).update(needs_review=True)
    reviewing.decide(Image.objects.get(pk=image.pk), {}, bob)
    with pytest.raises(labelling.Meanwhile):
        labelling.delete(image, bob, 0, only(image).pk)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_labels_at_the_same_moment_one_is_told(dataset, bob, alice):
    image = dataset().images.first()
    pk, start, said = only(image).pk, threading.Barrier(2), []

    def press(who, points) -> None:
        mine = Image.objects.select_related("dataset").get(pk=image.pk)
        start.wait()
        try:
            labelling.move(mine, who, 0, pk, points)
            said.append("done")
        except labelling.Meanwhile:
            said.append("told")
        finally:
            connection.close()

    threads = [threading.Thread(target=press, args=(who, [[0, 0], [n, n]])) for n, who in ((9, bob), (8, alice))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["done", "told"]
    change = AnnotationChange.objects.get()
    assert (
        only(image).points == change.after["points"] == ([[0, 0], [9, 9]] if change.who == "bob" else [[0, 0], [8, 8]])
    )


# --- undo and history ---


def test_undo_takes_back_in_order_also_what_others_did_and_is_an_entry_itself(dataset, desk, bob, alice):
    image = dataset().images.get(name="train/BAD-0.png")
    first = list(image.annotations.values())
    label = only(image)
    desk.do(image, "class", label=label.pk, type=kind_of("GOOD").pk)
    labelling.move(image, alice, 1, label.pk, [[0, 0], [9, 9]])
    desk.do(image, "add", type=kind_of("BAD").pk, points=BOX)
    desk.do(image, "delete", label=label.pk)
    assert [one.annotation_type.code for one in image.annotations.all()] == ["BAD"]
    steps = []
    for _time in range(4):
        assert desk.do(image, "undo").status_code == 200
        steps.append([(one.pk, one.annotation_type.code) for one in image.annotations.order_by("pk")])
    assert [len(step) for step in steps] == [2, 1, 1, 1]
    assert list(image.annotations.values()) == first, "under its old number"
    assert "nothing to take back" in said(desk.do(image, "undo"))
    history = list(image.label_changes.all())
    assert [one.who for one in history] == ["bob"] * 6 + ["alice", "bob"]
    assert [one.sentence for one in history[:2]] == ["Taken back: BAD → GOOD", "Taken back: GOOD moved"]
    desk.do(image, "class", label=label.pk, type=kind_of("GOOD").pk)
    desk.do(image, "undo", script=False)
    assert list(image.annotations.values()) == first


def test_undo_brings_back_whether_the_image_was_labelled(dataset, desk):
    image = dataset().images.first()
    image.annotations.all().delete()
    Image.objects.filter(pk=image.pk).update(labelled_od=False)
    desk.do(image, "add", type=kind_of("GOOD").pk, points=BOX)
    desk.do(image, "undo")
    image.refresh_from_db()
    assert (image.annotations.count(), image.labelled_od) == (0, False)


def test_what_a_review_changed_since_is_not_taken_back(dataset, desk):
    image = dataset().images.first()
    desk.do(image, "move", label=only(image).pk, points=[[0, 0], [9, 9]])
    Annotation.objects.filter(image=image).update(annotation_type=kind_of("BAD"), points=BOX)
    assert "cannot be taken back" in said(desk.do(image, "undo"))
    assert only(image).points == BOX


def test_a_label_whose_class_is_gone_does_not_come_back(dataset, desk, project):
    image = dataset().images.first()
    extra = AnnotationType.objects.create(project=project, training_type="OD", code="EXTRA", name="E")
    desk.do(image, "add", type=extra.pk, points=BOX)
    desk.do(image, "delete", label=image.annotations.last().pk)
    extra.delete()
    assert "no class of this project any more" in said(desk.do(image, "undo"))


def test_the_history_says_who_did_what_and_stays_when_the_label_and_the_person_go(dataset, desk, bob):
    image = dataset().images.get(name="train/BAD-0.png")
    label = only(image)
    desk.do(image, "move", label=label.pk, points=[[0, 0], [9, 9]])
    desk.do(image, "delete", label=label.pk)
    moved = image.label_changes.last()
    assert (moved.label, moved.before["points"], moved.after["points"]) == (label.pk, BOX, [[0, 0], [9, 9]])
    page = desk.see(image).content.decode()
    assert "BAD deleted" in page
    assert "bob ·" in page
    bob.delete()
    assert [one.who for one in image.label_changes.all()] == ["bob", "bob"]


# --- what else knows labels ---


def test_a_snapshot_that_a_run_left_does_not_change(dataset, desk, project):
    one = dataset()
    model_type = ModelType.objects.get(training_type="OD")
    before = snapshots.take(project, model_type, [one])
    kept = before.manifest.path.read_bytes()
    image = one.images.first()
    desk.do(image, "move", label=only(image).pk, points=[[0, 0], [9, 9]])
    assert before.manifest.path.read_bytes() == kept
    assert snapshots.take(project, model_type, [one]).sha256 != before.sha256
    desk.do(image, "undo")
    assert snapshots.take(project, model_type, [one]).sha256 == before.sha256


def test_the_page_has_exact_corners_for_the_script_and_buttons_for_no_script(dataset, desk, bob):
    image = dataset("SEG").images.first()
    exact = [[2.25, 3.13], [20.07, 3], [11.11, 18.99]]
    labelling.move(image, bob, 0, only(image).pk, exact)
    answer = desk.see(image)
    (shape,) = json.loads(answer.context["shapes"])
    assert (shape["points"], shape["kind"], shape["training"]) == (exact, "polygon", "SEG")
    page = answer.content.decode()
    for act in ("class", "delete", "undo"):
        assert f'name="act" value="{act}"' in page
    assert "style=" not in page.split("<main", 1)[1]


def test_of_a_polygon_so_little_may_be_left_inside_that_it_is_none(dataset, bob, project):
    image = dataset("SEG").images.first()
    kind = AnnotationType.objects.filter(project=project, training_type="SEG").first()
    with pytest.raises(labelling.Refused, match="no area"):
        labelling.add(image, bob, 0, kind, [[-100, 10], [0.01, 10], [-100, 10.1]])
    assert image.annotations.count() == 1


def test_only_a_question_about_the_whole_image_is_left_unanswered(dataset, bob):
    image = dataset("OD").images.first()
    with pytest.raises(labelling.Refused, match="no question about the whole image"):
        labelling.categorise(image, bob, 0, only(image).annotation_type, None)
    assert only(image).points


def test_a_label_whose_category_was_merged_is_not_taken_back_and_it_says_why(dataset, bob):
    image = dataset("CL").images.get(name="train/BAD-0.png")
    question, good = only(image).annotation_type, Category.objects.get(code="GOOD")
    bad = Category.objects.get(code="BAD")
    labelling.categorise(image, bob, 0, question, good)
    merging.merge(good, bad)
    image.refresh_from_db()
    assert image.label_version == 2, "whoever sees the older labels changes none"
    with pytest.raises(labelling.Refused, match="a merge"):
        labelling.undo(image, bob, 2)
