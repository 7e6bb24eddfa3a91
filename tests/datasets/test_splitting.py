"""Splits: in proportion, groups whole, the same for the same seed; two datasets come of it."""

from __future__ import annotations

from collections import Counter

import pytest
from django.urls import reverse

from datasets_app import cloning, split_plans
from datasets_app.changing import ChangeRefused
from datasets_app.models import Blob, Dataset, Image
from datasets_app.split_plans import Options
from datasets_app.splitting import Item, split
from projects_app.models import AnnotationType
from tests.parts import import_parts


def items(count: int, label=lambda n: "a", group=lambda n: "", picture=str) -> list[Item]:
    labels = [frozenset(filter(None, label(n).split())) for n in range(count)]
    return [Item(n, f"{n}.png", picture(n), group(n), labels[n]) for n in range(count)]


def labels(found: list[Item], keys: list[int]) -> Counter:
    chosen = set(keys)
    return Counter(label for item in found for label in item.labels if item.key in chosen)


def test_each_label_gets_its_share():
    found = items(200, lambda n: "common" if n % 10 else "rare")
    sides = split(found, 0.25, 1)
    assert (len(sides.train), len(sides.val)) == (150, 50)
    assert labels(found, sides.val) == {"common": 45, "rare": 5}


def test_images_of_several_labels_stay_near_the_share_of_each():
    found = items(300, lambda n: " ".join(name for name, every in (("a", 2), ("b", 3), ("c", 7)) if n % every == 0))
    sides = split(found, 0.2, 3)
    total, val = labels(found, [item.key for item in found]), labels(found, sides.val)
    assert len(sides.val) == 60
    assert all(abs(val[label] - 0.2 * count) <= 2 for label, count in total.items()), (total, val)


def test_two_images_of_a_label_go_to_both_sides():
    found = items(100, lambda n: "rare" if n < 2 else "common")
    sides = split(found, 0.1, 0)
    assert labels(found, sides.val)["rare"] == 1


def test_the_same_seed_deals_alike_in_whatever_order_the_images_come():
    found = items(500, lambda n: "abc"[n % 3])
    first, second = split(found, 0.3, 7), split(list(reversed(found)), 0.3, 7)
    assert set(first.val) == set(second.val)
    assert set(first.val) != set(split(found, 0.3, 8).val)
    assert first.train == sorted(first.train)


def test_a_group_and_a_picture_never_part():
    """Over two steps too: 0 and 1 are of one group, 1 and 2 of one picture, 2 and 3 of another group."""
    chain = items(
        40,
        group=lambda n: {0: "x", 1: "x", 2: "y", 3: "y"}.get(n, f"g{n // 4}"),
        picture=lambda n: "same" if n in (1, 2) else str(n),
    )
    for seed in range(10):
        sides = split(chain, 0.3, seed)
        val = set(sides.val)
        assert len({n in val for n in (0, 1, 2, 3)}) == 1
        for group in {item.group for item in chain}:
            assert len({item.key in val for item in chain if item.group == group}) == 1


def test_large_groups_leave_no_side_empty():
    sides = split(items(100, group=lambda n: str(n // 50)), 0.2, 0)
    assert {len(sides.train), len(sides.val)} == {50}


# --- of datasets ---
@pytest.fixture
def dataset(project, bob, tmp_path):
    """CL, six images of GOOD and of BAD; four images a part."""
    found = import_parts(project, bob, tmp_path / "source", "CL", each=6)["train"]
    for image in found.images.all():
        image.meta = {"obj_id": f"P{image.position // 4}", "line": "A"}
        image.save()
    return found


def url(dataset, query=""):
    return reverse("datasets:split", args=["valves", dataset.pk]) + query


def values(page, **changed) -> dict:
    form = page.context["form"]
    return {field.html_name: field.value() for field in form} | changed


@pytest.mark.django_db
def test_the_page_shows_the_counts_and_makes_both_datasets(dataset, bob, client_of):
    client, before = client_of(bob), Blob.objects.count()
    page = client.get(url(dataset))
    plan = page.context["plan"]
    assert [(one.text, one.train + one.val) for one in plan.counts] == [("parts: GOOD", 6), ("parts: BAD", 6)]
    assert page.context["form"]["group"].value() == "obj_id"
    assert Dataset.objects.count() == 2
    client.post(url(dataset), values(page))
    train, val = Dataset.objects.get(name="parts-train-train"), Dataset.objects.get(name="parts-train-val")
    assert (train.split, val.split, train.cloned_from, val.cloned_from) == ("train", "val", dataset, dataset)
    assert (train.images.count(), val.images.count()) == (len(plan.sides.train), len(plan.sides.val))
    assert train.images.count() + val.images.count() == dataset.images.count() == 12
    parts = [{image.meta["obj_id"] for image in one.images.all()} for one in (train, val)]
    assert not parts[0] & parts[1]
    assert sum(row["count"] for one in (train, val) for row in one.label_counts()) == 12
    assert Blob.objects.count() == before


@pytest.mark.django_db
def test_a_clone_is_split_as_its_original(dataset, bob):
    copy = cloning.clone(dataset, "copy", bob)
    options = Options(seed=5, by="CL")
    names = []
    for one in (dataset, copy):
        val = split_plans.plan(one, options).sides.val
        names.append(set(Image.objects.filter(pk__in=val).values_list("name", flat=True)))
    assert names[0] == names[1]


@pytest.mark.django_db
def test_what_a_split_cannot_do_is_said(dataset, bob, client_of):
    copy = cloning.clone(dataset, "copy", bob)
    Image.objects.filter(pk=copy.images.first().pk).update(blob=copy.images.last().blob, meta={})
    missed = split_plans.plan(copy, Options(share=0.01, by="CL", group="obj_id"))
    said = " ".join(missed.remarks)
    assert "You asked for 1 % for validation; it becomes" in said
    assert "1 image has no value in the column “obj_id”" in said
    assert "2 images have the same picture as another" in said
    for options, why in (
        (Options(group="line"), "all images belong together"),
        (Options(group="nothing"), "has a value in the column “nothing”"),
        (Options(by="OD"), "has a label of “OD”"),
        (Options(share=0), "between 1 and 99"),
    ):
        with pytest.raises(ChangeRefused, match=why):
            split_plans.plan(dataset, options)
    page = client_of(bob).get(url(dataset))
    answer = client_of(bob).post(url(dataset), values(page, train_name="parts-val"))
    assert answer.status_code == 422
    assert "There is a dataset “parts-val” already" in answer.content.decode()
    answer = client_of(bob).post(url(dataset), values(page, train_name="x", val_name="x"))
    assert "Both datasets have the same name" in answer.content.decode()
    assert Dataset.objects.count() == 3


@pytest.mark.django_db
def test_one_annotation_type_alone_can_be_kept_in_proportion(dataset, project):
    other = AnnotationType.objects.create(project=project, training_type="OD", code="dent", name="dent")
    for image in dataset.images.all()[:10]:
        image.annotations.create(annotation_type=other, kind="rectangle", points=[[0, 0], [1, 1]])
    plan = split_plans.plan(dataset, Options(share=0.5, by="=dent"))
    assert [(one.train, one.val) for one in plan.counts if one.text == "dent"] == [(5, 5)]
    assert ("=dent", "dent (OD)") in split_plans.strata(dataset)
