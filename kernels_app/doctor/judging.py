"""What one run says about the lines of the checklist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.conf import settings as portal
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_noop as _
from PIL import Image

from jobs import logs, outcome
from jobs.logmetrics import Pattern
from jobs.said import Said
from kernels_app.contract import ContractError, metrics, results
from kernels_app.doctor import tiny, trial
from kernels_app.doctor.trial import Run
from kernels_app.doctor.words import FAILED, OK, REMARK, SKIPPED

Verdict = tuple[str, str]  # state and what was found

LOG_LOOKED_AT = 16 * 2**20  # bytes of a log, from its beginning, in which patterns are looked for
ODD_LINES = {
    "no_json": _("A line of status_file is no JSON object: %(line)s"),
    "other_key": _("A line of status_file has not the project_key of this run: %(line)s"),
    "other_status": _("A line of status_file has a status that does not belong to this operation: %(line)s"),
}
GOOD: Verdict = (OK, "")


def how_it_ended(run: Run) -> Said:
    """Of a run that did not go well."""
    if run.refusal:
        return Said(_("It could not be started: %(why)s"), why=run.refusal)
    if run.took:
        sizes = {"size": filesizeformat(run.took), "limit": filesizeformat(portal.JOB_DISK_QUOTA)}
        return Said(_("Stopped because it took %(size)s of the disk; a run may take %(limit)s."), **sizes)
    if run.is_late:
        return Said(
            _("It had not ended after %(n)d s, the limit of one trial."), n=int(portal.TRAINPORTAL_DOCTOR_LIMIT)
        )
    if run.error:
        return Said(_("It ended with the error “%(message)s”."), message=run.error)
    if run.last_words:
        text = _("It failed: %(end)s. The last line of its log: %(line)s")
        return Said(text, end=outcome.ending(run.code), line=run.last_words)
    return Said(_("It failed: %(end)s. It wrote no log."), end=outcome.ending(run.code))


def starts(run: Run) -> Verdict:
    return GOOD if run.went_well else (FAILED, how_it_ended(run))


def settings(run: Run) -> Verdict:
    if not run.watched:
        return SKIPPED, Said(_("This host lets nobody watch which files a program reads."))
    for name in (trial.CONFIG, trial.SETTINGS):
        if name not in run.read:
            return FAILED, Said(_("It never read %(file)s."), file=name)
    return GOOD


def reports(run: Run) -> Verdict:
    if odd := trial.raw_faults(run):
        line, code = odd[0]
        return FAILED, Said(ODD_LINES[code], line=line.decode("utf-8", "replace")[:200])
    if not run.messages:
        return REMARK, Said(_("It wrote no message: a training of it shows no percentage, and its exit code decides."))
    if not run.is_done:
        return REMARK, Said(_("It never said that it was done: its exit code decides."))
    if run.operation == "training" and not any(message.phase == "ing" for message in run.messages):
        return REMARK, Said(_("It never said how far it was: a training of it shows no percentage."))
    return GOOD


def graphs(run: Run, schema: dict[str, Any], patterns: Sequence[Pattern] = ()) -> Verdict:
    log = trial.head(run.folder / logs.NAME, LOG_LOOKED_AT).splitlines() if patterns else []
    for pattern in patterns:
        if not any(pattern.row(line, 0) for line in log):
            text = _("No line of its log matches the pattern of the graph %(name)s in kernel.toml.")
            return FAILED, Said(text, name=pattern.chart)
    heads = {path.name: trial.head(path, trial.GRAPH_LIMIT + 1) for path in run.metrics}
    for name, data in heads.items():
        if why := _bad_graph(name, data):
            return FAILED, why
    columns = {f"{pattern.chart}.csv": pattern.columns for pattern in patterns} | {
        name: metrics.parse_header(data.decode("utf-8-sig").split("\n")[0]) for name, data in heads.items()
    }
    for entry in schema.get("x-metrics", []):
        if entry["column"] not in columns.get(entry["file"], [])[1:]:  # those of patterns are named as if in a file
            text = _("Its schema names the curve %(column)s of %(file)s, which it did not write.")
            return FAILED, Said(text, column=entry["column"], file=entry["file"])
    return GOOD if columns else (REMARK, Said(_("It wrote no metrics: a training of it shows no graph.")))


def _bad_graph(name: str, data: bytes) -> Said | None:
    if len(data) > trial.GRAPH_LIMIT:
        return Said(_("%(file)s is larger than %(n)d MB."), file=name, n=trial.GRAPH_LIMIT // 2**20)
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        return Said(_("%(file)s is no text in UTF-8."), file=name)
    columns = metrics.parse_header(lines[0])
    if len(columns) < 2 or not any(line.strip() for line in lines[1:]):
        return Said(_("%(file)s needs a header with two columns at least, and a row of numbers below it."), file=name)
    for n, line in enumerate(lines[1:], 2):
        if line.strip() and metrics.parse_row(line, len(columns)) is None:
            return Said(_("%(file)s: line %(n)d is no row of numbers: %(line)s"), file=name, n=n, line=line[:100])
    return None


def checkpoint(run: Run, training_type: str) -> Verdict:
    if results.missing(run.output, "training", training_type):
        there = sorted(p.relative_to(run.output).as_posix() for p in run.output.rglob("*") if p.is_file())
        text = _("save/checkpoint.pth is missing or empty. What is there: %(files)s")
        return FAILED, Said(text, files=", ".join(there[:8]) or "–")
    return GOOD


def sigterm(run: Run, grace: float, whole: dict[str, list[float]] | None = None) -> Verdict:
    """`whole`: x of each graph of a training that nobody stopped."""
    if not run.was_stopped and not run.went_well:
        return FAILED, how_it_ended(run)
    if run.was_stopped and run.grace_used > grace:
        return FAILED, Said(_("It was still there after %(n)g s and had to be killed."), n=grace)
    if not run.was_stopped or run.is_done or _is_whole(xs_of(run), whole or {}):
        text = _("It was done before it could be stopped. Give it more to do by params below [doctor] in kernel.toml.")
        return REMARK, Said(text)
    return GOOD


def _is_whole(found: dict[str, list[float]], whole: dict[str, list[float]]) -> bool:
    """Whether every graph reached its end: then nobody can tell whether it would have stopped."""
    ends = {name: xs[-1] for name, xs in whole.items() if xs}
    return bool(ends) and all(found.get(name, [])[-1:] >= [end] for name, end in ends.items())


def resume(run: Run, before: dict[str, list[float]]) -> Verdict:
    """`before`: x of each graph when it was stopped."""
    if run.watched and trial.RESUME not in run.read:
        return FAILED, Said(_("It never read save/resume.pth, so it begins again from nothing."))
    if not run.went_well and not run.was_stopped:
        return FAILED, how_it_ended(run)
    for name, xs in xs_of(run).items():
        if any(later <= earlier for earlier, later in pairwise(xs)):
            return FAILED, Said(_("%(file)s does not go on behind its end: its x axis runs backwards."), file=name)
        if before.get(name) and (not xs or xs[0] != before[name][0]):
            return FAILED, Said(_("The earlier rows of %(file)s are gone."), file=name)
    return GOOD


def xs_of(run: Run) -> dict[str, list[float]]:
    """The x axis of each graph."""
    found = {}
    for path in run.metrics:
        text = trial.head(path, trial.GRAPH_LIMIT).decode("utf-8", "replace")
        header, *lines = text.splitlines() or [""]
        rows = [metrics.parse_row(line, len(metrics.parse_header(header))) for line in lines]
        found[path.name] = [row[0] for row in rows if row]
    return found


def base_model(run: Run, training_type: str) -> Verdict:
    if not run.went_well:
        return FAILED, how_it_ended(run)
    if run.watched and trial.BASE not in run.read:
        return FAILED, Said(_("It read no file of the base model, so an additional training begins from nothing."))
    return checkpoint(run, training_type)


def answers(run: Run, training_type: str) -> Verdict:
    """Of validation, inference, preprocessing."""
    if not run.went_well:
        return FAILED, how_it_ended(run)
    if names := results.missing(run.output, run.operation, training_type):
        return FAILED, Said(_("Missing or empty: %(files)s"), files=", ".join(names))
    said = reports(run)
    if said[0] == FAILED:
        return said
    if faults := _unreadable(run, training_type):
        return FAILED, Said(_("%(file)s: %(reason)s"), file=faults[0].file, reason=faults[0].reason)
    return _complete(run, training_type)


def _unreadable(run: Run, training_type: str) -> list[results.Fault]:
    classes = len(tiny.CLASSES)
    given: dict[str, Any] = {"classes": classes, "has_inputs": True}
    faults = results.unusable(run.output, run.operation, training_type, **given)
    if faults or run.operation == "preprocessing":
        return faults
    if training_type in ("CL", "RC"):
        path, is_rc = run.output / "detections.csv", training_type == "RC"
        return results.read_detections(path, classes=2 if is_rc else classes, has_box=is_rc)[1]
    return results.read_annotations(run.output)[1]


def _complete(run: Run, training_type: str) -> Verdict:
    """Whether each image or region has its answer, and no other one has."""
    known = {str(path) for path in (run.folder / "dataset" / "images").rglob("*") if path.is_file()}
    if run.operation == "preprocessing":
        return _produced(run, known)
    if training_type in ("CL", "RC"):
        path, is_rc = run.output / "detections.csv", training_type == "RC"
        rows = results.read_detections(path, classes=2, has_box=is_rc)[0]
        named = Counter(tiny.place(row.filename, row.box) for row in rows)
    else:
        named = Counter(tiny.place(sample.path) for sample in results.read_annotations(run.output)[0])
    if strange := [path for path, _box in named if path not in known]:
        return FAILED, Said(_("The results name an image that was not given: %(path)s"), path=strange[0][:200])
    if left := run.asked - named:
        text = _("There are answers for %(n)d of %(all)d images or regions.")
        return FAILED, Said(text, n=run.asked.total() - left.total(), all=run.asked.total())
    if more := named - run.asked:
        text = _("There is more than one answer for an image or region: %(path)s")
        return FAILED, Said(text, path=next(iter(more))[0][:200])
    return GOOD


def _produced(run: Run, known: set[str]) -> Verdict:
    try:
        made, faults = results.read_produced(run.output)
    except ContractError as error:
        return FAILED, str(error)
    if faults:
        return FAILED, Said(_("%(file)s: %(reason)s"), file=faults[0].file, reason=faults[0].reason)
    images = (run.folder / "images").resolve()
    for one in made:
        place = (images / one.path).resolve()
        if one.source not in known or not place.is_relative_to(images) or not place.is_file():
            return FAILED, Said(
                _("files.txt names an image that is not below image_write_path: %(path)s"), path=one.path
            )
        if not _is_image(place):
            return FAILED, Said(_("files.txt names a file that is no image: %(path)s"), path=one.path)
    if left := {path for path, _box in run.asked} - {one.source for one in made}:
        return FAILED, Said(_("files.txt names nothing that was made from %(path)s."), path=min(left))
    return GOOD


def _is_image(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.verify()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
    return True


def inside(runs: list[Run]) -> Verdict:
    for run in runs:
        if run.strays:
            return FAILED, Said(_("It wrote %(files)s."), files=", ".join(run.strays[:5]))
    return GOOD
