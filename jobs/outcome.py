"""How a program ended, as the contract judges it, in words for the user."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext_noop as _

from jobs import diagnosis, logs
from jobs.models import Job, State
from jobs.said import Said
from kernels_app.contract import results

TRACEBACK_END = re.compile(r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning)|AssertionError)\b.*")


@dataclass(frozen=True)
class Outcome:
    """`message` says why it failed, `failure` what kind of word that is (`diagnosis.of`); `remark`: an odd success."""

    succeeded: bool
    message: str = ""
    failure: str = ""
    remark: str = ""


def judge(job: Job, folder: Path, output: Path, code: int | None, missing: list[str]) -> Outcome:
    """Success = no error message, and exit code 0 or a *done* message, and results that are there and readable.

    `code` None: nobody knows how it ended.
    """
    if job.kernel_error:
        return Outcome(False, job.kernel_error, diagnosis.SAID)
    if code != 0 and not job.kernel_done:
        return _why(folder, output, code)
    if missing:
        text = Said(_("The kernel ended, but its results are not complete: %(list)s"), list=missing)
        return Outcome(False, text, "incomplete")
    if not job.kernel_done:
        return Outcome(True, remark=Said(_("The kernel ended well without saying that it was done.")))
    if code != 0:
        return Outcome(True, remark=Said(_("The kernel said that it was done, then: %(end)s."), end=ending(code)))
    return Outcome(True)


def ending(code: int | None) -> Said:
    """An exit code in words; -n is signal n."""
    if code is None:
        return Said(_("it was gone without an exit code"))
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
        return Said(_("it was killed by the signal %(name)s"), name=name)
    return Said(_("exit code %(code)d"), code=code)


def story(job: Job, last: str) -> Said:
    """Of a job that was interrupted too often: how often, and each time why."""
    told = job.events.filter(new=State.QUEUED).exclude(old="").exclude(old=State.QUEUED)
    reasons = [_reason(event.said) for event in told] + [last]
    numbered = [Said("%(n)d. %(why)s", n=n, why=why) for n, why in enumerate(reasons, 1)]
    text = _("Interrupted %(n)d times; it started again each time but the last, and is given up now: %(reasons)s")
    return Said(text, n=len(reasons), reasons=numbered)


def _reason(why: str) -> str:
    """Without the word that every one of them begins with."""
    return why.values.get("why", why) if isinstance(why, Said) else why


def _why(folder: Path, output: Path, code: int | None) -> Outcome:
    """The most specific text there is: the kernel's `failure` file, the last traceback line, the exit code."""
    try:
        with logs.open_plain(output / results.FAILURE) as file:
            said = file.read(results.FAILURE_LIMIT).decode("utf-8", "replace").strip()
    except OSError:
        said = ""
    if said:
        return Outcome(False, said, diagnosis.SAID)
    if line := _traceback(folder):
        return Outcome(False, line, diagnosis.TRACEBACK)
    return Outcome(False, Said(_("The kernel failed: %(end)s."), end=ending(code)), diagnosis.EXIT)


def _traceback(folder: Path) -> str:
    """The last line of the last traceback near the end of the log."""
    lines = [line.text for line in logs.tail(folder / logs.NAME, 64 * 1024)]
    starts = [n for n, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if not starts:
        return ""
    return next((line for line in lines[starts[-1] + 1 :] if TRACEBACK_END.match(line)), "")[:2000]
