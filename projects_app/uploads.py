"""Files of many gigabytes, received in pieces: what broke off goes on where it was.

The file is the truth: its length is what arrived, its lock says who is writing, its time of change when it was last
used. Nothing is held in memory but one block.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import shutil
import time
import uuid
from collections.abc import Iterator
from typing import IO, Any, BinaryIO

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.forms.widgets import FileInput
from django.http import UnreadablePostError
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from projects_app.models import Project, Upload, User

MOST = 100  # uploads of one person that wait
_BLOCK = 1 << 18  # bytes read at a time


class UploadRefused(Exception):
    """Why a piece or a whole upload is not taken, in words; `status` for the client."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def begin(project: Project, user: User, file_name: str, size: int) -> Upload:
    """An empty file that waits for its pieces. Raises UploadRefused."""
    drop_old()
    if size > settings.UPLOAD_LIMIT:
        limit = filesizeformat(settings.UPLOAD_LIMIT)
        raise UploadRefused(413, _("The file is larger than this installation takes: %(limit)s.") % {"limit": limit})
    sizes = list(Upload.objects.filter(created_by=user).values_list("size", flat=True))
    held = sum(sizes)
    if len(sizes) >= MOST:
        raise UploadRefused(
            413, _("You have %(count)d uploads that wait. Finish some of them first.") % {"count": len(sizes)}
        )
    if held + size > settings.UPLOAD_QUOTA:
        raise UploadRefused(
            413,
            _("Your unfinished uploads would take %(held)s, more than the %(limit)s that one person may.")
            % {"held": filesizeformat(held + size), "limit": filesizeformat(settings.UPLOAD_QUOTA)},
        )
    folder = settings.TRAINPORTAL_HOME / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UploadRefused(
            507,
            _("The server's disk has %(free)s left, too little for this file. Tell who looks after it.")
            % {"free": filesizeformat(free)},
        )
    upload = Upload(project=project, created_by=user, file_name=file_name[:255] or "upload", size=size)
    upload.path.touch()
    upload.save()
    return upload


def append(upload: Upload, offset: int, length: int | None, body: IO[bytes] | Any) -> int:
    """Write a piece that begins at `offset`, block by block as it arrives; returns where the file ends now.

    What arrived before the connection broke is kept. Raises UploadRefused: 423 while another piece is being written,
    409 where the file is not that long.
    """
    with _writing(upload) as file:
        there = file.seek(0, 2)
        if there != offset:
            raise UploadRefused(409, _("The server has %(there)d bytes of it.") % {"there": there})
        left = upload.size - there
        if length is not None and length > left:
            raise UploadRefused(413, _("The piece is longer than what is missing of the file."))
        try:
            while left and (block := body.read(min(_BLOCK, left))):
                for written in _written(file, block):
                    left -= written
        except UnreadablePostError:  # the connection broke off
            pass
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise UploadRefused(
                507, _("The server's disk is full. What arrived is kept: go on when there is room again.")
            ) from error
        return upload.size - left


def _written(file: BinaryIO, block: bytes) -> Iterator[int]:
    """Write all of it, and tell how far each step came: a disk that is nearly full takes a part."""
    rest = memoryview(block)
    while rest:
        count = file.write(rest)
        yield count
        rest = rest[count:]


def remove(upload: Upload) -> None:
    """The row and the file, also while somebody writes to it."""
    upload.path.unlink(missing_ok=True)
    Upload.objects.filter(pk=upload.pk).delete()


def drop_old() -> None:
    """Remove what nobody went on with for the hours that are set, and files that no row knows."""
    last = time.time() - settings.UPLOAD_KEPT_HOURS * 3600
    for upload in Upload.objects.all():
        with contextlib.suppress(FileNotFoundError):
            if upload.offset >= 0 and upload.path.stat().st_mtime >= last:
                continue
        remove(upload)
    known = {str(pk) for pk in Upload.objects.values_list("pk", flat=True)}
    for path in (settings.TRAINPORTAL_HOME / "uploads").glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.name not in known and path.stat().st_mtime < last:
                path.unlink()


def find(project: Project, user: User, pk: str) -> Upload | None:
    """One of this user's own."""
    with contextlib.suppress(ValueError):
        return Upload.objects.filter(project=project, created_by=user, pk=uuid.UUID(pk)).first()
    return None


@contextlib.contextmanager
def _writing(upload: Upload) -> Iterator[BinaryIO]:
    try:
        with upload.path.open("r+b", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UploadRefused(423, _("Another piece of this file is being received.")) from error
            yield file  # type: ignore[misc]
    except FileNotFoundError as error:
        raise UploadRefused(404, _("This upload was removed. Send the file again.")) from error


class Received(UploadedFile):
    """An upload that is complete, as a form takes a file."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        super().__init__(upload.path.open("rb"), upload.file_name, "application/octet-stream", upload.size)

    def temporary_file_path(self) -> str:
        return str(self.upload.path)

    def done(self) -> None:
        """It was used: nobody needs the bytes any more."""
        self.close()
        remove(self.upload)


def done(*files: UploadedFile | None) -> None:
    """Of the files of a form that was accepted, remove those that came in pieces."""
    for file in files:
        if isinstance(file, Received):
            file.done()


class PiecesInput(FileInput):
    """A file input beside a hidden one, into which the page's script writes the upload that holds the file."""

    template_name = "_pieces_input.html"

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        own = {"data-pieces-file": True, "data-piece-size": str(settings.UPLOAD_PIECE)}
        context = super().get_context(name, value, {**(attrs or {}), **own})
        context["received"] = value if isinstance(value, Upload) and value.is_complete else None
        return context

    def format_value(self, value: Any) -> None:
        return None

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        return files.get(name) or data.get(f"{name}-upload") or None

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return name not in files and f"{name}-upload" not in data

    def use_required_attribute(self, initial: Any) -> bool:
        return False  # the hidden one may say it


class PiecesField(forms.FileField):
    """A file, sent with the form or before it in pieces. A form says with `owned` whose uploads count."""

    widget = PiecesInput
    owner: tuple[Project, User] | None = None

    def to_python(self, data: Any) -> Any:
        if not isinstance(data, str):
            return super().to_python(data)
        upload = find(*self.owner, data) if self.owner else None
        if upload is None or not upload.is_complete:
            raise ValidationError(_("This upload is not there any more, or not complete. Choose the file again."))
        return Received(upload)

    def bound_data(self, data: Any, initial: Any) -> Any:
        """For the page that says what is wrong with another field: the upload stays chosen."""
        if isinstance(data, str):
            return find(*self.owner, data) if self.owner else None
        return super().bound_data(data, initial)


def owned(form: forms.Form, project: Project, user: User) -> None:
    for field in form.fields.values():
        if isinstance(field, PiecesField):
            field.owner = project, user
