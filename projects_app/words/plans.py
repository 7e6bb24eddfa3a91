"""What an import of words comes to: told to a person first, then done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field

ADDED, CHANGED, SAME = "added", "changed", "same"


@dataclass(frozen=True)
class Change:
    """One row of the file. `what`: its section in the user's language; `details`: what becomes of it, in words."""

    kind: str
    what: str
    code: str
    details: tuple[str, ...] = ()


@dataclass
class Plan:
    changes: list[Change] = field(default_factory=list)
    kept: list[tuple[str, str]] = field(default_factory=list)  # section and code: in the project, not in the file
    steps: list[Callable[[], None]] = field(default_factory=list)

    def of(self, kind: str) -> list[Change]:
        return [one for one in self.changes if one.kind == kind]

    @property
    def added(self) -> list[Change]:
        return self.of(ADDED)

    @property
    def changed(self) -> list[Change]:
        return self.of(CHANGED)

    @property
    def same(self) -> list[Change]:
        return self.of(SAME)

    @property
    def does_nothing(self) -> bool:
        return not (self.added or self.changed)

    @property
    def fingerprint(self) -> str:
        """Another one where the import would do anything else."""
        told = [[one.kind, one.what, one.code, *one.details] for one in self.changes]
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()


class Moved(Exception):
    """The project changed since the preview: `plan` says what the import would do now."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
