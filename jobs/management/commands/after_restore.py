from __future__ import annotations

from typing import Any

from jobs import restored
from projects_app.commands import PortalCommand


class Command(PortalCommand):
    """Between the restore of a database and the start of web and workers."""

    help = "After the database was restored from a backup: fence off what still runs and let jobs go on as they are."

    def work(self, **options: Any) -> None:
        found = restored.settle()
        self.answer(
            found,
            f"{found['held']} jobs that ran and {found['waiting']} that waited are looked after once workers run. "
            "What was started since the backup and is not in it ends then.",
        )
