"""Puts kernels into the database: the bundled ones after every migrate, so that a fresh installation can train."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.db import IntegrityError, connections, transaction
from django.utils.translation import gettext as _

from jobs.models import Job
from kernels_app import environments, images, launching, packages, schema
from kernels_app.badkernel import BadKernel, bytes_of
from kernels_app.bundled import packing
from kernels_app.models import Kernel, KernelState

log = logging.getLogger(__name__)

__all__ = ["BadKernel", "adopt", "look", "look_at", "package_of", "register", "register_bundled"]
PACKAGE_LIMIT = 20 * 2**20  # bytes of a package that goes with an exported model


def register_bundled() -> list[Kernel]:
    """Register every bundled kernel as it is now; what is registered already stays as it was."""
    return [register(packing.package_files(name), is_bundled=True) for name in packing.BUNDLED]


def register(files: dict[str, bytes], *, is_bundled: bool = False, origin: dict[str, Any] | None = None) -> Kernel:
    """Register a package by its files. The same files are the same kernel; changed files are a new version of it.

    `origin`: of one that nobody has tried yet, so that it is not ready.

    Raises BadKernel.
    """
    found = look(files)
    with transaction.atomic():
        kernel, created = Kernel.objects.get_or_create(
            name=found.name,
            digest=found.digest,
            defaults={
                "version": _free_version(found.name, found.version, found.digest),
                "description": found.description,
                "description_ko": found.description_ko,
                "schema": found.schema,
                "training_types": found.training_types,
                "is_bundled": is_bundled,
                "state": KernelState.IMPORTING if origin else found.state,
                "origin": origin or {},
            },
        )
        if created or not kernel.folder.is_dir():
            _unpack(kernel, files)
    if created:
        log.info("registered the kernel %s", kernel)
    return kernel


def look(files: dict[str, bytes]) -> Kernel:
    """The kernel that these files would be, not saved. Raises BadKernel."""
    about, found = packages.about_of(files.get(packages.ABOUT)), packages.schema_in(files.get(packages.SCHEMA))
    environments.requirements(files.get(environments.REQUIREMENTS))
    if launching.is_contained(files[packages.ABOUT]):
        raise BadKernel(_("It is a container, so it does not come with a model: import it as a kernel first."))
    if not launching.starts_one_of(files, files[packages.ABOUT]):
        raise BadKernel(_("There is no train.py, nor what the command of kernel.toml starts."))
    return Kernel(
        **about,
        digest=packing.digest(files),
        schema=found,
        training_types=f",{','.join(schema.training_types(found))},",
        state=KernelState.READY,
    )


def look_at(folder: Path) -> Kernel:
    """The kernel that an unpacked package would be, not saved. Raises BadKernel."""
    about = packages.about_of(bytes_of(folder / packages.ABOUT))
    is_base = launching.about(folder).get("type") == "base"
    found = {} if is_base else packages.schema_of(folder)
    if images.source_of(folder) is None:
        environments.asked_for(folder)
        if is_base:
            raise BadKernel(_("A base image comes of a Dockerfile, or is an image as docker save writes it."))
        if launching.about(folder).get("runs_in") == "container":
            raise BadKernel(_("There is neither a Dockerfile nor an image as docker save writes it."))
        if not launching.is_whole(folder):
            raise BadKernel(_("There is no train.py, nor what the command of kernel.toml starts, nor a Dockerfile."))
    return Kernel(
        **about,
        digest=packing.digest_of(folder),
        schema=found,
        training_types=f",{','.join(schema.training_types(found))}," if found else ",",
        state=KernelState.IMPORTING,
        is_base=is_base,
    )


def adopt(found: Kernel, folder: Path, job: Job, origin: dict[str, Any]) -> tuple[Kernel, bool]:
    """Register the package in `folder` for this job, which takes it away; False where the same files are here already.

    One that failed before is tried anew.
    """
    draft = settings.TRAINPORTAL_HOME / "kernels" / f".{job.pk}.import.tmp"
    draft.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(draft, ignore_errors=True)
    shutil.move(folder, draft)  # before the transaction: it may be gigabytes, and SQLite has one writer at a time
    try:
        try:
            return _adopted(found, draft, job, origin)
        except IntegrityError:  # another import took that version at the same moment
            return _adopted(found, draft, job, origin)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _adopted(found: Kernel, draft: Path, job: Job, origin: dict[str, Any]) -> tuple[Kernel, bool]:
    with transaction.atomic():
        version = _free_version(found.name, found.version, found.digest)
        told = {"description": found.description, "description_ko": found.description_ko, "schema": found.schema}
        told |= {
            "is_base": found.is_base,
            "version": version,
            "training_types": found.training_types,
            "state": KernelState.IMPORTING,
        }
        made_by = {"created_by": job.created_by, "job": job, "origin": origin}
        kernel, created = Kernel.objects.get_or_create(name=found.name, digest=found.digest, defaults=told | made_by)
        if not created and kernel.may_be_tried:
            fresh = {"state": KernelState.IMPORTING, "job": job, "checklist": [], "tried_at": None}
            created = Kernel.objects.filter(pk=kernel.pk, state=kernel.state).update(**fresh) == 1
            kernel.refresh_from_db()
        if created:  # whatever lies there is of a registration that was rolled back: ids come again
            shutil.rmtree(kernel.folder, ignore_errors=True)
            draft.replace(kernel.folder)
    return kernel, created


def package_of(kernel: Kernel) -> dict[str, bytes]:
    """The files that a kernel was registered with, by name; empty where they are not there as they were, or too many
    to carry about, or a container."""
    files: dict[str, bytes] = {}
    size = 0
    if kernel.image:
        return files
    for path in packing.sources(kernel.folder) if kernel.folder.is_dir() else ():
        size += path.stat().st_size
        if size > PACKAGE_LIMIT:
            return {}
        files[path.relative_to(kernel.folder).as_posix()] = path.read_bytes()
    return files if packing.digest(files) == kernel.digest else {}


def after_migrate(sender: AppConfig, **kwargs: Any) -> None:
    """Django tells us that the database is up to date."""
    using = kwargs.get("using", "default")
    if using == "default" and Kernel._meta.db_table in connections[using].introspection.table_names():
        register_bundled()


def _free_version(name: str, version: str, digest: str) -> str:
    """The version as the package says it, told apart by its digest where that version was something else."""
    taken = Kernel.objects.filter(name=name, version=version).exists()
    return f"{version}+{digest[:8]}" if taken else version


def _unpack(kernel: Kernel, files: dict[str, bytes]) -> None:
    kernel.folder.parent.mkdir(parents=True, exist_ok=True)
    draft = kernel.folder.with_name(f".{kernel.pk}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    packing.write_package(files, draft)
    shutil.rmtree(kernel.folder, ignore_errors=True)  # of a registration that was rolled back: ids come again
    draft.replace(kernel.folder)
