"""The line: who is next, in one order for the claim and for what pages say of it.

What moved to the front goes first. Then the projects take turns: the one that holds and has taken least goes first, so
that a hundred jobs of one project do not keep out the single job of another. Within a project, as they came. Jobs that
need devices and those that need none (imports) wait for different things and stand in lines of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from jobs.models import HELD, Job, State


@dataclass(frozen=True)
class Place:
    """A job in the line. `ahead`: how many stand before it; `turn`: what its project holds and takes before it."""

    pk: int
    project: int
    devices: int
    priority: int
    queued_at: datetime
    turn: int
    ahead: int

    @property
    def needs_devices(self) -> bool:
        return self.devices > 0


def places() -> list[Place]:
    """All that waits, both lines, each in its order."""
    return _look().places


def before_a_new_one(project: int) -> tuple[list[Place], int]:
    """Those with devices that would go before a job that the project puts in the line now; how many run."""
    found = _look()
    turn = found.taken[project, True]
    before = [one for one in found.places if one.needs_devices and (-_level(one), one.turn) <= (0, turn)]
    return before, found.running


@dataclass(frozen=True)
class Look:
    """One look at all that has not ended. `taken`: by project and line what it holds and waits for, in devices.

    A job that needs none counts as one in its line. `running`: how many jobs hold devices."""

    places: list[Place]
    taken: dict[tuple[int, bool], int]
    running: int


def _look() -> Look:
    rows = Job.objects.active().order_by("-priority", "queued_at", "pk")
    columns = ("pk", "project_id", "devices", "priority", "queued_at", "state")
    found = list(rows.values_list(*columns))
    taken: defaultdict[tuple[int, bool], int] = defaultdict(int)
    held = [(project, devices) for _pk, project, devices, _priority, _since, state in found if state in HELD]
    for project, devices in held:
        taken[project, devices > 0] += max(1, devices)
    waiting = []
    for pk, project, devices, priority, queued_at, state in found:
        if state == State.QUEUED:
            owner = (project, devices > 0)
            waiting.append(Place(pk, project, devices, priority, queued_at, taken[owner], 0))
            taken[owner] += max(1, devices)
    waiting.sort(key=lambda place: (-_level(place), place.turn, place.queued_at, place.pk))
    return Look(list(_counted(waiting)), taken, sum(devices > 0 for _project, devices in held))


def _level(place: Place) -> int:
    """Before, at or behind the usual. How much before counts within a project only: its own order, not a race."""
    return (place.priority > 0) - (place.priority < 0)


def _counted(waiting: list[Place]) -> Iterator[Place]:
    before = {True: 0, False: 0}
    for place in waiting:
        yield Place(**(vars(place) | {"ahead": before[place.needs_devices]}))
        before[place.needs_devices] += 1
