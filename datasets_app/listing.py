"""Lists: order and page out of the URL, so that one address restores the view."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

SIZES = (20, 50, 100)


def ordered(request: HttpRequest, rows: QuerySet[Any], orders: dict[str, str]) -> tuple[QuerySet[Any], str]:
    """The rows in the order that the URL asks for, a key of `orders` with a minus for descending, and that order."""
    sort = request.GET.get("sort", "")
    column = orders.get(sort.removeprefix("-"))
    if not column:
        return rows, ""
    return rows.order_by(f"-{column}" if sort.startswith("-") else column, "-pk"), sort


def page_of(request: HttpRequest, rows: QuerySet[Any], sizes: tuple[int, ...] = SIZES) -> Page[Any]:
    """The page that the URL asks for."""
    given = request.GET.get("size", "")
    size = int(given) if given.isdigit() and int(given) in sizes else sizes[0]
    return Paginator(rows, size).get_page(request.GET.get("page"))
