"""Uploads that somebody looks at before they become datasets: received, read, shown, changed, committed or dropped.

`draft.folder` holds `images/`, `annotations/`, `split.csv` and `meta.csv`, all but the first where they were sent.
`draft.options` holds what the person chose (`options`, `plan`, `job`), `draft.preview` what the reader found. One that
is to join a dataset has its id there (`into`), and what becomes of images that meet others (`choices`).
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from datasets_app import importing, joining, previews
from datasets_app.formats.source import Source
from datasets_app.importing import ImportRefused, Options, Plan
from datasets_app.models import Dataset, ImportDraft
from datasets_app.plan_checks import check
from datasets_app.plans import propose, propose_also
from datasets_app.records import Reading
from jobs.models import Job
from projects_app.models import Project, User

_SPLITS, _METAS = "split.csv", "meta.csv"
LEFTOVERS = ("tmp/import-*", "tmp/unpacked-*", "tmp/blob-*", "imports/*")  # folders of running processes and drafts

__all__ = ["ImportRefused", "commit", "discard", "receive", "revise", "start"]


def receive(
    project: Project,
    user: User,
    name: str,
    options: Options,
    images: UploadedFile,
    annotations: UploadedFile | None = None,
    split_file: UploadedFile | None = None,
    meta_file: UploadedFile | None = None,
    into: Dataset | None = None,
) -> ImportDraft:
    """Unpack and read an upload, of a new dataset or `into` one. Raises ImportRefused; then nothing is left behind."""
    if into is None:
        importing.check_name(project, name)
    else:
        joining.refuse(into)
    drop_old()
    draft = ImportDraft.objects.create(
        project=project,
        created_by=user,
        name=into.name if into else name,
        file_name=(images.name or "")[:255],
        options={"into": into.pk} if into else {},
    )
    try:
        _unpack(draft, "images", images)
        if annotations:
            _unpack(draft, "annotations", annotations)
        for file, kept in ((split_file, _SPLITS), (meta_file, _METAS)):
            if file:
                _write(draft.folder / kept, file)
        revise(draft, draft.name, options)
    except BaseException:
        discard(draft)
        raise
    return draft


def revise(draft: ImportDraft, name: str, options: Options) -> None:
    """Read anew with other options, and propose anew. Raises ImportRefused; then the draft is as it was."""
    source = source_of(draft)
    reading = importing.read(source, options, *_tables(draft))
    reading = previews.with_unreadable(source, reading)
    plan = propose(draft.project, name, reading, options)
    preview = previews.of(source, reading, plan)
    preview["also"] = [also.as_json() for _reading, also in propose_also(draft.project, reading, plan)]
    with transaction.atomic():
        if job_of(_held(draft)):  # somebody started the import while this was read
            return
        draft.name = name
        kept = {key: draft.options[key] for key in ("into", "choices") if key in draft.options}
        draft.options = kept | {"options": options.as_json(), "plan": plan.as_json()}
        draft.preview = preview
        draft.save(update_fields=["name", "options", "preview"])


def start(draft: ImportDraft, plan: Plan, user: User) -> Job:
    """Put the import into the queue; the job that is there where somebody did so at the same moment.

    Raises ImportRefused for a plan that is not possible.
    """
    target = joining.target_of(draft)
    if target:
        joining.refuse(target)
    check(draft.project, joining.as_new(plan) if target else plan, draft.preview["splits"])
    with transaction.atomic():
        if job := job_of(_held(draft)):
            return job
        job = Job.submit(
            project=draft.project,
            kind="import_dataset",
            title=(_("Add to “%(name)s”") if target else _("Import “%(name)s”")) % {"name": plan.name},
            created_by=user,
            args={
                "draft": str(draft.pk),
                "names": [target.name] if target else list(plan.dataset_names(draft.preview["splits"]).values()),
            },
        )
        draft.name = plan.name
        draft.options |= {"plan": plan.as_json(), "job": job.pk}
        draft.save(update_fields=["name", "options"])
    return job


def job_of(draft: ImportDraft) -> Job | None:
    """The job that imports this draft right now."""
    return Job.objects.active().filter(project=draft.project, pk=draft.options.get("job")).first()


def commit(draft: ImportDraft, progress: importing.Progress) -> list[Dataset]:
    """Make the datasets, or add to one; the draft's row goes in the same transaction. Raises ImportRefused."""
    source, reading, plan = source_of(draft), read_again(draft), plan_of(draft)

    def done(datasets: list[Dataset]) -> None:
        _forget(draft)

    if target := joining.target_of(draft):
        choices, stem = joining.choices_of(draft), Path(draft.file_name).stem.split(".")[0]
        joining.commit(target, draft.created_by, source, reading, plan, choices, stem, progress=progress, done=done)
        return [target]
    return importing.commit(draft.project, draft.created_by, source, reading, plan, progress=progress, done=done)


def read_again(draft: ImportDraft) -> Reading:
    return importing.read(source_of(draft), options_of(draft), *_tables(draft))


def _tables(draft: ImportDraft) -> tuple[Path | None, Path | None]:
    """The files of splits and of meta data, where they were sent."""
    split_file, meta_file = (
        path if path.exists() else None for path in (draft.folder / _SPLITS, draft.folder / _METAS)
    )
    return split_file, meta_file


def discard(draft: ImportDraft) -> None:
    """Remove the draft and all that was uploaded for it."""
    shutil.rmtree(draft.folder, ignore_errors=True)
    _forget(draft)


def drop_old() -> None:
    """Remove drafts that nobody imported within the days that are set."""
    old = ImportDraft.objects.filter(
        created_at__lt=timezone.now() - timedelta(days=settings.TRAINPORTAL_RETENTION_DAYS)
    )
    for draft in old:
        if job_of(draft) is None:
            discard(draft)
    _drop_old_folders()


def find(pk: str) -> ImportDraft | None:
    return ImportDraft.objects.filter(pk=pk).select_related("project", "created_by").first()


def subject(project: Project, args: dict[str, Any]) -> tuple[str, str] | None:
    """Name and address of what an import job is about."""
    names = args.get("names", [])
    if find(args["draft"]):
        return names[0], reverse("datasets:preview", args=[project.code, args["draft"]])
    dataset = Dataset.objects.filter(project=project, name__in=names).order_by("pk").first()
    return (dataset.name, dataset.get_absolute_url()) if dataset else None


def source_of(draft: ImportDraft) -> Source:
    annotations = draft.folder / "annotations"
    return Source(draft.folder / "images", annotations if annotations.exists() else None)


def options_of(draft: ImportDraft) -> Options:
    return Options.from_json(draft.options["options"])


def plan_of(draft: ImportDraft) -> Plan:
    return Plan.from_json(draft.options["plan"])


def _held(draft: ImportDraft) -> ImportDraft:
    """The row as it is now, locked until the transaction ends. Raises ImportRefused where it is gone."""
    held = ImportDraft.objects.select_for_update(of=("self",)).select_related("project").filter(pk=draft.pk).first()
    if held is None:
        raise ImportRefused(("", _("This upload was imported or discarded.")))
    return held


def _drop_old_folders() -> None:
    """Remove what processes left that were ended while they received or imported: nobody knows these folders."""
    last = time.time() - max(settings.TRAINPORTAL_RETENTION_DAYS, 1) * 24 * 3600
    folders = [path for name in LEFTOVERS for path in settings.TRAINPORTAL_HOME.glob(name)]
    drafts = {str(pk) for pk in ImportDraft.objects.values_list("pk", flat=True)}
    for folder in folders:
        with contextlib.suppress(FileNotFoundError):  # another sweep was faster
            if folder.name not in drafts and folder.stat().st_mtime < last:
                shutil.rmtree(folder, ignore_errors=True)


def _forget(draft: ImportDraft) -> None:
    ImportDraft.objects.filter(pk=draft.pk).delete()


def _unpack(draft: ImportDraft, part: str, upload: UploadedFile) -> None:
    """Raises ImportRefused for what is no archive, naming the field `part`."""
    if (upload.size or 0) > settings.UPLOAD_LIMIT:
        raise ImportRefused((part, _("The file is larger than this installation takes.")))
    with _on_disk(draft, upload) as path:
        importing.unpack_into(path, draft.folder / part, part)


@contextlib.contextmanager
def _on_disk(draft: ImportDraft, upload: UploadedFile) -> Iterator[Path]:
    """The upload as a file: where Django streamed it to, or written out where it was small enough for memory."""
    if hasattr(upload, "temporary_file_path"):
        yield Path(upload.temporary_file_path())
        return
    path = draft.folder / "upload"
    _write(path, upload)
    yield path
    path.unlink()


def _write(path: Path, upload: UploadedFile) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for chunk in upload.chunks():
            file.write(chunk)
