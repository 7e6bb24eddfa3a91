"""The job that makes a model of a draft. It may run again from its start at any point: the model's row knows its job.

First the row, in one transaction with the kernel, model type and snapshot that it needs; then its files, by a rename;
then the end of the job, which is what makes the model finished. Where the files cannot be placed, the row goes again.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from datasets_app import snapshots
from datasets_app.models import Snapshot
from jobs import ingest, runfolder
from jobs.kinds import Cancelled, JobError, Progress
from jobs.models import Job
from kernels_app import registry
from kernels_app.imports.order import try_again
from kernels_app.models import Kernel, KernelSwitch
from models_app import manifest, publishing
from models_app.imports import drafts, layout
from models_app.imports.order import ImportOrder
from models_app.models import ModelDraft, Origin, TrainedModel
from projects_app.models import AnnotationType, Category, ModelType, Project


def commit(job: Job, progress: Progress) -> None:
    """Raises JobError; then there is no model, and the draft is there for another try."""
    draft = ModelDraft.objects.filter(pk=job.args["draft"]).select_related("project", "created_by", "job").first()
    model = TrainedModel.objects.filter(job=job).first()
    if model is None and draft is None:
        raise JobError(_("Nothing was imported: this upload was discarded."))
    if model is None and draft is not None:
        model = _make(job, draft, progress)
    if model is not None and draft is not None:
        _place(job, draft, model)


def _make(job: Job, draft: ModelDraft, progress: Progress) -> TrainedModel:
    args = job.args
    order = ImportOrder(draft, draft.settings_text, args["kernel"], args["name"], args["description"])
    try:
        progress(10, _("Checking the settings"))
    except Cancelled:
        drafts.discard(draft)
        raise
    if complaints := order.check():
        raise JobError(_nothing("; ".join(complaint.message for complaint in complaints)))
    try:
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=job.pk)  # a runner that was taken for dead is kept out
            return TrainedModel.objects.filter(job=job).first() or _write(job, order)
    except IntegrityError as error:  # somebody took the name between the check and now
        raise JobError(_nothing(_("Somebody used the name or a code at the same moment. Try again."))) from error
    except registry.BadKernel as error:
        raise JobError(_nothing(str(error))) from error


def _write(job: Job, order: ImportOrder) -> TrainedModel:
    assert order.kernels
    assert order.model_type
    about, project = order.about or {}, order.draft.project
    told = about.get("model", {})
    return TrainedModel.objects.create(
        project=project,
        name=order.name,
        description=order.description,
        model_type=order.model_type if order.model_type.pk else _new_model_type(project, about["model_type"]),
        kernel=_kernel(order),
        origin=Origin.IMPORT,
        snapshot=_snapshot(order.draft, about),
        data_category=str(told.get("data_category", ""))[:64],
        settings=order.document,
        classes=order.classes,
        devices=int(told["devices"]) if isinstance(told.get("devices"), int) and 0 < told["devices"] < 10_000 else 1,
        job=job,
        size=order.draft.found["size"],
        imported_from=_origin(order.draft, about),
        created_by=job.created_by,
    )


def _kernel(order: ImportOrder) -> Kernel:
    """The chosen one; what came along is registered, tried as any kernel is, and switched on in this project only."""
    assert order.kernels
    kernel = order.kernels.chosen
    assert kernel
    if order.kernels.is_brought:
        project, draft = order.draft.project, order.draft
        if not kernel.pk:
            kernel = registry.register(order.kernels.package, origin={"kind": "model", "file": draft.file_name})
            try_again(kernel, project, draft.created_by)
        KernelSwitch.objects.update_or_create(kernel=kernel, project=project, defaults={"is_on": True})
    return kernel


def _new_model_type(project: Project, told: dict[str, Any]) -> ModelType:
    """The model type as the export describes it; annotation types that are here already are taken as they are."""
    made = ModelType.objects.create(
        project=project, code=told["code"], name=str(told["name"])[:200], training_type=told["training_type"]
    )
    for one in told.get("annotation_types", []):
        kind, is_new = AnnotationType.objects.get_or_create(
            project=project,
            code=one["code"],
            defaults={"name": str(one["name"])[:200], "training_type": told["training_type"]},
        )
        if kind.training_type != told["training_type"]:
            text = _("The label %(code)s is here already, for another training type.")
            raise JobError(_nothing(text % {"code": kind.code}))
        for position, category in enumerate(one.get("categories", [])) if is_new else ():
            name = str(category["name"])[:200]
            Category.objects.create(annotation_type=kind, code=category["code"], name=name, position=position)
        made.learn(kind)
    return made


def _snapshot(draft: ModelDraft, about: dict[str, Any]) -> Snapshot | None:
    """What it was trained on, as the export says: the same hash as there."""
    path = draft.folder / layout.REST / manifest.DATASET
    stated = about.get("dataset", {}).get("sha256")
    return snapshots.adopt(draft.project, path.read_bytes()) if stated and path.is_file() else None


def _origin(draft: ModelDraft, about: dict[str, Any]) -> dict[str, Any]:
    """What its page says of where it comes from."""
    found: dict[str, Any] = {"file": draft.file_name}
    kept = ("project", "exported_at", "exported_by", "kernel", "dataset")
    found |= {name: about[name] for name in kept if name in about}
    return found | ({"model": {k: v for k, v in about["model"].items() if k != "description"}} if about else {})


def _place(job: Job, draft: ModelDraft, model: TrainedModel) -> None:
    """Bring files, log and metrics to where a training of this portal would have them; then the draft goes."""
    folder, arrived = runfolder.of(job), draft.folder / layout.MODEL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if arrived.is_dir():
            if model.folder.exists():  # what a try left that was cut off while it copied
                shutil.rmtree(model.folder)
            model.folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(arrived, model.folder)
        _take(draft.folder / layout.REST / manifest.LOG, runfolder.log(job))
        publishing.heal(folder, model.folder)
    except OSError as error:
        TrainedModel.objects.filter(pk=model.pk).delete()
        if model.folder.is_dir() and not arrived.is_dir():
            with contextlib.suppress(OSError):  # then it is uploaded again
                shutil.move(model.folder, arrived)
        raise JobError(_nothing(str(error.strerror or error))) from error
    ingest.Ingest(job, folder, runfolder.output(job), lambda: None).step(final=True)
    drafts.discard(draft)


def _take(source: Path, target: Path) -> None:
    if source.is_file() and not target.exists():
        shutil.move(source, target)


def _nothing(why: str) -> str:
    return _("Nothing was imported. %(why)s") % {"why": why}
