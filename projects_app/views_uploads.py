"""Uploads in pieces, as tus 1.0 asks for them (https://tus.io/protocols/resumable-upload): core, creation, termination,
expiration. What is refused says so in words."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from functools import wraps
from typing import cast

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils.http import http_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from projects_app import uploads
from projects_app.access import project_view
from projects_app.listing import whole
from projects_app.models import Project, Role, Upload, User
from projects_app.uploads import UploadRefused

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,expiration"
PIECE = "application/offset+octet-stream"


def tus(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The version on every answer, 412 for another one, and refusals as text."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if request.method != "OPTIONS" and request.headers.get("Tus-Resumable", VERSION) != VERSION:
            answer: HttpResponseBase = HttpResponse(status=412, headers={"Tus-Version": VERSION})
        else:
            try:
                answer = view(request, *args, **kwargs)
            except UploadRefused as error:
                answer = HttpResponse(str(error), status=error.status, content_type="text/plain; charset=utf-8")
        answer["Tus-Resumable"] = VERSION
        answer["Cache-Control"] = "no-store"
        return answer

    return wrapped


@require_http_methods(["POST", "OPTIONS"])
@project_view(Role.LABELLER)
@tus
def create(request: HttpRequest, project: Project) -> HttpResponseBase:
    """What the server can; or a new upload, whose address the client keeps."""
    if request.method == "OPTIONS":
        can = {"Tus-Version": VERSION, "Tus-Extension": EXTENSIONS, "Tus-Max-Size": str(settings.UPLOAD_LIMIT)}
        return HttpResponse(status=204, headers=can)
    size = whole(request.headers.get("Upload-Length", ""))
    if size is None:
        raise UploadRefused(400, _("The length of the file is missing."))
    upload = uploads.begin(project, cast(User, request.user), _file_name(request), size)
    address = reverse("uploads:one", args=[project.code, upload.pk])
    return HttpResponse(status=201, headers={"Location": address, "Upload-Expires": _expires(upload)})


@require_http_methods(["HEAD", "PATCH", "DELETE"])
@project_view()
@tus
def one(request: HttpRequest, project: Project, pk: str) -> HttpResponseBase:
    """Where it stands, another piece, or its end. Other people's are not there."""
    upload = Upload.objects.filter(project=project, created_by=cast(User, request.user), pk=pk).first()
    if upload is None or not upload.path.exists():
        raise Http404
    if request.method == "DELETE":
        uploads.remove(upload)
        return HttpResponse(status=204)
    if request.method == "PATCH":
        return _take(request, upload)
    return HttpResponse(
        headers={
            "Upload-Offset": str(upload.offset),
            "Upload-Length": str(upload.size),
            "Upload-Expires": _expires(upload),
        }
    )


def _take(request: HttpRequest, upload: Upload) -> HttpResponse:
    if request.content_type != PIECE:
        raise UploadRefused(415, _("A piece of a file is sent as %(type)s.") % {"type": PIECE})
    offset = whole(request.headers.get("Upload-Offset", ""))
    if offset is None:
        raise UploadRefused(400, _("Where the piece belongs is missing."))
    end = uploads.append(upload, offset, whole(request.headers.get("Content-Length", "")), request)
    return HttpResponse(status=204, headers={"Upload-Offset": str(end), "Upload-Expires": _expires(upload)})


def _file_name(request: HttpRequest) -> str:
    """Out of the pairs of key and Base64 that a client sends along; "" where there is none."""
    pairs = (pair.split() for pair in request.headers.get("Upload-Metadata", "").split(","))
    stated = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    try:
        name = base64.b64decode(stated.get("filename", ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return name.replace("\0", "").replace("\\", "/").rsplit("/", 1)[-1]


def _expires(upload: Upload) -> str:
    return http_date(upload.expires_at.timestamp())
