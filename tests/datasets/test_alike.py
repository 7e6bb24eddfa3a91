"""Pictures of one dataset that are the same or nearly so, how large its labels are, and filters that find them."""

from __future__ import annotations

import random

import pytest
from django.urls import reverse

from datasets_app import alike, label_sizes
from datasets_app.models import Annotation, Blob, Dataset, Image
from datasets_app.overlaps import NEAR

BASE = 0xE664999966669999  # a picture's hash: half of its bits are set


def one(dataset, number, value, blob="", **fields):
    kept, _made = Blob.objects.get_or_create(sha256=f"{blob or number:0>64}", defaults={"size": 1})
    return Image.objects.create(
        dataset=dataset, name=f"{number}.png", position=number, blob=kept, width=90, height=90,
        phash=f"{value:016x}", **fields,
    )  # fmt: skip


@pytest.fixture
def dataset(project):
    """0 and 1: the same bytes. 2: two bits beside 0. 3: three bits beside 0. 4 and 5: blank."""
    dataset = Dataset.objects.create(project=project, name="parts")
    values = [BASE, BASE, BASE ^ 0b11, BASE ^ (0b111 << 40), 0, 0]
    for number, value in enumerate(values):
        meta = {"line": "라인 A" if number < 2 else "B_2"}
        category = "FRONT" if number % 2 else "SIDE"
        one(dataset, number, value, blob="0" if number == 1 else "", meta=meta, data_category=category)
    return dataset


def names(dataset, groups):
    found = dict(dataset.images.values_list("pk", "name"))
    return [[found[key].removesuffix(".png") for key in group] for group in groups]


@pytest.mark.django_db
def test_the_same_and_the_nearly_same_are_told_apart(dataset):
    found = alike.groups(dataset)
    assert names(dataset, found.same) == [["0", "1"]]
    assert names(dataset, found.near) == [["0", "2"]]
    assert names(dataset, [found.images(alike.COPIES)]) == [["1"]]


@pytest.mark.django_db
def test_every_pair_within_so_many_bits_is_found_as_by_comparing_all(project):
    chance = random.Random(7)
    values = []
    for _ in range(60):
        base = chance.getrandbits(64)
        values += [base, *(base ^ sum(1 << bit for bit in chance.sample(range(64), flips)) for flips in (1, 2, 3))]
    values = [value for value in values if 16 <= value.bit_count() <= 48]
    dataset = Dataset.objects.create(project=project, name="many")
    keys = [one(dataset, number, value).pk for number, value in enumerate(values)]
    together = {key: group for group in alike.groups(dataset).near for key in group}
    for left, value in zip(keys, values, strict=True):
        for right, other in zip(keys, values, strict=True):
            if left != right and (value ^ other).bit_count() <= NEAR:
                assert right in together[left]
    assert all(any((values[keys.index(a)] ^ values[keys.index(b)]).bit_count() <= NEAR for b in group if b != a)
               for group in set(together.values()) for a in group)  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"alike": "same"}, "01"),
        ({"alike": "copies"}, "1"),
        ({"alike": "near"}, "02"),
        ({"category": "FRONT"}, "135"),
        ({"meta": "line=라인"}, "01"),
        ({"meta": "line=b_"}, "2345"),
        ({"meta": "line"}, "012345"),
        ({"meta": "nothing=x"}, ""),
        ({"alike": "same", "category": "FRONT"}, "1"),
    ],
)
def test_the_gallery_finds_them(client_of, vera, dataset, query, found):
    shown = client_of(vera).get(dataset.get_absolute_url(), query).context["tiles"]
    assert "".join(tile.image.name.removesuffix(".png") for tile in shown) == found


@pytest.mark.django_db
def test_they_stand_side_by_side_and_labels_are_measured(client_of, vera, dataset):
    image = dataset.images.first()
    for side in (5, 20, 20, 3000):
        Annotation.objects.create(image=image, kind="rectangle", points=[[0, 0], [side, 2]])
    page = client_of(vera).get(reverse("datasets:look", args=["valves", dataset.pk]))
    assert [len(group["tiles"]) for group in page.context["shown"]] == [2]
    bars = [(bar.low, bar.high, bar.count) for bar in page.context["sizes"].bars]
    assert (bars[0], bars[2], bars[-1]) == ((0, 8, 1), (16, 32, 2), (1024, 0, 1))


@pytest.mark.django_db
def test_of_very_many_labels_some_are_measured_spread_over_all(dataset, monkeypatch):
    monkeypatch.setattr(label_sizes, "MOST", 10)
    image = dataset.images.first()
    box = {"image": image, "kind": "rectangle", "points": [[0, 0], [9, 9]]}
    Annotation.objects.bulk_create(Annotation(**box) for _ in range(40))
    found = label_sizes.sizes(dataset)
    assert (found.step, found.measured) == (4, 10)


@pytest.mark.django_db
def test_of_copies_the_one_that_people_labelled_stays(dataset):
    Image.objects.filter(dataset=dataset, name="1.png").update(labelled_od=True)
    assert names(dataset, [alike.groups(dataset).images(alike.COPIES)]) == [["0"]]
    Image.objects.filter(dataset=dataset, name="0.png").update(labelled_od=True, needs_review=True)
    assert names(dataset, [alike.groups(dataset).images(alike.COPIES)]) == [["0"]]
