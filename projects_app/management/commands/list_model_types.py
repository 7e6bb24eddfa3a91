"""What the models of a project are for."""

from __future__ import annotations

from typing import Any

from projects_app.commands import ProjectCommand
from projects_app.models import ModelType


class Command(ProjectCommand):
    help = "List the model types of a project."

    def work(self, **options: Any) -> None:
        found = ModelType.objects.filter(project=self.project)
        self.answer([{"code": one.code, "training_type": one.training_type} for one in found])
