"""Reports of validations that an older version of the portal stored without objects and figures are read again out of
the files that the kernel left."""

from __future__ import annotations

from django.db.models import QuerySet

from jobs import runfolder
from jobs.models import State
from kernels_app.contract import results
from models_app import reports
from models_app.models import Operation, Validation


def outdated() -> QuerySet[Validation]:
    """Every report that is read now has figures: how many images it is about, at the least."""
    ended = Validation.objects.filter(job__state=State.SUCCEEDED, figures={})
    return ended.exclude(operation=Operation.PREPROCESSING).order_by("pk")


def state(validation: Validation) -> str:
    """Of one whose report an older version stored: "readable", or "gone" where its files are; else nothing."""
    is_judged = validation.operation != Operation.PREPROCESSING and validation.job.state == State.SUCCEEDED
    if not is_judged or validation.figures:
        return ""
    return "readable" if _is_there(validation) else "gone"


def reread(validation: Validation) -> bool:
    """Store figures and objects anew; False where the files are gone. What is compared with are the labels of today.

    Its result dataset is left as it is: people may have worked on it."""
    if not _is_there(validation):
        return False
    reports.store(validation, validation.folder, runfolder.of(validation.job) / runfolder.DATASET)
    return True


def _is_there(validation: Validation) -> bool:
    return not results.missing(validation.folder, validation.operation, validation.training_type)
