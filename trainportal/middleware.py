"""The language of a request: the user's own choice, else what the browser asks for; addresses that are none; and what
was typed when the session had ended."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

from projects_app.models import KeptPost


class UserLocaleMiddleware(LocaleMiddleware):
    """Django's, with the cookie that the language switch sets; the login copies a user's language into it."""

    get_response: Callable[[HttpRequest], HttpResponse]

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response = super().process_response(request, response)
        user = getattr(request, "user", None)
        if user and user.is_authenticated and settings.LANGUAGE_COOKIE_NAME not in request.COOKIES and user.language:
            response.set_cookie(settings.LANGUAGE_COOKIE_NAME, user.language, samesite="Lax", httponly=True)
            translation.activate(user.language)
        return response


class KeepingLoginRequired(LoginRequiredMiddleware):
    """Django's; what was posted to a view with `kept_as` waits until the login, its key in a cookie of that name."""

    def handle_no_permission(  # type: ignore[override]
        self, request: HttpRequest, view_func: Any
    ) -> HttpResponse:
        if "Tus-Resumable" in request.headers:  # a script that sends a file would follow a redirect into the login page
            return HttpResponse(status=401)
        answer = super().handle_no_permission(request, view_func)
        cookie = getattr(view_func, "kept_as", "")
        if cookie and request.method == "POST":
            data = request.POST.copy()
            data.pop("csrfmiddlewaretoken", None)
            if key := KeptPost.keep(request.path, data.urlencode()):
                secure = settings.SESSION_COOKIE_SECURE
                answer.set_cookie(cookie, key, max_age=KeptPost.AGE, secure=secure, httponly=True, samesite="Lax")
        return answer


def refuse_nul(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """An address with a NUL in it is nobody's link, and PostgreSQL takes no text with one: 400. Forms refuse it too."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.content_params and request.content_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise BadRequest("a form in another charset than UTF-8")
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("a NUL in the address")
        return get_response(request)

    return middleware
