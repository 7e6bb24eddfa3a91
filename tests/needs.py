"""What a test needs beside Python: a browser, real data, a port. Absent: the test skips and says what is missing.

Where CI is set, such a skip fails the whole run, so that nothing is left untested in silence (tests/conftest.py looks
for the mark that the reason begins with).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MARK = "needs "
REPOSITORY = Path(__file__).resolve().parents[1]


def need(condition: object, what: str) -> None:
    """Skip the test by name where `condition` does not hold. `what`: "Chromium in /usr/bin/chromium"."""
    if not condition:
        pytest.skip(f"{MARK}{what}")


def real_data(name: str) -> Path:
    """A folder or file of the real data by name ("quickstart/cl_pcb")."""
    root = Path(os.environ.get("TRAINPORTAL_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    need((root / name).exists(), f"the real data {name} in {root} (TRAINPORTAL_TEST_DATA)")
    return root / name
