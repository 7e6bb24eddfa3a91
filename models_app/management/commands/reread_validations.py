"""Reads results of validations once more: those that an older version stored, or those that are named."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from jobs.models import State
from models_app import rereading
from models_app.models import Operation, Validation
from projects_app.access import require
from projects_app.commands import PortalCommand
from projects_app.models import Role

log = logging.getLogger(__name__)


class Command(PortalCommand):
    """Makes the reports that lack objects and figures whole, where the kernel's files are still there."""

    help = "Read the results of validations again that an older version of the portal stored without objects."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("validation", nargs="*", type=int, help="Ids; without one every report that is not whole.")

    def work(self, **options: Any) -> None:
        read: dict[str, list[int]] = {"read": [], "gone": [], "failed": []}
        for one in self._chosen(set(options["validation"])):
            try:
                came, said = ("read", "read") if rereading.reread(one) else ("gone", "its files are gone")
            except Exception as error:  # whatever is in those files, the others are read
                log.exception("validation %s", one.pk)
                came, said = "failed", f"{type(error).__name__}: {error}"
            read[came].append(one.pk)
            self.note(f"{one}: {said}")
        self.answer(read)
        if read["failed"]:
            raise CommandError(f"Could not be read: {', '.join(map(str, read['failed']))}.")

    def _chosen(self, wanted: set[int]) -> list[Validation]:
        """Those that are named, all or none of them; else what is not whole wherever the user may do this."""
        found = rereading.outdated()
        if wanted:
            judged = Validation.objects.exclude(operation=Operation.PREPROCESSING)
            found = judged.filter(pk__in=wanted, job__state=State.SUCCEEDED).order_by("pk")
        mine = found.visible_to(self.user).select_related("project", "job", "kernel", "model__model_type")  # type: ignore[attr-defined]
        validations = list(mine)
        if strange := sorted(wanted - {one.pk for one in validations}):
            raise CommandError(f"No validation whose results could be read: {', '.join(map(str, strange))}.")
        projects = {one.project_id: one.project for one in validations}
        if wanted:
            for project in projects.values():
                require(project, self.user, Role.LABELLER)
        allowed = {pk for pk, project in projects.items() if project.allows(self.user, Role.LABELLER)}
        if left := sum(one.project_id not in allowed for one in validations):
            self.note(f"Left out: {left} in projects where {self.user} is no labeller.")
        return [one for one in validations if one.project_id in allowed]
