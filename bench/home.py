"""A TRAINPORTAL_HOME of the bench's own, which is gone at the end, and an environment that names nothing else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT = ("TRAINPORTAL_WEIGHTS_DIR",)  # what of the portal's own environment holds here too


@contextmanager
def temporary() -> Iterator[Path]:
    """Sets the environment of this process and its children; Django's settings must not be loaded yet."""
    for name in [name for name in os.environ if name.startswith("TRAINPORTAL_") and name not in KEPT]:
        del os.environ[name]
    os.environ.pop("DATABASE_URL", None)  # SQLite, and never a database that is somebody's
    folder = Path(tempfile.mkdtemp(prefix="trainportal-bench-")).resolve()
    os.environ["TRAINPORTAL_HOME"] = str(folder)
    os.environ["TRAINPORTAL_LOG_LEVEL"] = "WARNING"
    os.environ["DJANGO_SETTINGS_MODULE"] = "trainportal.settings"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's sync API runs an event loop in this thread
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
