"""The kinds of jobs about kernels. What they need is imported when one runs: every runner registers them."""

from __future__ import annotations

from jobs import bridge, chores, kinds
from jobs.kinds import Progress
from jobs.models import HELD, Job
from kernels_app.imports import IMPORT


class ImportKernel:
    """Makes a kernel of what somebody brought, or says why not."""

    name = IMPORT
    has_log = True

    def run(self, job: Job, progress: Progress) -> None:
        from kernels_app.imports.work import Import

        Import(job, progress).run()

    def subject(self, job: Job) -> tuple[str, str] | None:
        from kernels_app.imports.work import kernel_of

        kernel = kernel_of(job)
        return (str(kernel), kernel.address(job.project)) if kernel else None


def register() -> None:
    kinds.register(ImportKernel())
    chores.register("queues of lost runs", _sweep_broker)


def _sweep_broker() -> None:
    bridge.sweep(lambda: set(Job.objects.filter(state__in=HELD).values_list("pk", flat=True)))
