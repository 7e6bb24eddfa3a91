"""Labels, categories and model types: made, named, coloured, put in order; deleted only where nothing uses them."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from datasets_app import overlays
from datasets_app.models import Image
from projects_app.models import AnnotationType, Category, DataCategory, ModelType
from projects_app.words import order, uses
from tests import fake_kernels
from tests.parts import import_parts

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(client_of, alice):
    return client_of(alice)


@pytest.fixture
def labels(project):
    """Three labels of detection, in the order of their codes, and a model type that learns the first."""
    made = [
        AnnotationType.objects.create(project=project, training_type="OD", code=code, name=code)
        for code in ("A", "B", "C")
    ]
    model_type = ModelType.objects.create(project=project, code="OD_X", name="X", training_type="OD")
    model_type.learn(made[0])
    return made


@pytest.fixture
def trained(project, bob, tmp_path):
    """A question with two categories, and a model that was trained with it."""
    from models_app.orders import TrainOrder

    sets = import_parts(project, bob, tmp_path, "CL")
    kernel, params = fake_kernels.register("CL"), fake_kernels.params()
    return TrainOrder(
        project, ModelType.objects.get(), kernel, [sets["train"]], [sets["val"]], name="the model", params=params
    ).start(bob)


def url(name: str, *args) -> str:
    return reverse(f"projects:{name}", args=["valves", *args])


def text(answer) -> str:
    return answer.content.decode()


def codes(rows) -> list[str]:
    return [one.code for one in rows]


# --- annotation types -----------------------------------------------------------------------------------------------
def test_a_manager_makes_a_question_with_its_categories(manager, project):
    data = {"training_type": "CL", "code": "STATE", "name": "상태", "colour": "", "categories": "GOOD 양품\n\nBAD\n"}
    made = AnnotationType.objects.get(pk=manager.post(url("label_add"), data).url.rstrip("/").rpartition("/")[2])
    found = [(one.code, one.name, one.position) for one in made.categories.all()]
    assert found == [("GOOD", "양품", 0), ("BAD", "BAD", 1)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": "A"}, "an annotation type with this code already"),
        ({"code": "has space"}, "without white space"),
        ({"categories": "GOOD"}, "Only a classification has categories."),
        ({"training_type": "CL", "categories": "GOOD\nGOOD x"}, "“GOOD” stands there twice."),
        ({"training_type": "CL", "categories": "a/b"}, "a/b: Use letters"),
        ({"colour": "#fff"}, "is not one of the available choices"),
    ],
)
def test_a_refused_label_is_explained_and_what_was_typed_stays(manager, labels, change, message):
    data = {"training_type": "OD", "code": "NEW", "name": "kept name", "colour": "", "categories": ""} | change
    answer = manager.post(url("label_add"), data)
    assert answer.status_code == 422
    assert message in text(answer)
    assert "kept name" in text(answer)
    assert AnnotationType.objects.count() == 3


def test_a_label_gets_another_name_and_a_colour_that_the_gallery_shows(manager, project, bob, tmp_path):
    sets = import_parts(project, bob, tmp_path, "OD")
    label = AnnotationType.objects.get(code="BAD")
    manager.post(url("label_edit", label.pk), {"name": "Broken", "colour": "violet"})
    label.refresh_from_db()
    assert (label.name, label.code) == ("Broken", "BAD")
    colours = {row.text: row.colour for row in overlays.label_rows(sets["train"])}
    assert colours == {"BAD": 4, "GOOD": 0}


def test_labels_change_places_among_those_of_their_type(manager, project, labels):
    first, _second, third = labels
    AnnotationType.objects.create(project=project, training_type="SEG", code="S", name="S")
    answer = manager.post(url("label_move", third.pk), {"way": "up"})
    assert answer.url.endswith(f"#label-{third.pk}")
    assert codes(order.labels(project)) == ["A", "C", "B", "S"]
    manager.post(url("label_move", first.pk), {"way": "up"})  # it is the first: nothing happens
    manager.post(url("label_move", first.pk), {"way": "sideways"})
    assert codes(order.labels(project)) == ["A", "C", "B", "S"]
    page = text(manager.get(url("types")))
    assert page.index(">C</code>") < page.index(">B</code>")


def test_a_label_that_is_used_stays_and_says_by_what(manager, project, labels, bob, tmp_path):
    import_parts(project, bob, tmp_path, "OD")
    used = AnnotationType.objects.get(code="BAD")
    page = text(manager.post(url("label_delete", used.pk), follow=True))
    assert "“BAD” stays. It is used by: dataset “parts-train”, dataset “parts-val”, model type “OD_parts”." in page
    assert "model type “OD_X”" in text(manager.post(url("label_delete", labels[0].pk), follow=True))
    assert "“C” is deleted." in text(manager.post(url("label_delete", labels[2].pk), follow=True))
    assert codes(order.labels(project)) == ["A", "B", "BAD", "GOOD"]


# --- categories -----------------------------------------------------------------------------------------------------
def test_categories_of_a_question_that_no_model_knows_are_free(manager, project):
    question = AnnotationType.objects.create(project=project, training_type="CL", code="Q", name="Q")
    for code in ("GOOD", "BAD"):
        manager.post(url("category_add", question.pk), {"code": code, "name": code, "colour": "green"})
    assert "a category with this code already" in text(
        manager.post(url("category_add", question.pk), {"code": "BAD", "name": "x"})
    )
    good, bad = question.categories.all()
    manager.post(url("category_move", bad.pk), {"way": "up"})
    manager.post(url("category_edit", good.pk), {"name": "Fine", "colour": ""})
    assert [(one.code, one.name, one.colour) for one in question.categories.all()] == [
        ("BAD", "BAD", "green"),
        ("GOOD", "Fine", ""),
    ]
    manager.post(url("category_delete", bad.pk))
    assert codes(question.categories.all()) == ["GOOD"]


def test_categories_that_a_model_was_trained_with_keep_their_places(manager, trained):
    question = AnnotationType.objects.get()
    good, bad = question.categories.all()
    assert "(“the model”)" in text(manager.post(url("category_move", bad.pk), {"way": "up"}, follow=True))
    refused = text(manager.post(url("category_delete", good.pk), follow=True))
    assert "“GOOD” stays. It is used by: dataset “parts-train”, dataset “parts-val”, model “the model”." in refused
    manager.post(url("category_add", question.pk), {"code": "UNSURE", "name": "Unsure", "colour": ""})
    assert codes(question.categories.all()) == ["GOOD", "BAD", "UNSURE"]
    manager.post(url("category_delete", Category.objects.get(code="UNSURE").pk))  # no model knows that one
    assert codes(question.categories.all()) == ["GOOD", "BAD"]


def test_a_category_is_merged_into_another_and_goes_unless_a_model_knows_it(manager, trained):
    question = AnnotationType.objects.get()
    good, bad = question.categories.all()
    unsure = question.categories.create(code="UNSURE", name="Unsure", position=2)
    image = Image.objects.filter(annotations__category=good).first()
    image.annotations.create(annotation_type=question, category=unsure)  # it answers twice: one of them is left
    counted = image.dataset.label_counts()
    address = reverse("datasets:category_merge", args=["valves", unsure.pk])
    assert "1 label changes, in:" in text(manager.get(address))
    assert "1 label “UNSURE” is “GOOD” now." in text(manager.post(address, {"into": good.pk}, follow=True))
    assert not Category.objects.filter(code="UNSURE").exists()
    assert image.annotations.count() == 1
    image.dataset.refresh_from_db()
    assert image.dataset.label_counts() != counted
    address = reverse("datasets:category_merge", args=["valves", bad.pk])
    assert "“BAD” itself stays, as models were trained with it." in text(
        manager.post(address, {"into": good.pk}, follow=True)
    )
    assert {one.category.code for one in question.annotations.all()} == {"GOOD"}
    assert codes(question.categories.all()) == ["GOOD", "BAD"]


def test_a_merge_into_nothing_or_in_a_frozen_dataset_changes_nothing(manager, project, bob, tmp_path):
    sets = import_parts(project, bob, tmp_path, "CL")
    good, bad = Category.objects.order_by("position")
    address = reverse("datasets:category_merge", args=["valves", bad.pk])
    for into in ("", "x", bad.pk):
        assert "Choose another category of the same question." in text(manager.post(address, {"into": into}))
    sets["val"].frozen_at = timezone.now()
    sets["val"].save()
    answer = manager.post(address, {"into": good.pk})
    assert answer.status_code == 422
    assert "cannot change: “parts-val”." in text(answer)
    assert bad.annotations.count() == 4


# --- data categories ------------------------------------------------------------------------------------------------
def test_data_categories_are_described_put_in_order_and_stay_while_images_have_them(manager, project, bob, tmp_path):
    import_parts(project, bob, tmp_path, "OD")
    Image.objects.filter(name__contains="GOOD").update(data_category="FRONT")
    assert "FRONT (4)" in text(manager.get(url("data_categories")))  # which nobody described yet
    for code in ("FRONT", "SIDE"):
        manager.post(url("data_category_add"), {"code": code, "name": f"{code} view", "colour": "teal"})
    side = DataCategory.objects.get(code="SIDE")
    manager.post(url("data_category_move", side.pk), {"way": "up"})
    assert codes(order.data_categories(project)) == ["SIDE", "FRONT"]
    front = DataCategory.objects.get(code="FRONT")
    manager.post(url("data_category_edit", front.pk), {"name": "앞면", "colour": "red"})
    page = text(manager.post(url("data_category_delete", front.pk), follow=True))
    assert "“FRONT” stays. It is used by: dataset “parts-" in page
    assert "앞면" in page
    manager.post(url("data_category_delete", side.pk))
    assert codes(order.data_categories(project)) == ["FRONT"]


# --- model types ----------------------------------------------------------------------------------------------------
def test_a_model_type_learns_more_behind_and_is_listed_where_it_was_put(manager, project, labels):
    row = ModelType.objects.get()
    manager.post(url("model_type_learn", row.pk), {"label": labels[2].pk})
    assert row.class_codes() == ["A", "C"]
    assert "Select a valid choice" in text(manager.post(url("model_type_learn", row.pk), {"label": labels[2].pk}))
    other = ModelType.objects.create(project=project, code="OD_Y", name="Y", training_type="OD")
    manager.post(url("model_type_move", other.pk), {"way": "up"})
    assert codes(order.model_types(project)) == ["OD_Y", "OD_X"]
    manager.post(url("model_type_delete", other.pk))
    assert codes(order.model_types(project)) == ["OD_X"]


def test_a_classification_learns_no_second_question(manager, project):
    row = ModelType.objects.create(project=project, code="CL_X", name="X", training_type="CL")
    questions = [
        AnnotationType.objects.create(project=project, training_type="CL", code=code, name=code) for code in "PQ"
    ]
    manager.post(url("model_type_learn", row.pk), {"label": questions[0].pk})
    assert manager.post(url("model_type_learn", row.pk), {"label": questions[1].pk}).status_code == 422
    assert codes(row.ordered_annotation_types()) == ["P"]


def test_a_model_type_with_models_stays(manager, trained):
    row = ModelType.objects.get()
    assert "It is used by: model “the model”." in text(manager.post(url("model_type_delete", row.pk), follow=True))
    assert [one.name for one in uses.of_model_type(row)] == ["the model"]
    assert ModelType.objects.exists()


def test_a_viewer_sees_labels_and_what_uses_them_without_a_way_to_change_them(client_of, vera, labels):
    client = client_of(vera)
    for name, pk in (("label", labels[0].pk), ("model_type", ModelType.objects.get().pk)):
        page = text(client.get(url(name, pk)))
        assert "Used by" in page
        assert 'method="post" action="/p/' not in page


def test_what_somebody_deleted_this_moment_is_deleted(project):
    made = AnnotationType.objects.create(project=project, training_type="OD", code="A", name="A")
    again = AnnotationType.objects.get(pk=made.pk)
    uses.delete(made, uses.of_label)
    uses.delete(again, uses.of_label)
    assert not AnnotationType.objects.filter(code="A").exists()
