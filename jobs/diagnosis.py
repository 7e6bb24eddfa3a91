"""Why a job failed, found in what it said and wrote. The rules are data: `jobs.failure_rules`."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs import hosts, kinds, logs, said
from jobs.failure_rules import AGAIN, BY_NAME, RESUME, RULES, Rule
from jobs.launchers import shim
from jobs.models import Job, State, storable
from jobs.said import Said
from projects_app.korean import fluent

LOOK = 256 * 1024  # bytes of the log's end
LINES, LAST = 600, 80  # lines of it: where nobody knows more; where a traceback tells more than its last line
LONGEST = 2000  # characters of a line that are looked at, and kept as a quotation
FULL = 0.85  # of a machine's memory: a program that had so much and was killed was killed for that
NO_ROOM = 2**20  # bytes of the disk: a program that failed without a word could not write one
RANKS_FAILED = re.compile(r"ChildFailedError")  # torchrun: some rank failed, and said why in the log
CERTAIN = ("wall", "silence", "disk", "interrupted", "host_lost")  # the engine knows: nothing is to be found out
DETAILED = (*CERTAIN, "incomplete", "refused", "portal_fault")  # their message says more
SAID, TRACEBACK, EXIT = "said", "traceback", "exit"  # what `otherwise` may be, beside the names of rules


def of(job: Job, folder: Path, message: str, otherwise: str = SAID) -> dict[str, Any]:
    """The fields of a job that failed with this message: which rule fits, its values, the line that shows it.

    `otherwise`: the rule where the message fits none. SAID: the kernel's own words; TRACEBACK: they are the last line
    of one, the log is looked at too; EXIT: nothing but the exit code is known.
    """
    case = Case(job, folder, message)
    rule, values, line = case.judge(otherwise)
    quote = line.text.strip() if line else "" if isinstance(message, Said) else message
    facts: dict[str, Any] = {
        "values": {name: _short(text) for name, text in values.items()},
        "quote": storable(quote[:LONGEST]),
    }
    if line:
        facts["at"] = line.at
    return {"failure": rule, "failure_facts": facts}


@dataclass(frozen=True)
class Case:
    job: Job
    folder: Path
    message: str

    @cached_property
    def lines(self) -> list[logs.Line]:
        return logs.tail(self.folder / logs.NAME, LOOK)[-LINES:]

    def judge(self, otherwise: str) -> tuple[str, dict[str, str], logs.Line | None]:
        """The rule's name, its values, and the line of the log."""
        if otherwise in CERTAIN:
            return otherwise, {}, None
        if otherwise == EXIT and self._was_killed_for_memory():
            return "memory_killed", {}, self._last()
        if found := _match(self.message):
            return *found, self._line_of(self.message)
        is_vague = otherwise == EXIT or bool(RANKS_FAILED.search(self.message))
        if is_vague or otherwise == TRACEBACK:
            for line in reversed(self.lines if is_vague else self.lines[-LAST:]):
                if found := _match(line.text):
                    return *found, line
        if otherwise == EXIT and hosts.free_bytes() < NO_ROOM:  # for a word of its own as well
            return "disk_full", {}, self._last()
        if otherwise == EXIT:
            return *_ending(self.job.exit_code), self._last()
        return (SAID if otherwise == TRACEBACK else otherwise), {}, self._line_of(self.message)

    def _line_of(self, text: str) -> logs.Line | None:
        """Where the log says this, the last time; None where it does not, or where it is the portal that speaks."""
        first = text.strip().partition("\n")[0][:200]
        if isinstance(text, Said) or not first:
            return None
        return next((line for line in reversed(self.lines) if first in line.text), None)

    def _last(self) -> logs.Line | None:
        return next((line for line in reversed(self.lines) if line.text.strip()), None)

    def _was_killed_for_memory(self) -> bool:
        """SIGKILL; and the system counted one for want of memory since the start, or the program had nearly all."""
        if _signal(self.job.exit_code) != signal.SIGKILL.name:
            return False
        try:
            before = json.loads((self.folder / shim.ORDER).read_text(encoding="utf-8")).get("oom_kills")
        except (OSError, ValueError):
            before = None
        if isinstance(before, int) and hosts.oom_kills() > before:
            return True
        has = self.job.host.memory_bytes if self.job.host else 0
        return bool(has and (self.job.peak_memory or 0) > FULL * has)


def rule_of(job: Job) -> Rule | None:
    return BY_NAME.get(job.failure)


def sentence(job: Job) -> str:
    """What happened, in the language of the moment; the message where no rule of this version fits."""
    rule = rule_of(job)
    return _filled(str(rule.sentence), job) if rule else said.here(job.said_message)


@dataclass(frozen=True)
class Told:
    """A failure as its reader sees it. `quote`: what the program said, `at`: where in the log, in bytes."""

    sentence: str
    advice: str
    quote: str
    at: int | None
    details: str  # the portal's own words on it, where they say more


def told(job: Job) -> Told:
    """In the language of the moment; of a job of an older version its message."""
    rule, facts = rule_of(job), job.failure_facts
    if rule is None:
        return Told("", "", said.here(job.said_message), None, "")
    message = job.said_message
    details = said.here(message) if isinstance(message, Said) and rule.name in DETAILED else ""
    advice = _filled(str(rule.advice), job) if rule.advice else ""
    return Told(_filled(str(rule.sentence), job), advice, facts.get("quote", ""), facts.get("at"), details)


def repairs(job: Job) -> list[kinds.Repair]:
    """What may be done about it, where it failed or was cancelled."""
    rule = rule_of(job)
    if job.state == State.CANCELLED:
        return kinds.repairs(job, (RESUME,))
    return kinds.repairs(job, rule.repairs if rule else (RESUME, AGAIN)) if job.state == State.FAILED else []


def _filled(text: str, job: Job) -> str:
    try:
        return fluent(text % job.failure_facts.get("values", {}))
    except (KeyError, TypeError, ValueError):  # kept by another version
        return text


def _match(text: str) -> tuple[str, dict[str, str]] | None:
    for name, pattern in _PATTERNS:
        if found := pattern.search(text[:LONGEST]):
            return name, {key: value or "" for key, value in found.groupdict().items()}
    return None


_PATTERNS = [(rule.name, re.compile(pattern)) for rule in RULES for pattern in rule.patterns]
_SIGNALS = {name: rule.name for rule in RULES for name in rule.signals}


def _ending(code: int | None) -> tuple[str, dict[str, str]]:
    """The rule for a program that said nothing."""
    if name := _signal(code):
        return _SIGNALS.get(name, "signal"), {"signal": name}
    return "exit_code", {"code": str(code)}


def _signal(code: int | None) -> str:
    """The name of the signal that ended it; a shell says 128 more than its number."""
    number = -code if code is not None and code < 0 else (code or 0) - 128
    return signal.Signals(number).name if number in signal.valid_signals() else ""


def _short(text: str) -> str:
    """A path without what all of the portal's have in common."""
    return storable(text.removeprefix(f"{settings.TRAINPORTAL_HOME}/")[:500])
