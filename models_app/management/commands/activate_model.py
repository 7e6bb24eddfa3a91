"""Says by command which model is in use for its model type, or that none is."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from models_app import activating, champion, commands
from models_app.activating import ActivationRefused
from projects_app.access import require
from projects_app.commands import PortalCommand
from projects_app.models import Role


class Command(PortalCommand):
    """Puts the model in the place of the one that is active, and keeps who, when and why."""

    help = "Activate a finished model for its model type, in place of the one that is active; or deactivate it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        commands.add_model_arguments(parser)
        parser.add_argument("--reason", required=True, help="Why, in a few words; it is kept.")
        parser.add_argument("--deactivate", action="store_true", help="Then no model is active for its type.")

    def work(self, **options: Any) -> None:
        model = commands.find_model(self.user, options["model"], options["project"])
        require(model.project, self.user, Role.MANAGER)
        held = activating.current(model.model_type)
        replaced = held.model if held and held.model_id != model.pk and not options["deactivate"] else None
        try:
            if options["deactivate"]:
                activating.deactivate(model, self.user, options["reason"])
            else:
                warnings = champion.contest(model, replaced).warnings
                activating.activate(model, self.user, options["reason"], instead_of=held.pk if held else None)
                for warning in warnings:
                    self.note(warning)
        except ActivationRefused as error:
            raise CommandError(str(error)) from error
        self.answer(
            {
                "model": model.pk,
                "name": model.name,
                "model_type": model.model_type.code,
                "active": not options["deactivate"],
                "replaced": replaced.pk if replaced else None,
            }
        )
