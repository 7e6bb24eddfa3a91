"""The job: fetch, look, register, try. It may be run again from its start at any point.

A kernel's row comes about when its files were found to be a kernel; it is ready when no line of the doctor's checklist
failed, and failed otherwise, or where the job did not come to its end.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from jobs import runfolder
from jobs.kinds import JobError, Progress
from jobs.launchers import local, put_down, shim
from jobs.launchers.errors import LaunchFailed
from jobs.models import Job
from jobs.said import Said
from kernels_app import environments, images, packages, registry
from kernels_app.badkernel import BadKernel
from kernels_app.doctor import words
from kernels_app.doctor.examine import Examination
from kernels_app.imports import fetching
from kernels_app.imports.git import BadSource
from kernels_app.imports.order import TOLD, stages
from kernels_app.models import Kernel, KernelState, KernelSwitch

FETCHED, TRIED = 20.0, 98.0  # percent


class Import:
    """One run of the job."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self.job, self.progress = job, progress
        self.log = runfolder.log(job)
        self.trials = runfolder.of(job) / runfolder.TRIALS
        self.log.parent.mkdir(parents=True, exist_ok=True)

    def run(self) -> None:
        self._end_trials()
        own = Kernel.objects.filter(job=self.job, state=KernelState.FAILED, tried_at=None)
        own.update(state=KernelState.IMPORTING)  # where an earlier run of this job was cut off
        kernel = kernel_of(self.job)
        try:
            if kernel is None:
                kernel = self._arrived()
            if kernel.job_id == self.job.pk and kernel.state == KernelState.IMPORTING:
                self._try(kernel)
            self._judge(kernel)
        except (BadSource, BadKernel) as error:
            self.say(str(error))
            self._drop_stage()
            raise JobError(Said(gettext_noop("Nothing was imported. %(why)s"), why=str(error))) from error
        except JobError:
            self._drop_stage()
            raise
        finally:
            self._close()
        self._drop_stage()

    def _end_trials(self) -> None:
        """What a runner that died left running: before anything else, since whatever comes may end the import."""
        for order in self.trials.rglob(shim.ORDER):
            put_down(order.parent)
            with contextlib.suppress(LaunchFailed):
                local.clear(order.parent)
        shutil.rmtree(self.trials, ignore_errors=True)

    def _judge(self, kernel: Kernel) -> None:
        """Raises JobError where nobody can train with it after all."""
        kernel.refresh_from_db()
        if kernel.state != KernelState.READY:
            text = gettext_noop("These files are here already, as “%(kernel)s”, which is not ready: %(state)s.")
            raise JobError(Said(text, kernel=str(kernel), state=Said(kernel.state.capitalize())))  # as its label

    def _drop_stage(self) -> None:
        """What was sent; not where the job was cut off, since it is run again then."""
        if stage := self.job.args.get("stage"):
            shutil.rmtree(stages() / stage, ignore_errors=True)

    def say(self, text: str) -> None:
        with self.log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{text}\n")

    def tick(self, percentage: float, sentence: str) -> Callable[[], None]:
        return lambda: self.progress(percentage, sentence)

    def _arrived(self) -> Kernel:
        """The kernel's row, its files in their place; one that is here already is left as it is."""
        args, stage = self.job.args, stages() / self.job.args["stage"]
        stage.mkdir(parents=True, exist_ok=True)
        self.progress(1, _("Fetching the files"))
        source = fetching.fetch(args["source"], stage, self.tick(1, _("Fetching the files")), self.say)
        self.progress(FETCHED, _("Looking at the files"))
        folder = stage / fetching.PACKAGE
        packages.tell(folder, {key: args.get(key, "") for key in TOLD}, _called(source))
        found = registry.look_at(folder)
        kernel, is_new = registry.adopt(found, folder, self.job, source)
        if is_new:
            self.say(f"registered as {kernel}, digest {kernel.digest}")
        else:
            self.say(f"these files are here already, as {kernel} ({kernel.state})")
            Job.objects.filter(pk=self.job.pk).update(args=args | {"kernel": kernel.pk})
            if kernel.state == KernelState.READY:
                self._switch_on(kernel)
        return kernel

    def _try(self, kernel: Kernel) -> None:
        """Raises JobError where a line failed, or its packages cannot be installed."""
        self._make_ready(kernel)
        if kernel.is_base:
            self._keep(kernel, KernelState.READY)
            return
        lines: list[words.Line] = []
        examination = self._examination(kernel)
        try:
            for line in examination.lines():
                lines.append(line)
                self.say(words.in_text(line))
                Kernel.objects.filter(pk=kernel.pk, job=self.job).update(checklist=[one.as_json for one in lines])
        finally:
            shutil.rmtree(examination.folder, ignore_errors=True)
        failed = [line for line in lines if line.state == words.FAILED]
        state = KernelState.FAILED if failed else KernelState.READY
        self._keep(kernel, state)
        if failed:
            text = gettext_noop("The kernel failed %(n)d of %(all)d lines of the doctor's checklist: %(titles)s")
            titles = list(dict.fromkeys(Said(words.CHECKS[line.check].title) for line in failed))
            raise JobError(Said(text, n=len(failed), all=len(lines), titles=titles))

    def _make_ready(self, kernel: Kernel) -> None:
        """What it needs to be started: its image, or its packages. Raises JobError."""
        try:
            if images.source_of(kernel.folder) is None:
                environments.ensure(kernel.folder, self.tick(FETCHED, _("Installing its packages")), self.say)
                return
            made = images.make(kernel, self.tick(FETCHED, _("Making its image")), self.say)
        except BadKernel as error:
            raise JobError(str(error)) from error
        Kernel.objects.filter(pk=kernel.pk, job=self.job).update(**made)
        kernel.refresh_from_db()

    def _keep(self, kernel: Kernel, state: KernelState) -> None:
        """What the doctor found."""
        with transaction.atomic():
            moved = Kernel.objects.filter(pk=kernel.pk, job=self.job, state=KernelState.IMPORTING).update(
                state=state, tried_at=timezone.now()
            )
            if moved and state == KernelState.READY and not kernel.is_base:
                self._switch_on(kernel)

    def _switch_on(self, kernel: Kernel) -> None:
        """In the project that brought it."""
        KernelSwitch.objects.update_or_create(kernel=kernel, project=self.job.project, defaults={"is_on": True})

    def _examination(self, kernel: Kernel) -> Examination:
        done = 0

        def begun(training_type: str, what: str) -> None:
            nonlocal done
            done += 1

        def tick() -> None:
            share = FETCHED + (TRIED - FETCHED) * done / (examination.trials + 1)
            self.progress(share, _("Trying it on tiny data"))

        devices = tuple(self.job.leases.values_list("index", flat=True))
        examination = Examination(
            kernel.folder, kernel.schema, kernel.operations, self.trials, devices, tick=tick, say=self.say, begun=begun,
            image=kernel.image,
        )  # fmt: skip
        return examination

    def _close(self) -> None:
        """Whatever ended it: a kernel that was not tried to the end is no longer being imported, and keeps the log."""
        kernel = kernel_of(self.job)
        if kernel is None:
            return
        waiting = Kernel.objects.filter(pk=kernel.pk, job=self.job, state=KernelState.IMPORTING)
        waiting.update(state=KernelState.FAILED)
        if kernel.job_id == self.job.pk and self.log.is_file():
            shutil.copyfile(self.log, kernel.log)


def kernel_of(job: Job) -> Kernel | None:
    """The kernel that the job made, or found to be here already."""
    if "kernel" in job.args:
        return Kernel.objects.filter(pk=job.args["kernel"]).first()
    return Kernel.objects.filter(job=job).first()


def _called(source: dict[str, Any]) -> str:
    """What a kernel without a kernel.toml is named after."""
    if source["kind"] == "git":
        path = f"{source['url']}/{source['folder']}".rstrip("/")
        return Path(path).name.removesuffix(".git")
    name = source["file"]
    for ending in (".tar.gz", ".tgz", ".tar", ".zip"):
        name = name.removesuffix(ending)
    return name
