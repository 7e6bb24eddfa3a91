"""Uploads in pieces: a file of several gigabytes that broke off goes on where it was, for its owner alone."""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import io
import os
import time
import zipfile

import pytest
from django.core.files.base import ContentFile
from django.urls import reverse
from PIL import Image

from datasets_app.models import ImportDraft
from projects_app import uploads
from projects_app.models import Upload

pytestmark = pytest.mark.django_db
TUS = {"Tus-Resumable": "1.0.0"}
CREATE = "/p/valves/uploads/"


@pytest.fixture
def bobs(client_of, bob, project):
    return client_of(bob)


def begin(client, size, name="set.zip"):
    stated = "filename " + base64.b64encode(name.encode()).decode()
    return client.post(CREATE, headers={**TUS, "Upload-Length": str(size), "Upload-Metadata": stated})


def send(client, address, offset, data, **headers):
    return client.patch(
        address, data, content_type="application/offset+octet-stream", headers={**TUS, "Upload-Offset": str(offset)}
    )


def archive() -> bytes:
    picture, packed = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(picture, "PNG")
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("good/a.png", picture.getvalue())
        file.writestr("bad/b.png", picture.getvalue() + b"\0")
    return packed.getvalue()


def test_what_the_disk_takes_in_parts_arrives_whole(bobs, monkeypatch):
    """A write may store a part of what it was given."""
    address = begin(bobs, 12)["Location"]
    held = uploads._writing

    class Slow:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            return self.file.write(data[:5])

        def __getattr__(self, name):
            return getattr(self.file, name)

    @contextlib.contextmanager
    def writing(upload):
        with held(upload) as file:
            yield Slow(file)

    monkeypatch.setattr(uploads, "_writing", writing)
    monkeypatch.setattr(uploads, "_BLOCK", 8)
    assert send(bobs, address, 0, b"0123456789ab")["Upload-Offset"] == "12"
    assert Upload.objects.get().path.read_bytes() == b"0123456789ab"


def test_a_file_arrives_in_pieces_and_goes_on_where_it_broke_off(bobs):
    made = begin(bobs, 10, "부품.zip")
    address = made["Location"]
    assert (made.status_code, made["Tus-Resumable"]) == (201, "1.0.0")
    assert send(bobs, address, 0, b"0123")["Upload-Offset"] == "4"
    stands = bobs.head(address, headers=TUS)
    assert (stands["Upload-Offset"], stands["Upload-Length"], stands["Cache-Control"]) == ("4", "10", "no-store")
    assert send(bobs, address, 4, b"456789").status_code == 204
    upload = Upload.objects.get()
    assert (upload.is_complete, upload.path.read_bytes(), upload.file_name) == (True, b"0123456789", "부품.zip")


def test_a_piece_for_another_place_or_beyond_the_end_is_refused(bobs):
    address = begin(bobs, 6)["Location"]
    assert send(bobs, address, 3, b"345").status_code == 409
    assert send(bobs, address, 0, b"01234567").status_code == 413
    assert send(bobs, address, 0, b"012345").status_code == 204
    assert send(bobs, address, 0, b"012345").status_code == 409


def test_while_one_piece_is_received_a_second_one_is_refused(bobs):
    address = begin(bobs, 6)["Location"]
    with Upload.objects.get().path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert send(bobs, address, 0, b"012").status_code == 423
    assert send(bobs, address, 0, b"012").status_code == 204


def test_what_arrived_before_the_connection_broke_is_kept(project, bob):
    upload = uploads.begin(project, bob, "set.zip", 10)
    assert uploads.append(upload, 0, 10, io.BytesIO(b"0123")) == 4
    assert uploads.append(upload, 4, 6, io.BytesIO(b"456789")) == 10


def test_a_full_disk_is_said_in_words_and_keeps_what_arrived(project, bob):
    class Full:
        def read(self, length):
            raise OSError(errno.ENOSPC, "No space left on device")

    upload = uploads.begin(project, bob, "set.zip", 10)
    uploads.append(upload, 0, 4, io.BytesIO(b"0123"))
    with pytest.raises(uploads.UploadRefused, match="disk is full") as refused:
        uploads.append(upload, 4, 6, Full())
    assert (refused.value.status, upload.offset) == (507, 4)


def test_only_the_owner_goes_on_with_it(bobs, client_of, dev, vera):
    address = begin(bobs, 6)["Location"]
    assert send(client_of(dev), address, 0, b"012").status_code == 404
    assert client_of(dev).delete(address, headers=TUS).status_code == 404
    assert send(client_of(vera), address, 0, b"012").status_code == 404
    assert begin(client_of(vera), 6).status_code == 403
    assert bobs.head(address, headers=TUS)["Upload-Offset"] == "0"


def test_who_is_not_logged_in_any_more_is_told_so_and_not_sent_to_a_page(client, bobs):
    address = begin(bobs, 6)["Location"]
    assert send(client, address, 0, b"012").status_code == 401


def test_too_large_a_file_and_too_many_are_refused_in_words(bobs, settings):
    settings.UPLOAD_LIMIT, settings.UPLOAD_QUOTA = 100, 150
    assert "larger than this installation takes" in begin(bobs, 101).content.decode()
    assert begin(bobs, 100).status_code == 201
    second = begin(bobs, 100)
    assert (second.status_code, "unfinished uploads" in second.content.decode()) == (413, True)


def test_what_nobody_goes_on_with_is_removed_after_a_time(bobs, settings):
    old, young = (begin(bobs, 6)["Location"] for _ in range(2))
    path = Upload.objects.get(pk=old.split("/")[-2]).path
    past = time.time() - settings.UPLOAD_KEPT_HOURS * 3600 - 1
    os.utime(path, (past, past))
    stray = path.with_name("stray")
    stray.touch()
    os.utime(stray, (past, past))
    uploads.drop_old()
    assert (path.exists(), stray.exists()) == (False, False)
    assert bobs.head(old, headers=TUS).status_code == 404
    assert bobs.head(young, headers=TUS).status_code == 200


def test_it_can_be_given_up(bobs):
    address = begin(bobs, 6)["Location"]
    path = Upload.objects.get().path
    assert bobs.delete(address, headers=TUS).status_code == 204
    assert (path.exists(), Upload.objects.count()) == (False, 0)


def test_another_version_of_the_protocol_is_refused_and_the_own_one_named(bobs):
    answer = bobs.post(CREATE, headers={"Tus-Resumable": "0.2.2", "Upload-Length": "1"})
    assert (answer.status_code, answer["Tus-Version"]) == (412, "1.0.0")
    assert bobs.options(CREATE)["Tus-Extension"] == "creation,termination,expiration"


def test_an_import_takes_a_file_that_came_in_pieces(bobs, bob):
    data = archive()
    address = begin(bobs, len(data))["Location"]
    key = address.split("/")[-2]
    page = reverse("datasets:import", args=["valves"])
    send(bobs, address, 0, data[:50])
    early = bobs.post(page, {"name": "parts", "images-upload": key})
    assert (early.status_code, "not complete" in early.content.decode()) == (422, True)
    send(bobs, address, 50, data[50:])
    nameless = bobs.post(page, {"name": "", "images-upload": key})
    assert (nameless.status_code, key in nameless.content.decode()) == (422, True)  # nobody sends it twice
    assert bobs.post(page, {"name": "parts", "images-upload": key}).status_code == 302
    assert ImportDraft.objects.get().preview["images"] == 2
    assert not Upload.objects.exists()


def test_nobody_imports_what_another_one_sent(bobs, client_of, dev):
    data = archive()
    address = begin(bobs, len(data))["Location"]
    send(bobs, address, 0, data)
    key = address.split("/")[-2]
    page = reverse("datasets:import", args=["valves"])
    assert client_of(dev).post(page, {"name": "parts", "images-upload": key}).status_code == 422
    assert Upload.objects.exists()


def test_without_scripts_the_form_sends_the_file_itself(bobs):
    file = ContentFile(archive(), "set.zip")
    answer = bobs.post(reverse("datasets:import", args=["valves"]), {"name": "parts", "images": file})
    assert (answer.status_code, ImportDraft.objects.get().file_name) == (302, "set.zip")


def test_of_empty_files_there_may_not_be_any_number_either(bobs, monkeypatch):
    monkeypatch.setattr(uploads, "MOST", 2)
    assert [begin(bobs, 0).status_code for _ in range(3)] == [201, 201, 413]
