"""What every page's frame shows: the project one is in, and those one may switch to."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from projects_app.models import Project


def portal(request: HttpRequest) -> dict[str, Any]:
    """`project`, `projects`, `membership_role`; all asked for only where a template shows them."""
    project: Project | None = getattr(request, "project", None)
    user = getattr(request, "user", None)  # missing where a middleware before the session's failed
    if user is None:
        return {"project": None, "projects": Project.objects.none(), "membership_role": ""}

    def role() -> str:
        return str((project and user.is_authenticated and project.role_of(user)) or "")

    return {
        "project": project,
        "projects": Project.objects.visible_to(user),
        "membership_role": SimpleLazyObject(role),
    }
