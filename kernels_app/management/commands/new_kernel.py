"""Writes a new kernel that works. Needs no database."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernels_app.contract import TRAINING_TYPES
from kernels_app.kit import fake, writing

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


class Command(BaseCommand):
    help = "Write a kernel that works, with its schema, tests and Dockerfile, to be made your own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="Small letters, digits, dots and dashes.")
        parser.add_argument("--type", required=True, choices=TRAINING_TYPES, help="The training type.")
        parser.add_argument(
            "--fake", action="store_true", help="One that learns nothing and behaves as its settings say."
        )
        parser.add_argument("--folder", type=Path, metavar="PATH", help="Where to; by default ./NAME.")

    def handle(self, *args: Any, **options: Any) -> None:
        name, folder = options["name"], options["folder"] or Path(options["name"])
        if not NAME.fullmatch(name):
            raise CommandError("NAME has small letters, digits, dots and dashes, 63 at most, and begins with no dash.")
        try:
            writing.write((fake if options["fake"] else writing).files(name, options["type"]), folder)
        except FileExistsError as error:
            raise CommandError(f"{folder} is there already; choose another --folder.") from error
        except OSError as error:
            raise CommandError(f"{folder} cannot be written: {error.strerror}") from error
        tried = f"manage.py doctor {folder}" if options["fake"] else f"python -m pytest {folder}"
        self.stdout.write(f"{folder}: try it with  {tried}")
