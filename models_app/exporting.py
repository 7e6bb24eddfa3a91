"""Everything about a model in one archive, made by a job and kept for some days. What is in it, see `manifest`."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from jobs import runfolder
from jobs.kinds import JobError, Progress
from jobs.models import TERMINAL, Job, storable
from jobs.said import Said
from kernels_app import describe, registry
from models_app import manifest
from models_app.models import ModelExport, TrainedModel
from models_app.publishing import size_of
from projects_app.archive import is_safe
from projects_app.models import User

KIND = "export_model"
CHUNK = 2**20  # bytes
OLDEST = (1980, 1, 1, 0, 0, 0)  # a zip knows no earlier time


class ExportRefused(Exception):
    """The model cannot be exported; the message says why."""


def newest(model: TrainedModel) -> ModelExport | None:
    return model.exports.select_related("job__project", "created_by", "model").first()


def start(model: TrainedModel, user: User) -> ModelExport:
    """Queue the export; the one that is under way where there is one. Raises ExportRefused."""
    with transaction.atomic():
        held = TrainedModel.objects.select_for_update(of=("self",)).select_related("job", "project").get(pk=model.pk)
        if not held.is_finished:
            raise ExportRefused(_("Only a finished model can be exported: this one has not succeeded."))
        if not held.has_checkpoint:
            raise ExportRefused(
                _("The checkpoint of this model is gone: only its metrics, its log and its settings are left.")
            )
        if running := held.exports.exclude(job__state__in=TERMINAL).first():
            return running
        title = _("Export “%(name)s”") % {"name": held.name}
        job = Job.submit(project=held.project, kind=KIND, title=title, created_by=user, args={"model": held.pk})
        return ModelExport.objects.create(project=held.project, model=held, job=job, created_by=user)


def build(job: Job, progress: Progress) -> None:
    """Write the archive of a job, whole or not at all, and drop the model's older ones. Raises JobError."""
    export = ModelExport.objects.filter(job=job).select_related("model", "created_by").first()
    if export is None:
        raise JobError(Said(gettext_noop("The model of this export is gone.")))
    related = ("project", "model_type", "kernel", "job", "snapshot", "base_model", "retrained_from", "created_by")
    model = TrainedModel.objects.select_related(*related).get(pk=export.model_id)
    export.folder.mkdir(parents=True, exist_ok=True)
    draft = export.folder / ".model.zip.tmp"
    try:
        _write(draft, model, export.created_by, progress)
        draft.replace(export.path)
    except OSError as error:
        why = Said(gettext_noop("The archive could not be written: %(why)s."), why=error.strerror or str(error))
        raise JobError(why) from error
    finally:
        draft.unlink(missing_ok=True)
    ModelExport.objects.filter(pk=export.pk).update(size=export.path.stat().st_size)
    for older in ModelExport.objects.filter(model=model, pk__lt=export.pk, job__state__in=TERMINAL):
        drop(older)


def drop(export: ModelExport) -> None:
    """Remove the archive and its row; the job stays, as what was done."""
    shutil.rmtree(export.folder, ignore_errors=True)
    ModelExport.objects.filter(pk=export.pk).delete()


def drop_old() -> None:
    """Remove archives that are older than the days that are set, and folders that nobody knows any more."""
    kept = timedelta(days=settings.TRAINPORTAL_RETENTION_DAYS)
    for export in ModelExport.objects.filter(job__state__in=TERMINAL, job__ended_at__lt=timezone.now() - kept):
        drop(export)
    known = {str(pk) for pk in ModelExport.objects.values_list("pk", flat=True)}
    last = time.time() - max(kept.total_seconds(), 24 * 3600)
    for folder in (settings.TRAINPORTAL_HOME / "exports").glob("*"):
        if folder.name not in known and folder.is_dir() and folder.stat().st_mtime < last:
            shutil.rmtree(folder, ignore_errors=True)


def _write(target: Path, model: TrainedModel, by: User | None, progress: Progress) -> None:
    at = timezone.now()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        pack = _Pack(archive, at.timetuple()[:6], size_of(model.folder), progress)
        kernel = registry.package_of(model.kernel)
        for name, content in kernel.items():
            pack.bytes(manifest.KERNEL + name, content)
        for name, content in _documents(model):
            pack.bytes(name, content)
        log = runfolder.log(model.job)
        if log.is_file():
            pack.file(manifest.LOG, log)
        left_out = [storable(name) for name, path in _results(model.folder) if not pack.result(name, path)]
        about = manifest.about(model, by, at.isoformat()) | {"files": pack.files, "left_out": left_out}
        about["kernel"] |= {"is_included": bool(kernel)}
        archive.writestr(pack.entry(manifest.NAME), _json(about))


def _documents(model: TrainedModel) -> Iterator[tuple[str, bytes]]:
    yield manifest.SETTINGS, _json(model.settings)
    yield manifest.SCHEMA, describe.as_json(model.kernel.schema).encode()
    yield manifest.LABELS, "".join(f"{code}\n" for code in model.classes).encode()
    yield manifest.SCORES, _json(manifest.scores(model))
    if model.snapshot and model.snapshot.manifest.path.is_file():
        yield manifest.DATASET, model.snapshot.manifest.path.read_bytes()


def _results(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every plain file below the model's folder; links lead elsewhere and are nobody's results."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path


@dataclass
class _Pack:
    """Writes files into the archive; `files` has size and SHA-256 of each. `total`: bytes of the results."""

    archive: zipfile.ZipFile
    time: Any
    total: int
    progress: Progress
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    done: int = 0

    def entry(self, name: str, moment: Any = None) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, max(moment or self.time, OLDEST))
        info.external_attr = (stat.S_IFREG | 0o644) << 16
        return info

    def bytes(self, name: str, content: bytes) -> None:
        self.archive.writestr(self.entry(name), content)
        self.files[name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}

    def result(self, name: str, path: Path) -> bool:
        """False for a name that no import takes (no text, a backslash): it stays here."""
        if not is_safe(manifest.RESULTS + name):
            return False
        self.file(manifest.RESULTS + name, path, self._count)
        return True

    def file(self, name: str, path: Path, told: Callable[[int], None] = lambda count: None) -> None:
        moment = time.gmtime(path.stat().st_mtime)[:6]
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as source, self.archive.open(self.entry(name, moment), "w", force_zip64=True) as target:
            while chunk := source.read(CHUNK):
                target.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                told(len(chunk))
        self.files[name] = {"size": size, "sha256": digest.hexdigest()}

    def _count(self, count: int) -> None:
        self.done += count
        megabytes = f"{self.done / 2**20:,.0f} / {self.total / 2**20:,.0f} MB"
        self.progress(min(99.0, 100 * self.done / max(1, self.total)), _("Packing: %(mb)s") % {"mb": megabytes})


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
