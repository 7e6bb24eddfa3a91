"""What a run saw: its snapshot, image by image, and beside another one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Page
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from datasets_app import overlays, snapshot_compare, snapshot_reading, snapshot_tiles
from datasets_app.models import Blob, Image, Snapshot
from datasets_app.snapshot_compare import Change, Found
from datasets_app.snapshot_reading import SETS, Contents, Picture
from datasets_app.snapshot_tiles import SeenTile
from datasets_app.views_files import SHOWN, picture, small
from projects_app.access import project_view
from projects_app.listing import chosen, page_of
from projects_app.models import Project, Role

SIZES = (60, 120, 240)
CHANGE_SIZES = (20, 50)
NOW = "now"
NEWEST = 200  # snapshots that a choice offers


@require_GET
@project_view()
def snapshot_list(request: HttpRequest, project: Project) -> HttpResponse:
    """Every snapshot of the project, with what was made of it."""
    page = page_of(request, with_users(project))
    return render(request, "datasets/snapshots.html", {"page": page, "rows": [(one, users_of(one)) for one in page]})


@require_GET
@project_view()
def snapshot(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Labels counted in either set, and a gallery of the images as they were."""
    found = get_snapshot(project, pk)
    context = {"snapshot": found, "users": users_of(found), "may_restore": may_restore(request, project)}
    try:
        contents = snapshot_reading.read(found)
    except snapshot_reading.Unreadable:
        return render(request, "datasets/snapshot_gone.html", context)
    counts = snapshot_tiles.count_rows(project.pk, contents)
    split = request.GET.get("set", "")
    images = [one for one in snapshot_tiles.numbered(contents, split) if _fits(request, one[2])]
    page: Page[Any] = page_of(request, images, SIZES)
    tiles = snapshot_tiles.tiles(found, list(page), {row.key: row.colour for row in counts})
    context |= {
        "contents": contents,
        "counts": counts,
        "page": page,
        "tiles": [(one, thumb_url(project, found, one)) for one in tiles],
        "sets": _set_facts(project, contents),
        "filtered": any(request.GET.get(key) for key in ("q", "label", "set")),
        "sizes": ",".join(map(str, SIZES)),
    }
    return render(request, "datasets/snapshot.html", context)


@require_GET
@project_view()
def snapshot_image(request: HttpRequest, project: Project, pk: int, split: str, number: int) -> HttpResponse:
    """One image with its labels as they were."""
    found = get_snapshot(project, pk)
    contents = contents_or_404(found)
    if split not in SETS or number >= len(contents.of(split)):
        raise Http404
    colours = {row.key: row.colour for row in snapshot_tiles.count_rows(project.pk, contents)}
    image = contents.of(split)[number]
    tile = snapshot_tiles.tiles(found, [(split, number, image)], colours, fine=True)[0]
    count = len(contents.of(split))
    context = {
        "snapshot": found,
        "tile": tile,
        "split": split,
        "picture_url": _picture_url(project, found, tile) if tile.is_there else "",
        "number": number + 1,
        "count": count,
        "previous": number - 1 if number else None,
        "next": number + 1 if number + 1 < count else None,
        "now": _still_there(project, contents, split, image),
    }
    return render(request, "datasets/snapshot_image.html", context)


@require_GET
@project_view()
def snapshot_thumb(request: HttpRequest, project: Project, pk: int, sha256: str) -> HttpResponseBase:
    """A small JPEG of a picture that the snapshot holds; with `?large=1` one for a page of its own."""
    return small(request, _held_blob(project, pk, sha256))


@require_GET
@project_view()
def snapshot_file(request: HttpRequest, project: Project, pk: int, sha256: str) -> HttpResponseBase:
    """The picture as it came."""
    blob = _held_blob(project, pk, sha256)
    return picture(request, blob.path, blob.content_type, blob.sha256)


@require_GET
@project_view()
def compare(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """A snapshot beside another one (`with=<id>`), or beside its datasets as they are now (`with=now`)."""
    before = get_snapshot(project, pk)
    contents = contents_or_404(before)
    wanted = request.GET.get("with", NOW)
    context = {
        "snapshot": before,
        "others": [one for one in with_users(project)[:NEWEST] if one.pk != before.pk],
        "with": wanted,
        "other": None,
    }
    after = None if wanted == NOW else get_snapshot(project, chosen(request, "with") or 0)
    try:
        other = contents_or_404(after) if after else snapshot_compare.as_now(project, contents)
    except snapshot_compare.CannotCompare as error:
        return render(request, "datasets/snapshot_compare.html", context | {"refusal": str(error)})
    context |= {"other": after, "lost": [] if after else snapshot_compare.lost_datasets(project, contents)}
    context |= _compared(request, project, (before, contents), (after, other))
    return render(request, "datasets/snapshot_compare.html", context)


@require_GET
@project_view()
def compare_choice(request: HttpRequest, project: Project) -> HttpResponse:
    """From the list: two ticked snapshots, the older one first."""
    wanted = sorted({int(text) for text in request.GET.getlist("snapshot") if text.isascii() and text.isdigit()})
    if len(wanted) != 2:
        messages.info(request, _("Tick two snapshots to compare them."))
        return redirect("datasets:snapshots", project.code)
    address = reverse("datasets:snapshot_compare", args=[project.code, wanted[0]])
    return redirect(f"{address}?with={wanted[1]}")


def get_snapshot(project: Project, pk: int) -> Snapshot:
    return get_object_or_404(Snapshot.objects.select_related("project", "manifest", "details"), project=project, pk=pk)


def contents_or_404(found: Snapshot) -> Contents:
    try:
        return snapshot_reading.read(found)
    except snapshot_reading.Unreadable as error:
        raise Http404(_("The list of this snapshot's images cannot be read any more.")) from error


def may_restore(request: HttpRequest, project: Project) -> bool:
    return project.allows(request.user, Role.LABELLER)  # type: ignore[arg-type]


def with_users(project: Project) -> Any:
    rows = Snapshot.objects.filter(project=project).select_related("project").order_by("-created_at", "-pk")
    return rows.prefetch_related(*(f"{name}__project" for name in _user_names()))


def users_of(found: Snapshot) -> list[Any]:
    """The models that were trained with it and the validations, whatever app they come from."""
    return [row for name in _user_names() for row in getattr(found, name).all()]


def thumb_url(project: Project, found: Snapshot | None, tile: SeenTile) -> str:
    """Empty where the picture is gone; `found` is None where it is read from a dataset of now."""
    if tile.image.pk is not None:
        return reverse("datasets:thumb", args=[project.code, tile.image.pk])
    if not tile.is_there or found is None:
        return ""
    return reverse("datasets:snapshot_thumb", args=[project.code, found.pk, tile.image.sha256])


def _user_names() -> list[str]:
    """Reverse relations of what was made of a snapshot."""
    relations = [one for one in Snapshot._meta.related_objects if one.related_model._meta.app_label != "datasets_app"]  # type: ignore[union-attr]
    return [name for one in relations if (name := one.get_accessor_name())]


def _set_facts(project: Project, contents: Contents) -> list[dict[str, Any]]:
    """Of either set: images, how many of them labelled, its datasets, with those that are still there."""
    facts = []
    for split in SETS:
        there = snapshot_compare.datasets_of(project, contents, split)
        images = contents.of(split)
        labelled = sum(image.labels is not None for image in images)
        datasets = [(name, there.get(name)) for name in contents.dataset_names(split)]
        facts.append({"split": split, "images": len(images), "labelled": labelled, "datasets": datasets})
    return facts


def _fits(request: HttpRequest, image: Picture) -> bool:
    text, label = request.GET.get("q", "").strip().lower(), request.GET.get("label", "")
    if text and text not in image.name.lower():
        return False
    if label == "-":
        return image.labels is None
    return not label or any(one.key == label for one in image.labels or ())


def _held_blob(project: Project, pk: int, sha256: str) -> Blob:
    """One of the snapshot's files: a hash alone opens nothing."""
    return get_object_or_404(Blob, pk=sha256, snapshot_files__snapshot=pk, snapshot_files__snapshot__project=project)


def _picture_url(project: Project, found: Snapshot, tile: SeenTile) -> str:
    blob = _held_blob(project, found.pk, tile.image.sha256)
    name = "datasets:snapshot_file" if blob.content_type in SHOWN else "datasets:snapshot_thumb"
    address = reverse(name, args=[project.code, found.pk, tile.image.sha256])
    return address if blob.content_type in SHOWN else f"{address}?large=1"


def _still_there(project: Project, contents: Contents, split: str, image: Picture) -> Image | None:
    """The image of that name in its dataset as it is now."""
    dataset = snapshot_compare.datasets_of(project, contents, split).get(image.dataset)
    return dataset.images.filter(name=image.name).select_related("dataset").first() if dataset else None


def _compared(
    request: HttpRequest,
    project: Project,
    before: tuple[Snapshot, Contents],
    after: tuple[Snapshot | None, Contents],
) -> dict[str, Any]:
    found = snapshot_compare.compare(project, before[1], after[1])
    kind = request.GET.get("kind", "")
    page: Page[Any] = page_of(request, found.of(kind), CHANGE_SIZES)
    return {
        "found": found,
        "kinds": [(key, word, found.totals[key]) for key, word in snapshot_compare.KINDS.items()],
        "kind": kind,
        "page": page,
        "changes": _drawn_changes(project, list(page), before, after),
        "filtered": bool(kind),
        "sizes": ",".join(map(str, CHANGE_SIZES)),
    }


def _drawn_changes(
    project: Project,
    changes: list[Change],
    before: tuple[Snapshot, Contents],
    after: tuple[Snapshot | None, Contents],
) -> list[dict[str, Any]]:
    """Each with the image on either side; a label has one colour on both."""
    rows = [row for one in (before[1], after[1]) for row in snapshot_tiles.count_rows(project.pk, one)]
    colours = overlays.colours(project.pk, (row.key for row in rows))
    return [
        {
            "change": change,
            "before": _side(project, before[0], change.before, colours),
            "after": _side(project, after[0], change.after, colours),
        }
        for change in changes
    ]


def _side(
    project: Project, found: Snapshot | None, image: Found | None, colours: dict[str, int]
) -> tuple[SeenTile, str] | None:
    if image is None:
        return None
    if found is None:
        tile = snapshot_tiles.tile(image[2], image[0], image[1], colours, is_there=True)
    else:
        tile = snapshot_tiles.tiles(found, [image], colours)[0]
    return tile, thumb_url(project, found, tile)
