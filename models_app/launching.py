"""What a kernel needs to start: `training.json`, its command line, its environment."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from django.conf import settings

from jobs import hosts, runfolder
from jobs.kinds import Launch
from jobs.models import Job
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
    job: Job, folder: Path, *, operation: str, model_id: int, validation_id: int | None, base: Path | None, resume: bool
) -> None:
    """Write `training.json`. All paths are absolute and the same inside and outside of a container."""
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


def launch(job: Job, folder: Path, kernel: Kernel, base: Path | None) -> Launch:
    """A process kernel: `python train.py <config>`, as ranks of torchrun where it has several devices.

    `base`: the folder of the model that it starts from or judges.
    """
    program = [str(kernel.folder / "train.py"), str(folder / runfolder.CONFIG)]
    ranks = (
        ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={job.devices}"] if job.devices > 1 else []
    )
    devices = sorted(job.leases.values_list("index", flat=True))
    environment = hosts.environment(devices, folder / runfolder.TEMPORARY)
    environment["TRAINING_CONFIG"] = str(folder / runfolder.CONFIG)
    if job.devices > 1:
        environment["OMP_NUM_THREADS"] = str(max(1, int(environment["OMP_NUM_THREADS"]) // job.devices))
    if settings.TRAINPORTAL_WEIGHTS_DIR:
        environment["TRAINPORTAL_WEIGHTS_DIR"] = settings.TRAINPORTAL_WEIGHTS_DIR
    weights = [Path(settings.TRAINPORTAL_WEIGHTS_DIR)] if settings.TRAINPORTAL_WEIGHTS_DIR else []
    return Launch(
        argv=[sys.executable, *ranks, *program],
        environment=environment,
        folder=folder,
        output=folder / runfolder.OUTPUT,
        project_key=job.run_key,
        readable=(kernel.folder, *([base] if base else []), *weights),
        gpus=hosts.gpu_files(devices),
    )


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
