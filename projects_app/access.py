"""Who may enter a view: what one may not see is a 404, what one may see but not do is a 403 that says who may."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from .models import Project, Role, User

View = Callable[..., HttpResponseBase]


def project_view(role: Role = Role.VIEWER) -> Callable[[View], View]:
    """A view of one project: takes the URL's project code, hands on the Project, refuses who has less than `role`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def wrapped(request: HttpRequest, project: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = cast(User, request.user)
            found = get_object_or_404(Project.objects.visible_to(user), code=project)
            require(found, user, role)
            request.project = found  # type: ignore[attr-defined]
            return view(request, found, *args, **kwargs)

        wrapped.required_role = role  # type: ignore[attr-defined]
        return wrapped

    return decorate


def require(project: Project, user: User, role: Role) -> None:
    """Raise PermissionDenied with a sentence that says what is needed."""
    if not project.allows(user, role):
        raise PermissionDenied(
            _("This needs the role “%(role)s” in the project “%(project)s”. Ask one of its managers.")
            % {"role": role.label, "project": project.name}
        )
