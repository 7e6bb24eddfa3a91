"""What a kernel needs to start: the folders of its run and `training.json`."""

from __future__ import annotations

import shutil
from pathlib import Path

from jobs import hosts, runfolder
from jobs.kinds import Cancelled, JobError, Launch
from jobs.models import Job
from kernels_app import launching as kernel_launching
from kernels_app import reporting
from kernels_app.contract.config import TrainingConfig
from kernels_app.models import Kernel


def make_folders(folder: Path, *, fresh: bool) -> Path:
    """The folders that every run has; returns `model_write_path`. `fresh`: an output of an earlier try is dropped."""
    output = folder / runfolder.OUTPUT
    if fresh:
        for name in (runfolder.OUTPUT, runfolder.IMAGES, runfolder.TEMPORARY):
            _remove(folder / name)
    for name in (runfolder.OUTPUT, runfolder.IMAGES, runfolder.TEMPORARY, runfolder.EXTRA):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return output


def write_config(
    job: Job,
    kernel: Kernel,
    folder: Path,
    *,
    operation: str,
    model_id: int,
    validation_id: int | None,
    base: Path | None,
    resume: bool,
) -> None:
    """Write `training.json`. All paths are absolute and the same inside and outside of a container.

    Raises JobError where its kernel reports over a broker that cannot be reached, and Cancelled while it waits for one.
    """
    gpus = len(hosts.gpu_names())
    TrainingConfig(
        project_key=job.run_key,
        model_id=str(model_id),
        validation_id=str(validation_id or ""),
        operation=operation,
        dataset_path=str(folder / runfolder.DATASET),
        temp_path=str(folder / runfolder.TEMPORARY),
        etc_path=str(folder / runfolder.EXTRA),
        base_model_path=str(base or ""),
        model_write_path=str(folder / runfolder.OUTPUT),
        image_write_path="" if operation == "training" else str(folder / runfolder.IMAGES),
        training_config_file=str(folder / runfolder.SETTINGS),
        status_file=str(folder / runfolder.STATUS),
        gpu_count=job.devices if gpus else 0,
        process_count=max(1, job.devices),
        resume=resume,
    ).write(folder / runfolder.CONFIG)
    try:
        reporting.lend(kernel.folder, folder, called=str(job.pk), tick=lambda: _renew(job), image=kernel.image)
    except reporting.NoBroker as error:
        raise JobError(error.args[0]) from error


def _renew(job: Job) -> None:
    if job.renew(job.epoch):
        raise Cancelled


def launch(job: Job, folder: Path, kernel: Kernel, base: Path | None) -> Launch:
    """A kernel on the leased devices.

    `base`: the folder of the model that it starts from or judges.
    """
    return kernel_launching.launch(
        kernel.folder,
        folder,
        key=job.run_key,
        devices=sorted(job.leases.values_list("index", flat=True)),
        ranks=max(1, job.devices),
        readable=[base] if base else [],
        image=kernel.image,
    )


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
