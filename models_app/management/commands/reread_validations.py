"""Reads results of validations once more: those that an older version stored, or those that are named."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from jobs.models import State
from models_app import rereading
from models_app.models import Operation, Validation
from projects_app.access import require
from projects_app.commands import PortalCommand
from projects_app.models import Role


class Command(PortalCommand):
    """Makes the reports that lack objects and figures whole, where the kernel's files are still there."""

    help = "Read the results of validations again that an older version of the portal stored without objects."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("validation", nargs="*", type=int, help="Ids; without one every report that is not whole.")

    def work(self, **options: Any) -> None:
        found, wanted = rereading.outdated(), options["validation"]
        if wanted:
            judged = Validation.objects.exclude(operation=Operation.PREPROCESSING)
            found = judged.filter(pk__in=wanted, job__state=State.SUCCEEDED)
        mine = found.visible_to(self.user).select_related("project", "job", "kernel", "model__model_type")  # type: ignore[attr-defined]
        validations = list(mine)
        if strange := sorted(set(wanted) - {one.pk for one in validations}):
            raise CommandError(f"No validation whose results could be read: {', '.join(map(str, strange))}.")
        read: list[int] = []
        gone: list[int] = []
        for one in validations:
            require(one.project, self.user, Role.LABELLER)
            (read if rereading.reread(one) else gone).append(one.pk)
            self.note(f"{one}: {'read' if one.pk in read else 'its files are gone'}")
        self.answer({"read": read, "gone": gone})
