"""Datasets on the page: the list, the gallery with labels drawn over the images, one image, deletion."""

from __future__ import annotations

import pytest
from django.db.models.signals import pre_save
from django.urls import reverse
from PIL import Image as Pillow

from datasets_app import importing
from datasets_app.models import Annotation, Blob, Dataset, Image
from datasets_app.records import ImageRecord, Reading, Shape

pytestmark = pytest.mark.django_db
BOX = Shape("dent", "rectangle", ((10, 20), (60, 70)))


def bring_in(project, user, folder, reading, name="mine", **options):
    plan = importing.propose(project, name, reading, importing.Options(**options))
    return importing.commit(project, user, folder.source, reading, plan)[0]


@pytest.fixture
def dataset(project, bob, folder):
    """Three images for OD: one with a box, one looked at and empty, one nobody looked at."""
    for number in range(3):
        folder.image(f"{number}.png", size=(100, 80 + number))
    records = (
        ImageRecord("0.png", shapes=(BOX,), labelled=True),
        ImageRecord("1.png", labelled=True),
        ImageRecord("2.png"),
    )
    return bring_in(project, bob, folder, Reading("coco", records, ("dent",)))


def url(name, *args):
    return reverse(f"datasets:{name}", args=["valves", *args])


def names(response) -> list[str]:
    return [tile.image.name for tile in response.context["tiles"]]


def test_an_empty_project_says_the_first_step(client_of, bob):
    assert "No datasets yet" in client_of(bob).get(url("list")).content.decode()


def test_the_list_counts_images_and_labels(client_of, vera, dataset):
    (row,) = client_of(vera).get(url("list")).context["page"]
    assert (row.image_count, row.labelled_count, row.label_count, row.training_types) == (3, 2, 1, ["OD"])


def test_the_list_asks_as_often_for_many_datasets_as_for_one(
    client_of, vera, dataset, project, django_assert_max_num_queries
):
    Dataset.objects.bulk_create(Dataset(project=project, name=f"set {number:03}") for number in range(400))
    client = client_of(vera)
    with django_assert_max_num_queries(10):
        page = client.get(url("list"), {"size": "100", "sort": "-images"}).context["page"]
    assert (page.paginator.count, page[0].name) == (401, "mine")


@pytest.mark.parametrize(
    ("query", "found"),
    [({"q": "min"}, 1), ({"q": "nothing"}, 0), ({"type": "OD"}, 1), ({"type": "CL"}, 0), ({"split": "train"}, 0)],
)
def test_the_list_is_filtered_by_the_address(client_of, vera, dataset, query, found):
    assert len(client_of(vera).get(url("list"), query).context["page"]) == found


def test_labels_are_drawn_over_the_images(client_of, vera, dataset):
    page = client_of(vera).get(dataset.get_absolute_url()).content.decode()
    assert 'points="10,20 60,20 60,70 10,70"' in page
    assert "Labelled, nothing in it" in page
    assert "Not labelled" in page
    assert "style=" not in page.split("<main", 1)[1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"label": "dent"}, ["0.png"]),
        ({"labelled": "no"}, ["2.png"]),
        ({"labelled": "yes"}, ["0.png", "1.png"]),
        ({"q": "1"}, ["1.png"]),
        ({"label": "nonsense:true"}, []),
    ],
)
def test_the_gallery_is_filtered(client_of, vera, dataset, query, found):
    assert names(client_of(vera).get(dataset.get_absolute_url(), query)) == found


def test_what_is_counted_once_is_counted_anew_after_a_change(client_of, vera, dataset):
    client, address = client_of(vera), url("detail", dataset.pk)
    assert client.get(address).context["unlabelled_count"] == 1
    Image.objects.filter(name="2.png").update(labelled_od=True)
    dataset.labels_changed()
    found = client.get(address).context
    assert (found["unlabelled_count"], [count for _kind, count in found["labelled_types"]]) == (0, [3])
    Image.objects.filter(name="2.png").delete()
    assert client.get(address).context["image_count"] == 2


def test_an_image_has_its_neighbours_and_labels(client_of, vera, dataset):
    middle = dataset.images.get(name="1.png")
    page = client_of(vera).get(url("image", dataset.pk, middle.pk))
    assert (page.context["previous"], page.context["next"]) == (middle.pk - 1, middle.pk + 1)
    assert "a real, empty sample" in page.content.decode()


def test_the_original_is_served_as_it_came_and_cached(client_of, vera, dataset, folder):
    image = dataset.images.get(name="0.png")
    response = client_of(vera).get(url("file", image.pk))
    assert b"".join(response.streaming_content) == (folder.root / "0.png").read_bytes()
    assert (response["Content-Type"], response["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert "private" in response["Cache-Control"]
    again = client_of(vera).get(url("file", image.pk), headers={"If-None-Match": response["ETag"]})
    assert again.status_code == 304


def test_a_thumbnail_is_small_and_made_once(client_of, vera, project, bob, folder, home):
    folder.image("big.png", size=(1000, 500))
    dataset = bring_in(project, bob, folder, Reading("folders", (ImageRecord("big.png"),), ()))
    for _again in range(2):
        response = client_of(vera).get(url("thumb", dataset.images.get().pk))
        assert response.status_code == 200
        b"".join(response.streaming_content)
    (made,) = (home / "thumbs").rglob("*.jpg")
    assert Pillow.open(made).size == (320, 160)


def test_sizes_are_those_of_the_image_as_it_is_seen(project, bob, folder):
    exif = Pillow.Exif()
    exif[0x0112] = 6
    folder.image("turned.jpg", size=(100, 80), exif=exif)
    dataset = bring_in(project, bob, folder, Reading("folders", (ImageRecord("turned.jpg"),), ()))
    image = dataset.images.get()
    assert (image.width, image.height, len(image.phash)) == (80, 100, 16)


def test_a_dataset_gets_another_name_and_not_a_taken_one(client_of, bob, dataset, project):
    Dataset.objects.create(project=project, name="taken")
    assert client_of(bob).post(url("edit", dataset.pk), {"name": "taken"}).status_code == 422
    client_of(bob).post(url("edit", dataset.pk), {"name": "better", "description": "front"})
    dataset.refresh_from_db()
    assert (dataset.name, dataset.description) == ("better", "front")


def test_another_name_does_not_undo_what_somebody_does_with_the_labels_meanwhile(client_of, bob, dataset):
    assert [row["count"] for row in dataset.label_counts()] == [1]

    def meanwhile(instance: Dataset, **_kwargs: object) -> None:
        Annotation.objects.filter(image__dataset=instance).delete()
        Dataset.objects.get(pk=instance.pk).labels_changed()

    pre_save.connect(meanwhile, sender=Dataset)
    try:
        client_of(bob).post(url("edit", dataset.pk), {"name": "better", "description": "front"})
    finally:
        pre_save.disconnect(meanwhile, sender=Dataset)
    now = Dataset.objects.get(pk=dataset.pk)
    assert (now.name, now.description) == ("better", "front")
    assert (now.label_version, now.label_counts()) == (dataset.label_version + 1, [])


def test_deleting_frees_the_bytes_that_nobody_else_uses(client_of, bob, project, dataset, folder, home):
    other = bring_in(project, bob, folder, Reading("folders", (ImageRecord("0.png"),), ()), "other")
    client_of(bob).post(url("delete", dataset.pk))
    assert list(Dataset.objects.all()) == [other]
    assert [blob.path for blob in Blob.objects.all()] == [
        path for path in (home / "blobs").rglob("*") if path.is_file()
    ]
    assert (Blob.objects.count(), Image.objects.count()) == (1, 1)


def test_a_viewer_cannot_change_anything_and_a_stranger_sees_nothing(client_of, vera, charlie, dataset):
    for name in ("edit", "delete"):
        assert client_of(vera).post(url(name, dataset.pk)).status_code == 403
    image = dataset.images.first().pk
    for address in (url("list"), url("detail", dataset.pk), url("file", image), url("thumb", image)):
        assert client_of(charlie).get(address).status_code == 404
