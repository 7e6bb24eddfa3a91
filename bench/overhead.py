"""What the portal takes from a training: CPU seconds beside the kernel's, and wall time beside a start by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import by_hand
from bench.kernel_train import burn
from bench.portal import Portal
from bench.processes import KERNEL, PORTAL, CpuMeter, spent
from bench.table import MeasurementFailed, Row, median
from bench.web import OpenPage
from jobs.launchers import shim
from jobs.models import Job
from kernels_app.models import Kernel

CPU_GOAL = 2.0  # % of the kernel's CPU seconds
WALL_GOAL = 1.02
STEP = 0.5  # seconds
READ = 0.25  # seconds between two looks at the CPU times
LONGEST = 1800.0  # seconds that one training may take
REAL = "cl-efficientnet"
REAL_PARAMS: dict[str, object] = {"epochs": 2}  # as the demo's first training

Form = list[tuple[str, str]]


@dataclass(frozen=True)
class Training:
    """One training under the portal. `cpu`: seconds by role while the kernel ran; `around`: before and after that."""

    wall: float
    cpu: dict[str, float]
    around: float

    @property
    def portal(self) -> float:
        """CPU seconds of the portal while the kernel ran."""
        return sum(self.cpu.get(role, 0.0) for role in PORTAL)

    def share(self, roles: tuple[str, ...]) -> float:
        """CPU of these processes in % of the kernel's."""
        return 100 * sum(self.cpu.get(role, 0.0) for role in roles) / self.cpu[KERNEL]


def run(portal: Portal) -> list[Row]:
    new_form = _forms(portal)
    template = portal.home / "runs" / "by-hand"
    _keep_template(portal, new_form(), template)
    trainings, ratios = [], []
    for n in range(portal.options.count(5, 2)):
        training, alone = _pair(portal, new_form, template, by_hand_first=bool(n % 2))
        trainings.append(training)
        ratios.append(training.wall / alone)
        portal.say(f"  pair {n + 1}: {training.wall:.2f} s under the portal, {alone:.2f} s by hand")
    return _rows(trainings, ratios)


def _rows(trainings: list[Training], ratios: list[float]) -> list[Row]:
    def middle(value: Callable[[Training], float]) -> float:
        return median([value(training) for training in trainings])

    shares = [
        Row(f"overhead: of it the {role}", middle(lambda t, role=role: t.share((role,))), "%")  # type: ignore[misc]
        for role in dict.fromkeys(PORTAL)
    ]
    return [
        Row("overhead: portal's CPU, of the kernel's", middle(lambda t: t.share(PORTAL)), "%", CPU_GOAL),
        *shares,
        Row("overhead: portal's CPU a second of training", middle(lambda t: 1000 * t.portal / t.wall), "ms/s"),
        Row("overhead: kernel's wall time, portal / by hand", median(ratios), "x", WALL_GOAL),
        Row("overhead: least of these pairs", min(ratios), "x"),
        Row("overhead: most of these pairs", max(ratios), "x"),
        Row("overhead: kernel's CPU", middle(lambda t: t.cpu[KERNEL]), "s"),
        Row("overhead: portal's CPU to start and end it", middle(lambda t: t.around), "s"),
    ]


def _forms(portal: Portal) -> Callable[[], Form]:
    """Makes a filled-in form for each training: always the same work."""
    if portal.options.real:
        kernel = Kernel.objects.filter(name=REAL).newest().get()
        return lambda: portal.form(kernel, REAL_PARAMS)
    params: dict[str, object] = {"steps": portal.options.count(40, 10), "work": _products_a_step()}
    return lambda: portal.form(params=params)


def _products_a_step() -> int:
    """How many of the kernel's matrix products this machine does in a step's time."""
    burn(20)
    began = time.perf_counter()
    burn(100)
    return max(1, round(100 * STEP / (time.perf_counter() - began)))


def _keep_template(portal: Portal, form: Form, template: Path) -> None:
    """Copy the folder of a training that has just started, since its end takes the data away; then cancel it."""
    job = portal.press_start(form)
    _read(portal, job, shim.STARTED)
    by_hand.keep(portal.folder(job), template)
    portal.cancel(job)
    for name in (shim.LOCK, shim.EXIT, shim.STARTED):
        (template / name).unlink(missing_ok=True)


def _pair(
    portal: Portal, new_form: Callable[[], Form], template: Path, *, by_hand_first: bool
) -> tuple[Training, float]:
    """The portal is down while the kernel runs by hand: that run has the machine to itself."""
    if by_hand_first:
        portal.stop()
        alone = by_hand.wall(template)
    portal.start()
    _warm_up(portal)
    training = _under_portal(portal, new_form())
    if not by_hand_first:
        portal.stop()
        alone = by_hand.wall(template)
    return training, alone


def _warm_up(portal: Portal) -> None:
    """What a restart costs is no training's fault: each page was asked for once before."""
    last = Job.objects.order_by("pk").last()
    if last:
        portal.browser.get(portal.model_page(last))
        OpenPage(portal.browser, portal.base, last.pk).ask_all()
    time.sleep(2)


def _under_portal(portal: Portal, form: Form) -> Training:
    """One training with its page open."""
    meter = CpuMeter(portal.home)
    meter.look()
    first = meter.read()
    job = portal.press_start(form)
    page = OpenPage(portal.browser.twin(), portal.base, job.pk)
    page.start()
    try:
        started = _read(portal, job, shim.STARTED)
        meter.look()
        before = meter.read()
        after = _follow(portal, job, meter)
        portal.await_(f"job {job.pk} to end", lambda: _ended(job, meter), LONGEST, READ)
    finally:
        page.close()
    portal.ended(job)
    while_it_ran, whole = spent(before, after), spent(first, meter.read())
    around = sum(whole.get(role, 0.0) - while_it_ran.get(role, 0.0) for role in PORTAL)
    if not while_it_ran.get(KERNEL):
        raise MeasurementFailed(f"the kernel of job {job.pk} was not seen at work")
    return Training(_read(portal, job, shim.EXIT)["at"] - started["at"], while_it_ran, around)


def _follow(portal: Portal, job: Job, meter: CpuMeter) -> dict[str, float]:
    """CPU seconds by role at the kernel's end. Its last reading may be READ seconds old."""
    exit_file = portal.folder(job) / shim.EXIT
    deadline, look = time.monotonic() + LONGEST, 0.0
    while not exit_file.exists():
        if time.monotonic() > deadline:
            raise MeasurementFailed(f"the kernel of job {job.pk} did not end")
        if time.monotonic() > look:
            meter.look()  # processes that came since, a data loader's say
            look = time.monotonic() + 4 * READ
        time.sleep(READ)
        meter.read()
    return meter.read()


def _ended(job: Job, meter: CpuMeter) -> bool | None:
    meter.read()
    return not Job.objects.get(pk=job.pk).is_active or None


def _read(portal: Portal, job: Job, name: str) -> dict[str, float]:
    """A file that the shim writes, once it is there."""
    path = portal.folder(job) / name
    portal.await_(f"{name} of job {job.pk}", lambda: path.exists() or None, pause=0.02)
    found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return found
