"""Metrics in and out: a file into SQLite and PostgreSQL, a chart of a million points, and MLflow beside.

PostgreSQL: the server that BENCH_POSTGRES names, else one on this machine, in a new database.
MLflow: in an environment of its own below the bench's folder, with the same points, in the same run.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from bench import metrics_file
from bench.portal import Portal
from bench.table import MeasurementFailed, Row, percentile, say
from jobs.curves import levels, storing
from jobs.models import Job

RATE_GOAL = 20_000.0  # rows/s
FIRST_GOAL, LATER_GOAL = 1000.0, 200.0  # ms
RATIO_GOAL = 5.0
ROWS = 1_000_000  # of the chart, two curves each
PEER_ROWS = 50_000  # of what MLflow gets, in batches of 1,000 values, the most it takes
PACKAGES = ("mlflow-skinny", "sqlalchemy", "alembic")  # what MLflow needs to write to and read from SQLite
LOCAL = "postgres://postgres@127.0.0.1:5432/postgres"
PEER = Path(__file__).with_name("mlflow_peer.py")


def run(portal: Portal) -> list[Row]:
    rows = portal.options.count(ROWS, 40_000)
    job, written = metrics_file.ingested(portal.project, rows)
    found = [
        Row(
            f"charts: metrics file of 2 curves → database, SQLite, {rows:,} rows",
            written.rate,
            "rows/s",
            RATE_GOAL,
            True,
        ),
        Row("charts: CPU of that", written.cpu, "s"),
        *_views(portal, job, rows),
        *_postgres(portal),
        *_peer(portal),
    ]
    return found


# --- a chart ----------------------------------------------------------------------------------------------------------
def _views(portal: Portal, job: Job, rows: int) -> list[Row]:
    """What the page's script asks for, over HTTP on this machine."""
    connection.close()
    path = f"{portal.base}/jobs/{job.pk}/metrics/"
    first, answer = _asked(portal, f"{path}?after=0")
    sizes = [len(series["points"]) + len(series.get("means", [])) for series in answer["charts"][0]["series"]]
    if len(sizes) != 2 or max(sizes) > 1000:
        raise MeasurementFailed(f"the chart was answered with {sizes} points")
    later = [_asked(portal, f"{path}?after=0")[0] for _n in range(portal.options.count(100, 10))]
    part = [
        _asked(portal, f"{path}?chart=loss&from={rows * n // 50}&to={rows * n // 50 + rows // 40}")[0]
        for n in range(portal.options.count(40, 5))
    ]
    unchanged = [_asked(portal, f"{path}?after={answer['cursor']}")[0] for _n in range(portal.options.count(100, 10))]
    name = f"charts: {rows:,} points × 2"
    return [
        Row(f"{name}, first view", first, "ms", FIRST_GOAL),
        Row(f"{name}, later views, p95", percentile(later, 95), "ms", LATER_GOAL),
        Row(f"{name}, later views, p50", percentile(later, 50), "ms"),
        Row("charts: a part of it in detail, p95", percentile(part, 95), "ms", LATER_GOAL),
        Row("charts: a look where nothing is new, p95", percentile(unchanged, 95), "ms"),
    ]


def _asked(portal: Portal, path: str) -> tuple[float, dict[str, Any]]:
    began = time.perf_counter()
    answer = portal.browser.get(path)
    took = 1000 * (time.perf_counter() - began)
    if answer.status != 200:
        raise MeasurementFailed(f"{path} was answered with {answer.status}")
    return took, json.loads(answer.body)


# --- PostgreSQL -------------------------------------------------------------------------------------------------------
def _postgres(portal: Portal) -> list[Row]:
    rows = portal.options.count(300_000, 20_000)
    try:
        with _database() as url:
            environment = os.environ | {"DATABASE_URL": url, "TRAINPORTAL_HOME": str(portal.home / "postgres")}
            done = _python([sys.executable, "-m", "bench.metrics_file", str(rows)], environment, settings.BASE_DIR)
    except OSError as error:
        say(f"charts: PostgreSQL was not measured: {error}")
        return []
    return [
        Row(
            f"charts: metrics file of 2 curves → database, PostgreSQL, {rows:,} rows",
            done["rate"],
            "rows/s",
            RATE_GOAL,
            True,
        ),
        Row("charts: CPU of that, without the server's", done["cpu"], "s"),
        Row(f"charts: {rows:,} points × 2 out of PostgreSQL, p95", done["view"], "ms", LATER_GOAL),
    ]


@contextmanager
def _database() -> Iterator[str]:
    """The address of a new and empty database, which is gone at the end. Raises OSError where there is no server."""
    import psycopg
    from psycopg import sql

    server = os.environ.get("BENCH_POSTGRES", LOCAL)
    name = f"trainportal_bench_{secrets.token_hex(4)}"
    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=3) as own:
            own.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield server.rpartition("/")[0] + f"/{name}"
            finally:
                own.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise OSError(f"{server.rpartition('@')[2]}: {error}") from error


# --- MLflow beside ----------------------------------------------------------------------------------------------------
def _peer(portal: Portal) -> list[Row]:
    """The same points into both, and out of both again, one after the other."""
    rows = portal.options.count(PEER_ROWS, 3000)
    python = _installed(portal.home / "mlflow")
    if python is None:
        return []
    peer = _python([str(python), str(PEER), str(portal.home / "mlflow"), str(rows)], dict(os.environ), portal.home)
    job, written = metrics_file.ingested(portal.project, rows)
    began, cpu = time.perf_counter(), time.process_time()
    count = sum(len(page) for curve in storing.curves_of(job.pk) for page in levels.points(curve))
    read = {"wall": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    if not count == peer["points"] == 2 * rows:
        raise MeasurementFailed(f"{count} points were read of {2 * rows}, by MLflow {peer['points']}")
    view = percentile([_asked(portal, f"{portal.base}/jobs/{job.pk}/metrics/?after=0")[0] for _n in range(20)], 50)
    about = f"charts: {2 * rows:,} points"
    return [
        *_beside(f"{about} written", {"wall": written.wall, "cpu": written.cpu}, peer["write"], count),
        *_beside(f"{about} read", read, peer["read"], count),
        Row(f"{about} as a chart, ours over HTTP", view, "ms"),
        Row(
            f"charts: as a chart MLflow {peer['version']}: its history, not thinned", 1000 * peer["read"]["wall"], "ms"
        ),
    ]


def _beside(about: str, ours: dict[str, float], theirs: dict[str, float], count: int) -> list[Row]:
    """`wall` and `cpu` in seconds for the same points: the ratio by CPU holds on a machine that others use too."""
    return [
        Row(f"{about}, ours", count / ours["wall"], "points/s"),
        Row(f"{about}, MLflow", count / theirs["wall"], "points/s"),
        Row(f"{about}, ours / MLflow", theirs["wall"] / ours["wall"], "x", RATIO_GOAL, True),
        Row(f"{about}, ours / MLflow by CPU", theirs["cpu"] / ours["cpu"], "x"),
    ]


def _installed(folder: Path) -> Path | None:
    """MLflow's Python; None where it cannot be installed, which is said."""
    say(f"charts: installing {', '.join(PACKAGES)} below {folder} …")
    python = folder / "env" / "bin" / "python"
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True, capture_output=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        subprocess.run(pip, check=True, capture_output=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", b"") or b""
        last = told.decode("utf-8", "replace").strip().splitlines()[-1:] or [str(error)]
        say(f"charts: MLflow was not measured, {' '.join(PACKAGES)} cannot be installed: {last[0]}")
        return None
    return python


def _python(argv: list[str], environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """What a program prints as JSON in its last line."""
    done = subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise MeasurementFailed(f"{argv[-2]} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
