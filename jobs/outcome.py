"""How a program ended, as the contract judges it, in words for the user."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

from jobs import logs
from jobs.models import Job, State
from kernels_app.contract import results

TRACEBACK_END = re.compile(r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit|Warning)|AssertionError)\b.*")


@dataclass(frozen=True)
class Outcome:
    """`message` says why it failed; `remark` what was odd about a success."""

    succeeded: bool
    message: str = ""
    remark: str = ""


def judge(job: Job, folder: Path, output: Path, code: int | None, missing: list[str]) -> Outcome:
    """Success = no error message, and exit code 0 or a *done* message, and results that are there and readable.

    `code` None: nobody knows how it ended.
    """
    if job.kernel_error:
        return Outcome(False, message=job.kernel_error)
    if code != 0 and not job.kernel_done:
        return Outcome(False, message=_why(folder, output, code))
    if missing:
        return Outcome(False, message=_("The kernel ended, but its results are not complete: ") + "; ".join(missing))
    if not job.kernel_done:
        return Outcome(True, remark=_("The kernel ended well without saying that it was done."))
    if code != 0:
        return Outcome(True, remark=_("The kernel said that it was done, then: %(end)s.") % {"end": ending(code)})
    return Outcome(True)


def ending(code: int | None) -> str:
    """An exit code in words; -n is signal n."""
    if code is None:
        return _("it was gone without an exit code")
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
        return _("it was killed by the signal %(name)s") % {"name": name}
    return _("exit code %(code)d") % {"code": code}


def story(job: Job, last: str) -> str:
    """Of a job that was interrupted too often: how often, and each time why."""
    told = job.events.filter(new=State.QUEUED).exclude(old="").exclude(old=State.QUEUED)
    reasons = [why.removeprefix(_("interrupted: ")) for why in told.values_list("why", flat=True)] + [last]
    lines = "\n".join(f"{n}. {why}" for n, why in enumerate(reasons, 1))
    text = _("Interrupted %(n)d times; it started again each time but the last, and is given up now:")
    return text % {"n": len(reasons)} + "\n" + lines


def _why(folder: Path, output: Path, code: int | None) -> str:
    """The most specific text there is: the kernel's `failure` file, the last traceback line, the exit code."""
    try:
        with logs.open_plain(output / results.FAILURE) as file:
            said = file.read(results.FAILURE_LIMIT).decode("utf-8", "replace").strip()
    except OSError:
        said = ""
    return said or _traceback(folder) or _("The kernel failed: %(end)s.") % {"end": ending(code)}


def _traceback(folder: Path) -> str:
    """The last line of the last traceback near the end of the log."""
    lines = logs.tail(folder / logs.NAME, 64 * 1024).splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    if not starts:
        return ""
    return next((line for line in lines[starts[-1] + 1 :] if TRACEBACK_END.match(line)), "")[:2000]
