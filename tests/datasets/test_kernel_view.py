"""What a kernel sees: exactly the files of the contract, images under their own names, without copies."""

from __future__ import annotations

import pytest

from datasets_app import importing, kernel_view
from datasets_app.models import Annotation
from datasets_app.records import ImageRecord, Reading, Shape
from kernels_app.contract import data
from projects_app.models import ModelType

pytestmark = pytest.mark.django_db


@pytest.fixture
def bring_in(project, bob, folder):
    """Imports records as datasets; the datasets and the model type."""

    def make(records, labels, name="mine", is_classification=False, **options):
        for number, record in enumerate(records):
            folder.image(record.path, size=(100, 80 + number))
        reading = Reading("test", tuple(records), labels, is_classification=is_classification)
        plan = importing.propose(project, name, reading, importing.Options(**options))
        datasets = importing.commit(project, bob, folder.source, reading, plan)
        return datasets, ModelType.objects.get(code=plan.model_type)

    return make


def box(label: str, **more) -> Shape:
    return Shape(label, "rectangle", ((10, 20), (40, 60)), **more)


def written(folder, datasets, model_type, **options):
    options = {"classes": model_type.class_codes(), "train": datasets, "validation": datasets} | options
    kernel_view.write_dataset(folder, model_type, **options)
    return folder


def test_cl_lists_image_and_category(bring_in, tmp_path):
    records = [
        ImageRecord("ok/a b.png", category="ok", labelled=True),
        ImageRecord("no/c.png", category="no", labelled=True),
    ]
    datasets, kind = bring_in([*records, ImageRecord("d.png")], ("no", "ok"), is_classification=True)
    folder = written(tmp_path / "run", datasets, kind)
    assert data.read_labels(folder) == ["no", "ok"]
    root = folder / "images" / str(datasets[0].pk)
    assert data.read_cl(folder, "train") == [
        data.ClSample(str(root / "ok/a b.png"), "ok"),
        data.ClSample(str(root / "no/c.png"), "no"),
    ]
    assert (root / "ok/a b.png").samefile(datasets[0].images.get(name="ok/a b.png").blob.path)


def test_rc_lists_regions_with_corner_size_and_verdict(bring_in, tmp_path):
    records = [ImageRecord("a.png", shapes=(box("bad"), box("fine")), labelled=True)]
    datasets, kind = bring_in(records, ("bad", "fine"), rc_type="BOLT", rc_false_labels=("fine",))
    folder = written(tmp_path / "run", datasets, kind)
    path = str(folder / "images" / str(datasets[0].pk) / "a.png")
    assert data.read_rc(folder, "validation") == [
        data.RcSample(path, "BOLT", True, 10, 20, 30, 40),
        data.RcSample(path, "BOLT", False, 10, 20, 30, 40),
    ]
    kernel_view.write_inputs(tmp_path / "in", kind, classes=["BOLT"], datasets=datasets)
    assert [sample.verdict for sample in data.read_files_rc(tmp_path / "in")] == [None, None]


def test_od_writes_a_file_an_image_and_leaves_out_what_nobody_labelled(bring_in, tmp_path):
    records = [
        ImageRecord("a.png", shapes=(box("dent"), box("zone", is_roi=True)), labelled=True),
        ImageRecord("empty.png", labelled=True),
        ImageRecord("unlabelled.png"),
    ]
    datasets, kind = bring_in(records, ("dent",))
    folder = written(tmp_path / "run", datasets, kind)
    full, empty = data.read_split_shapes(folder, "train")
    assert [(shape.label, shape.isroi) for shape in full.shapes] == [("dent", False), ("ROI", True)]
    assert (full.image_id, full.width, full.height) == (str(datasets[0].images.get(name="a.png").pk), 100, 80)
    assert full.shapes[0].points == ((10, 20), (40, 60))
    assert empty.shapes == ()


def test_inference_sees_every_image(bring_in, tmp_path):
    datasets, kind = bring_in(
        [ImageRecord("a.png", shapes=(box("dent"),), labelled=True), ImageRecord("b.png")], ("dent",)
    )
    kernel_view.write_inputs(tmp_path, kind, classes=["dent"], datasets=datasets)
    assert [path.rsplit("/", 1)[1] for path in data.read_files(tmp_path)] == ["a.png", "b.png"]


def test_labels_that_the_model_was_not_trained_with_are_left_out(bring_in, tmp_path):
    records = [ImageRecord("a.png", shapes=(box("dent"), box("hole")), labelled=True)]
    datasets, kind = bring_in(records, ("dent", "hole"))
    folder = written(tmp_path / "run", datasets, kind, classes=["hole"])
    (sample,) = data.read_split_shapes(folder, "train")
    assert [shape.label for shape in sample.shapes] == ["hole"]


def test_siblings_lie_beside_their_image_and_parts_without_one_are_left_out(bring_in, tmp_path):
    records = [
        ImageRecord("P1_A.png", shapes=(box("dent"),), labelled=True),
        ImageRecord("P1_X.png"),
        ImageRecord("P2_A.png", shapes=(box("dent"),), labelled=True),
    ]
    datasets, kind = bring_in(records, ("dent",), image_types=("_A.png", "_X.png"))
    folder = written(tmp_path / "run", datasets, kind, image_types=["_A.png", "_X.png"])
    (sample,) = data.read_split_shapes(folder, "train")
    assert sample.path.endswith("P1_A.png")
    assert sorted(path.name for path in folder.rglob("*.png")) == ["P1_A.png", "P1_X.png"]


def test_writing_again_is_fine_and_validation_alone_has_no_train_folder(bring_in, tmp_path):
    datasets, kind = bring_in([ImageRecord("a.png", shapes=(box("dent"),), labelled=True)], ("dent",))
    for _again in range(2):
        written(tmp_path / "run", datasets, kind, train=[])
    assert not (tmp_path / "run" / "train").exists()
    assert len(data.read_split_shapes(tmp_path / "run", "validation")) == 1


def test_statements_do_not_grow_with_the_images(bring_in, tmp_path, django_assert_max_num_queries):
    records = [ImageRecord(f"{number}.png", shapes=(box("dent"),), labelled=True) for number in range(30)]
    datasets, kind = bring_in(records, ("dent",))
    with django_assert_max_num_queries(9):
        written(tmp_path / "run", datasets, kind, classes=["dent"])
    assert Annotation.objects.count() == 30
