"""bubblewrap around a kernel: it sees the system, its own run and what it was given to read; no network, nobody else.

Inside, the run folder is a scratch folder of the run with the kernel's own parts put into it, so that whatever it
writes elsewhere in there is thrown away with its other scratch, and what the portal keeps there is out of its reach.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext as _

from jobs.enclosure import logcut
from jobs.kinds import Launch
from jobs.launchers import shim
from jobs.launchers.errors import LaunchFailed

NAME = "bwrap"
WRITABLE = ("out", "images", "tmp", "status.jsonl")
KEPT_BACK = (
    *(shim.ORDER, shim.STARTED, shim.EXIT, shim.LOCK, shim.LOG, shim.LOG + logcut.SUFFIX),
    *("runner.lock", "runner.log", "shim.log"),
)
SCRATCH = ".folder"  # below tmp: the run folder as the kernel sees it
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/sys/devices/system")
ETC = (  # what programs look up; secrets of the installation may stand beside it
    "alternatives", "fonts", "group", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "magic",
    "mime.types", "nsswitch.conf", "OpenCL", "passwd", "ssl/certs", "timezone", "vulkan",
)  # fmt: skip
OWN = ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp")  # noqa: S108 (inside)
ENCLOSED = ["--unshare-all", "--new-session", "--cap-drop", "ALL", *OWN]
SYSTEM_BELOW = tuple(f"{place}/" for place in SYSTEM)
PROBE_LIMIT = 20.0  # seconds


def name() -> str:
    """What encloses the kernels here: "bwrap", or "" where nothing does. Raises LaunchFailed where something has to."""
    if settings.TRAINPORTAL_SANDBOX == "off":
        return ""
    why = fault()
    if why and settings.TRAINPORTAL_SANDBOX == NAME:
        text = _("Kernels of this installation run in a sandbox only, and this host cannot make one: %(why)s")
        raise LaunchFailed(text % {"why": why})
    return "" if why else NAME


@cache
def fault() -> str:
    """Why bubblewrap does not work here; empty where it does. Tried once a process, in a hundredth of a second."""
    try:
        argv = ["bwrap", *ENCLOSED, *_system(), "--", "/bin/true"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=PROBE_LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stderr.strip()[:300] or f"exit code {done.returncode}" if done.returncode else ""


def fresh_scratch(folder: Path) -> Path:
    """An empty folder in the place of the run folder. It lies where an earlier kernel of this run could write: a link
    that one put there would open whatever it leads to."""
    scratch = folder / "tmp" / SCRATCH
    if scratch.is_symlink() or scratch.is_file():
        scratch.unlink()
    elif scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir(parents=True)
    return scratch


def enclose(launch: Launch) -> Launch:
    """The same program inside. "{lock}": the lock's open file, which the sandbox holds while anything in it lives."""
    folder = launch.folder
    scratch = fresh_scratch(folder)
    (folder / "status.jsonl").touch()
    own = ["--bind", str(scratch), str(folder)]
    for path in sorted(folder.iterdir()):
        if path.name not in KEPT_BACK and not path.name.startswith("."):
            own += ["--bind" if path.name in WRITABLE else "--ro-bind", str(path), str(path)]
    nodes, names = launch.gpus
    gpus = [word for node in nodes for word in ("--dev-bind-try", node, node)] + ["--ro-bind", "/sys", "/sys"] * bool(
        nodes
    )
    given = [*launch.readable, *links_lead_to(folder)]
    binds = [*_system(), *gpus, *_ro(_python()), *_without_home(), *_ro(given), *own]
    argv = [NAME, *ENCLOSED, *binds, "--sync-fd", "{lock}", "--chdir", str(folder), "--", *launch.argv]
    # by their own names: the numbers count the GPUs that a program can see, and it sees no others
    seen = {"CUDA_VISIBLE_DEVICES": ",".join(names)} if names else {}
    return replace(launch, argv=argv, environment=launch.environment | seen)


def _system() -> list[str]:
    words: list[str] = []
    for place in SYSTEM:
        if Path(place).is_symlink():
            words += ["--symlink", str(Path(place).readlink()), place]
        else:
            words += ["--ro-bind-try", place, place]
    return words + [word for place in ETC for word in ("--ro-bind-try", f"/etc/{place}", f"/etc/{place}")]


def _python() -> list[Path]:
    """The Python that this is, its packages, and of the portal the contract alone."""
    base = settings.BASE_DIR
    paths = [Path(place) for place in (sys.prefix, sys.exec_prefix, sys.base_prefix, *sys.path) if place]
    found = [path for path in paths if path.is_dir() and path != base and not base.is_relative_to(path)]
    libraries = [Path(place) for place in os.environ.get("LD_LIBRARY_PATH", "").split(":") if place.startswith("/")]
    cuda = [Path(os.environ["CUDA_HOME"])] if os.environ.get("CUDA_HOME", "").startswith("/") else []
    return [*found, *libraries, *cuda, base / "kernels_app" / "__init__.py", base / "kernels_app" / "contract"]


def links_lead_to(folder: Path) -> list[Path]:
    """Images are links where the file system can make no second names of them: then they have to be seen as well."""
    for place, _folders, files in os.walk(folder / "dataset"):
        if any(Path(place, file).is_symlink() for file in files):
            return [settings.TRAINPORTAL_HOME / "blobs"]
    return []


def _without_home() -> list[str]:
    """The portal's files are covered where they lie below what is bound: what is given of them comes after."""
    home = settings.TRAINPORTAL_HOME
    tops = [Path(place) for place in SYSTEM] + _python()
    return ["--tmpfs", str(home)] if any(home.is_relative_to(top) for top in tops) else []


def _ro(paths: list[Path]) -> list[str]:
    """Each under its own name and under its real one; what lies in the system is there already."""
    there = [path for path in paths if path.exists()]
    seen = {str(place) for path in there for place in (path, path.resolve())}
    home = f"{settings.TRAINPORTAL_HOME}/"
    found = sorted(place for place in seen if place.startswith(home) or not place.startswith(SYSTEM_BELOW))
    return [word for place in found for word in ("--ro-bind", place, place)]
