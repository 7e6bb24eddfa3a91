"""Loaded by pytest before Django's settings are: a TRAINPORTAL_HOME of its own for every test process."""

import os
import tempfile

os.environ["TRAINPORTAL_HOME"] = tempfile.mkdtemp(prefix="trainportal-test-")
os.environ.setdefault("TRAINPORTAL_LOG_LEVEL", "WARNING")
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's sync API runs an event loop in the test's thread
