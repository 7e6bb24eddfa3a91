from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.base import BaseCommand

from jobs import runner


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # a second less before the kernel starts
    help = "Take one claimed job to its end. Started by a worker, not by hand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("job", type=int)
        parser.add_argument("epoch", type=int)

        parser.add_argument("--lock", type=int, help="an open file: the runner's lock, held for it already")

    def handle(self, *, job: int, epoch: int, lock: int | None, **options: object) -> None:
        runner.run(job, epoch, lock)
