"""Of a batch keep only the checkpoints of the best: metrics, log and settings of the others stay.

`Sweep.ends` says by model id how its training ended: `attempt` (of its job), `complete` (all that it owed was there),
`freed` (bytes of what was deleted, None where nothing was). It changes only while the sweep's row is held, so that of
two trainings that end at once each sees the other.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from jobs.models import TERMINAL, Job, State
from models_app.models import Sweep, TrainedModel, Validation
from models_app.sweeps.scores import Metric, Scores, metrics_of, scores_of

log = logging.getLogger(__name__)

SMALL = ("save/metrics", "save/logs")  # never looked into
WEIGHTS = {".pth", ".pt", ".onnx", ".ckpt", ".safetensors", ".bin", ".engine", ".trt", ".tflite", ".pb", ".h5"}


@dataclass(frozen=True)
class Freed:
    """What a pruning deleted."""

    models: int = 0
    bytes: int = 0


def ended(model: TrainedModel, job: Job, *, complete: bool) -> None:
    """A training of a batch has its results in place and is about to end: it counts, and the batch is pruned."""
    if model.sweep_id is None:
        return
    with transaction.atomic():
        sweep = Sweep.objects.select_for_update().get(pk=model.sweep_id)
        before = _end(sweep, model, job) or {"freed": None}
        sweep.ends[str(model.pk)] = before | {"attempt": job.resumes, "complete": complete}
        _prune(sweep)


def keep_best(sweep: Sweep, count: int | None) -> Freed:
    """From now on keep the checkpoints of the best `count`, or of all; what is gone stays gone."""
    with transaction.atomic():
        held = Sweep.objects.select_for_update().get(pk=sweep.pk)
        held.keep_best = count
        held.save(update_fields=["keep_best"])
        return _prune(held)


def freed(sweep: Sweep, model: TrainedModel) -> int | None:
    """Bytes that were deleted of this training's results; None where nothing was."""
    end = _end(sweep, model, model.job)
    return end.get("freed") if end else None


def was_complete(model: TrainedModel, job: Job) -> bool:
    """Whether this very run was found complete before its checkpoint was deleted: a runner may look twice."""
    end = _end(model.sweep, model, job) if model.sweep else None
    return bool(end and end["complete"] and end["freed"] is not None)


def _end(sweep: Sweep, model: TrainedModel, job: Job) -> dict[str, Any] | None:
    """How the training ended, in its present attempt."""
    end = sweep.ends.get(str(model.pk))
    return end if end and end["attempt"] == job.resumes else None


def _prune(sweep: Sweep) -> Freed:
    """Delete what is not among the best. The sweep's row is held; the models' rows are from here on."""
    found = Freed()
    if sweep.keep_best:
        rows = sweep.trainings.select_for_update(of=("self",)).select_related("job", "kernel").order_by("pk")
        for model in _losers(sweep, list(rows)):
            found = _strip(sweep, model, found)
    sweep.save(update_fields=["ends"])
    return found


def _losers(sweep: Sweep, trainings: list[TrainedModel]) -> list[TrainedModel]:
    """Those that ended, are not among the best, and that nothing needs; none while nobody can tell who is best."""
    over = [model for model in trainings if model.job.state in TERMINAL or _end(sweep, model, model.job)]
    jobs = [model.job_id for model in over]
    metrics = metrics_of(sweep.kernel, jobs)
    scores = scores_of(jobs, metrics[:1])
    if not scores:
        return []
    in_order = sorted(over, key=lambda model: _rank(sweep, model, scores, metrics[0]))
    losers = in_order[sweep.keep_best :]
    needed = _needed(losers)
    return [model for model in losers if model.pk not in needed]


def _rank(sweep: Sweep, model: TrainedModel, scores: Scores, metric: Metric) -> tuple[bool, bool, float, int]:
    """Smaller is better: what succeeded before what did not, what has a value before what has none."""
    end = _end(sweep, model, model.job)
    has_succeeded = model.job.state == State.SUCCEEDED or bool(end and end["complete"])
    score = scores.get(model.job_id, {}).get(metric.key)
    return (not has_succeeded, score is None, metric.rank(score.best) if score else 0.0, model.pk)


def _needed(models: Iterable[TrainedModel]) -> set[int]:
    """Those that another model starts from, or that were validated."""
    bases = TrainedModel.objects.filter(base_model__in=models).values_list("base_model", flat=True)
    return {*bases, *Validation.objects.filter(model__in=models).values_list("model", flat=True)}  # type: ignore[arg-type]


def _strip(sweep: Sweep, model: TrainedModel, found: Freed) -> Freed:
    """Delete the weights of one; deletes nothing twice."""
    count = _delete(model.folder)
    if not count:
        return found
    end = _end(sweep, model, model.job) or {"complete": model.job.state == State.SUCCEEDED, "freed": None}
    sweep.ends[str(model.pk)] = end | {"attempt": model.job.resumes, "freed": (end["freed"] or 0) + count}
    TrainedModel.objects.filter(pk=model.pk).update(size=max(0, model.size - count))
    return Freed(found.models + 1, found.bytes + count)


def _delete(folder: Path) -> int:
    """Bytes of the weights that were deleted below `folder`."""
    gone = 0
    for path in [path for path in folder.rglob("*") if _is_weights(folder, path)]:
        try:
            size = path.stat().st_size
            path.unlink()
        except OSError:
            log.exception("%s could not be deleted", path)
        else:
            gone += size
    return gone


def _is_weights(folder: Path, path: Path) -> bool:
    name = path.relative_to(folder).as_posix()
    looks_so = path.suffix.lower() in WEIGHTS or ".onnx" in path.name.lower()  # ONNX has its data in files beside it
    return looks_so and not name.startswith(SMALL) and path.is_file() and not path.is_symlink()
