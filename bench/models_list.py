"""The list of models of a project with 100,000 of them: every filter and every order, as a browser asks for it."""

from __future__ import annotations

import time
from itertools import chain
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from bench.portal import Portal
from bench.table import MeasurementFailed, Row, percentile
from jobs.models import Job, State
from kernels_app.models import Kernel
from models_app.models import TrainedModel, Validation
from projects_app.models import Membership, ModelType, Project, Role, User

CODE = "many"
MODELS, FEW = 100_000, 5_000
GOAL = 100.0  # ms, p95
TYPES, PEOPLE = 40, 12
WARM = 2  # rounds that do not count: templates are compiled, the database's pages are read

# what a person asks for: name, query. `{x}` are ids that are known when the rows are there
QUERIES = (
    ("no filter", ""),
    ("page 400", "page=400"),
    ("100 rows", "size=100"),
    ("name", "q=line 7-"),
    ("name that is there once", "q=-4999"),
    ("model type", "model_type={type}"),
    ("running", "state=RUNNING"),
    ("failed", "state=FAILED"),
    ("succeeded", "state=SUCCEEDED"),
    ("not ended", "state=active"),
    ("category", "category=FRONT"),
    ("who", "who={user}"),
    ("base model by name", "base=line 7-"),
    ("with a base model", "base=any"),
    ("active", "active=1"),
    ("type and state", "model_type={type}&state=FAILED"),
    ("name, type, who, state", "q=line&model_type={type}&who={user}&state=SUCCEEDED"),
    ("by name", "sort=-name"),
    ("by state", "sort=-state"),
    ("by who", "sort=who"),
    ("by model type", "sort=model_type"),
    ("by category", "sort=category"),
    ("by when", "sort=when&state=SUCCEEDED"),
)


def run(portal: Portal) -> list[Row]:
    count = FEW if portal.options.quick else MODELS
    portal.say(f"writing {count:,} models …")
    ids = fill(count)
    urls = [(name, f"/p/{CODE}/models/?{query.format(**ids)}".replace(" ", "+")) for name, query in QUERIES]
    took: dict[str, list[float]] = {name: [] for name, _url in urls}
    for turn in range(WARM + portal.options.count(20, 3)):
        for name, url in urls:
            began = time.perf_counter()
            answer = portal.browser.get(url)
            if answer.status != 200 or b'id="models"' not in answer.body:
                raise MeasurementFailed(f"{url} was answered with {answer.status}")
            if turn >= WARM:
                took[name].append(1000 * (time.perf_counter() - began))
    slowest = sorted(took, key=lambda name: -percentile(took[name], 95))
    every = list(chain.from_iterable(took.values()))
    return [
        Row(f"models: list of {count:,}, {len(urls)} queries, p95", percentile(every, 95), "ms", GOAL),
        Row("models: p50", percentile(every, 50), "ms"),
        *(Row(f"models: {name}, p95", percentile(took[name], 95), "ms") for name in slowest[:4]),
    ]


def fill(count: int) -> dict[str, int]:
    """A project with so many models: nine of ten succeeded, a third has a base model, a tenth was validated. Rows are
    copied inside the database from one of each, so that what is not named here is as the portal writes it."""
    project = Project.objects.create(code=CODE, name="Many")
    bench = User.objects.get(username="bench")
    Membership.objects.create(project=project, user=bench, role=Role.DEVELOPER)
    users = [User.objects.create(username=f"person {n:02}") for n in range(PEOPLE)]
    types = [
        ModelType.objects.create(project=project, code=f"OD_PART_{n:02}", name=f"Part {n}", training_type="OD")
        for n in range(TYPES)
    ]
    kernel, at = Kernel.objects.on_in(project).for_training_type("OD")[:1].get(), timezone.now()
    usual: dict[str, Any] = {"project": project, "created_by": bench}
    with transaction.atomic():
        when = {"created_at": at, "queued_at": at, "ended_at": at, "started_at": at, "state": State.SUCCEEDED}
        job = Job.objects.create(kind="training", title="t", **usual, **when)
        judging = Job.objects.create(kind="validation", title="v", **usual, **when)
        settings = {"training_params": {f"setting_{n}": n for n in range(25)}}
        model = TrainedModel.objects.create(
            name="0", model_type=types[0], kernel=kernel, settings=settings, classes=["a", "b"], job=job, **usual
        )
        validation = Validation.objects.create(model=model, kernel=kernel, job=judging, summary={"mAP50": 0.9}, **usual)
        _copy(job, count, state=_state(count), title="'t' || i")
        _copy(judging, count // 10)
        _copy(
            model,
            count,
            name="printf('OD_PART_%02d-line %d-%d', i % 40, (i * 31) % 30, i)",
            model_type_id=f"{types[0].pk} + i % {TYPES}",
            created_by_id=f"{users[0].pk} + (i * 7) % {PEOPLE}",
            data_category="CASE i % 4 WHEN 0 THEN 'FRONT' WHEN 1 THEN 'SIDE' ELSE '' END",
            base_model_id=f"CASE WHEN i % 3 = 0 THEN {model.pk} + (i * 13) % i ELSE NULL END",
            job_id=f"{judging.pk} + i",
            created_at=f"datetime(p.created_at, '-' || ({count} - i) || ' minutes')",
        )
        first = judging.pk + count
        _copy(validation, count // 10, model_id=f"{model.pk} + i * 10", job_id=f"{first} + i")
    return {"type": types[3].pk, "user": users[5].pk}


def _state(count: int) -> str:
    """As an expression over `i`: the last dozen is at work."""
    return (
        f"CASE WHEN i > {count - 4} THEN 'QUEUED' WHEN i > {count - 12} THEN 'RUNNING' "
        "WHEN i * 7919 % 100 < 7 THEN 'FAILED' WHEN i * 7919 % 100 < 10 THEN 'CANCELLED' ELSE 'SUCCEEDED' END"
    )


def _copy(row: models.Model, count: int, **changed: str) -> None:
    """`count` copies of a row, `i` from 1 on; `changed`: SQL expressions by column."""
    table = row._meta.db_table
    columns = [str(field.column) for field in row._meta.concrete_fields if not field.primary_key]
    wanted = ", ".join(changed.get(column, f"p.{column}") for column in columns)
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s) "
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {wanted} FROM n, {table} p WHERE p.id = %s ORDER BY i"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql.replace("% ", "%% "), [count, row.pk])
