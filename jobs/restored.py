"""After the database was restored from a backup: it tells of the past, machines and files of the present.

No job is given up for it. What some host held is looked after there, as after the death of its runner: a kernel that
lives goes on, one that has ended is judged by what it left. What waits, and was started since the backup, goes on from
what it left, in a folder of its own. What the backup knows nothing of is ended by the hosts before they get any work,
and its numbers are not given again: new rows would find strange files in their folders.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F
from django.utils.translation import gettext_noop as _

from jobs import clock, ingest, runfolder
from jobs.models import Host, Job, State
from jobs.said import Said

LEAP = 1000  # epochs: more than anybody who still runs can have come to since the backup

_numbered: dict[str, type[models.Model]] = {}


def register(folder: str, model: type[models.Model]) -> None:
    """Below `TRAINPORTAL_HOME/<folder>` things of this model have folders, named by their ids."""
    _numbered[folder] = model


def settle() -> dict[str, int]:
    """Fence off whoever still runs, and let every job be looked after. Safe to do twice. Returns what there was."""
    found = {"held": 0, "waiting": 0}
    with transaction.atomic():
        Host.objects.update(is_stale=True)
        for job in Job.objects.active().select_for_update():
            is_waiting = job.state == State.QUEUED
            found["waiting" if is_waiting else "held"] += 1
            fields: dict[str, Any] = (
                {"moves": runfolder.unused(job, job.moves)} if is_waiting else {"lease_until": clock.now()}
            )
            if job.state != State.FINALIZING:  # its status was read to the end, and nobody reads it again
                fields["bad_lines"] = 0
            Job.objects.filter(pk=job.pk).update(epoch=F("epoch") + LEAP, adoptions=0, **fields)
            ingest.distrust(job)  # a runner of the present may have written on behind a gap
            why = Said(_("the database was restored from a backup"))
            job.record(State(job.state), State(job.state), who="", why=why)
        for folder, model in _numbered.items():
            _reserve(model, _highest(folder))
    return found


def _highest(folder: str) -> int:
    names = [path.name.partition(".")[0] for path in (settings.TRAINPORTAL_HOME / folder).glob("*")]
    return max((int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 19), default=0)


def _reserve(model: type[models.Model], highest: int) -> None:
    """Let the next row of the model have a number above this one."""
    table, column = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sequence = "pg_get_serial_sequence(%s, %s)"
            cursor.execute(
                f"SELECT setval({sequence}, GREATEST(%s, nextval({sequence})))",
                [f'"{table}"', column, highest, f'"{table}"', column],
            )
            return
        cursor.execute("UPDATE sqlite_sequence SET seq = MAX(seq, %s) WHERE name = %s", [highest, table])
        if not cursor.rowcount:
            cursor.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (%s, %s)", [table, highest])


register("runs", Job)
