"""The demo project's data: drawn by the portal, said to be synthetic, labelled for every training type."""

from __future__ import annotations

import pytest

from datasets_app.demo import seed
from datasets_app.models import Annotation, Blob, Dataset, Image
from projects_app.models import ModelType

pytestmark = pytest.mark.django_db


@pytest.fixture
def small(monkeypatch):
    """Few plates: the drawing is what takes the time."""
    monkeypatch.setattr(seed, "SPLITS", {"train": 20, "val": 4, "test": 4})


def test_it_makes_three_synthetic_datasets_labelled_for_every_training_type(project, alice, small):
    made = seed.make_demo(project, alice)
    assert [(one.name, one.split, one.is_synthetic) for one in made] == [
        ("plates-train", "train", True),
        ("plates-val", "val", True),
        ("plates-test", "test", True),
    ]
    everything = {"labelled_cl": True, "labelled_rc": True, "labelled_od": True, "labelled_seg": True}
    assert Image.objects.filter(**everything).count() == Image.objects.count() == 28


def test_its_model_types_learn_the_labels_that_were_drawn(project, alice, small):
    seed.make_demo(project, alice)
    classes = {kind.code: kind.class_codes() for kind in ModelType.objects.filter(project=project)}
    assert classes == {
        "PLATE_CL": ["good", "scratch", "dent", "stain", "hole"],
        "PLATE_RC": ["BOLT_HOLE"],
        "PLATE_OD": ["OD_SCRATCH", "OD_DENT", "OD_STAIN", "OD_HOLE"],
        "PLATE_SEG": ["SEG_SCRATCH", "SEG_DENT", "SEG_STAIN", "SEG_HOLE"],
    }
    boxes = Annotation.objects.filter(annotation_type__training_type="OD")
    outlines = Annotation.objects.filter(annotation_type__training_type="SEG")
    assert boxes.count() == outlines.count() > 20
    assert Annotation.objects.filter(annotation_type__code="BOLT_HOLE").count() == 28 * 4


def test_making_it_again_changes_nothing(project, alice, small):
    first = seed.make_demo(project, alice)
    assert seed.make_demo(project, alice) == first
    assert (Dataset.objects.count(), Blob.objects.count()) == (3, 28)


def test_nothing_is_left_of_the_drawing(project, alice, small, home):
    seed.make_demo(project, alice)
    assert not [path for path in (home / "tmp").rglob("*") if path.is_file()]
