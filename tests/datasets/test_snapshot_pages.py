"""What a run saw is shown, compared, packed and made a dataset again, whatever became of the data since."""

from __future__ import annotations

import json
import zipfile

import pytest
from django.urls import reverse

from datasets_app import (
    archives,
    deleting,
    importing,
    restoring,
    snapshot_compare,
    snapshot_exporting,
    snapshot_reading,
    snapshots,
)
from datasets_app.blobs import release_unused
from datasets_app.formats import Source
from datasets_app.job_kinds import ExportSnapshot, RestoreSnapshot
from datasets_app.models import Annotation, Blob, Dataset, Image, Snapshot
from jobs.kinds import JobError
from jobs.models import Job, State
from projects_app.models import AnnotationType, Category, ModelType, Project
from tests.parts import import_parts

pytestmark = pytest.mark.django_db
IMAGE = {"dataset": "a", "name": "b", "sha256": "0" * 64, "siblings": {}, "labels": None}  # of a manifest


def silent(percentage: float, sentence: str) -> None:
    """A progress that nobody looks at."""


@pytest.fixture
def take(project, bob, tmp_path):
    """Imports small parts of a training type and takes their snapshot; also the datasets by split."""

    def make(kind: str = "OD") -> tuple[Snapshot, dict[str, Dataset]]:
        sets = import_parts(project, bob, tmp_path / kind, kind)
        image = sets["train"].images.order_by("position").first()
        Image.objects.filter(pk=image.pk).update(data_category="FRONT", meta={"obj_id": "7"})
        model_type = ModelType.objects.get(project=project, training_type=kind)
        return snapshots.take(project, model_type, [sets["train"]], [sets["val"]]), sets

    return make


def page(client, name: str, snapshot: Snapshot, *args, query: str = "") -> str:
    answer = client.get(reverse(f"datasets:{name}", args=["valves", snapshot.pk, *args]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def content(dataset: Dataset) -> list:
    return [
        (
            image.name, image.blob_id, image.width, image.height, image.phash, image.data_category, image.meta,
            image.labelled_cl, image.labelled_rc, image.labelled_od, image.labelled_seg,
            sorted(
                (str(one.annotation_type or "ROI"), str(one.category or ""), str(one.verdict), one.kind,
                 json.dumps(one.points), one.score, one.is_generated, one.is_roi)
                for one in image.annotations.all()
            ),
        )
        for image in dataset.images.order_by("name")
    ]  # fmt: skip


def restored(snapshot: Snapshot, which: str, name: str, user) -> Dataset:
    job = restoring.start(snapshot, snapshot_reading.read(snapshot), which, name, user)
    RestoreSnapshot().run(job, silent)
    RestoreSnapshot().run(job, silent)  # cut off after its end, it runs once more
    return Dataset.objects.get(name=name)


# --- seen ----------------------------------------------------------------------------------------------------------
def test_a_snapshot_shows_what_was_seen_after_its_dataset_is_gone(take, client_of, vera):
    snapshot, sets = take()
    sha256 = sets["train"].images.first().blob_id
    for dataset in sets.values():
        deleting.delete(dataset)
    client = client_of(vera)
    shown = page(client, "snapshot", snapshot)
    assert shown.count('class="tile"') == 8
    assert "not there any more" in shown
    assert snapshot.sha256 in shown
    for name in ("snapshot_thumb", "snapshot_file"):
        answer = client.get(reverse(f"datasets:{name}", args=["valves", snapshot.pk, sha256]))
        assert answer.status_code == 200
        assert b"".join(answer.streaming_content)
    one = page(client, "snapshot_image", snapshot, "train", 1)
    assert "<polygon" in one
    assert "2 of 4" in one


def test_the_gallery_of_a_snapshot_is_filtered_by_set_label_and_name(take, client_of, vera):
    snapshot, _sets = take()
    client = client_of(vera)
    assert page(client, "snapshot", snapshot, query="?set=train").count('class="tile"') == 4
    assert page(client, "snapshot", snapshot, query="?label=BAD").count('class="tile"') == 4
    assert page(client, "snapshot", snapshot, query="?q=good-1").count('class="tile"') == 2
    assert "Nothing matches these filters" in page(client, "snapshot", snapshot, query="?label=-")


def test_a_colour_that_was_chosen_is_that_of_the_snapshot_too(take, client_of, vera):
    snapshot, _sets = take()
    AnnotationType.objects.filter(code="BAD").update(colour="violet")
    shown = page(client_of(vera), "snapshot", snapshot)
    assert "label-swatch label-4" in shown
    assert "shape label-4" in shown
    assert "shape label-1" not in shown


def test_pictures_go_with_the_last_snapshot_that_holds_them(take):
    snapshot, sets = take()
    hashes = {*importing.hashes_of(sets.values()), snapshot.manifest_id, snapshot.details_id}
    for dataset in sets.values():
        deleting.delete(dataset)
    assert Blob.objects.filter(pk__in=hashes).count() == len(hashes)
    release_unused(snapshots.drop_unused(snapshot))
    assert not Blob.objects.filter(pk__in=hashes).exists()
    assert not any(Blob(sha256=one).path.exists() for one in hashes)


def test_a_hash_out_of_another_project_opens_nothing(take, client_of, bob, vera):
    """The manifest that comes with a model may name any picture; held are those of its own project alone."""
    snapshot, _sets = take()
    sha256 = snapshot.files.first().blob_id
    other = Project.objects.create(code="other", name="Other")
    other.memberships.create(user=vera, role="viewer")
    adopted = snapshots.adopt(other, snapshot.manifest.path.read_bytes())
    client = client_of(vera)
    for name in ("snapshot_thumb", "snapshot_file"):
        assert client.get(reverse(f"datasets:{name}", args=["other", adopted.pk, sha256])).status_code == 404
    shown = client.get(reverse("datasets:snapshot", args=["other", adopted.pk])).content.decode()
    assert "The picture is not here." in shown
    with pytest.raises(restoring.RestoreRefused, match="None of its pictures is here"):
        restoring.preview(adopted, snapshot_reading.read(adopted), "train")


@pytest.mark.parametrize(
    "change",
    [
        {"train": 7},
        {"classes": [1]},
        {"training_type": "XX"},
        {"train": [IMAGE | {"sha256": "../../x"}]},
        {"train": [IMAGE | {"labels": [["c", "", None, "", [[1]]]]}]},
        {"train": [IMAGE | {"labels": [["c", "", None, "rectangle", [[1, 1], [2, "9"]]]]}]},
    ],
)  # fmt: skip
def test_a_manifest_from_elsewhere_is_looked_at_before_it_is_kept(project, take, change):
    snapshot, _sets = take()
    found = json.loads(snapshot.manifest.path.read_bytes()) | change
    assert snapshots.adopt(project, json.dumps(found).encode()) is None
    assert Snapshot.objects.count() == 1


def test_the_list_leads_to_each_snapshot(take, client_of, vera):
    snapshot, _sets = take()
    listed = client_of(vera).get(reverse("datasets:snapshots", args=["valves"])).content.decode()
    assert snapshot.get_absolute_url() in listed


# --- compared ------------------------------------------------------------------------------------------------------
def test_a_snapshot_beside_its_datasets_of_now_names_what_changed(take, client_of, vera, project):
    snapshot, sets = take()
    first, second, third, _fourth = sets["train"].images.order_by("name")
    Annotation.objects.filter(image=first).update(annotation_type=AnnotationType.objects.get(code="GOOD"))
    second.annotations.all().delete()
    third.delete()
    Dataset.objects.filter(pk=sets["train"].pk).update(name="renamed")
    contents = snapshot_reading.read(snapshot)
    found = snapshot_compare.compare(project, contents, snapshot_compare.as_now(project, contents))
    assert (found.totals, found.same) == ({"labels": 2, "removed": 1}, 5)
    assert (found.changes[0].gone, found.changes[0].new) == (("BAD",), ("GOOD",))
    counts = {row.text: row.train for row in found.counts}
    assert counts == {"GOOD": (2, 2), "BAD": (2, 0)}
    shown = page(client_of(vera), "snapshot_compare", snapshot)
    assert "3 images differ, 5 are the same." in shown
    assert shown.count("snapshot-words") == 3
    assert page(client_of(vera), "snapshot_compare", snapshot, query="?kind=removed").count("snapshot-words") == 1


def test_two_snapshots_are_compared_and_moved_images_are_told_from_new_ones(take, client_of, vera, project):
    first, sets = take("CL")
    image = sets["train"].images.order_by("name").first()
    Image.objects.filter(pk=image.pk).update(name="elsewhere.png")
    second = snapshots.take(project, ModelType.objects.get(), [sets["train"]], [sets["val"]])
    found = snapshot_compare.compare(project, *(snapshot_reading.read(one) for one in (first, second)))
    assert found.totals == {"moved": 1}
    chosen = f"{reverse('datasets:snapshots_compare', args=['valves'])}?snapshot={second.pk}&snapshot={first.pk}"
    shown = client_of(vera).get(chosen, follow=True).content.decode()
    assert "1 image differs, 7 are the same." in shown
    same = page(client_of(vera), "snapshot_compare", first, query=f"?with={first.pk}")
    assert "Nothing differs: 8 images are the same" in same


def test_what_cannot_be_compared_is_said(take, client_of, vera):
    snapshot, sets = take()
    deleting.delete(sets["train"])
    assert "“parts-train” is not there any more" in page(client_of(vera), "snapshot_compare", snapshot)
    deleting.delete(sets["val"])
    assert "None of its datasets is there any more." in page(client_of(vera), "snapshot_compare", snapshot)


# --- restored ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", ["CL", "RC", "OD", "SEG"])
def test_a_restored_dataset_is_what_it_was(take, bob, kind):
    snapshot, sets = take(kind)
    was = content(sets["train"])
    for dataset in sets.values():
        deleting.delete(dataset)
    again = restored(snapshot, "train", "again", bob)
    assert content(again) == was
    assert (again.split, again.format) == ("train", "snapshot")
    assert Dataset.objects.count() == 1


def test_scores_siblings_and_regions_of_interest_come_back(project, bob, folder):
    folder.image("p_A.png")
    folder.image("p_X.png", size=(30, 20))
    box = {"label": "crack", "shape_type": "rectangle", "points": [[1, 1], [20, 20]]}
    roi = {"label": "", "shape_type": "rectangle", "points": [[0, 0], [60, 60]], "isroi": True}
    folder.json("p_A.json", {"imagePath": "p_A.png", "shapes": [box, {**box, "isgenerated": True, "score": 0.5}, roi]})
    options = importing.Options(image_types=("_A.png", "_X.png"))
    reading = importing.read(folder.source, options)
    plan = importing.propose(project, "mine", reading, options)
    dataset = importing.commit(project, bob, folder.source, reading, plan)[0]
    snapshot = snapshots.take(project, ModelType.objects.get(), [dataset])
    again = restored(snapshot, "train", "again", bob)
    assert content(again) == content(dataset)
    assert [(one.suffix, one.name) for one in again.images.get().siblings.all()] == [("_X.png", "p_X.png")]


def test_types_and_categories_that_are_gone_are_made_again(take, bob, client_of):
    snapshot, sets = take("CL")
    for dataset in sets.values():
        deleting.delete(dataset)
    Category.objects.filter(code="BAD").delete()
    shown = page(client_of(bob), "snapshot_restore", snapshot)
    assert "made again, behind the others: parts: BAD" in shown
    again = restored(snapshot, "both", "again", bob)
    assert list(Category.objects.order_by("position").values_list("code", flat=True)) == ["GOOD", "BAD"]
    assert again.label_counts()[1]["code"] == "BAD"
    assert again.images.count() == 8


def test_a_code_that_means_something_else_by_now_refuses_the_restoration(take, bob, client_of, project):
    snapshot, sets = take("OD")
    for dataset in sets.values():
        deleting.delete(dataset)
    ModelType.objects.all().delete()
    AnnotationType.objects.filter(code="BAD").update(training_type="SEG")
    shown = page(client_of(bob), "snapshot_restore", snapshot)
    assert "“BAD” is a label of Segmentation by now, and was one of Object detection" in shown
    url = reverse("datasets:snapshot_restore", args=["valves", snapshot.pk])
    assert client_of(bob).post(url, {"set": "train", "name": "x"}).status_code == 200
    assert not Job.objects.exists()


def test_the_page_proposes_a_free_name_and_keeps_what_was_typed(take, bob, client_of):
    snapshot, sets = take()
    url = reverse("datasets:snapshot_restore", args=["valves", snapshot.pk])
    client = client_of(bob)
    assert f"parts-train-{snapshot.sha256[:8]}" in client.get(url).content.decode()
    refused = client.post(url, {"set": "train", "name": sets["val"].name})
    assert refused.status_code == 422
    assert "There is a dataset “parts-val” already." in refused.content.decode()
    started = client.post(url, {"set": "validation", "name": "mine again"})
    job = Job.objects.get()
    assert started.url == job.get_absolute_url()
    RestoreSnapshot().run(job, silent)
    job.refresh_from_db()
    assert RestoreSnapshot().subject(job)[0] == "mine again"


# --- packed --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "format"), [("CL", "folders"), ("CL", "original"), ("OD", "coco"), ("OD", "yolo"), ("SEG", "labelme_json"),
                         ("RC", "original"), ("RC", "coco")],
)  # fmt: skip
def test_a_packed_snapshot_comes_in_again_as_the_same_sets(take, project, bob, kind, format):
    snapshot, sets = take(kind)
    was = {dataset.split: sorted((row[1], row[-1]) for row in content(dataset)) for dataset in sets.values()}
    for dataset in sets.values():
        deleting.delete(dataset)
    job = snapshot_exporting.start(snapshot, snapshot_reading.read(snapshot), format, bob)
    ExportSnapshot().run(job, silent)
    with importing.opened(archives.Export(job).path) as unpacked:
        source, options = Source(unpacked), importing.Options(training_type="" if format == "original" else kind)
        reading = importing.read(source, options)
        plan = importing.propose(project, "again", reading, options)
        again = importing.commit(project, bob, source, reading, plan)
    assert {one.split for one in again} == {"train", "val"}
    found = {dataset.split: sorted((row[1], row[-1]) for row in content(dataset)) for dataset in again}
    codes = {split: [(sha, [label[:3] for label in labels]) for sha, labels in rows] for split, rows in found.items()}
    expected = {split: [(sha, [label[:3] for label in labels]) for sha, labels in rows] for split, rows in was.items()}
    if format == "folders":  # its question is called after the dataset
        codes, expected = (
            {s: [(sha, [one[1] for one in ls]) for sha, ls in rows] for s, rows in x.items()} for x in (codes, expected)
        )
    assert codes == expected


def test_the_page_of_exports_says_what_is_lost_starts_a_job_and_hands_it_out(take, bob, client_of):
    snapshot, _sets = take("RC")
    client, url = client_of(bob), reverse("datasets:snapshot_export", args=["valves", snapshot.pk])
    shown = client.get(url).content.decode()
    assert "Verdicts are lost" in shown
    assert "no place for labels of Region classification" in shown
    client.post(url, {"format": "coco"})
    client.post(url, {"format": "coco"})
    job = Job.objects.get()
    assert "every 2s" in client.get(url, headers={"hx-request": "true"}).content.decode()
    ExportSnapshot().run(job, silent)
    Job.objects.update(state=State.SUCCEEDED)
    answer = client.get(reverse("datasets:snapshot_download", args=["valves", snapshot.pk, job.pk]))
    assert answer["Content-Disposition"].endswith(f'snapshot-{snapshot}-coco.zip"')
    assert b"".join(answer.streaming_content)[:2] == b"PK"


def test_names_out_of_a_manifest_lead_nowhere(take, project, bob, tmp_path):
    snapshot, _sets = take("OD")
    found = json.loads(snapshot.manifest.path.read_bytes())
    for split in ("train", "validation"):
        for n, image in enumerate(found[split]):
            image |= {"name": f"../../{split}/\n{n}.png", "dataset": ".."}
    adopted = snapshots.adopt(project, json.dumps(found).encode())
    snapshot_exporting.write(adopted, snapshot_reading.read(adopted), "coco", tmp_path / "out.zip", silent)
    assert not [name for name in zipfile.ZipFile(tmp_path / "out.zip").namelist() if ".." in name or "\n" in name]
    again = restored(adopted, "train", "again", bob)
    assert [image.name for image in again.images.order_by("name")] == [f"train/_{n}.png" for n in range(4)]


def test_a_snapshot_that_is_gone_ends_its_jobs_in_words(take, bob):
    snapshot, _sets = take()
    contents = snapshot_reading.read(snapshot)
    jobs = [
        restoring.start(snapshot, contents, "train", "x", bob),
        snapshot_exporting.start(snapshot, contents, "coco", bob),
    ]
    snapshots.drop_unused(snapshot)
    for job, kind in zip(jobs, (RestoreSnapshot(), ExportSnapshot()), strict=True):
        with pytest.raises(JobError, match="The snapshot is gone"):
            kind.run(job, silent)
        assert kind.subject(job) is None


def test_the_archives_of_a_snapshot_go_with_it(take, bob, django_capture_on_commit_callbacks):
    snapshot, _sets = take()
    job = snapshot_exporting.start(snapshot, snapshot_reading.read(snapshot), "coco", bob)
    ExportSnapshot().run(job, silent)
    assert archives.Export(job).path.is_file()
    with django_capture_on_commit_callbacks(execute=True):
        snapshots.drop_unused(snapshot)
    assert not archives.Export(job).path.parent.exists()
