"""Uploaded models that somebody looks at before they are imported: received, shown, started or dropped."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext as _

from datasets_app import problems
from jobs.models import Job
from kernels_app import jsontext
from models_app.imports import layout
from models_app.imports.layout import BadModel
from models_app.models import ModelDraft
from projects_app.archive import ArchiveError, unpack
from projects_app.models import Project, User

RAW, UPLOAD = "raw", "upload"  # below a draft's folder, while it is received


def receive(project: Project, user: User, archive: UploadedFile | Path, settings_text: str = "") -> ModelDraft:
    """Unpack an archive and look at what is in it. Raises BadModel; then nothing is left behind."""
    drop_old()
    draft = ModelDraft.objects.create(project=project, created_by=user, file_name=(archive.name or "")[:255])
    try:
        with _on_disk(draft, archive) as path:
            _unpack(path, draft.folder / RAW)
        draft.found = layout.arrange(draft.folder, draft.folder / RAW)
        shutil.rmtree(draft.folder / RAW, ignore_errors=True)
        draft.settings_text = _laid_out(settings_text or layout.settings_text(draft.folder))
        draft.save(update_fields=["found", "settings_text"])
    except BaseException as error:
        discard(draft)
        if isinstance(error, OSError):
            raise BadModel(_("It could not be kept: %(why)s.") % {"why": error.strerror or error}) from error
        raise
    return draft


def _laid_out(text: str) -> str:
    """A `model.json` that stands in one line, a setting a line: people read it, and complaints name their line."""
    if "\n" in text.strip():
        return text
    found = jsontext.read(text)
    return text if found.error or not isinstance(found.value, dict) else jsontext.write(found.value)


def text_of(upload: UploadedFile) -> str:
    """What an uploaded `model.json` says, readable or not. Raises BadModel for what is far too large to be one."""
    if (upload.size or 0) > jsontext.LIMIT:
        raise BadModel(_("The settings file is larger than 1 MB: that is no model.json."))
    return upload.read().decode("utf-8-sig", "replace").replace("\0", "\ufffd")


def job_of(draft: ModelDraft) -> Job | None:
    """The job that imports it right now."""
    return draft.job if draft.job and draft.job.is_active else None


def discard(draft: ModelDraft) -> None:
    """Remove the draft and all that was uploaded for it."""
    shutil.rmtree(draft.folder, ignore_errors=True)
    ModelDraft.objects.filter(pk=draft.pk).delete()


def drop_old() -> None:
    """Remove drafts that nobody imported within the days that are set, and folders that nobody knows any more."""
    kept = timedelta(days=settings.TRAINPORTAL_RETENTION_DAYS)
    for draft in ModelDraft.objects.filter(created_at__lt=timezone.now() - kept).select_related("job"):
        if job_of(draft) is None:
            discard(draft)
    known = {str(pk) for pk in ModelDraft.objects.values_list("pk", flat=True)}
    last = time.time() - max(kept.total_seconds(), 24 * 3600)
    for folder in (settings.TRAINPORTAL_HOME / "model-imports").glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another sweep was faster
            if folder.name not in known and folder.stat().st_mtime < last:
                shutil.rmtree(folder, ignore_errors=True)


def _unpack(archive: Path, into: Path) -> None:
    """Raises BadModel with what to do about it."""
    try:
        unpack(archive, into)
    except ArchiveError as error:
        if error.code == "empty_archive":
            raise BadModel(_("The archive is empty. Pack the files of the model into it.")) from error
        raise BadModel(problems.refusal(error)) from error


@contextlib.contextmanager
def _on_disk(draft: ModelDraft, archive: UploadedFile | Path) -> Iterator[Path]:
    """The archive as a file: where Django streamed it to, or written out where it was small enough for memory."""
    if isinstance(archive, Path):
        yield archive
        return
    if (archive.size or 0) > settings.UPLOAD_LIMIT:
        raise BadModel(_("The file is larger than this installation takes."))
    if hasattr(archive, "temporary_file_path"):
        yield Path(archive.temporary_file_path())
        return
    path = draft.folder / UPLOAD
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for chunk in archive.chunks():
            file.write(chunk)
    yield path
    path.unlink()
