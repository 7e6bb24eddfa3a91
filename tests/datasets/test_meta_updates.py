"""Meta data by a table: what it would change is shown, required columns have to agree, all or nothing."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets_app import meta_updates
from datasets_app.changing import ChangeRefused
from datasets_app.models import Dataset
from tests.parts import import_parts

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(project, bob, tmp_path) -> Dataset:
    found = import_parts(project, bob, tmp_path / "source", "CL")["train"]
    for image in found.images.all():
        image.meta = {"obj_id": f"P{image.position}", "line": "A"}
        image.save()
    return found


@pytest.fixture
def desk(client_of, bob, dataset):
    """What bob does on the page."""

    class Desk:
        client = client_of(bob)
        address = reverse("datasets:meta", args=["valves", dataset.pk])

        def send(self, text: str | bytes):
            data = text.encode() if isinstance(text, str) else text
            return self.client.post(self.address, {"table": SimpleUploadedFile("m.csv", data)})

        def look(self, text: str | bytes, query: str = ""):
            answer = self.send(text)
            assert answer.status_code == 302, answer.content.decode()
            return self.client.get(answer.url + query)

        def apply(self, page, **data):
            return self.client.post(page.request["PATH_INFO"], {"digest": page.context["update"].digest} | data)

    return Desk()


def metas(dataset) -> dict[str, dict]:
    return dict(dataset.images.values_list("name", "meta"))


TABLE = "File;Line;Shift\ntrain/GOOD-0.png;B;night\nBAD-0;A;\nnobody.png;C;day\n"


def test_a_table_is_looked_at_and_then_applied(dataset, desk, home):
    before = metas(dataset)
    page = desk.look(TABLE)
    update = page.context["update"]
    assert (update.columns, update.new_columns, update.rows, update.matched) == (("line", "shift"), ("shift",), 3, 2)
    assert (update.images, update.cells, dict(update.by_column)) == (1, 2, {"line": 1, "shift": 1})
    assert "line 4: nobody.png" in page.content.decode()
    assert "Change 2 cells" in page.content.decode()
    assert metas(dataset) == before
    desk.apply(page)
    after = metas(dataset)
    assert after.pop("train/GOOD-0.png") == {"obj_id": "P0", "line": "B", "shift": "night"}
    assert after == {name: meta for name, meta in before.items() if name != "train/GOOD-0.png"}
    assert not list((home / "imports").glob("meta-*"))
    assert desk.client.get(page.request["PATH_INFO"]).status_code == 302


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8-sig", ","), ("cp949", "\t"), ("utf-16", ";"), ("utf-8", ",")]
)
def test_the_encodings_and_separators_of_spreadsheets_are_read(dataset, desk, encoding, separator):
    text = separator.join(["파일", "라인"]).replace("파일", "file") + "\n" + separator.join(["BAD-1.png", "3호기"])
    desk.apply(desk.look(text.encode(encoding)))
    assert metas(dataset)["train/BAD-1.png"]["라인"] == "3호기"


def test_a_required_column_that_disagrees_refuses_the_table_by_name(dataset, desk):
    before = metas(dataset)
    page = desk.look("file,obj_id,line\nGOOD-0.png,P0,B\nBAD-0.png,P9,B\n")
    text = page.content.decode()
    assert "The column “obj_id” disagrees in 1 rows (train/BAD-0.png: “P1” is kept, the table says “P9”)" in text
    assert "Change 3 cells" not in text
    assert desk.apply(page).status_code == 422
    assert metas(dataset) == before


def test_a_required_column_can_be_filled_where_nothing_stands(dataset, desk):
    desk.apply(desk.look("file,data_category\nGOOD-0.png,FRONT\n"))
    image = dataset.images.get(name="train/GOOD-0.png")
    assert (image.data_category, image.meta["data_category"]) == ("FRONT", "FRONT")
    assert "disagrees" in desk.look("file,data_category\nGOOD-0.png,SIDE\n").content.decode()


def test_empty_cells_remove_what_is_known_where_that_was_asked_for(dataset, desk):
    text = "file,line\nGOOD-0.png,\n"
    assert desk.look(text).context["update"].cells == 0
    page = desk.look(text, "?clear=1")
    assert page.context["update"].cells == 1
    desk.apply(page, clear="1")
    assert metas(dataset)["train/GOOD-0.png"] == {"obj_id": "P0"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("picture,line\na.png,B\n", "file column"),
        ("file\na.png\n", "file column"),
        (b"\xff\xfe\x00", "UTF-8"),
        ("", "empty"),
    ],
)
def test_what_is_no_such_table_is_refused_beside_the_field(dataset, desk, home, text, said):
    answer = desk.send(text)
    assert answer.status_code == 422
    assert answer.context["form"].errors["table"]
    assert said in answer.content.decode()
    assert not list((home / "imports").glob("meta-*"))


def test_a_dataset_that_changed_meanwhile_is_looked_at_again(dataset, desk):
    page = desk.look(TABLE)
    image = dataset.images.get(name="train/GOOD-0.png")
    image.meta |= {"line": "C"}
    image.save()
    answer = desk.apply(page)
    assert answer.status_code == 422
    assert "The dataset changed meanwhile" in answer.content.decode()
    assert metas(dataset)["train/GOOD-0.png"]["line"] == "C"
    desk.apply(answer)
    assert metas(dataset)["train/GOOD-0.png"]["line"] == "B"


def test_a_table_that_says_nothing_new_changes_nothing(dataset, desk, tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("file,line\nGOOD-0.png,A\n")
    with pytest.raises(ChangeRefused, match="changes nothing"):
        meta_updates.apply(dataset, path)
