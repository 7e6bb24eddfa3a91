"""Two people do what touches the same data at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections
from PIL import Image as Picture

from datasets_app import appending, cloning, importing, joining, merging, removing, snapshot_reading, snapshots
from datasets_app.changing import ChangeRefused
from datasets_app.formats import Source
from datasets_app.importing import ImportRefused
from datasets_app.models import Annotation
from datasets_app.records import ImageRecord, Reading, Shape
from models_app.models import TrainedModel
from projects_app.models import AnnotationType, Category
from tests.parts import import_parts

pytestmark = pytest.mark.django_db(transaction=True)
BOX, POLYGON = ((1, 1), (9, 9)), ((1, 1), (9, 1), (9, 9))


def need_postgresql() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("a case of PostgreSQL")


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each returns, or raises."""
    found: list[Any] = [None] * len(acts)

    def run(n: int) -> None:
        try:
            found[n] = acts[n]()
        except Exception as error:
            found[n] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(acts))]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
    return found


def test_images_that_go_while_a_training_starts_are_in_its_snapshot_or_stay(shop, bob, monkeypatch):
    need_postgresql()
    taken, take = threading.Event(), snapshots.take

    def taking(*given, **more):
        found = take(*given, **more)
        taken.set()
        threading.Event().wait(1)  # before the training stands in the database
        return found

    monkeypatch.setattr(snapshots, "take", taking)
    order, going = shop.order(), list(shop.train.images.values_list("pk", flat=True)[:1])

    def remove() -> Any:
        taken.wait(20)
        return removing.remove(shop.train, going)

    _model, removed = at_once(lambda: order.start(bob), remove)
    assert isinstance(removed, ChangeRefused), removed
    seen = snapshot_reading.read(TrainedModel.objects.get().snapshot).train
    assert len(seen) == shop.train.images.count()


def test_two_who_start_on_the_same_data_share_a_snapshot(shop, bob, monkeypatch):
    need_postgresql()
    keep = snapshots._keep

    def keeping(*given, **more):
        threading.Event().wait(0.5)  # both have looked for one by now
        return keep(*given, **more)

    monkeypatch.setattr(snapshots, "_keep", keeping)
    first, second = shop.order(), shop.order()
    first.name, second.name = "first", "second"
    one, other = at_once(lambda: first.start(bob), lambda: second.start(bob))
    assert getattr(one, "snapshot", one) == getattr(other, "snapshot", other)
    assert TrainedModel.objects.count() == 2


def test_a_dataset_is_cloned_while_an_upload_of_the_same_pictures_joins_it(project, bob, tmp_path, monkeypatch):
    need_postgresql()
    made = import_parts(project, bob, tmp_path / "a", "OD", name="one")["train"]
    Picture.new("RGB", (40, 30), (1, 2, 3)).save(tmp_path / "a" / "new.png")
    names = [f"train/{code}-{n}.png" for code in ("GOOD", "BAD") for n in range(2)] + ["new.png"]
    boxes = (Shape("GOOD", "rectangle", BOX), Shape("BAD", "rectangle", BOX))
    reading = Reading("t", tuple(ImageRecord(name, shapes=boxes, labelled=True) for name in names), ("GOOD", "BAD"))
    plan = importing.propose(project, "up", reading, importing.Options())
    joins, take_over = threading.Event(), appending.take_over

    def taking_over(*given, **more):
        joins.set()
        threading.Event().wait(1)  # somebody clones, now that the upload's files are held
        return take_over(*given, **more)

    monkeypatch.setattr(appending, "take_over", taking_over)

    def clone() -> Any:
        joins.wait(20)
        return cloning.clone(made, "copy", bob)

    joined, cloned = at_once(
        lambda: joining.commit(made, bob, Source(tmp_path / "a"), reading, plan, appending.Choices(), "up"), clone
    )
    assert getattr(joined, "added", joined) == 1
    assert getattr(cloned, "name", cloned) == "copy"


def labelled(folder, *shapes: Shape) -> Reading:
    folder.mkdir(exist_ok=True)
    Picture.new("RGB", (40, 30), "red").save(folder / "0.png")
    return Reading("t", (ImageRecord("0.png", shapes=shapes, labelled=True),), tuple(one.label for one in shapes))


def test_of_two_imports_that_make_one_label_for_two_trainings_the_second_is_refused(project, bob, tmp_path):
    boxes = labelled(tmp_path / "s", Shape("CRACK", "rectangle", BOX))
    outlines = labelled(tmp_path / "s", Shape("CRACK", "polygon", POLYGON))
    source = Source(tmp_path / "s")
    plans = [
        importing.propose(project, kind, one, importing.Options()) for kind, one in (("od", boxes), ("seg", outlines))
    ]
    between = [lambda: importing.commit(project, bob, source, boxes, plans[0])]

    def progress(percent: float, _sentence: str) -> None:
        if percent == 90 and between:
            between.pop()()

    with pytest.raises(ImportRefused):
        importing.commit(project, bob, source, outlines, plans[1], progress=progress)
    assert AnnotationType.objects.get(code="CRACK").training_type == "OD"
    assert set(Annotation.objects.values_list("kind", flat=True)) == {"rectangle"}


def test_an_import_whose_category_is_merged_away_meanwhile_is_refused_in_words(project, bob, tmp_path):
    import_parts(project, bob, tmp_path / "a", "CL", name="one")
    folder, records = tmp_path / "b", []
    folder.mkdir()
    for n, code in enumerate(("GOOD", "BAD")):
        Picture.new("RGB", (40, 30), (n * 9, 0, 7)).save(folder / f"{n}.png")
        records.append(ImageRecord(f"{n}.png", category=code, labelled=True))
    reading = Reading("t", tuple(records), ("GOOD", "BAD"), is_classification=True)
    plan = importing.propose(project, "two", reading, importing.Options())

    def progress(percent: float, _sentence: str) -> None:
        if percent == 90:
            merging.merge(Category.objects.get(code="BAD"), Category.objects.get(code="GOOD"))

    with pytest.raises(ImportRefused):
        importing.commit(project, bob, Source(folder), reading, plan, progress=progress)
