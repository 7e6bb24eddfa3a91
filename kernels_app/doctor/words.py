"""The doctor's checklist in words: what each line is called, what it expects, and the contract's sentence for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from jobs import said
from jobs.models import storable
from jobs.said import Said
from kernels_app import describe
from projects_app.korean import fluent

OK, REMARK, FAILED, SKIPPED = "ok", "remark", "failed", "skipped"


@dataclass(frozen=True)
class About:
    title: str
    expected: str
    contract: str


CHECKS = {
    "starts": About(
        gettext_noop("Starts"),
        gettext_noop("The program starts, trains on tiny data with its defaults, and ends by itself."),
        gettext_noop(
            "A kernel is started as “python train.py training.json”, or by the command in kernel.toml. Success is exit "
            "code 0 or a “done” message, and no error message."
        ),
    ),
    "settings": About(
        gettext_noop("Reads its settings"),
        gettext_noop("It reads training.json, whose path is its first argument, and model.json, which that names."),
        gettext_noop("training_config_file: the path of model.json, with training_type, model_type, training_params."),
    ),
    "reports": About(
        gettext_noop("Reports"),
        gettext_noop("It says how far it is, and that it is done, in messages of this run."),
        gettext_noop(
            "Lines appended to status_file, one JSON object a line: training_ing with a percentage any time, "
            "training_done at the end, each with the project_key of the run (validation_… in the other operations)."
        ),
    ),
    "metrics": About(
        gettext_noop("Writes metrics"),
        gettext_noop("It writes at least one graph, whose every line can be read, and those that its schema names."),
        gettext_noop(
            "save/metrics/*.csv, one graph a file: the header first, the first column is the x axis, each further "
            "column is a curve. Whole lines are appended and flushed."
        ),
    ),
    "sigterm": About(
        gettext_noop("Obeys SIGTERM"),
        gettext_noop("Asked to stop in the middle of its work, it ends within the grace, every process of it."),
        gettext_noop("SIGTERM, 45 s (a setting) to write a checkpoint and exit, then SIGKILL to all that is left."),
    ),
    "checkpoint": About(
        gettext_noop("Leaves a checkpoint"),
        gettext_noop("After the training there is save/checkpoint.pth, and there is something in it."),
        gettext_noop("save/checkpoint.pth: the best state, for additional training and for validation."),
    ),
    "resume": About(
        gettext_noop("Goes on where it was"),
        gettext_noop("Started again beside its save/resume.pth it reads that, and its graphs go on behind their end."),
        gettext_noop(
            "resume: true when save/resume.pth of this very run is there to go on from; the kernel first cuts its "
            "metrics files back to that point."
        ),
    ),
    "base_model": About(
        gettext_noop("Begins with a base model"),
        gettext_noop("Given the folder of a model, it reads the files of that, trains and ends well."),
        gettext_noop("base_model_path: the folder of the model that an additional training starts from."),
    ),
    "results": About(
        gettext_noop("Results"),
        gettext_noop("Each operation that it claims ends well and leaves results for every image, all readable."),
        gettext_noop(
            "CL, RC: detections.csv, and confusion.csv of a validation. OD, SEG: annotations/<image id>.json, and "
            "summary.csv of a validation. Preprocessing: files.txt, and the images that it names."
        ),
    ),
    "inside": About(
        gettext_noop("Writes in its own folders alone"),
        gettext_noop("It writes below model_write_path, image_write_path and temp_path, and into status_file."),
        gettext_noop(
            "Results go to model_write_path and image_write_path, scratch to temp_path. Everything else is read-only "
            "or thrown away."
        ),
    ),
}


@dataclass(frozen=True)
class Line:
    """One line of the checklist. `found` is a Said; empty where all is as expected."""

    check: str
    training_type: str
    state: str
    found: str = ""
    operation: str = ""
    facts: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def title(self) -> str:
        return _(CHECKS[self.check].title)

    @property
    def expected(self) -> str:
        return _(CHECKS[self.check].expected)

    @property
    def contract(self) -> str:
        return _(CHECKS[self.check].contract)

    @property
    def state_word(self) -> str:
        words = {OK: _("passed"), REMARK: _("remark"), FAILED: _("failed"), SKIPPED: _("not tried")}
        return words.get(self.state, self.state)

    @property
    def operation_word(self) -> str:
        return describe.operations([self.operation])[0] if self.operation else ""

    @property
    def found_here(self) -> str:
        return fluent(said.here(self.found))

    @property
    def as_json(self) -> dict[str, Any]:
        found = self.found.parts if isinstance(self.found, Said) else self.found
        return {
            "check": self.check, "training_type": self.training_type, "operation": self.operation,
            "state": self.state, "found": _storable(found), "text": storable(str(self.found)),
        }  # fmt: skip


def _storable(value: Any) -> Any:
    """What a kernel wrote or called its files may be no text that a database takes."""
    if isinstance(value, dict):
        return {name: _storable(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return storable(value) if isinstance(value, str) else value


def line_of(stored: dict[str, Any]) -> Line:
    """The line that `as_json` kept."""
    found = said.load(stored.get("found"), str(stored.get("text", "")))
    return Line(stored["check"], stored["training_type"], stored["state"], found, stored.get("operation", ""))


def in_text(line: Line) -> str:
    """For a terminal and a log, in the language of the moment."""
    marks = {OK: "✓", REMARK: "!", FAILED: "✗", SKIPPED: "–"}
    about = f"{line.training_type} {line.operation}".strip()
    head = f"{marks[line.state]} {about}: {line.title}"
    if line.state == OK:
        return head
    told = [_("found: %(text)s") % {"text": line.found_here}]
    if line.state != SKIPPED:
        told.insert(0, _("expected: %(text)s") % {"text": line.expected})
        told.append(_("contract: %(text)s") % {"text": line.contract})
    return "\n    ".join([head, *told]).encode("utf-8", "backslashreplace").decode()
