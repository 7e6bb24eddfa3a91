"""Lists: filters, order and page out of the URL, so that one address restores the view."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

SIZES = (20, 50, 100)


def page_of(request: HttpRequest, rows: QuerySet[Any], orders: dict[str, str]) -> tuple[Page[Any], str]:
    """The page that the URL asks for, and the order: a key of `orders`, with a minus for descending."""
    sort = request.GET.get("sort", "")
    column = orders.get(sort.removeprefix("-"))
    if column:
        rows = rows.order_by(f"-{column}" if sort.startswith("-") else column, "-pk")
    wanted = whole(request.GET.get("size", ""))
    size = wanted if wanted in SIZES else SIZES[0]
    return Paginator(rows, size).get_page(request.GET.get("page")), sort if column else ""


def chosen(request: HttpRequest, name: str) -> int | None:
    """The number that the URL gives under `name`."""
    return whole(request.GET.get(name, ""))


def whole(text: str) -> int | None:
    """The number that stands there; None where it is none, or none that a row can have."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
