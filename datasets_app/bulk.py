"""Many rows at once, of which nobody needs the ids: faster than `bulk_create`, which asks every field of every row how
it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

from django.db import connections, models, router

_KEYS = 500  # in one statement
_ROWS = 5000  # rows a statement, so that PostgreSQL's driver need not hold all of them


def insert(rows: Sequence[models.Model]) -> None:
    """Write new rows of one model. Their foreign keys must be ids by now; `auto_now` fields are not filled in."""
    if not rows:
        return
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    quote = connection.ops.quote_name
    columns, places = ", ".join(quote(str(field.column)) for field in fields), ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608 (names of our models)
    with connection.cursor() as cursor:
        for start in range(0, len(rows), _ROWS):
            cursor.executemany(sql, list(_values(rows[start : start + _ROWS], fields, connection)))


def insert_values(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """The same for values without objects: of hundreds of thousands of rows, making these takes longest.

    `names` are columns; a JSON column takes text that is JSON already.
    """
    connection = connections[router.db_for_write(model)]
    quote, fields = connection.ops.quote_name, {str(field.column): field for field in model._meta.concrete_fields}
    casts = connection.vendor == "postgresql"
    places = ["%s::jsonb" if casts and isinstance(fields[name], models.JSONField) else "%s" for name in names]
    columns = ", ".join(map(quote, names))
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({', '.join(places)})"  # noqa: S608
    waiting = iter(rows)
    with connection.cursor() as cursor:
        while some := list(islice(waiting, _ROWS)):
            cursor.executemany(sql, some)


def update_values(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write some columns of rows that are there; the last value of each is its key. JSON as in `insert_values`."""
    connection = connections[router.db_for_write(model)]
    quote, fields = connection.ops.quote_name, {str(field.column): field for field in model._meta.concrete_fields}
    casts = connection.vendor == "postgresql"
    places = [
        f"{quote(name)} = %s::jsonb" if casts and isinstance(fields[name], models.JSONField) else f"{quote(name)} = %s"
        for name in names
    ]
    key = quote(str(model._meta.pk.column)) if model._meta.pk else ""
    sql = f"UPDATE {quote(model._meta.db_table)} SET {', '.join(places)} WHERE {key} = %s"  # noqa: S608
    waiting = iter(rows)
    with connection.cursor() as cursor:
        while some := list(islice(waiting, _ROWS)):
            cursor.executemany(sql, some)


def _values(rows: Sequence[models.Model], fields: Sequence[Any], connection: Any) -> Iterator[list[Any]]:
    get = attrgetter(*(field.attname for field in fields))
    special = [(n, field) for n, field in enumerate(fields) if isinstance(field, models.JSONField)]
    for row in rows:
        values = list(get(row))
        for n, field in special:
            values[n] = field.get_db_prep_save(values[n], connection)
        yield values


def delete(model: type[models.Model], keys: Sequence[Any]) -> None:
    """Remove rows that nothing points to, which the database sees to: Django would ask every relation for each of
    them first, and load them."""
    connection = connections[router.db_for_write(model)]
    quote, key = connection.ops.quote_name, str(model._meta.pk.column) if model._meta.pk else ""
    with connection.cursor() as cursor:
        for start in range(0, len(keys), _KEYS):
            some = keys[start : start + _KEYS]
            places = ", ".join(["%s"] * len(some))
            sql = f"DELETE FROM {quote(model._meta.db_table)} WHERE {quote(key)} IN ({places})"  # noqa: S608
            cursor.execute(sql, some)
