"""Puts kernels into the database: the bundled ones after every migrate, so that a fresh installation can train."""

from __future__ import annotations

import json
import logging
import shutil
import tomllib
from typing import Any

from django.apps import AppConfig
from django.db import connections, transaction

from jobs import limits
from kernels_app import schema
from kernels_app.bundled import packing
from kernels_app.models import Kernel, KernelState

log = logging.getLogger(__name__)
OPTIONAL = ("description", "description_ko")  # of kernel.toml

PACKAGE_LIMIT = 20 * 2**20  # bytes of a package that goes with an exported model


class BadKernel(Exception):
    """A package that is no kernel; the message says what is wrong with it."""


def register_bundled() -> list[Kernel]:
    """Register every bundled kernel as it is now; what is registered already stays as it was."""
    return [register(packing.package_files(name), is_bundled=True) for name in packing.BUNDLED]


def register(files: dict[str, bytes], *, is_bundled: bool = False) -> Kernel:
    """Register a package by its files. The same files are the same kernel; changed files are a new version of it.

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
                "state": found.state,
            },
        )
        if created or not kernel.folder.is_dir():
            _unpack(kernel, files)
    if created:
        log.info("registered the kernel %s", kernel)
    return kernel


def look(files: dict[str, bytes]) -> Kernel:
    """The kernel that these files would be, not saved. Raises BadKernel."""
    about, found = _about(files), _schema(files)
    return Kernel(
        **about,
        digest=packing.digest(files),
        schema=found,
        training_types=f",{','.join(schema.training_types(found))},",
        state=KernelState.READY,
    )


def package_of(kernel: Kernel) -> dict[str, bytes]:
    """The files that a kernel was registered with, by name; empty where they are not there as they were, or too many
    to carry about."""
    files: dict[str, bytes] = {}
    size = 0
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


def _about(files: dict[str, bytes]) -> dict[str, str]:
    try:
        found = dict.fromkeys(OPTIONAL, "") | tomllib.loads(files["kernel.toml"].decode("utf-8"))
        about = {key: found[key] for key in ("name", "version", *OPTIONAL)}
    except (KeyError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadKernel(f"kernel.toml: {error}") from error
    for key, value in about.items():
        if not isinstance(value, str) or (key not in OPTIONAL and not value.strip()):
            raise BadKernel(f"kernel.toml: {key} must be a text; it is {value!r}")
    if wrong := limits.faults(found.get("limits", {})):
        raise BadKernel("kernel.toml: [limits] " + "; ".join(wrong))
    return about


def _schema(files: dict[str, bytes]) -> dict[str, Any]:
    try:
        found = json.loads(files["model_schema.json"])
    except KeyError as error:
        raise BadKernel("model_schema.json is missing") from error
    except ValueError as error:
        raise BadKernel(f"model_schema.json: {error}") from error
    if wrong := schema.faults(found):
        raise BadKernel("model_schema.json: " + "; ".join(f"{fault.pointer}: {fault.message}" for fault in wrong))
    return found


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
