"""Tries a kernel on tiny data before anybody is asked to trust it. Needs no database."""

from __future__ import annotations

import json
import shutil
import tempfile
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import translation

from jobs import hosts
from kernels_app import environments, images, launching, packages, schema
from kernels_app.badkernel import BadKernel, bytes_of
from kernels_app.bundled import packing
from kernels_app.doctor import words
from kernels_app.doctor.examine import Examination
from kernels_app.models import Kernel


class Command(BaseCommand):
    help = "Try a kernel's folder: every operation that it claims, for each of its training types, on tiny data."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", type=Path, metavar="PATH", help="The kernel's folder.")
        parser.add_argument("--json", action="store_true", help="Print the checklist as JSON and nothing else.")
        parser.add_argument("--gpu", action="store_true", help="Try it on the first GPU of this host.")
        parser.add_argument("--log", action="store_true", help="Show what the programs print.")
        parser.add_argument("--language", choices=[code for code, _name in settings.LANGUAGES])

    def handle(self, *args: Any, **options: Any) -> None:
        with translation.override(options["language"] or settings.LANGUAGE_CODE):
            self._examine(options["path"].resolve(), options)

    def _examine(self, path: Path, options: dict[str, Any]) -> None:
        if options["gpu"] and not hosts.gpu_names():
            raise CommandError("There is no GPU on this host.")
        try:
            if (path / packages.ABOUT).exists():  # an import makes one where there is none
                packages.about_of(bytes_of(path / packages.ABOUT))
            found = packages.schema_of(path)
        except BadKernel as error:
            raise CommandError(str(error)) from error
        is_container = images.source_of(path) is not None
        if not is_container and not launching.is_whole(path):
            raise CommandError(f"{path}: neither train.py nor what the command of kernel.toml starts is there")
        image = f"{images.OWN}/doctor:{packing.digest_of(path)[:16]}" if is_container else ""
        try:
            if is_container:
                images.made_of(path, image, lambda: None, self.stderr.write)
            else:
                environments.ensure(path, say=self.stderr.write)
        except BadKernel as error:
            raise CommandError(str(error)) from error
        settings.TRAINPORTAL_HOME.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="doctor-", dir=settings.TRAINPORTAL_HOME))
        devices = (0,) if options["gpu"] else ()
        say = self.stderr.write if options["log"] else (lambda text: None)
        examination = Examination(path, found, Kernel(schema=found).operations, folder, devices, say=say, image=image)
        lines = []
        try:
            for line in examination.lines():
                lines.append(line)
                if not options["json"]:
                    self.stdout.write(words.in_text(line))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            images.drop(image)
        if options["json"]:
            self.stdout.write(json.dumps([line.as_json for line in lines], ensure_ascii=False))
        failed = sum(line.state == words.FAILED for line in lines)
        if failed:
            raise CommandError(f"{failed} of {len(lines)} lines failed: {', '.join(schema.training_types(found))}")
