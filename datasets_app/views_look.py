"""A closer look at a dataset: how large its labels are, which pictures are there twice or nearly so."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from datasets_app import alike, overlays
from datasets_app.gallery import Gallery
from datasets_app.models import Image
from datasets_app.views_verbs import dataset_of
from projects_app.access import project_view
from projects_app.listing import page_of
from projects_app.models import Project

SHOWN = 8  # pictures of a group


@require_GET
@project_view()
def look(request: HttpRequest, project: Project, pk: int) -> HttpResponse:
    """Groups of pictures side by side, `?kind=near` or `same`."""
    dataset = dataset_of(project, pk)
    gallery = Gallery(dataset)
    groups = gallery.groups
    kind = request.GET.get("kind", "")
    if kind not in (alike.SAME, alike.LIKE):
        kind = alike.SAME if groups.same or not groups.near else alike.LIKE
    page = page_of(request, groups.of(kind))
    wanted = [key for group in page for key in group[:SHOWN]]
    tiles = {
        tile.image.pk: tile
        for tile in overlays.tiles(Image.objects.filter(pk__in=wanted), overlays.label_rows(dataset))
    }
    context = {
        "dataset": dataset,
        "kind": kind,
        "page": page,
        "kinds": [(one, len(groups.of(one)), len(groups.images(one))) for one in (alike.SAME, alike.LIKE)],
        "shown": [
            {"tiles": [tiles[key] for key in group[:SHOWN] if key in tiles], "more": max(0, len(group) - SHOWN)}
            for group in page
        ],
        "sizes": gallery.sizes,
    }
    return render(request, "datasets/look.html", context)
