"""Tries a kernel: every operation that it claims, for each of its training types, on tiny data of the portal's own.

Works without the database: what it needs is the unpacked package and a folder to run in.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop as _

from jobs import logmetrics, logs
from jobs.said import Said
from kernels_app import launching, schema
from kernels_app.contract import results
from kernels_app.doctor import judging, trial
from kernels_app.doctor.trial import Order, Run
from kernels_app.doctor.words import FAILED, REMARK, SKIPPED, Line

MODEL_TYPE = "DOCTOR"  # where the schema takes any code
SHOWN = 16 * 1024  # bytes of each run's log
OF_TRAINING = ("settings", "reports", "metrics", "checkpoint", "sigterm", "resume", "base_model")


@dataclass
class Examination:
    """One kernel on the table. `folder`: where the runs take place; emptied type by type."""

    kernel: Path
    schema: dict[str, Any]
    operations: Sequence[str]
    folder: Path
    devices: tuple[int, ...] = ()
    tick: Callable[[], None] = lambda: None  # called while a program runs; what it raises ends all
    say: Callable[[str], None] = lambda text: None  # what a log should hold
    begun: Callable[[str, str], None] = lambda training_type, what: None
    image: str = ""  # of a kernel that is a container
    runs: list[Run] = field(default_factory=list)

    def lines(self) -> Iterator[Line]:
        """The whole checklist, line by line as it is found out."""
        for training_type in schema.training_types(self.schema):
            yield from self._of(training_type)
            shutil.rmtree(self.folder / training_type, ignore_errors=True)

    @property
    def trials(self) -> int:
        """How many runs there will be, at most."""
        others = [name for name in self.operations if name != "training"]
        return len(schema.training_types(self.schema)) * (4 + len(others))

    def _of(self, training_type: str) -> Iterator[Line]:
        self.runs = []
        try:
            order = self._order(training_type)
        except ValueError as error:
            yield Line("starts", training_type, FAILED, error.args[0])
            return
        if "training" not in self.operations:
            yield from self._without_training(order)
            return
        first = self._run(order, "first", "training")
        yield Line("starts", training_type, *judging.starts(first))
        if first.went_well:
            yield Line("settings", training_type, *judging.settings(first))
            yield Line("reports", training_type, *judging.reports(first))
            yield Line("metrics", training_type, *judging.graphs(first, self.schema, self._patterns))
            yield from self._of_model(order, first)
        else:
            yield from self._skipped(training_type, OF_TRAINING, Said(_("The first training did not end well.")))
        yield Line("inside", training_type, *judging.inside(self.runs))

    def _without_training(self, order: Order) -> Iterator[Line]:
        """Of one that claims other operations alone, which need no model of its own then."""
        if not self._others:
            yield Line("starts", order.training_type, FAILED, Said(_("It claims no operation that can be tried.")))
            return
        why = Said(_("It claims no training."))
        yield from self._skipped(order.training_type, ("starts", *OF_TRAINING), why)
        yield from self._answers(order, None)
        yield Line("inside", order.training_type, *judging.inside(self.runs))

    def _of_model(self, order: Order, first: Run) -> Iterator[Line]:
        found = judging.checkpoint(first, order.training_type)
        yield Line("checkpoint", order.training_type, *found)
        yield from self._stopped(order, judging.xs_of(first))
        if found[0] == FAILED:
            why = Said(_("There is no checkpoint of the first training."))
            yield from self._skipped(order.training_type, ("base_model",), why)
            for name in self._others:
                yield Line("results", order.training_type, SKIPPED, why, name)
            return
        again = self._run(order, "base", "training", base=first.output)
        yield Line("base_model", order.training_type, *judging.base_model(again, order.training_type))
        yield from self._answers(order, first.output)

    @property
    def _others(self) -> list[str]:
        return [name for name in self.operations if name in ("validation", "inference", "preprocessing")]

    def _answers(self, order: Order, base: Path | None) -> Iterator[Line]:
        for name in self._others:
            run = self._run(order, name, name, base=base)
            yield Line("results", order.training_type, *judging.answers(run, order.training_type), operation=name)

    def _stopped(self, order: Order, whole: dict[str, list[float]]) -> Iterator[Line]:
        """Stopped in the middle of its work, then started again where it was."""
        run = trial.prepare(order, self.folder / order.training_type / "stopped", "training")
        self._go(run, order, "stopped", stop_when=run.has_begun)
        verdict = judging.sigterm(run, settings.JOB_GRACE, whole)
        yield Line("sigterm", order.training_type, *verdict)
        if verdict[0] == FAILED:
            yield from self._skipped(order.training_type, ("resume",), Said(_("It could not be stopped.")))
        elif not (run.output / results.RESUME).is_file():
            text = _("It left no save/resume.pth: a training of it that is interrupted begins again from nothing.")
            yield Line("resume", order.training_type, REMARK, Said(text))
        else:
            yield Line("resume", order.training_type, *self._resumed(run, order))

    def _resumed(self, run: Run, order: Order) -> judging.Verdict:
        before = judging.xs_of(run)
        trial.write_config(run, order, None, resume=True)

        def goes_on() -> bool:
            """A graph is longer than it was: there is no need to see the end of it."""
            now = judging.xs_of(run)
            return any(xs and xs[-1] > (before.get(name) or [xs[-1]])[-1] for name, xs in now.items())

        self._go(run, order, "resumed", stop_when=goes_on)
        return judging.resume(run, before)

    def _order(self, training_type: str) -> Order:
        """Raises ValueError with a Said where the kernel gives no settings to be tried with."""
        properties = self.schema["properties"]
        section = schema.resolve(properties["model_type"], self.schema)
        given = launching.about(self.kernel).get("doctor", {})
        given = given if isinstance(given, dict) else {}
        codes = section.get("enum") or [section.get("const", given.get("model_type", MODEL_TYPE))]
        params = schema.defaults(self.schema) | given.get("params", {})
        suffixes = self._suffixes()
        document = {"training_type": training_type, "model_type": codes[0], "training_params": params}
        document |= {"trainable_image_type": list(suffixes)} if suffixes else {}
        if problems := schema.check(self.schema, document):
            text = _(
                "It cannot be tried with its defaults: %(why)s Say params or model_type below [doctor] in kernel.toml."
            )
            raise ValueError(Said(text, why=problems[0].message))
        return Order(self.kernel, training_type, str(codes[0]), params, suffixes, self.devices, self.image)

    @property
    def _patterns(self) -> tuple[logmetrics.Pattern, ...]:
        return logmetrics.patterns(launching.about(self.kernel).get("metrics"))

    def _suffixes(self) -> tuple[str, ...]:
        """The sibling images that the schema asks for."""
        found = self.schema["properties"].get("trainable_image_type")
        if "trainable_image_type" not in self.schema.get("required", []):
            return ()
        if not isinstance(found, list):  # else the original's bare array of suffixes
            section = schema.resolve(found, self.schema)
            found = schema.resolve(section.get("items"), self.schema).get("enum", [])
        return tuple(str(suffix) for suffix in found)

    def _run(self, order: Order, name: str, operation: str, base: Path | None = None) -> Run:
        run = trial.prepare(order, self.folder / order.training_type / name, operation, base)
        return self._go(run, order, name, base=base)

    def _go(self, run: Run, order: Order, name: str, **how: Any) -> Run:
        self.begun(order.training_type, name)
        self.say(f"── {order.training_type}: {name} ({run.operation})")
        trial.go(run, order, self.tick, **how)
        self.runs.append(run)
        for line in logs.tail(run.folder / logs.NAME, SHOWN):
            self.say(f"   {line.text}")
        end = "too large" if run.took else "late" if run.is_late else f"exit code {run.code}"
        self.say(f"   → {run.refusal or end}")
        return run

    def _skipped(self, training_type: str, checks: Sequence[str], why: str) -> Iterator[Line]:
        for check in checks:
            yield Line(check, training_type, SKIPPED, why)
