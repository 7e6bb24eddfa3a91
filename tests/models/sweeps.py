"""Batches for tests: plans in one line, trainings that ended with a score, in no time."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.http import QueryDict
from django.utils import timezone

from jobs.curves import storing
from jobs.models import Job, State
from kernels_app.contract.results import CHECKPOINT, RESUME
from models_app import publishing
from models_app.models import Sweep, TrainedModel
from models_app.sweeps.plan import SweepPlan
from models_app.sweeps.starting import SweepOrder
from tests.models.conftest import Shop

BATCHABLE = {"properties": dict.fromkeys(("lr", "rows", "flip", "behaviour", "message"), True)}


def plan(shop: Shop, **inputs: str | list[str]) -> SweepPlan:
    """`lr="0.1,0.2"`, `flip=["true"]`: lists of values; a name with `batch` before it is an input of its own."""
    data = QueryDict(mutable=True)
    for name, given in inputs.items():
        if name.startswith("batch"):
            data[name] = str(given)
            continue
        data[f"batch.{name}.mode"] = "list"
        data.setlist(f"batch.{name}.values", [given] if isinstance(given, str) else given)
    return SweepPlan.read(shop.kernel.schema, data)


def order(shop: Shop, *, keep_best: int | None = None, name: str = "valve", **inputs: str | list[str]) -> SweepOrder:
    return SweepOrder(shop.order(name=name), plan(shop, **(inputs or {"rows": "1,2,3"})), keep_best)


def started(shop: Shop, **more) -> Sweep:
    return order(shop, **more).start(shop.user)


def trainings(sweep: Sweep) -> list[TrainedModel]:
    return list(sweep.trainings.select_related("job").order_by("pk"))


def end(model: TrainedModel, accuracy: float | None, *, state: State = State.SUCCEEDED) -> None:
    """As if it had trained and ended: weights, a metrics file, points; nobody has pruned anything yet."""
    for name, text in ((CHECKPOINT, "w" * 1000), (RESUME, "r" * 500), ("VALVE.onnx", "o" * 100)):
        (model.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (model.folder / name).write_text(text)
    for name in ("save/metrics/accuracy.csv", "VALVE.json", "save/logs/notes.pth"):
        (model.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (model.folder / name).write_text("small")
    score(model, accuracy)
    TrainedModel.objects.filter(pk=model.pk).update(size=publishing.size_of(model.folder))
    Job.objects.filter(pk=model.job_id).update(state=state, ended_at=timezone.now())


def score(model: TrainedModel, *values: float | None, series: str = "accuracy", chart: str = "accuracy") -> None:
    with transaction.atomic():
        storing.append(model.job, chart, ["step", series], [(n, n, [value]) for n, value in enumerate(values)])


def weights(model: TrainedModel) -> list[str]:
    """The large results that are there."""
    names = ("save/checkpoint.pth", "save/resume.pth", "VALVE.onnx")
    return [name for name in names if (model.folder / name).is_file()]


def resumed(model: TrainedModel) -> None:
    """It was lost and starts again."""
    Job.objects.filter(pk=model.job_id).update(state=State.QUEUED, resumes=F("resumes") + 1)
