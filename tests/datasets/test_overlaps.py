"""What both sets share is found by content, by part and by look, and what only seems alike is left in peace."""

from __future__ import annotations

import io
import random

import numpy as np
import pytest
from PIL import Image as Picture

from datasets_app import importing, overlaps, pictures
from datasets_app.demo.draw import plate
from datasets_app.models import Dataset, Image
from datasets_app.records import ImageRecord, Reading

pytestmark = pytest.mark.django_db


def textured(seed: int, side: int = 96) -> Picture.Image:
    """Blots that are no other seed's."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    return Picture.fromarray(small).resize((side, side), Picture.Resampling.BICUBIC)


def saved_anew(picture: Picture.Image) -> Picture.Image:
    """Half as large, brighter, and through JPEG."""
    kept = io.BytesIO()
    half = picture.resize((picture.width // 2, picture.height // 2)).point(lambda value: min(255, int(value * 1.08)))
    half.save(kept, "JPEG", quality=70)
    return Picture.open(kept)


@pytest.fixture
def find(project, bob, folder):
    """`find(train, validation)`: pictures by name, imported as labelled images of two datasets; what both share."""

    def look(train: dict[str, Picture.Image], validation: dict[str, Picture.Image]) -> overlaps.Overlaps:
        records = []
        for split, some in (("train", train), ("val", validation)):
            for name, picture in some.items():
                folder.image(f"{split}/{name}.png")
                picture.save(folder.root / split / f"{name}.png")
                records.append(ImageRecord(f"{split}/{name}.png", category="GOOD", labelled=True, split=split))
        reading = Reading("test", tuple(records), ("GOOD",), is_classification=True)
        plan = importing.propose(project, "mine", reading, importing.Options())
        importing.commit(project, bob, folder.source, reading, plan)
        return again()

    return look


def again() -> overlaps.Overlaps:
    return overlaps.find(*(Dataset.objects.get(name=f"mine-{split}").images.all() for split in ("train", "val")))


def counts(found: overlaps.Overlaps) -> tuple[int, int, int]:
    return found.same.count, found.part.count, found.similar.count


def names(shared: overlaps.Shared) -> list[tuple[str, str]]:
    return [(learnt.name, judged.name) for learnt, judged in shared.pairs]


def test_the_same_picture_under_another_name_is_found_and_named(find):
    found = find({"a": textured(1), "b": textured(2)}, {"c": textured(2), "d": textured(3)})
    assert counts(found) == (1, 0, 0)
    assert names(found.same) == [("train/b.png", "val/c.png")]


def test_a_picture_that_was_saved_anew_looks_the_same(find):
    found = find({"a": textured(1), "b": textured(2)}, {"c": saved_anew(textured(2)), "d": textured(3)})
    assert counts(found) == (0, 0, 1)
    assert names(found.similar) == [("train/b.png", "val/c.png")]


def test_different_plates_do_not_look_the_same(find):
    plates = [plate(seed, size=(160, 120)).image for seed in range(18)]
    found = find({str(n): plates[n] for n in range(12)}, {str(n): plates[n] for n in range(12, 18)})
    assert counts(found) == (0, 0, 0)


def test_different_blood_smears_do_not_look_the_same(real_data):
    files = sorted((real_data("quickstart/od_bccd") / "JPEGImages").glob("*.jpg"))[:60]
    hashes = [int(pictures.look(path).phash, 16) for path in files]
    assert overlaps.near(hashes[:40], hashes[40:]) == {}


def test_blank_pictures_look_like_nothing(find):
    blank = {str(grey): Picture.new("L", (40, 30), grey) for grey in (20, 60, 200)}
    other = {str(grey): Picture.new("L", (40, 30), grey) for grey in (30, 90)}
    assert counts(find(blank, other)) == (0, 0, 0)


def test_a_part_in_both_sets_is_found_by_its_obj_id(find):
    find({"a": textured(1), "b": textured(2)}, {"c": textured(3), "d": textured(4), "e": textured(5)})
    for name, meta in {
        "train/a.png": {"obj_id": 17}, "train/b.png": {"obj_id": ""}, "val/c.png": {"obj_id": " 17 "},
        "val/d.png": {"obj_id": None}, "val/e.png": {"obj_id": ""},
    }.items():  # fmt: skip
        Image.objects.filter(name=name).update(meta=meta)
    found = again()
    assert counts(found) == (0, 1, 0)
    assert names(found.part) == [("train/a.png", "val/c.png")]


@pytest.mark.parametrize("meta", [[], "obj_id", 3, {"obj_id": ["x"]}, {"obj_id": True}, {"obj_id": {"x": 1}}])
def test_meta_data_of_any_shape_do_no_harm(find, meta):
    find({"a": textured(1)}, {"b": textured(2)})
    Image.objects.update(meta=meta)
    assert counts(again()) == (0, 0, 0)


def test_an_image_counts_once_for_the_strongest_thing(find):
    find(
        {"a": textured(1), "b": textured(2), "c": textured(3)},
        {"a": textured(1), "b": saved_anew(textured(2)), "c": saved_anew(textured(3))},
    )
    Image.objects.exclude(name__endswith="c.png").update(meta={"obj_id": "P1"})
    assert counts(again()) == (1, 1, 1)


def test_pictures_that_many_share_are_all_counted_and_only_the_first_named(find):
    copies = {f"copy{n}": saved_anew(textured(1)) for n in range(5)}
    found = find({f"a{n}": textured(1) for n in range(4)} | {"b": textured(2)}, copies)
    assert found.similar.count == 5
    assert names(found.similar) == [("train/a0.png", f"val/copy{n}.png") for n in range(3)]


def test_an_empty_set_shares_nothing(find):
    find({"a": textured(1)}, {"b": textured(1)})
    assert counts(overlaps.find(Image.objects.none(), Image.objects.all())) == (0, 0, 0)
    assert counts(overlaps.find(Image.objects.all(), Image.objects.none())) == (0, 0, 0)


def test_two_statements_are_enough(find, django_assert_num_queries):
    find({str(n): textured(n) for n in range(8)}, {str(n): textured(n) for n in range(4, 12)})
    train, validation = (Image.objects.filter(dataset__name=f"mine-{split}") for split in ("train", "val"))
    with django_assert_num_queries(2):
        overlaps.find(train, validation)


@pytest.mark.parametrize("block", [1, 50, 1 << 18])
def test_blocks_find_what_comparing_each_with_each_does(monkeypatch, block):
    monkeypatch.setattr(overlaps, "_BLOCK", block)
    draw = random.Random(7)
    known = [draw.getrandbits(64) for _ in range(60)]
    flipped = [one ^ (1 << draw.randrange(64)) ^ (1 << draw.randrange(64)) for one in known[::3]]
    far = [one ^ 0b111 for one in known[1::3]]
    asked = [*flipped, *far, *(draw.getrandbits(64) for _ in range(20)), known[2], 2**64 - 1, 0]
    nearest = {one: min(known, key=lambda other: (one ^ other).bit_count()) for one in asked}
    expected = {one: other for one, other in nearest.items() if (one ^ other).bit_count() <= overlaps.NEAR}
    assert overlaps.near(known, asked) == expected
    assert len(expected) == len(flipped) + 1
