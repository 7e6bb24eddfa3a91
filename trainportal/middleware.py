"""The language of a request: the user's own choice, else what the browser asks for; addresses that are none; and what
was typed when the session had ended."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.middleware.locale import LocaleMiddleware
from django.utils import translation


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
    """Django's; what was posted to a view with `kept_as` waits in the session, under that key, until the login."""

    LONGEST = 20_000  # characters: nobody has to be logged in for this

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        key = getattr(view_func, "kept_as", "")
        if key and request.method == "POST":
            data = request.POST.copy()
            data.pop("csrfmiddlewaretoken", None)
            text = data.urlencode()
            if len(text) <= self.LONGEST:
                request.session[key] = {"path": request.path, "data": text}
        return super().handle_no_permission(request, view_func)


def refuse_nul(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """An address with a NUL in it is nobody's link, and PostgreSQL takes no text with one: 400. Forms refuse it too."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.content_params and request.content_params.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise BadRequest("a form in another charset than UTF-8")
        if "\0" in request.path or "%00" in request.META.get("QUERY_STRING", ""):
            raise BadRequest("a NUL in the address")
        return get_response(request)

    return middleware
