"""What every management command of the portal shares: who acts, in which project, and how the answer is printed.

Refusals are `CommandError`s: Django prints them to stderr and ends with exit code 1.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from projects_app.access import require
from projects_app.models import Project, Role, User


class PortalCommand(BaseCommand, ABC):
    """A command with `--user` and `--json`. Write `work`; it hands its result to `answer`."""

    user: User
    as_json: bool

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="NAME", help="Who acts; by default a system user.")
        parser.add_argument("--json", action="store_true", help="Print one JSON object (or list) and nothing else.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json = options["json"]
        self.user = _user(options["user"])
        try:
            self.work(**options)
        except PermissionDenied as error:
            raise CommandError(str(error)) from error

    @abstractmethod
    def work(self, **options: Any) -> None:
        """Do what the command is for. Raises CommandError with a sentence for the user."""

    def answer(self, value: Any, text: str = "") -> None:
        """Print `value` as JSON where `--json` asks for it, else `text`, or the value a line a field."""
        if self.as_json:
            self.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False, default=str))
        else:
            self.stdout.write(text or "\n".join(_lines(value)))

    def note(self, sentence: str) -> None:
        """Say something on the way, on stderr, so that stdout holds the answer alone."""
        self.stderr.write(sentence, self.style.NOTICE)


class ProjectCommand(PortalCommand):
    """A command in one project: adds `--project`, and refuses who has less than `role` there."""

    role: Role = Role.VIEWER
    project: Project

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--project", required=True, metavar="CODE", help="The code of the project.")

    def handle(self, *args: Any, **options: Any) -> None:
        self.project = _project(options["project"], _user(options["user"]), self.role)
        super().handle(*args, **options)


def _user(name: str | None) -> User:
    if not name:
        return User.system()
    found = User.objects.filter(username=name, is_active=True).first()
    if found is None:
        raise CommandError(_("There is no active user “%(name)s”.") % {"name": name})
    return found


def _project(code: str, user: User, role: Role) -> Project:
    visible = Project.objects.visible_to(user)
    found = visible.filter(code=code).first()
    if found is None:
        known = ", ".join(visible.order_by("code").values_list("code", flat=True)[:20]) or "–"
        raise CommandError(_("There is no project “%(code)s”. Known: %(known)s") % {"code": code, "known": known})
    try:
        require(found, user, role)
    except PermissionDenied as error:
        raise CommandError(str(error)) from error
    return found


def _lines(value: Any) -> list[str]:
    """A readable form of a result: a line a field, a line an entry of a list."""
    if isinstance(value, dict):
        return [f"{key}: {_short(part)}" for key, part in value.items()]
    if isinstance(value, list):
        return [_short(part) for part in value]
    return [str(value)]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_short(part)}" for key, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
