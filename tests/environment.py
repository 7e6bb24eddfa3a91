"""Loaded by pytest before Django's settings are: a TRAINPORTAL_HOME of its own for every test process."""

import atexit
import os
import shutil
import tempfile

home, process = tempfile.mkdtemp(prefix="trainportal-test-"), os.getpid()
os.environ["TRAINPORTAL_HOME"] = home
os.environ.setdefault("TRAINPORTAL_LOG_LEVEL", "WARNING")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's sync API runs an event loop in the test's thread


@atexit.register
def remove() -> None:
    """Not by what this process forked: that ends here too."""
    if os.getpid() == process:
        shutil.rmtree(home, ignore_errors=True)
