"""What must stay true of the configuration and of the whole."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
READ = re.compile(r"env\.\w+\(\s*\"([A-Z_]+)\"")


def documented() -> set[str]:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([A-Z_]+)` \|", text, flags=re.MULTILINE))


def test_every_setting_of_the_environment_is_documented_and_no_other():
    read = set(READ.findall((ROOT / "trainportal" / "settings.py").read_text(encoding="utf-8")))
    assert read == documented()


def test_only_the_settings_file_reads_the_portals_environment():
    sources = [
        path
        for folder in ("trainportal", "models_app", "datasets_app", "jobs", "projects_app", "kernels_app")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "settings.py" and "bundled" not in path.parts
    ]
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in sources
        if re.search(r"(environ|getenv)[^\n]*TRAINPORTAL", path.read_text(encoding="utf-8"))
        and path.name != "launching.py"
    ]
    assert readers == []


def django(code: str, tmp_path: Path, **environment: str) -> str:
    """What `code` prints in a fresh process with these settings."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("TRAINPORTAL", "DATABASE"))}
    ran = subprocess.run(
        [sys.executable, "-c", f"import django; django.setup(); from django.conf import settings; {code}"],
        cwd=ROOT,
        env=known | {"DJANGO_SETTINGS_MODULE": "trainportal.settings", "TRAINPORTAL_HOME": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout.strip()


def test_the_secret_key_is_made_once_and_readable_by_its_owner_only(tmp_path):
    first = django("print(settings.SECRET_KEY)", tmp_path)
    assert first == django("print(settings.SECRET_KEY)", tmp_path)
    assert len(first) >= 50
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600


def test_it_is_safe_unless_told_otherwise(tmp_path):
    assert django("print(settings.DEBUG, settings.ALLOWED_HOSTS)", tmp_path) == (
        "False ['localhost', '127.0.0.1', '[::1]']"
    )


def test_behind_tls_cookies_are_secure_and_hsts_is_on(tmp_path):
    code = "print(settings.SESSION_COOKIE_SECURE, settings.CSRF_COOKIE_SECURE, settings.SECURE_HSTS_SECONDS > 0)"
    assert django(code, tmp_path, TRAINPORTAL_TLS="1") == "True True True"
    assert django(code, tmp_path) == "False False False"


def test_sqlite_runs_with_wal_and_immediate_transactions(tmp_path):
    code = (
        "from django.db import connection as c; cursor = c.cursor(); cursor.execute('PRAGMA journal_mode');"
        "print(cursor.fetchone()[0], settings.DATABASES['default']['OPTIONS']['transaction_mode'])"
    )
    assert django(code, tmp_path) == "wal IMMEDIATE"


def test_the_web_process_never_imports_torch(tmp_path):
    code = "import sys, trainportal.urls; print([m for m in ('torch', 'torchvision', 'timm') if m in sys.modules])"
    assert django(code, tmp_path) == "[]"


def test_the_runner_starts_without_the_heavy_imports_of_imports(tmp_path):
    code = "import sys, jobs.runner; print([m for m in ('scipy', 'imagehash', 'pywt') if m in sys.modules])"
    assert django(code, tmp_path) == "[]"


def test_the_contract_imports_nothing_but_the_standard_library(tmp_path):
    code = (
        "import sys; import kernels_app.contract.results, kernels_app.contract.config, kernels_app.contract.status;"
        "print([m for m in ('django', 'numpy', 'torch', 'jsonschema') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.django_db
def test_every_page_carries_a_strict_content_security_policy(client):
    policy = client.get("/login/")["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def health(client, **query) -> tuple[int, dict]:
    answer = client.get("/healthz", query)
    return answer.status_code, answer.json()


@pytest.mark.django_db
def test_health_says_whether_database_and_worker_live(client):
    code, found = health(client)
    assert (code, found["status"], found["database"], found["worker"]) == (200, "degraded", True, False)
    assert health(client, need="worker")[0] == 503
    from jobs import hosts, tasks

    hosts.beat()
    tasks.canary()
    code, found = health(client, need="worker")
    assert (code, found["status"], found["worker"], found["task_queue"]) == (200, "ok", True, True)
    assert found["heartbeat_age"] < 10
    assert found["canary_age"] < 10


@pytest.mark.django_db
def test_health_tells_of_silence_waiting_and_late_jobs_without_a_name(client, project):
    from django.utils import timezone

    from jobs.models import Host, Job, State

    now, hour = timezone.now(), timedelta(hours=1)
    Host.objects.create(name="secret-host", seen_at=now - hour, canary_at=now - hour)
    usual = {"project": project, "kind": "toy", "title": "secret work", "created_at": now}
    Job.objects.create(state=State.QUEUED, queued_at=now - hour, **usual)
    Job.objects.create(state=State.RUNNING, queued_at=now, lease_until=now - hour, **usual)
    answer = client.get("/healthz")
    found = answer.json()
    assert (found["workers_alive"], found["workers_silent"]) == (0, 1)
    assert (found["jobs_running"], found["jobs_waiting"], found["jobs_late"]) == (1, 1, 1)
    assert found["longest_wait"] >= 3600
    assert "secret" not in answer.content.decode()


def test_health_without_a_database_is_503_and_no_error_page(tmp_path):
    code = (
        "from django.test import Client; answer = Client(SERVER_NAME='localhost').get('/healthz');"
        "print(answer.status_code, answer.json())"
    )
    said = django(code, tmp_path, DATABASE_URL="postgres://nobody:secret@127.0.0.1:9/none?connect_timeout=2")
    assert said.endswith("503 {'status': 'down', 'database': False, 'worker': False}")
