"""What a format module says when it is asked whether it could read a source."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """One format, and whether it fits."""

    format: str  # the module's NAME
    title: str
    files: int  # annotation files (class folders) that it would read; 0 where it does not fit
    reason: str  # what was found, or what was looked for and not found

    @property
    def fits(self) -> bool:
        return self.files > 0
