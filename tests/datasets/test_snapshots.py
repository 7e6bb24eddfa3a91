"""A snapshot names exactly what a run saw; and what is wrong with two sets is said before they are trained on."""

from __future__ import annotations

import json

import pytest

from datasets_app import checks, importing, snapshots
from datasets_app.models import Annotation, Blob, Snapshot
from datasets_app.records import ImageRecord, Reading, Shape
from projects_app.models import AnnotationType, ModelType

pytestmark = pytest.mark.django_db
BOX = Shape("dent", "rectangle", ((10, 20), (40, 60)))


@pytest.fixture
def sets(project, bob, folder):
    """A training and a validation dataset of two labelled images each, and their model type."""
    records = []
    for number in range(4):
        path = f"{number}.png"
        folder.image(path, size=(100, 80 + number))
        records.append(ImageRecord(path, shapes=(BOX,), labelled=True, split="train" if number < 2 else "val"))
    reading = Reading("test", tuple(records), ("dent",))
    plan = importing.propose(project, "mine", reading, importing.Options())
    train, val = importing.commit(project, bob, folder.source, reading, plan)
    return train, val, ModelType.objects.get()


def test_the_same_data_has_the_same_hash_and_is_kept_once(project, sets):
    train, val, kind = sets
    first = snapshots.take(project, kind, train=[train], validation=[val])
    assert snapshots.take(project, kind, train=[train], validation=[val]) == first
    assert Snapshot.objects.count() == 1
    manifest = json.loads(first.manifest.path.read_bytes())
    assert [image["name"] for image in manifest["train"]] == ["0.png", "1.png"]
    assert manifest["train"][0]["labels"] == [["dent", "", None, "rectangle", [[10, 20], [40, 60]]]]
    assert (manifest["classes"], first.images) == (["dent"], 4)


def test_another_label_is_another_snapshot(project, sets):
    train, val, kind = sets
    first = snapshots.take(project, kind, train=[train], validation=[val])
    Annotation.objects.filter(image__dataset=train).first().delete()
    assert snapshots.take(project, kind, train=[train], validation=[val]).sha256 != first.sha256
    assert Blob.objects.filter(content_type="application/json").count() == 2


def test_facts_count_images_and_labels_per_class(sets):
    train, val, kind = sets
    facts = checks.set_facts(kind, [train], [val])
    assert [(code, learnt.labels, judged.labels) for code, learnt, judged in facts.by_class] == [("dent", 2, 2)]
    assert (facts.train.images, facts.train.labelled, facts.train.unlabelled) == (2, 2, 0)
    assert facts.errors == []


def test_the_same_dataset_in_both_sets_is_a_warning(sets):
    train, _val, kind = sets
    facts = checks.set_facts(kind, [train], [train])
    assert (facts.same, facts.errors) == (2, [])
    assert "at once: mine-train" in facts.warnings[0]


def test_a_class_without_samples_is_a_warning(sets, project):
    train, val, kind = sets
    kind.learn(AnnotationType.objects.create(project=project, training_type="OD", code="hole", name="hole"))
    facts = checks.set_facts(kind, [train], [val])
    assert facts.train.without_samples == ["hole"]
    assert any("no sample of hole" in warning for warning in facts.warnings)


def test_too_few_labelled_images_are_an_error_of_their_field(sets):
    train, val, kind = sets
    train.images.filter(name="0.png").update(labelled_od=False)
    val.images.update(labelled_od=False)
    found = {fault.field: fault.message for fault in checks.set_facts(kind, [train], [val]).errors}
    assert "at least 2" in found["train"]
    assert "No image of the validation datasets" in found["validation"]
    train.images.update(labelled_od=False)
    assert "No image" in checks.set_facts(kind, [train], [val]).errors[0].message


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found["train"][0].update(labels=[["X", "", None, "rectangle", [[10**400, 1], [2, 2]]]]),
        lambda found: found["train"][0].update(name="a\ud800.png"),
    ],
)
def test_a_manifest_with_what_no_column_and_no_page_can_hold_is_none(project, change):
    picture = {"dataset": "d", "name": "a.png", "sha256": "0" * 64, "siblings": {}, "labels": []}
    found = {"training_type": "OD", "model_type": "X", "classes": [], "train": [picture], "validation": []}
    assert snapshots.adopt(project, json.dumps(found).encode())
    change(found)
    assert snapshots.adopt(project, json.dumps(found).encode()) is None
