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


def broker() -> str:
    """The address of a RabbitMQ, with an account that may do everything (TRAINPORTAL_TEST_BROKER_URL)."""
    import pika

    url = os.environ.get("TRAINPORTAL_TEST_BROKER_URL") or "amqp://guest:guest@127.0.0.1:5672"
    try:
        pika.BlockingConnection(pika.URLParameters(url)).close()
    except (pika.exceptions.AMQPError, OSError) as error:
        need(False, f"a RabbitMQ (TRAINPORTAL_TEST_BROKER_URL): {error!r}")
    return url


def reference_scripts() -> Path:
    """`references/classification` of pytorch/vision: TRAINPORTAL_TEST_REFERENCES."""
    folder = Path(os.environ.get("TRAINPORTAL_TEST_REFERENCES") or REPOSITORY.parent / "shared" / "references")
    need((folder / "train.py").is_file(), f"torchvision's reference script in {folder} (TRAINPORTAL_TEST_REFERENCES)")
    return folder
