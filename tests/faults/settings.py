"""The portal's settings for the processes that a case starts: the same, and the stub that lets faults happen."""

import os

from trainportal.settings import *  # noqa: F403
from trainportal.settings import DATABASES, INSTALLED_APPS, STORAGES

INSTALLED_APPS = [*INSTALLED_APPS, "tests.faults.stub"]
if DATABASES["default"]["ENGINE"].endswith("sqlite3") and "FAULTS_SQLITE_TIMEOUT" in os.environ:
    DATABASES["default"]["OPTIONS"]["timeout"] = float(os.environ["FAULTS_SQLITE_TIMEOUT"])
# nobody collects static files for a case
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
