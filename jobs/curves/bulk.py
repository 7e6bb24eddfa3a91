"""Many rows into one table, within the transaction that is open (COPY on PostgreSQL), or out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from django.db import connection, models
from django.db.models import QuerySet

Row = Sequence[Any]


def insert(model: type[models.Model], columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Insert `rows`, each with the values of `columns` (names in the database). Ids rise in the order of the rows."""
    quote = connection.ops.quote_name
    into = f"{quote(model._meta.db_table)} ({', '.join(map(quote, columns))})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # the wrapper makes Django's errors of psycopg's, as for any other statement
            with connection.wrap_database_errors, cursor.copy(f"COPY {into} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {into} VALUES ({places})", cast(Any, rows))  # noqa: S608 (own names)


def fetched(rows: QuerySet[Any, Any]) -> list[Any]:
    """All rows of a `values_list` as the database gives them, in one go: a queryset takes a hundred at a time."""
    sql, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def update(model: type[models.Model], columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Give each row, `columns` and then its id, its new values."""
    quote = connection.ops.quote_name
    sets = ", ".join(f"{quote(column)} = %s" for column in columns)
    sql = f"UPDATE {quote(model._meta.db_table)} SET {sets} WHERE id = %s"  # noqa: S608 (names of our own)
    with connection.cursor() as cursor:
        cursor.executemany(sql, cast(Any, rows))
