"""The training form as its user left it: kept while somebody types, forgotten with the start."""

from __future__ import annotations

import time
from typing import cast

from django.http import HttpRequest, QueryDict

from models_app.form_data import FORM_ID, PASSING
from models_app.models import TrainDraft
from projects_app.models import Project, User

LONGEST = 500_000  # characters
STARTED = "started_forms"  # in the session: when which form was started
LATE = 60  # seconds in which a check may come after the start


def of(project: Project, user: User) -> TrainDraft | None:
    return TrainDraft.objects.filter(project=project, user=user).first()


def keep(request: HttpRequest, project: Project, data: QueryDict) -> None:
    """Remember what was typed, for this user and project. Files cannot be remembered.

    A check that arrives after its form was started brings nothing back; so it looks before it writes and after it.
    """
    kept = data.copy()
    for name in PASSING:
        kept.pop(name, None)
    text = kept.urlencode()
    if len(text) > LONGEST or "%00" in text or _is_started(request, data):
        return
    TrainDraft.objects.update_or_create(project=project, user=cast(User, request.user), defaults={"data": text})
    if _is_started(request, data):
        drop(project, cast(User, request.user))


def drop(project: Project, user: User) -> None:
    TrainDraft.objects.filter(project=project, user=user).delete()


def start(request: HttpRequest, project: Project, data: QueryDict) -> None:
    """The form was started: its draft goes, and later checks of it are told so first."""
    if form := data.get(FORM_ID):
        recent = {one: at for one, at in request.session.get(STARTED, {}).items() if time.time() - at < LATE}
        request.session[STARTED] = recent | {form: time.time()}
        request.session.save()
    drop(project, cast(User, request.user))


def _is_started(request: HttpRequest, data: QueryDict) -> bool:
    """As the session stands now, not as it stood when this request began."""
    form = data.get(FORM_ID)
    if not form:
        return False
    session = type(request.session)(request.session.session_key)
    return time.time() - session.get(STARTED, {}).get(form, 0) < LATE
