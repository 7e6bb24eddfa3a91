"""Lists: order, page and numbers out of the URL, so that one address restores the view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

SIZES = (20, 50, 100)
FEW = 2000


def ordered(request: HttpRequest, rows: QuerySet[Any], orders: dict[str, str]) -> tuple[QuerySet[Any], str]:
    """The rows in the order that the URL asks for, a key of `orders` with a minus for descending, and that order."""
    sort = request.GET.get("sort", "")
    column = orders.get(sort.removeprefix("-"))
    if not column:
        return rows, ""
    return rows.order_by(f"-{column}" if sort.startswith("-") else column, "-pk"), sort


def page_of(request: HttpRequest, rows: QuerySet[Any] | Sequence[Any], sizes: tuple[int, ...] = SIZES) -> Page[Any]:
    """The page that the URL asks for."""
    wanted = chosen(request, "size")
    return Paginator(rows, wanted if wanted in sizes else sizes[0]).get_page(request.GET.get("page"))


def page_by_ids(
    request: HttpRequest, rows: QuerySet[Any], full: QuerySet[Any], sizes: tuple[int, ...] = SIZES
) -> Page[Any]:
    """The same for large tables: order and count look at ids alone, which an index can answer; then those few rows are
    fetched as `full` says (its `select_related` and `defer`).

    Where few rows are left and their ids are the order, they are sorted here: a database asked for the order would walk
    through the whole table by id, instead of taking the index that finds them."""
    ids = rows.values_list("pk", flat=True)
    by_id = rows.query.order_by or rows.model._meta.ordering
    page = page_of(request, ids, sizes)
    if by_id[0] in ("pk", "-pk") and page.paginator.count <= FEW:
        few = sorted(ids.order_by(), reverse=by_id[0] == "-pk")
        page.object_list = few[page.start_index() - 1 : page.end_index()] if few else []
    found = full.in_bulk(list(page))
    page.object_list = [found[pk] for pk in page.object_list if pk in found]
    return page


def chosen(request: HttpRequest, name: str) -> int | None:
    """The number that the URL gives under `name`."""
    return whole(request.GET.get(name, ""))


def whole(text: str) -> int | None:
    """The number that stands there; None where it is none, or none that a row can have."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
