"""What can be done with a dataset: clone it, freeze it, remove chosen images, add those of another one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from PIL import Image as Pillow

from datasets_app import appending, changing, cloning, deleting, deriving, removing, reviewing
from datasets_app.appending import ADD, LEAVE, Choices
from datasets_app.changing import ChangeRefused, Frozen
from datasets_app.deriving import Part
from datasets_app.drafts import plan_of
from datasets_app.job_kinds import ImportDataset
from datasets_app.models import Annotation, Blob, Dataset, Image, ImageFile, ImportDraft
from jobs.kinds import JobError
from jobs.models import Job
from projects_app.models import AnnotationType, ModelType
from tests.parts import import_parts

pytestmark = pytest.mark.django_db


@pytest.fixture
def parts(project, bob, tmp_path):
    """For OD: `parts-train` and `parts-val`, four images each, told apart by number."""
    found = import_parts(project, bob, tmp_path / "parts-source", "OD")
    for dataset in found.values():
        for image in dataset.images.all():
            image.meta, image.data_category = {"obj_id": f"P{image.position}"}, "FRONT"
            image.save()
    first = found["train"].images.first()
    blob = found["val"].images.first().blob
    ImageFile.objects.create(image=first, suffix="_X.png", name="train/first_X.png", blob=blob)
    Annotation.objects.create(image=first, kind="rectangle", points=[[0, 0], [9, 9]], is_roi=True)
    return found


def url(name, dataset, query=""):
    return reverse(f"datasets:{name}", args=["valves", dataset.pk]) + query


def contents(dataset) -> list[tuple]:
    """All that a dataset says of its images, without its own ids."""
    found = []
    for image in dataset.images.all():
        labels = [
            (one.annotation_type_id, one.category_id, one.verdict, one.kind, one.points, one.score, one.is_roi)
            for one in image.annotations.order_by("pk")
        ]
        siblings = [(one.suffix, one.name, one.blob_id) for one in image.siblings.all()]
        flags = (image.labelled_od, image.labelled_cl, image.needs_review, image.phash, image.width, image.height)
        found.append((image.name, image.blob_id, image.meta, image.data_category, flags, siblings, labels))
    return found


# --- clone ---
def test_a_clone_has_everything_and_no_new_bytes(parts, bob):
    dataset, blobs = parts["train"], Blob.objects.count()
    Image.objects.filter(pk=dataset.images.last().pk).update(needs_review=True)
    made = cloning.clone(dataset, "copy", bob)
    assert contents(made) == contents(dataset)
    assert made.images.get(name="train/GOOD-0.png").siblings.get().suffix == "_X.png"
    assert (made.cloned_from, made.split, made.format) == (dataset, dataset.split, dataset.format)
    assert Blob.objects.count() == blobs


def test_a_name_for_a_clone_is_proposed_and_one_that_is_taken_is_refused(parts, bob, client_of):
    dataset, client = parts["train"], client_of(bob)
    proposed = client.get(url("clone", dataset)).context["form"]["name"].value()
    made = Dataset.objects.get(pk=client.post(url("clone", dataset), {"name": proposed}).url.rstrip("/").split("/")[-1])
    assert (proposed, made.name, cloning.free_name(made)) == ("parts-train.1", "parts-train.1", "parts-train.2")
    answer = client.post(url("clone", dataset), {"name": "parts-val"})
    assert answer.status_code == 422
    assert "There is a dataset “parts-val” already" in answer.content.decode()
    assert Dataset.objects.count() == 3


def test_what_changes_in_a_clone_does_not_change_the_original(parts, bob):
    dataset = parts["train"]
    before, made = contents(dataset), cloning.clone(dataset, "copy", bob)
    removing.remove(made, [made.images.first().pk])
    assert (contents(dataset), made.images.count()) == (before, 3)
    assert all(image.blob.path.is_file() for image in dataset.images.all())


def test_cloning_asks_the_database_as_often_for_many_images(parts, bob, django_assert_max_num_queries):
    with django_assert_max_num_queries(15):
        cloning.clone(parts["train"], "copy", bob)


# --- freeze ---
def test_nothing_changes_a_frozen_dataset(parts, bob, client_of):
    dataset, client = parts["train"], client_of(bob)
    client.post(url("freeze", dataset))
    before = contents(dataset)
    image = dataset.images.first()
    Image.objects.filter(pk=image.pk).update(needs_review=True)
    table = SimpleUploadedFile("m.csv", b"file,x\ntrain/GOOD-0.png,1\n")
    for verb, data in (
        ("edit", {"name": "new", "description": ""}),
        ("delete", {}),
        ("remove", {"image": image.pk, "sure": "1"}),
        ("append", {"source": parts["val"].pk, "same": ADD, "taken": ADD}),
        ("meta", {"table": table}),
    ):
        answer = client.post(url(verb, dataset), data, follow=True).content.decode()
        assert "“parts-train” is frozen: nothing can change it" in answer, verb
    decide = reverse("datasets:review_decide", args=["valves", dataset.pk, image.pk])
    assert "is frozen" in client.post(decide, {"act": "accept"}, follow=True).content.decode()
    with pytest.raises(Frozen):
        reviewing.decide(image, {}, bob)
    with pytest.raises(Frozen):
        deleting.delete(dataset)
    dataset.refresh_from_db()
    assert (contents(dataset)[1:], dataset.name, dataset.frozen_by) == (before[1:], "parts-train", bob)
    assert not cloning.clone(dataset, "copy", bob).frozen_at


def test_only_a_manager_lifts_a_freeze(parts, bob, alice, client_of):
    dataset = parts["train"]
    changing.freeze(dataset, bob)
    assert client_of(bob).post(url("lift", dataset)).status_code == 403
    page = client_of(bob).get(dataset.get_absolute_url()).content.decode()
    assert "Frozen: only a manager can lift that." in page
    assert 'name="image"' not in page
    client_of(alice).post(url("lift", dataset))
    dataset.refresh_from_db()
    assert dataset.frozen_at is None
    changing.hold(dataset)


def test_the_admin_does_not_rename_what_is_frozen(parts, bob, admin_user, client_of):
    dataset, client = parts["train"], client_of(admin_user)
    address = reverse("admin:datasets_app_dataset_change", args=[dataset.pk])
    changing.freeze(dataset, bob)
    client.post(address, {"name": "renamed", "description": ""})
    dataset.refresh_from_db()
    assert dataset.name == "parts-train"
    changing.lift(dataset)
    client.post(address, {"name": "renamed", "description": ""})
    dataset.refresh_from_db()
    assert dataset.name == "renamed"


# --- remove ---
def test_chosen_images_go_with_their_bytes(parts, bob, client_of):
    dataset, client = parts["train"], client_of(bob)
    client.get(dataset.get_absolute_url())
    first, second = dataset.images.all()[:2]
    paths = [first.blob.path, second.blob.path]
    asked = client.post(url("remove", dataset), {"image": [first.pk, second.pk]}).content.decode()
    assert "2 of 4 images" in asked
    assert "Remove 2 images" in asked
    assert dataset.images.count() == 4
    client.post(url("remove", dataset), {"image": [first.pk, second.pk], "sure": "2"})
    assert dataset.images.count() == 2
    assert not any(path.exists() for path in paths)
    kept = parts["val"].images.first().blob  # a sibling of the first one, and an image of another dataset
    assert kept.path.is_file()
    dataset.refresh_from_db()
    assert sum(row["count"] for row in dataset.label_counts()) == 2


def test_all_that_the_filter_finds_goes_when_the_number_is_still_right(parts, bob, client_of):
    dataset, client = parts["train"], client_of(bob)
    query = "?all=1&q=GOOD"
    page = client.get(dataset.get_absolute_url() + "?q=GOOD").content.decode()
    assert "Remove all that the filter finds (2)" in page
    assert "2 of 4 images" in client.get(url("remove", dataset, query)).content.decode()
    client.post(url("remove", dataset, query), {"sure": "3"})
    assert dataset.images.count() == 4, "the page named another number"
    client.post(url("remove", dataset, query), {"sure": "2"})
    assert list(dataset.images.values_list("name", flat=True)) == ["train/BAD-0.png", "train/BAD-1.png"]


def test_images_of_another_dataset_cannot_be_removed_from_here(parts, bob, client_of):
    other = parts["val"].images.first()
    answer = client_of(bob).post(url("remove", parts["train"]), {"image": [other.pk, "x"], "sure": "1"}, follow=True)
    assert "No image was chosen" in answer.content.decode()
    assert parts["val"].images.count() == 4


def test_an_image_that_a_report_shows_stays(parts, monkeypatch):
    dataset = parts["train"]
    holder = deleting.Dependant("validation", "m: validation", "/v/1/")
    monkeypatch.setattr(removing, "_asked", [lambda dataset, images: [holder]])
    with pytest.raises(removing.Held, match="shown by: validation “m: validation”"):
        removing.remove(dataset, [dataset.images.first().pk])
    assert dataset.images.count() == 4


# --- append ---
def test_the_images_of_another_dataset_join(parts):
    dataset, other = parts["train"], parts["val"]
    before, coming = contents(dataset), contents(other)
    done = appending.append(dataset, other, Choices())
    assert (done.added, done.same, done.taken, done.left) == (4, 0, 0, 0)
    assert contents(dataset) == before + coming
    assert contents(other) == coming


@pytest.mark.parametrize(
    ("choices", "added"),
    [(Choices(LEAVE, ADD), ["copy/train/GOOD-0.png"]), (Choices(LEAVE, LEAVE), []), (Choices(ADD, LEAVE), [])],
)
def test_names_and_pictures_that_are_there_are_dealt_with_as_chosen(parts, bob, choices, added):
    """A clone: three pictures that are there under their names, and one whose name another picture has."""
    dataset = parts["train"]
    copy = cloning.clone(dataset, "copy", bob)
    changed = copy.images.get(name="train/GOOD-0.png")
    changed.blob = parts["val"].images.last().blob
    changed.save()
    found = appending.plan(dataset, copy, choices)
    assert (found.images, found.same, found.names) == (4, 3, found.names)
    before = dataset.images.count()
    if not added:
        with pytest.raises(ChangeRefused, match="Nothing would be added"):
            appending.append(dataset, copy, choices)
        assert dataset.images.count() == before
        return
    appending.append(dataset, copy, choices)
    assert list(dataset.images.values_list("name", flat=True))[before:] == added
    assert dataset.images.last().siblings.get().name == "copy/train/first_X.png"


def test_what_is_added_once_more_gets_a_folder_that_is_free(parts, bob):
    dataset = parts["train"]
    copy = cloning.clone(dataset, "copy", bob)
    for folder in ("copy/", "copy.1/"):
        done = appending.append(dataset, copy, Choices(ADD, ADD))
        assert (done.folder, done.added, done.taken) == (folder, 4, 4)
    assert dataset.images.count() == 12


def test_the_page_shows_what_would_come_of_it_before_it_adds(parts, bob, client_of):
    dataset, client = parts["train"], client_of(bob)
    data = {"source": parts["val"].pk, "same": LEAVE, "taken": ADD}
    page = client.get(url("append", dataset), data)
    assert page.context["plan"].added == 4
    assert "Add 4 images" in page.content.decode()
    assert dataset.images.count() == 4
    answer = client.post(url("append", dataset), data, follow=True)
    assert "Added 4 images." in answer.content.decode()
    itself = client.get(url("append", dataset), data | {"source": dataset.pk})
    assert itself.context["form"].errors["source"]


def test_labels_that_only_compare_do_not_become_labels_to_learn_from(parts, project, bob):
    """A result of a validation holds a model's labels beside those of people: only these join another dataset."""
    other = parts["val"]
    rows = []
    for image in other.images.all():
        label = image.annotations.get()
        label.pk = None
        own = Annotation(annotation_type=label.annotation_type, kind="rectangle", points=[[1, 1], [5, 5]])
        own.is_generated, own.score = True, 0.9
        rows.append(Part(f"compared/{image.name}", image, labels=[label, own], is_labelled=True))
    compared = deriving.make(project, bob, "compared", rows, "OD", made_as="validation", compares=True)
    appending.append(parts["train"], compared, Choices(ADD, ADD))
    assert not Annotation.objects.filter(image__dataset=parts["train"], is_generated=True).exists()
    assert parts["train"].images.filter(name__startswith="compared/", labelled_od=True).count() == 4
    with pytest.raises(ChangeRefused, match="compares a model"):
        appending.append(compared, parts["train"], Choices())


# --- append an upload ---
@pytest.fixture
def upload(parts, bob, client_of, folder):
    """Sends two images with a box each: one has a name that is there already; one a label that nobody knew."""
    for name, shade, label in (("train/GOOD-0.png", 77, "GOOD"), ("fresh.png", 88, "SCRATCH")):
        Pillow.new("L", (100, 80), shade).save(folder._path(name))
        shape = {"label": label, "shape_type": "rectangle", "points": [[1, 2], [30, 40]]}
        folder.json(name.replace(".png", ".json"), {"imagePath": name, "shapes": [shape], "imageData": None})
    path = Path(shutil.make_archive(str(folder.root.parent / "packed"), "zip", folder.root))
    client = client_of(bob)

    def send(dataset, **choices) -> tuple:
        archive = SimpleUploadedFile("new parts.zip", path.read_bytes())
        address = reverse("datasets:import", args=["valves"]) + f"?into={dataset.pk}"
        page = client.post(address, {"images": archive}).url
        draft = ImportDraft.objects.get()
        plan = plan_of(draft)
        fields = {"model_type": "+", "model_type-code": plan.model_type} | choices
        for number, label in enumerate(plan.labels):
            fields |= {f"becomes-{number}": "+", f"code-{number}": label.code}
        shown = client.get(page).content.decode()
        answer = client.post(page, fields)
        assert answer.status_code == 302, answer.content.decode()
        return Job.objects.get(kind="import_dataset"), shown

    return send


def run(job: Job) -> str:
    said = []
    ImportDataset().run(job, lambda percentage, sentence: said.append(sentence))
    return said[-1]


def test_an_upload_joins_a_dataset(upload, parts, project):
    dataset = parts["train"]
    before = contents(dataset)
    job, shown = upload(dataset)
    assert "Add to “parts-train”" in shown
    assert ImportDataset().subject(job)
    assert run(job) == "2 images added, 0 left out"
    assert contents(dataset)[:4] == before
    assert list(dataset.images.values_list("name", flat=True))[4:] == ["fresh.png", "new parts/train/GOOD-0.png"]
    codes = set(Annotation.objects.filter(image__dataset=dataset, is_roi=False).values_list("annotation_type__code"))
    assert codes == {("GOOD",), ("BAD",), ("SCRATCH",)}
    assert AnnotationType.objects.filter(project=project).count() == 3
    assert set(ModelType.objects.filter(project=project).values_list("name", flat=True)) <= {"parts", "parts-train"}
    assert (Dataset.objects.count(), ImportDraft.objects.count()) == (2, 0)
    dataset.refresh_from_db()
    assert dataset.problems["joined_taken"] == 1


def test_an_upload_leaves_out_what_was_chosen_and_no_file_of_it(upload, parts, home):
    dataset = parts["train"]
    job, _shown = upload(dataset, taken=LEAVE)
    assert run(job) == "1 images added, 1 left out"
    assert dataset.images.last().name == "fresh.png"
    dataset.refresh_from_db()
    assert dataset.problems["joined_taken_left"] == 1
    files = {path.name for path in (home / "blobs").rglob("*") if path.is_file()}
    assert files == set(Blob.objects.values_list("pk", flat=True))


def test_an_upload_that_meets_a_frozen_dataset_changes_nothing(upload, parts, bob):
    dataset = parts["train"]
    job, _shown = upload(dataset)
    changing.freeze(dataset, bob)
    blobs = Blob.objects.count()
    with pytest.raises(JobError, match="is frozen"):
        run(job)
    assert (dataset.images.count(), Dataset.objects.count(), Blob.objects.count()) == (4, 2, blobs)
    assert ImportDraft.objects.exists()
