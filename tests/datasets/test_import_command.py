"""`manage.py import_dataset`: real data in, one JSON object out; what cannot be imported leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from datasets_app.models import Annotation, Blob, Dataset, Image
from projects_app.models import AnnotationType, ModelType

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(project):
    """Runs the command in the project; its answer."""

    def command(name, images, **options):
        out = StringIO()
        call_command("import_dataset", name, project=project.code, images=images, json=True, stdout=out, **options)
        return json.loads(out.getvalue())

    return command


def nothing_is_left(home) -> bool:
    rows = Dataset.objects.count() + Image.objects.count() + Blob.objects.count() + AnnotationType.objects.count()
    files = [path for folder in ("blobs", "tmp", "imports") for path in (home / folder).rglob("*") if path.is_file()]
    return rows == 0 and not files


def test_class_folders_with_a_split_file_make_two_datasets_of_one_question(run, real_data, project):
    folder = real_data("quickstart/cl_pcb")
    answers = run("pcb", folder, split=folder / "split.csv")
    assert [(answer["dataset"], answer["images"]) for answer in answers] == [("pcb-train", 490), ("pcb-val", 210)]
    assert set(answers[0]["labels"]) == {"copper", "mousebite", "normal", "open", "pin_hole", "short", "spur"}
    assert set(answers[0]["labels"].values()) == {70}
    assert set(answers[1]["labels"].values()) == {30}
    kind = ModelType.objects.get(project=project)
    assert (kind.code, kind.training_type) == ("CL_pcb", "CL")
    assert kind.class_codes() == ["copper", "mousebite", "normal", "open", "pin_hole", "short", "spur"]


def test_voc_with_its_own_splits_makes_three_datasets(run, real_data, project):
    answers = run("bccd", real_data("quickstart/od_bccd"))
    assert [(answer["dataset"], answer["images"]) for answer in answers] == [
        ("bccd-train", 120),
        ("bccd-val", 40),
        ("bccd-test", 40),
    ]
    totals = {code: sum(answer["labels"][code] for answer in answers) for code in ("RBC", "WBC", "Platelets")}
    assert totals == {"RBC": 2287, "WBC": 204, "Platelets": 178}
    assert answers[0]["model_type"] == "OD_bccd"
    assert Image.objects.filter(labelled_od=True).count() == 200


def test_regions_of_one_type_are_judged_by_their_labels(run, real_data):
    answer = run("boards", real_data("quickstart/rc_pcb"), rc_type="PCB_DEFECT", rc_false_label=["ok"])
    assert (answer["images"], answer["labels"]) == (80, {"PCB_DEFECT": 620})
    assert Annotation.objects.filter(verdict=False).count() == 310
    assert Annotation.objects.filter(verdict=True).count() == 310


def test_polygons_are_imported_for_segmentation(run, real_data):
    answer = run("nuclei", real_data("quickstart/seg_nuclei"))
    assert (answer["images"], answer["labels"]) == (100, {"nucleus": 1979})
    assert answer["model_type"] == "SEG_nuclei"


def test_an_archive_is_read_as_the_folder_in_it(run, real_data, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "bccd"), "gztar", real_data("quickstart/od_bccd"))
    assert sum(answer["images"] for answer in run("bccd", archive)) == 200


def test_a_second_import_attaches_to_the_types_that_are_there(run, real_data, project):
    run("one", real_data("quickstart/seg_nuclei"))
    run("two", real_data("quickstart/seg_nuclei"))
    assert AnnotationType.objects.filter(project=project).count() == 1
    assert ModelType.objects.filter(project=project).count() == 1
    assert Blob.objects.count() == 100


def test_a_name_that_is_taken_is_refused_before_anything_is_written(run, folder, project):
    folder.image("ok/a.png")
    Dataset.objects.create(project=project, name="mine")
    with pytest.raises(CommandError, match="mine"):
        run("mine", folder.root)
    assert Image.objects.count() == 0


def test_without_json_the_answer_is_a_line_a_dataset(folder, project):
    folder.image("ok/a.png")
    folder.image("bad/b.png", size=(30, 20))
    out = StringIO()
    call_command("import_dataset", "mine", project=project.code, images=folder.root, stdout=out)
    assert out.getvalue() == "mine: 2 images; bad 1, ok 1\n"


def test_problems_are_counted_on_stdout_and_explained_on_stderr(folder, project):
    for name in ("ok/a.png", "bad/b.png", "Bad/c.png"):
        folder.image(name, size=(30, 20 + ord(name[-5])))
    folder.text("._a.png", "x")
    out, told = StringIO(), StringIO()
    call_command("import_dataset", "mine", project=project.code, images=folder.root, stdout=out, stderr=told)
    assert "problems: system_file 1, label_twice 1" in out.getvalue()
    assert "1 × Labels differ only in capitals, spaces or signs." in told.getvalue()
    assert "(Bad, bad)" in told.getvalue()


def test_a_viewer_may_not_import(run, folder, vera):
    folder.image("ok/a.png")
    with pytest.raises(CommandError, match="Labeller"):
        run("mine", folder.root, user="vera")


def test_a_stranger_does_not_learn_that_the_project_exists(run, folder, charlie):
    with pytest.raises(CommandError, match="no project"):
        run("mine", folder.root, user="charlie")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder.text("a.zip", b""), "no archive"),
        (lambda folder: folder.text("a.zip", b"hello"), "no archive"),
        (lambda folder: folder.text("empty/.keep", b"").parent, "nothing in it"),
        (lambda folder: folder.text("ok/a.png", b"not a picture").parents[1], "None of the 1 images"),
        (lambda folder: folder.json("x.json", {"a": 1}).parent, "No image was found"),
        (lambda folder: folder.root / "missing", "no such file"),
    ],
)
def test_what_cannot_be_imported_is_refused_and_leaves_nothing(run, folder, home, make, message):
    with pytest.raises(CommandError, match=message):
        run("mine", make(folder))
    assert nothing_is_left(home)


def test_labels_of_another_type_than_asked_for_are_refused(run, folder, home):
    folder.image("ok/a.png")
    folder.image("bad/b.png")
    with pytest.raises(CommandError, match="drawn shapes"):
        run("mine", folder.root, rc_type="X")
    assert nothing_is_left(home)
