"""Project settings: who is in, as what, and the words of the project."""

from __future__ import annotations

import pytest
from django.urls import reverse

from projects_app import people
from projects_app.models import AnnotationType, Category, Membership, ModelType, Project, Role


@pytest.fixture
def manager(client_of, alice):
    return client_of(alice)


def url(name: str, *args) -> str:
    return reverse(f"projects:{name}", args=["valves", *args])


def text(answer) -> str:
    return answer.content.decode()


def role_of(user) -> str:
    return Membership.objects.get(user=user).role


# --- members --------------------------------------------------------------------------------------------------------
def test_a_manager_adds_somebody_by_user_name(manager, charlie):
    answer = manager.post(url("member_add"), {"username": " charlie ", "role": "developer"}, follow=True)
    assert "“charlie” is a member now, as Developer." in text(answer)
    assert role_of(charlie) == Role.DEVELOPER


@pytest.mark.parametrize(
    ("username", "role", "message"),
    [
        ("nobody", "viewer", "Nobody has this user name"),
        ("vera", "viewer", "a member already"),
        ("", "viewer", "This field is required"),
        ("charlie", "king", "is not one of the available choices"),
    ],
)
def test_a_refused_member_is_explained_beside_the_field(manager, charlie, vera, username, role, message):
    answer = manager.post(url("member_add"), {"username": username, "role": role})
    assert answer.status_code == 422
    assert message in text(answer)
    assert Membership.objects.count() == 2


def test_somebody_who_left_the_house_cannot_be_added(manager, charlie):
    charlie.is_active = False
    charlie.save()
    assert "Nobody has this user name" in text(
        manager.post(url("member_add"), {"username": "charlie", "role": "viewer"})
    )


def test_a_manager_changes_a_role(manager, vera):
    pk = Membership.objects.get(user=vera).pk
    assert "“vera” is now Labeller." in text(manager.post(url("member_role", pk), {"role": "labeller"}, follow=True))
    assert role_of(vera) == Role.LABELLER
    assert "There is no such role." in text(manager.post(url("member_role", pk), {"role": "king"}, follow=True))
    assert role_of(vera) == Role.LABELLER


def test_a_manager_removes_somebody(manager, vera):
    answer = manager.post(url("member_remove", Membership.objects.get(user=vera).pk), follow=True)
    assert "“vera” is not a member any more." in text(answer)
    assert not Membership.objects.filter(user=vera).exists()


def test_the_last_manager_stays_manager(manager, alice, vera):
    pk = Membership.objects.get(user=alice).pk
    assert "is the only manager" in text(manager.post(url("member_role", pk), {"role": "viewer"}, follow=True))
    assert "is the only manager" in text(manager.post(url("member_remove", pk), follow=True))
    assert role_of(alice) == Role.MANAGER


def test_of_two_managers_one_may_go_and_lands_at_the_start(manager, alice, person):
    person("amy", "manager")
    answer = manager.post(url("member_remove", Membership.objects.get(user=alice).pk))
    assert answer["Location"] == reverse("home")
    assert not Membership.objects.filter(user=alice).exists()


def test_the_last_manager_may_be_made_a_manager_again(alice):
    member = Membership.objects.get(user=alice)
    people.change_role(member, Role.MANAGER)
    with pytest.raises(people.LastManager):
        people.remove(member)


def test_members_of_another_project_are_out_of_reach(manager, charlie):
    other = Membership.objects.create(project=Project.objects.create(code="o", name="O"), user=charlie, role="viewer")
    assert manager.post(url("member_remove", other.pk)).status_code == 404
    assert manager.post(url("member_role", other.pk), {"role": "manager"}).status_code == 404


def test_a_viewer_sees_who_is_in_but_no_buttons(client_of, vera, alice):
    html = text(client_of(vera).get(url("settings")))
    assert "alice" in html
    assert "Manager" in html
    assert url("member_add") not in html
    assert url("edit") not in html


# --- the project ----------------------------------------------------------------------------------------------------
def test_a_manager_renames_the_project(manager, project):
    manager.post(url("edit"), {"name": "New name", "description": "What for", "code": "other"})
    project.refresh_from_db()
    assert (project.name, project.description, project.code) == ("New name", "What for", "valves")


def test_a_project_without_a_name_is_refused(manager, project):
    answer = manager.post(url("edit"), {"name": ""})
    assert answer.status_code == 422
    assert "This field is required" in text(answer)
    assert project.name in text(answer)  # the frame still says where one is


def test_somebody_without_a_project_learns_what_to_do(client_of, charlie):
    html = text(client_of(charlie).get(reverse("home")))
    assert "You are in no project yet" in html
    assert "“charlie”" in html


def test_the_first_superuser_learns_how_to_make_one(client_of, admin_user):
    html = text(client_of(admin_user).get(reverse("home")))
    assert "manage.py create_project" in html
    assert reverse("admin:projects_app_project_add") in html


# --- labels and model types -----------------------------------------------------------------------------------------
@pytest.fixture
def labels(project):
    return [
        AnnotationType.objects.create(project=project, training_type="OD", code=f"OD_{letter}", name=letter)
        for letter in "ABC"
    ]


@pytest.fixture
def question(project):
    found = AnnotationType.objects.create(project=project, training_type="CL", code="CL_STATE", name="State")
    for position, code in enumerate(("good", "bad")):
        Category.objects.create(annotation_type=found, code=code, name=code, position=position)
    return found


def test_empty_types_say_the_first_step(client_of, vera):
    html = text(client_of(vera).get(url("types")))
    assert "No model type yet" in html
    assert reverse("datasets:list", args=["valves"]) in html


def test_classes_stand_in_their_order(manager, project, labels, question):
    made = ModelType.objects.create(project=project, code="OD_X", name="X", training_type="OD")
    for label in (labels[2], labels[0]):
        made.learn(label)
    html = text(manager.get(url("types")))
    assert '<li><code class="name">OD_C</code></li><li><code class="name">OD_A</code></li>' in html
    assert html.index('<code title="good">good</code>') < html.index('<code title="bad">bad</code>')


def test_a_manager_makes_a_model_type_with_an_order(manager, labels):
    a, b, c = labels
    address = url("model_type_add") + "?type=OD"
    assert "OD_B" in text(manager.get(address))
    data = {"code": "OD_NEW", "name": "New", f"place_{a.pk}": 2, f"place_{b.pk}": "", f"place_{c.pk}": 1}
    assert "“OD_NEW”" in text(manager.post(address, data, follow=True))
    assert ModelType.objects.get().class_codes() == ["OD_C", "OD_A"]


def test_a_classification_model_type_answers_one_question(manager, question):
    manager.post(url("model_type_add") + "?type=CL", {"code": "CL_NEW", "name": "New", "question": question.pk})
    assert ModelType.objects.get().class_codes() == ["good", "bad"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": "OD X"}, "without white space"),
        ({"code": "OD_OLD"}, "with this code already"),
        ({"name": ""}, "This field is required"),
        ({"place": ""}, "Give at least one label a place."),
        ({"place": "x"}, "Enter a whole number."),
    ],
)
def test_a_bad_model_type_is_refused_in_words(manager, project, labels, change, message):
    ModelType.objects.create(project=project, code="OD_OLD", name="Old", training_type="OD")
    place = change.pop("place", "1")
    data = {"code": "OD_NEW", "name": "New"} | {f"place_{label.pk}": place for label in labels} | change
    answer = manager.post(url("model_type_add") + "?type=OD", data)
    assert answer.status_code == 422
    assert message in text(answer)
    assert ModelType.objects.count() == 1


def test_labels_of_another_project_are_not_offered(manager, labels):
    other = Project.objects.create(code="o", name="O")
    foreign = AnnotationType.objects.create(project=other, training_type="OD", code="OD_FOREIGN", name="F")
    address = url("model_type_add") + "?type=OD"
    assert "OD_FOREIGN" not in text(manager.get(address))
    manager.post(address, {"code": "OD_NEW", "name": "New", f"place_{foreign.pk}": 1, f"place_{labels[0].pk}": 2})
    assert ModelType.objects.get().class_codes() == ["OD_A"]


def test_a_training_type_without_labels_says_so(manager):
    assert "no labels of this training type yet" in text(manager.get(url("model_type_add") + "?type=SEG"))
    assert manager.get(url("model_type_add"))["Location"] == url("types")


def test_a_manager_renames_a_model_type(manager, project):
    made = ModelType.objects.create(project=project, code="OD_X", name="X", training_type="OD")
    manager.post(url("model_type_rename", made.pk), {"name": "Better", "code": "OTHER"})
    made.refresh_from_db()
    assert (made.name, made.code) == ("Better", "OD_X")
    assert manager.post(url("model_type_rename", made.pk), {"name": ""}).status_code == 422
