"""Pages that belong to no app: where one arrives, help, the language, health."""

from __future__ import annotations

import sys
from typing import cast

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from jobs import health as health_facts
from models_app import views_train
from projects_app.models import Project, User

LAST_PROJECT = "last_project"


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """The models of the project one was in last, else of the first one."""
    projects = Project.objects.visible_to(cast(User, request.user))
    project = projects.filter(code=request.session.get(LAST_PROJECT, "")).first() or projects.first()
    return redirect("models:list", project.code) if project else render(request, "no_project.html")


@require_GET
def help_page(request: HttpRequest) -> HttpResponse:
    return render(request, "help.html")


@login_not_required
@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Remember the language in a cookie, and with the user who is logged in."""
    language = request.POST.get("language", "")
    target = request.POST.get("next") or request.headers.get("referer") or "/"
    safe = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    response = redirect(target if safe else "/")
    if language in dict(settings.LANGUAGES):
        response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=365 * 86400, samesite="Lax", httponly=True)
        if request.user.is_authenticated:
            User.objects.filter(pk=request.user.pk).update(language=language)
    return response


@login_not_required
@require_GET
def health(request: HttpRequest) -> HttpResponse:
    """For load balancers and monitors: 503 without the database, with `?need=worker` also where no worker lives."""
    found = health_facts.facts()
    is_well = found["worker"] if request.GET.get("need") == "worker" else found["database"]
    answer = JsonResponse(found, status=200 if is_well else 503)
    answer["Cache-Control"] = "no-store"
    return answer


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was open too long, or came from elsewhere: say so, and keep what was typed one step back."""
    return views_train.with_new_token(request) or render(request, "403_csrf.html", status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """A database that is away, locked or full is no fault of the portal's, and passes: 503 and when to come again."""
    is_away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    text = loader.get_template(
        "503.html" if is_away else "500.html"
    ).render()  # nothing of the request: it may need rows
    response = HttpResponse(text, status=503 if is_away else 500)
    if is_away:
        response["Retry-After"] = "10"
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "400.html", status=400)
