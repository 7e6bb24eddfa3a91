"""The kernels of this installation."""

from __future__ import annotations

from typing import Any

from kernels_app.models import Kernel
from projects_app.commands import PortalCommand


class Command(PortalCommand):
    help = "List the kernels, every version, newest first."

    def work(self, **options: Any) -> None:
        found = Kernel.objects.all()
        self.answer(
            [
                {"name": one.name, "version": one.version, "state": one.state, "training_types": one.types}
                for one in found
            ]
        )
