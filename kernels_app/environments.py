"""A process kernel's own packages: an environment over the portal's, built once for what `requirements.txt` asks for.

What the portal has, torch above all, is seen from inside and not installed again. Wheels alone: building one runs a
stranger's code outside the sandbox.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from kernels_app.badkernel import BadKernel, bytes_of

REQUIREMENTS = "requirements.txt"
PINNED = ("torch", "torchvision")  # as the portal has them: another torch would not know this host's GPUs
READY = "ready"  # a file in an environment that is complete
MINUTES = 30
LOOK = 0.2  # seconds
LONGEST, LARGEST = 500, 64 * 1024  # characters of a line, bytes of the file
_CLAUSE = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+\s*"
# Each place has one way to go on, so that no line takes long. pip would put what a $ names into the marker.
REQUIREMENT = re.compile(
    rf"[A-Za-z0-9][A-Za-z0-9._-]*\s*(?:\[[A-Za-z0-9._,\s-]+\]\s*)?(?:{_CLAUSE}(?:,\s*{_CLAUSE})*(?:,\s*)?)?(?:;[^$\\]*)?"
)

Tick = Callable[[], None]
Say = Callable[[str], None]


def asked_for(kernel: Path) -> list[str]:
    """The requirements of an unpacked kernel, a package each. Raises BadKernel for a line that is none."""
    return requirements(bytes_of(kernel / REQUIREMENTS))


def requirements(data: bytes | None) -> list[str]:
    """The same, of what requirements.txt holds. Raises BadKernel."""
    if data and len(data) > LARGEST:
        raise BadKernel(_("%(file)s is larger than %(n)d kB.") % {"file": REQUIREMENTS, "n": LARGEST // 1024})
    found = []
    for n, line in enumerate((data or b"").decode("utf-8-sig", "replace").splitlines(), 1):
        wanted = re.sub(r"(^|\s)#.*", "", line).strip()
        if wanted and (len(wanted) > LONGEST or not REQUIREMENT.fullmatch(wanted)):
            sentence = _(
                "%(file)s: line %(n)d is no package with versions; options, addresses and paths are not taken."
            )
            raise BadKernel(sentence % {"file": REQUIREMENTS, "n": n})
        found += [wanted] if wanted else []
    return found


def folder_of(kernel: Path) -> Path | None:
    """Where the environment of a kernel is, or will be; None where it runs in the portal's own."""
    wanted = asked_for(kernel)
    if not wanted:
        return None
    about = [platform.python_version(), sys.prefix, *_pins(), *sorted(wanted)]
    return _home() / hashlib.sha256("\n".join(about).encode()).hexdigest()[:32]


def python_of(kernel: Path) -> str:
    """The Python that runs a kernel."""
    folder = folder_of(kernel)
    return str(folder / "bin" / "python") if folder else sys.executable


def log_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.log")


def ensure(kernel: Path, tick: Tick = lambda: None, say: Say = lambda text: None) -> Path | None:
    """Build the environment of a kernel where it is not there yet. Raises BadKernel with the end of pip's log."""
    folder = folder_of(kernel)
    if folder is None or (folder / READY).exists():
        return folder
    with _alone(folder, tick):
        if not (folder / READY).exists():
            say(f"building an environment for {', '.join(asked_for(kernel))}")
            _build(folder, asked_for(kernel), tick, say)
    return folder


def _build(folder: Path, wanted: list[str], tick: Tick, say: Say) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # of a build that was cut off
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "portal.pth").write_text("".join(f"{place}\n" for place in _portal_packages()), encoding="utf-8")
    (folder / "requirements.txt").write_text("\n".join(wanted) + "\n", encoding="utf-8")
    (folder / "constraints.txt").write_text("\n".join(_pins()) + "\n", encoding="utf-8")
    how = ["install", "--no-input", "--disable-pip-version-check", "--only-binary=:all:", "--no-warn-script-location"]
    files = ["-r", str(folder / "requirements.txt"), "-c", str(folder / "constraints.txt")]
    argv = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), *how, *files]
    code = _run(argv, log_of(folder), tick)
    said = log_of(folder).read_text(encoding="utf-8", errors="replace")
    say(said.rstrip())
    if code:
        shutil.rmtree(folder, ignore_errors=True)
        sentence = _("The packages of requirements.txt could not be installed: %(said)s")
        raise BadKernel(sentence % {"said": said.strip()[-1000:] or code})
    (folder / READY).touch()


def _run(argv: list[str], log: Path, tick: Tick) -> int:
    until = time.monotonic() + 60 * MINUTES
    with log.open("wb") as out:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=_environment(), start_new_session=True
        )
        try:
            while process.poll() is None:
                tick()
                if time.monotonic() > until:
                    raise BadKernel(_("Installing the packages took longer than %(n)d minutes.") % {"n": MINUTES})
                time.sleep(LOOK)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return process.returncode


def _environment() -> dict[str, str]:
    """Nothing of the portal's own; what an administrator tells pip, such as PIP_INDEX_URL, counts."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "https_proxy", "http_proxy", "no_proxy", "SSL_CERT_FILE")
    return {name: value for name, value in os.environ.items() if name in kept or name.startswith("PIP_")}


def _pins() -> list[str]:
    return [f"{name}=={metadata.version(name)}" for name in PINNED]


def _portal_packages() -> list[str]:
    return [place for place in sys.path if place.endswith("site-packages") and Path(place).is_dir()]


def _home() -> Path:
    return Path(settings.TRAINPORTAL_HOME) / "kernel-environments"


@contextmanager
def _alone(folder: Path, tick: Tick) -> Iterator[None]:
    """One builder of an environment at a time, on all hosts that share the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                tick()
                time.sleep(LOOK)
        yield
