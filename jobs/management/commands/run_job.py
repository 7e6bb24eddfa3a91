from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from jobs import following
from jobs.models import Job, State
from projects_app.access import require
from projects_app.commands import PortalCommand
from projects_app.models import Role


class Command(PortalCommand):
    """Runs a waiting job in this process, as a worker's runner would."""

    help = "Claim a waiting job and run it here, leases included."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("job", type=int)

    def work(self, **options: Any) -> None:
        found = Job.objects.visible_to(self.user).filter(pk=options["job"]).first()
        if found is None:
            raise CommandError(f"There is no job {options['job']}.")
        require(found.project, self.user, Role.LABELLER)
        ended = following.run_here(found)
        self.answer({"job": ended.pk, "state": ended.state, "message": ended.message})
        if ended.state != State.SUCCEEDED:
            raise CommandError(ended.message or f"The job ended as {ended.state}.")
