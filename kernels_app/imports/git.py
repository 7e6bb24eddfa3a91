"""A kernel out of a git repository: no options in disguise, no other protocols, no hooks, no endless clones."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from kernels_app import outside
from projects_app.archive import is_safe

BRANCH = re.compile(r"[A-Za-z0-9_][\w./+-]{0,199}")  # begins with no dash, so that it is no option
HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
MINUTES = 10
LOOK = 0.2  # seconds
# A repository's own settings are not read in a clone; of the user's that runs the worker, these are overruled.
SAFE = ("core.hooksPath=/dev/null", "core.symlinks=false", "core.fsmonitor=false", "submodule.recurse=false")


class BadSource(Exception):
    """Where the sources should come from is not usable; the message says why."""


@dataclass(frozen=True)
class Repository:
    url: str
    branch: str = ""
    folder: str = ""

    def faults(self) -> dict[str, str]:
        """What is wrong with it, by field."""
        found = {"url": _url_fault(self.url)}
        branch = self.branch
        if branch and (not BRANCH.fullmatch(branch) or ".." in branch or branch.endswith(("/", ".lock"))):
            found["branch"] = _("This is no name of a branch or tag.")
        if self.folder and not is_safe(self.folder.strip("/")):
            found["folder"] = _("This is no folder inside the repository.")
        return {field: text for field, text in found.items() if text}


def clone(source: Repository, into: Path, *, limit: int, tick: Callable[[], None], say: Callable[[str], None]) -> str:
    """Clone the branch into the new folder `into`; the commit that it is. Raises BadSource.

    `limit`: bytes that it may take on the disk; `tick` is called all the while, and what it raises ends it.
    """
    if faults := source.faults():
        raise BadSource("; ".join(faults.values()))
    options = [word for option in SAFE for word in ("-c", option)]
    branch = [f"--branch={source.branch}"] if source.branch else []
    how = ["--quiet", "--depth=1", "--single-branch", "--no-tags", "--no-recurse-submodules", *branch]
    say(f"git clone {' '.join(how)} {source.url}")
    log = into.with_name("git.log")
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["git", *options, "clone", *how, "--", source.url, str(into)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=_environment(), start_new_session=True,
        )  # fmt: skip
        try:
            _await(process, into, limit, tick)
        finally:
            _end(process)
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    if process.returncode:
        raise BadSource(_("git could not clone it: %(said)s") % {"said": said[-1000:] or process.returncode})
    commit = _commit(into)
    shutil.rmtree(into / ".git", ignore_errors=True)
    say(f"commit {commit}")
    return commit


def _url_fault(url: str) -> str:
    allowed = settings.TRAINPORTAL_GIT_PROTOCOLS
    try:
        parts = urlsplit(url)
        host, password = parts.hostname or "", parts.password
        _port = parts.port
    except ValueError:
        return _("This is no address of a repository.")
    if parts.scheme not in allowed:
        text = _("The address begins with one of: %(list)s.")
        return text % {"list": ", ".join(f"{name}://" for name in allowed)}
    if any(character.isspace() or not character.isprintable() for character in url) or "::" in parts.scheme:
        return _("This is no address of a repository.")
    if password is not None or (parts.username is not None and parts.scheme in ("http", "https")):  # it may be a token
        return _("Write no user or password into the address: it would be kept. Give the worker's host access instead.")
    if parts.scheme == "file":
        return "" if not host and parts.path.startswith("/") else _("This is no address of a repository.")
    user = parts.username or "git"
    return (
        ""
        if HOST.fullmatch(host) and HOST.fullmatch(user) and parts.path.strip("/")
        else _("This is no address of a repository.")
    )


def _environment() -> dict[str, str]:
    """Nothing of the portal's own; git asks nobody, and follows no address to a protocol that is not allowed."""
    kept = ("PATH", "HOME", "LANG", "SSH_AUTH_SOCK")
    return (
        {name: os.environ[name] for name in kept if name in os.environ}
        | outside.proxies()
        | {
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
            "GIT_ALLOW_PROTOCOL": ":".join(settings.TRAINPORTAL_GIT_PROTOCOLS),
            "GIT_LFS_SKIP_SMUDGE": "1",
        }
    )


def _await(process: subprocess.Popen[bytes], into: Path, limit: int, tick: Callable[[], None]) -> None:
    until = time.monotonic() + 60 * MINUTES
    while process.poll() is None:
        tick()
        if time.monotonic() > until:
            raise BadSource(_("git took longer than %(n)d minutes.") % {"n": MINUTES})
        if _size(into) > limit:
            raise BadSource(_("The repository is larger than %(n)d MB.") % {"n": limit // 2**20})
        time.sleep(LOOK)
    if _size(into) > limit:
        raise BadSource(_("The repository is larger than %(n)d MB.") % {"n": limit // 2**20})


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _size(folder: Path) -> int:
    total = 0
    for place, _folders, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(os.path.join(place, name)).st_size  # noqa: PTH118 (many files, often)
            except OSError:
                continue
    return total


def _commit(folder: Path) -> str:
    asked = ["git", *(word for option in SAFE for word in ("-c", option)), "rev-parse", "HEAD"]
    done = subprocess.run(asked, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
    return done.stdout.strip()
