"""Pictures for the browser: the original, a small one, and those of an upload that is only looked at."""

from __future__ import annotations

from pathlib import Path

from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase, HttpResponseNotModified
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_GET

from datasets_app.blobs import thumbnail_path
from datasets_app.drafts import source_of
from datasets_app.models import Blob, Image, ImportDraft
from datasets_app.pictures import LARGE, THUMBNAIL, BadPicture, make_thumbnail
from projects_app.access import project_view
from projects_app.models import Project, Role

SHOWN = frozenset({"image/png", "image/jpeg", "image/bmp", "image/webp"})  # what browsers draw


@require_GET
@project_view()
def original(request: HttpRequest, project: Project, image: int) -> HttpResponseBase:
    """The file as it came."""
    blob = _image(project, image).blob
    return picture(request, blob.path, blob.content_type, blob.sha256)


@require_GET
@project_view()
def thumbnail(request: HttpRequest, project: Project, image: int) -> HttpResponseBase:
    """A JPEG of 320 pixels, made when it is first asked for; with `?large=1` one for a page of its own."""
    return small(request, _image(project, image).blob)


@require_GET
@project_view(Role.LABELLER)
def preview_image(request: HttpRequest, project: Project, pk: str, number: int) -> HttpResponseBase:
    """One of the first pictures of an upload, small."""
    draft = get_object_or_404(ImportDraft, project=project, pk=pk)
    shown = draft.preview.get("first", [])
    if number >= len(shown):
        raise Http404
    path = draft.folder / "thumbs" / f"{number}.jpg"
    if not path.exists():
        make_small(source_of(draft).image_path(shown[number]["path"]), path, THUMBNAIL)
    return picture(request, path, "image/jpeg", f"{draft.pk}-{number}")


def picture_url(project: Project, image: Image) -> str:
    """The original, or a JPEG of it where browsers do not draw its kind."""
    if image.blob.content_type in SHOWN:
        return reverse("datasets:file", args=[project.code, image.pk])
    return reverse("datasets:thumb", args=[project.code, image.pk]) + "?large=1"


def _image(project: Project, pk: int) -> Image:
    return get_object_or_404(Image.objects.select_related("blob"), dataset__project=project, pk=pk)


def small(request: HttpRequest, blob: Blob) -> HttpResponseBase:
    """A JPEG of a picture, made when it is first asked for: 320 pixels, or with `?large=1` for a page of its own."""
    side = LARGE if request.GET.get("large") else THUMBNAIL
    path = thumbnail_path(blob.sha256, side)
    if not path.exists():
        make_small(blob.path, path, side)
    return picture(request, path, "image/jpeg", f"{blob.sha256}-{side}")


def make_small(source: Path, target: Path, side: int) -> None:
    """Raises Http404 where the picture is gone or none."""
    try:
        make_thumbnail(source, target, side)
    except (BadPicture, OSError) as error:
        raise Http404 from error


def picture(request: HttpRequest, path: Path, content_type: str, tag: str) -> HttpResponseBase:
    """The bytes behind an address never change, so a browser need not ask again; but they are for its user only."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": "private, max-age=31536000, immutable"}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return HttpResponseNotModified(headers=headers)
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error
    return FileResponse(file, content_type=content_type, headers=headers | {"X-Content-Type-Options": "nosniff"})
