"""Admin pages of rows that only the portal itself may write: a hand edit there would lie."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class NoMaking:
    """Rows come about, and go, by what people do in the portal: none is added or deleted here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnly(NoMaking):
    """May be looked at and searched, and nothing else."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, admin.ModelAdmin):
    show_full_result_count = False  # counting all rows of a large table takes longer than showing a page of it


class ReadOnlyInline(ReadOnly, admin.TabularInline):
    extra = 0
    show_change_link = False
