"""A portal of its own for a test: a home below a temporary folder, real web and worker processes on SQLite."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from jobs.enclosure import processes

REPOSITORY = Path(__file__).resolve().parents[1]
PATIENCE = 60.0  # seconds for a process to come up or to end, on a busy machine


class Portal:
    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.log = folder / "portal.log"
        self.url = ""
        self.processes: list[subprocess.Popen[bytes]] = []
        self.web: subprocess.Popen[bytes] | None = None
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRAINPORTAL_", "DATABASE_"))}
        self.environment = kept | {
            "TRAINPORTAL_HOME": str(self.home), "TRAINPORTAL_LOG_LEVEL": "WARNING", "TRAINPORTAL_JOB_POLL": "0.2",
            "TRAINPORTAL_JOB_TICK": "0.3", "TRAINPORTAL_JOB_GRACE": "5",
            "DJANGO_SETTINGS_MODULE": "trainportal.settings",
        }  # fmt: skip

    # --- commands ---

    def manage(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run `manage.py` as a person would; stdout and stderr apart."""
        return subprocess.run(
            [sys.executable, str(REPOSITORY / "manage.py"), *argv],
            cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    def python(self, code: str) -> str:
        """Run a few lines inside the portal's Django; what they print."""
        done = subprocess.run(
            [sys.executable, "-c", f"import django\ndjango.setup()\n{code}"],
            cwd=REPOSITORY, env=self.environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    # --- processes ---

    def start_worker(self, *argv: str) -> None:
        self._start([sys.executable, str(REPOSITORY / "manage.py"), "worker", *argv])

    def start_web(self, port: int = 0) -> None:
        port = port or _free_port()
        self.url = f"http://127.0.0.1:{port}"
        argv = [sys.executable, "-m", "gunicorn", "trainportal.wsgi", "--bind", f"127.0.0.1:{port}", "--threads", "4"]
        self.web = self._start([*argv, "--log-level", "warning", "--no-control-socket"])
        self.wait("the web to answer", self._answers)

    def restart_web(self) -> None:
        """As a deploy does: it is gone for a moment, and comes back at the same address."""
        assert self.web
        self.web.terminate()
        self.web.wait(timeout=PATIENCE)
        self.processes.remove(self.web)
        self.start_web(int(self.url.rpartition(":")[2]))

    def stop(self) -> None:
        """Web and worker, then whatever kernel still lives; runners end when their kernel does."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for started in self.home.glob("runs/*/started.json"):
            found = json.loads(started.read_text())["shim"]
            if processes.is_alive(found):
                os.kill(found[0], signal.SIGTERM)

    @staticmethod
    def wait(what: str, look: Callable[[], object], patience: float = PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not look():
            assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
            time.sleep(0.1)

    def _start(self, argv: list[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                argv, cwd=REPOSITORY, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
