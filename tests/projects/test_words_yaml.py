"""All words of a project go out as YAML and come in with a preview; what is wrong is said with its line."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from projects_app.models import AnnotationType, Category, DataCategory, ModelType, Project
from projects_app.words import order, planning, plans, reading, writing
from tests.projects.test_words import trained  # noqa: F401 (a fixture)

pytestmark = pytest.mark.django_db

LABELS, TYPES = "version: 1\nannotation_types:\n", "version: 1\nmodel_types:\n"
TEXT = """\
version: 1
annotation_types:
  - {code: CRACK, name: 균열, training_type: OD, colour: red}
  - {code: DENT, training_type: OD}
  - code: STATE
    name: State
    training_type: CL
    categories:
      - {code: GOOD, name: Good, colour: green}
      - {code: BAD}
data_categories:
  - {code: FRONT, name: Front side}
model_types:
  - {code: OD_VALVE, name: Valve, training_type: OD, learns: [DENT, CRACK]}
"""


@pytest.fixture
def manager(client_of, alice):
    return client_of(alice)


@pytest.fixture
def filled(project):
    apply(project, TEXT)
    return project


def apply(project, text: str) -> plans.Plan:
    words = reading.read(text)
    return planning.apply(project, words, planning.plan(project, words).fingerprint)


def url() -> str:
    return reverse("projects:yaml_import", args=["valves"])


def faults(text: str, project=None) -> list[tuple[int, str]]:
    with pytest.raises(reading.Refused) as refused:
        planning.plan(project, reading.read(text))
    return [(one.line, one.text) for one in refused.value.faults]


def test_an_export_makes_the_same_project_elsewhere_and_changes_nothing_at_home(filled, client_of, vera):
    answer = client_of(vera).get(reverse("projects:yaml_export", args=["valves"]))
    assert answer["Content-Disposition"] == 'attachment; filename="valves-labels.yaml"'
    text = answer.content.decode()
    other = Project.objects.create(code="other", name="Other")
    apply(other, text)
    assert writing.write(other) == text == writing.write(filled)
    assert "균열" in text
    assert planning.plan(filled, reading.read(text)).does_nothing


def test_a_preview_says_what_becomes_of_each_and_only_the_second_step_writes(manager, filled):
    text = TEXT.replace("균열", "Crack").replace("{code: BAD}", "{code: BAD}\n      - {code: UNSURE}")
    text += "  - {code: OD_NEW, training_type: OD, learns: [CRACK]}\n"
    before = writing.write(filled)
    answer = manager.post(url(), {"file": SimpleUploadedFile("a.yaml", text.encode())})
    page = answer.content.decode()
    plan = answer.context["plan"]
    assert [(one.code, one.details) for one in plan.changed] == [
        ("CRACK", ("name: “균열” → “Crack”",)), ("STATE", ("new categories: UNSURE",)),
    ]  # fmt: skip
    assert [one.code for one in plan.added] == ["OD_NEW"]
    assert [one.code for one in plan.same] == ["DENT", "FRONT", "OD_VALVE"]
    assert "stays as it is" in page
    assert writing.write(filled) == before
    done = manager.post(url(), {"text": text, "fingerprint": plan.fingerprint}, follow=True)
    assert "Imported: 1 added, 2 changed." in done.content.decode()
    assert list(Category.objects.values_list("code", flat=True).order_by("position")) == ["GOOD", "BAD", "UNSURE"]


def test_nothing_is_deleted_and_what_the_file_does_not_say_stays(filled):
    plan = apply(filled, "version: 1\nannotation_types: [{code: STATE, name: Condition, categories: [{code: GOOD}]}]\n")
    assert ("annotation type", "CRACK") in plan.kept
    label = AnnotationType.objects.get(code="STATE")
    assert (label.name, list(label.categories.values_list("code", "name", "colour"))) == (
        "Condition", [("GOOD", "Good", "green"), ("BAD", "BAD", "")],
    )  # fmt: skip
    assert (AnnotationType.objects.count(), DataCategory.objects.count(), ModelType.objects.count()) == (3, 1, 1)


def test_the_order_of_the_file_becomes_the_order_of_the_project(filled):
    text = "version: 1\nannotation_types:\n  - {code: DENT}\n  - {code: NEW, training_type: OD}\n  - {code: CRACK}\n"
    plan = apply(filled, text)
    assert [(one.code, one.details) for one in plan.changed] == [("order", ("DENT, CRACK",))]
    assert [one.code for one in order.labels(filled) if one.training_type == "OD"] == ["DENT", "NEW", "CRACK"]
    assert planning.plan(filled, reading.read(text)).does_nothing


def test_who_changed_the_project_meanwhile_is_not_overwritten(manager, filled):
    text = TEXT.replace("균열", "Crack")
    plan = manager.post(url(), {"text": text}).context["plan"]
    AnnotationType.objects.filter(code="DENT").update(name="Somebody's")
    answer = manager.post(
        url(), {"text": text.replace("{code: DENT,", "{code: DENT, name: Dent,"), "fingerprint": plan.fingerprint}
    )
    assert answer.status_code == 422
    assert "The project changed meanwhile." in answer.content.decode()
    assert AnnotationType.objects.get(code="CRACK").name == "균열"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (LABELS + "  - {code: A B, training_type: OD}\n", 3, "without white space"),
        (LABELS + "  - {code: A, training_type: XX}\n", 3, "one of CL, RC, OD, SEG; “XX”"),
        (LABELS + "  - {code: A, colour: '#ff0000'}\n", 3, "one of red, blue"),
        (LABELS + "  - code: A\n    training_typ: OD\n", 4, "Did you mean: training_type?"),
        (LABELS + "  - name: A\n", 3, "“code” is missing."),
        (LABELS + "  - code: A\n    code: B\n", 4, "stands there twice, first in line 3"),
        (LABELS + "  - {code: A, training_type: OD}\n  - {code: A}\n", 4, "twice, first in line 3"),
        ("version: 1\nannotation_types: {code: A}\n", 2, "must be a list"),
        (LABELS + "  - A\n", 3, "“key: value” is expected"),
        (LABELS + "  - {code: A, name: [x]}\n", 3, "“name” must be a text."),
        (LABELS + "  - {code: A, name: ''}\n", 3, "1 to 200 signs"),
        ("version: 2\n", 1, "“version: 1” is expected."),
        ("version: 1\n---\nversion: 1\n", 3, "Exactly one document"),
        ("", 1, "Exactly one document"),
        ("version: 1\nannotation_types: [\n", 3, "This is no YAML"),
        ("version: 1\nx: &a [1]\ny: *a\n", 3, "Aliases (*name) are not allowed"),
        ("version: !!python/object/apply:os.system ['x']\n", 1, "Tags (!name) are not allowed"),
        ("version: 1\nx: " + "[" * 50 + "]" * 50, 2, "nested too deeply"),
        ("version: 1\n? [a]\n: b\n", 2, "A key must be a word."),
        ("version: 1\n\n#" + "x" * 200_000, 1, "larger than 200 kB"),
        ("version: 1\nname: a\x07b\n", 2, "no YAML"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line(text, line, message):
    found = faults(text)
    assert any(at == line and message in said for at, said in found), found


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (LABELS + "  - {code: CRACK, training_type: SEG}\n", 3, "“CRACK” is of Object detection here"),
        (LABELS + "  - {code: NEW}\n", 3, "it needs a “training_type”"),
        (LABELS + "  - {code: DENT, categories: [{code: A}]}\n", 3, "only a classification"),
        (TYPES + "  - {code: OD_VALVE, learns: [CRACK, DENT]}\n", 3, "keeps its order, which only grows"),
        (TYPES + "  - {code: OD_VALVE, learns: [NOPE]}\n", 3, "There is no annotation type “NOPE”"),
        (TYPES + "  - {code: M, training_type: SEG, learns: [CRACK]}\n", 3, "is a label of Object detection"),
        (TYPES + "  - {code: M, training_type: OD}\n", 3, "must name at least one"),
        (LABELS + "  - {code: Q, training_type: CL}\nmodel_types: [{code: M, training_type: CL, learns: [Q, STATE]}]\n",
         4, "answers one question"),
    ],
)  # fmt: skip
def test_what_contradicts_the_project_is_named_with_its_line(filled, text, line, message):
    before = writing.write(filled)
    found = faults(text, filled)
    assert [(at, message in said) for at, said in found] == [(line, True)], found
    assert writing.write(filled) == before


def test_categories_that_a_model_knows_only_grow(trained, project):  # noqa: F811
    head = "version: 1\nannotation_types:\n  - code: parts\n    categories:\n"
    for bad in ("      - {code: BAD}\n      - {code: GOOD}\n", "      - {code: NEW}\n      - {code: GOOD}\n"):
        assert "keep their order, as “the model” was trained with it" in faults(head + bad, project)[0][1]
    apply(project, head + "      - {code: BAD}\n      - {code: NEW}\n")
    assert list(Category.objects.order_by("position").values_list("code", flat=True)) == ["GOOD", "BAD", "NEW"]


def test_the_page_keeps_the_text_that_was_refused(manager, project):
    answer = manager.post(url(), {"text": "version: 1\nannotation_types: [{code: <b>}]\n"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Line 2: “&lt;b&gt;”: Use letters" in page
    assert "annotation_types: [{code: &lt;b&gt;}]" in page
    assert "Choose a file, or paste its text." in manager.post(url(), {"text": " "}).content.decode()
    latin = manager.post(url(), {"file": SimpleUploadedFile("a.yaml", b"version: 1\n\xff")})
    assert "Line 2 is no UTF-8 text." in latin.content.decode()


def test_what_is_new_goes_behind_what_the_file_does_not_name(filled):
    question = AnnotationType.objects.get(project=filled, code="STATE")
    text = LABELS + "  - {code: NEW, training_type: OD}\n  - {code: STATE, categories: [{code: ODD}]}\n"
    plan = apply(filled, text)
    assert not [one for one in plan.changed if "order" in str(one.details)]
    assert [one.code for one in order.labels(filled) if one.training_type == "OD"] == ["CRACK", "DENT", "NEW"]
    assert list(question.categories.order_by("position").values_list("code", flat=True)) == ["GOOD", "BAD", "ODD"]
