"""Points at which a process of the portal dies, stops or loses its database: files of the case, each good for once.

`{"who": "runner", "sql": "state becomes SUCCEEDED", "do": "kill"}` kills the first runner that is about to say so;
`"audit": "os.rename"` with `"match"` does so before a call to the operating system. `"when": "commit"` acts at the end
of the transaction that holds the statement: `kill` before it is committed, `lose` after, as if the answer of the
database were lost. `"do": "stop"` is SIGSTOP.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.db.backends.signals import connection_created

FULL = settings.TRAINPORTAL_HOME / "faults" / "full"  # while this is there, nothing can be written


def arm() -> None:
    who = sys.argv[1] if len(sys.argv) > 1 else Path(sys.argv[0]).name
    mine = []
    for path in sorted((settings.TRAINPORTAL_HOME / "faults").glob("*.point")):
        found = json.loads(path.read_text())
        if found.get("who", who) == who:
            mine.append(Point(path, found))
    if any(point.audit for point in mine):
        sys.addaudithook(lambda event, args: [point.heard(event, args) for point in mine if point.audit == event])
    connection_created.connect(lambda connection, **_: _wire(connection, mine), weak=False)


class Point:
    def __init__(self, path: Path, found: dict[str, Any]) -> None:
        self.path = path
        self.audit = found.get("audit", "")
        self.match = re.compile(found.get("match", ""))
        self.sql = re.compile(found["sql"], re.DOTALL) if "sql" in found else None
        self.when = found.get("when", "before")
        self.do = found["do"]
        self.left = int(found.get("nth", 1))

    def heard(self, event: str, args: tuple[Any, ...]) -> None:
        if self.match.search(" ".join(map(str, args))):
            self.happen()

    def happen(self) -> None:
        self.left -= 1
        if self.left:
            return
        try:
            self.path.unlink()  # whoever takes it away is who it happens to
        except OSError:
            return
        if self.do == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.do == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif self.do == "lose":
            raise OperationalError("the answer of the database was lost")


def _wire(connection: Any, mine: list[Point]) -> None:
    armed: list[Point] = []

    def execute(call: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if FULL.exists() and sql.startswith(("INSERT", "UPDATE", "DELETE")):
            raise OperationalError("database or disk is full")
        said = f"{sql} -- {params}"
        if 'UPDATE "jobs_job" SET "state" = %s' in sql:
            said = f"state becomes {params[0]}"
        for point in mine:
            if point.sql and point.sql.search(said):
                if point.when == "before":
                    point.happen()
                else:
                    armed.append(point)
        return call(sql, params, many, context)

    commit = connection._commit

    def committing() -> None:
        todo = list(armed)
        armed.clear()
        for point in todo:
            if point.do != "lose":
                point.happen()
        commit()
        for point in todo:
            if point.do == "lose":
                point.happen()

    connection.execute_wrappers.append(execute)
    connection._commit = committing
