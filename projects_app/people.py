"""Who is in a project, and as what. A project keeps at least one manager, whatever two people do at once."""

from __future__ import annotations

from django.db import transaction

from projects_app.models import Membership, Project, Role


class LastManager(Exception):
    """Without this person nobody could manage the project."""


def change_role(membership: Membership, role: Role) -> None:
    """Give a member another role. Raises LastManager."""
    with transaction.atomic():
        if role != Role.MANAGER:
            _keep_a_manager(membership)
        Membership.objects.filter(pk=membership.pk).update(role=role)


def remove(membership: Membership) -> None:
    """Take a person out of the project. Raises LastManager."""
    with transaction.atomic():
        _keep_a_manager(membership)
        membership.delete()


def _keep_a_manager(leaving: Membership) -> None:
    Project.objects.select_for_update().get(pk=leaving.project_id)  # two managers who remove each other: one at a time
    managers = Membership.objects.filter(project=leaving.project_id, role=Role.MANAGER)
    if managers.filter(pk=leaving.pk).exists() and managers.count() == 1:
        raise LastManager
