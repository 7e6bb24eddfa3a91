"""Sets a portal up, runs the benches one after the other, prints one table, leaves nothing behind."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from importlib import import_module

from bench import table
from bench.options import Options
from bench.portal import Portal, prepared
from bench.table import MeasurementFailed, Row


def benches(names: Sequence[str], options: Options) -> int:
    """The exit code: 1 where a figure could not be measured. A goal that is missed is no failure: machines differ."""
    table.say(f"{os.cpu_count()} cores, load {table.load()}; SQLite; preparing …")
    rows: list[Row] = []
    failed: list[str] = []
    with prepared(options) as portal:
        for name in names:
            portal.say(f"{name} …")
            found, error = _one(name, portal)
            rows += found
            failed += [f"{name}: {error}"] if error else []
    return table.show(rows, failed)


def _one(name: str, portal: Portal) -> tuple[list[Row], str]:
    """The rows of one bench, or why there are none: the others are measured all the same."""
    try:
        portal.start()
        return import_module(f"bench.{name}").run(portal), ""
    except MeasurementFailed as error:
        portal.say(portal.last_words())
        return [], str(error)
    except Exception as error:
        traceback.print_exc()
        return [], repr(error)
