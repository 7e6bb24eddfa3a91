"""Make a project, and name its first manager."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import transaction
from django.utils.translation import gettext as _

from projects_app.commands import PortalCommand
from projects_app.models import Membership, Project, Role, User


class Command(PortalCommand):
    help = "Make a project. CODE stands in addresses and commands."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("code", metavar="CODE")
        parser.add_argument("--name", default="", help="What people call it; by default the code.")
        parser.add_argument("--manager", metavar="USER", help="An existing user who becomes its manager.")

    def work(self, **options: Any) -> None:
        code, manager = options["code"], options["manager"]
        if not self.user.is_superuser:
            raise CommandError(_("Only a superuser may make projects."))
        found = User.objects.filter(username=manager, is_active=True).first() if manager else None
        if manager and found is None:
            raise CommandError(_("There is no active user “%(name)s”.") % {"name": manager})
        project = Project(code=code, name=options["name"] or code)
        try:
            project.full_clean()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from error
        with transaction.atomic():
            project.save()
            if found:
                Membership.objects.create(project=project, user=found, role=Role.MANAGER)
        self.answer({"project": code})
