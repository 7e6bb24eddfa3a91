"""A process kernel's own packages: an environment over the portal's, built once for what `requirements.txt` asks for.

What the portal has, torch above all, is seen from inside and not installed again. Wheels alone: building one runs a
stranger's code outside the sandbox.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import sys
import time
import venv
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from importlib import metadata
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from kernels_app import outside
from kernels_app.badkernel import BadKernel, bytes_of

REQUIREMENTS = "requirements.txt"
PINNED = ("torch", "torchvision")  # as the portal has them: another torch would not know this host's GPUs
READY = "ready"  # a file in an environment that is complete
MINUTES = 30
UNUSED = 24 * 3600.0  # seconds since the last start with it: a trial without a row in the database is longer over
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
    if folder is None or _is_ready(folder):
        return folder
    with _alone(folder, tick):
        if not _is_ready(folder):
            say(f"building an environment for {', '.join(asked_for(kernel))}")
            _build(folder, asked_for(kernel), tick, say)
    return folder


def sweep(needed: Callable[[], Iterable[Path]]) -> list[Path]:
    """Remove environments that no kernel asks for whose folder is `needed`, and that nobody has used for a while.

    Told apart by what was installed, since hosts with another Python have environments of their own for it.
    """
    removed = []
    for folder in sorted(path for path in _home().glob("*") if path.is_dir()):
        with suppress(_Busy), _alone(folder, _leave):
            asked = {tuple(sorted(_asked(kernel))) for kernel in needed()} - {()}
            if _wanted(folder) not in asked and _retired(folder):
                shutil.rmtree(folder, ignore_errors=True)
                log_of(folder).unlink(missing_ok=True)
                removed.append(folder)
    return removed


class _Busy(Exception):
    """Somebody builds it."""


def _leave() -> None:
    raise _Busy


def _is_ready(folder: Path) -> bool:
    """Whether it is complete; and a sign that somebody needs it now."""
    try:
        os.utime(folder / READY)
    except OSError:
        return False
    return True


def _retired(folder: Path) -> bool:
    """Take the sign that it is complete away, so that nobody begins to use it; False where somebody just has."""
    ready, aside = folder / READY, folder / f".{READY}"
    try:
        ready.rename(aside)
    except FileNotFoundError:  # of a build, or of a removal, that was cut off
        return folder.stat().st_mtime < time.time() - UNUSED
    if aside.stat().st_mtime < time.time() - UNUSED:
        return True
    aside.rename(ready)
    return False


def _wanted(folder: Path) -> tuple[str, ...]:
    """What was installed into it."""
    try:
        return tuple(sorted((folder / REQUIREMENTS).read_text(encoding="utf-8").splitlines()))
    except OSError:
        return ()


def _asked(kernel: Path) -> list[str]:
    try:
        return asked_for(kernel)
    except BadKernel:
        return []


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
    code = outside.run(argv, log, _environment(), tick, minutes=MINUTES)
    if code is None:
        raise BadKernel(_("Installing the packages took longer than %(n)d minutes.") % {"n": MINUTES})
    return code


def _environment() -> dict[str, str]:
    """Nothing of the portal's own; what an administrator tells pip, such as PIP_INDEX_URL, counts."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    given = {name: value for name, value in os.environ.items() if name in kept or name.startswith("PIP_")}
    return given | outside.proxies()


def _pins() -> list[str]:
    return [f"{name}=={metadata.version(name)}" for name in PINNED]


def _portal_packages() -> list[str]:
    return [place for place in sys.path if place.endswith("site-packages") and Path(place).is_dir()]


def _home() -> Path:
    return Path(settings.TRAINPORTAL_HOME) / "kernel-environments"


def _alone(folder: Path, tick: Tick) -> AbstractContextManager[None]:
    """One builder of an environment at a time, on all hosts that share the folder."""
    return outside.alone(folder.with_name(f".{folder.name}.lock"), tick)
