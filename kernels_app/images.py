"""Kernels that are containers: their images, built out of a Dockerfile or loaded from a tar, kept beside the kernel.

The tool's own store holds an image on the host that made it; the tar that is kept with the kernel brings it to other
hosts, and back where somebody tidied the store up.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import lzma
import re
import shlex
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from jobs import hosts
from jobs.kinds import JobError
from jobs.launchers import container
from jobs.launchers.errors import LaunchFailed
from kernels_app import launching, outside
from kernels_app.badkernel import BadKernel
from kernels_app.models import Kernel

DOCKERFILE = "Dockerfile"
OWN = "localhost/trainportal"  # where the images of this installation are named
MINUTES = 120  # for a build
LONGEST = 100_000  # bytes of a manifest
PATIENCE = 600.0  # seconds that a job waits for a tool which does not answer, or refuses to
PAUSE = 2.0

Tick = Callable[[], None]
Say = Callable[[str], None]


def source_of(folder: Path) -> Path | None:
    """What the image of an unpacked kernel comes from: its Dockerfile, or a tar as `docker save` writes it.

    None of a kernel that runs as a process: one with a program, unless its kernel.toml says `runs_in = "container"`.
    """
    about = launching.about(folder)
    is_asked = about.get("runs_in") == "container" or about.get("type") == "base"
    if not is_asked and (about.get("runs_in") == "process" or launching.is_whole(folder)):
        return None
    if (folder / DOCKERFILE).is_file():
        return folder / DOCKERFILE
    return next((path for path in sorted(folder.glob("*.tar")) if is_image(path)), None)


def is_image(path: Path) -> bool:
    """Whether it is a tar as `docker save` and `podman save` write it, which names the layers of an image."""
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                if member.name.removeprefix("./") == "manifest.json" and member.isreg() and member.size <= LONGEST:
                    file = archive.extractfile(member)
                    found = json.loads(file.read()) if file else None
                    return isinstance(found, list) and any("Layers" in one for one in found if isinstance(one, dict))
    except (OSError, ValueError, EOFError, RecursionError, tarfile.TarError, lzma.LZMAError, zlib.error):
        pass
    return False


def make(kernel: Kernel, tick: Tick, say: Say) -> dict[str, Any]:
    """Build or load the image of an imported kernel; what its row says of it: `image` and `build`. Raises BadKernel."""
    image = f"{OWN}/{_slug(kernel.name)}:{kernel.digest[:16]}"
    build = made_of(kernel.folder, image, tick, say)
    used = _tool()
    if kernel.is_base:
        said = f"{OWN}/{_slug(kernel.name)}:{_slug(kernel.version)}"
        if taken := Kernel.objects.filter(is_base=True, build__said=said).exclude(pk=kernel.pk).first():
            raise BadKernel(
                _("The base image “%(kernel)s” is called %(name)s already. Give yours another name or version.")
                % {"kernel": taken, "name": said}
            )
        _run([*used.words, "tag", image, said], tick, say)
        build["said"] = said
    if source_of(kernel.folder) == kernel.folder / DOCKERFILE:
        draft = kernel.image_file.with_name(f".{kernel.image_file.name}")
        draft.unlink(missing_ok=True)
        _run([*used.words, "save", "--output", str(draft), image], tick, say)
        draft.replace(kernel.image_file)
    return {"image": image, "build": build}


def made_of(folder: Path, image: str, tick: Tick, say: Say) -> dict[str, Any]:
    """Build or load what an unpacked kernel brings, and call it `image`; what is known of it. Raises BadKernel."""
    used, source = _tool(), source_of(folder)
    if source is None:
        raise BadKernel(_("There is neither a Dockerfile nor an image as docker save writes it."))
    if source.name == DOCKERFILE:
        options = shlex.split(settings.TRAINPORTAL_CONTAINER_BUILD_OPTIONS)
        base = base_of(source.read_text(encoding="utf-8", errors="replace"))
        _bring_base(used, base, tick, say)
        _run([*used.words, "build", "--tag", image, *options, str(folder)], tick, say)
    else:
        _load(used, source, image, tick, say)
        base = ""
    brought = "" if source.name == DOCKERFILE else source.name
    return _facts(used, image) | {"base": base, "tool": used.name, "file": brought}


def base_of(dockerfile: str) -> str:
    """What the last stage of a Dockerfile builds on, through stages that build on each other."""
    stages: dict[str, str] = {}
    last = ""
    for line in dockerfile.splitlines():
        found = re.match(r"\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", line, re.IGNORECASE)
        if found:
            last = stages.get(found[1].lower(), found[1])
            if found[2]:
                stages[found[2].lower()] = last
    return last


def ensure(kernel: Kernel, tick: Tick = lambda: None) -> None:
    """The image that was tried is on this host under the kernel's name: loaded from what was kept of it where it is
    not, or where another image took the name, as any tar may that somebody loads. Raises JobError."""
    try:
        used = container.needed()
        here = _facts_at_last(used, kernel.image, tick)
        if here and here["content"] == kernel.build.get("content", here["content"]):
            return
        file = kernel.image_file
        if not file.is_file():
            sentence = (
                _("Another image has the name of the image of “%(kernel)s”, and what was kept of that is gone.")
                if here
                else _("The image of “%(kernel)s” is gone, and so is what was kept of it.")
            )
            raise JobError(sentence % {"kernel": kernel})
        _load(used, file, kernel.image, tick, lambda text: None)
    except (LaunchFailed, BadKernel, OSError) as error:
        raise JobError(str(error)) from error


def _load(used: container.Tool, file: Path, image: str, tick: Tick, say: Say) -> None:
    """Load a tar and call its image so. A tar brings names of its own, which may be those of other images here: these
    keep theirs, and new names go. One at a time on a host, or two would take each other's for new. Raises BadKernel."""
    with outside.alone(settings.TRAINPORTAL_HOME / f".images-{hosts.name()}.lock", tick):
        before = _names(used)
        loaded = _loaded(_run([*used.words, "load", "--input", str(file)], tick, say))
        _run([*used.words, "tag", loaded[-1], image], tick, say)
        for name in set(loaded) & set(_names(used)) - {image}:
            if name in before:
                _run([*used.words, "tag", before[name], name], tick, say)
            else:
                _run([*used.words, "image", "rm", name], tick, say)


def _names(used: container.Tool) -> dict[str, str]:
    """The images of this host by their names. Raises BadKernel."""
    try:
        said = used.ask("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    except OSError as error:
        raise BadKernel(str(error)) from error
    pairs = (line.split() for line in said.stdout.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and "<none>" not in pair[0]}


def _bring_base(used: container.Tool, base: str, tick: Tick, say: Say) -> None:
    """The base image of this installation that a Dockerfile names, where it is another host's, or was tidied up."""
    kernel = Kernel.objects.filter(is_base=True, build__said=base).first()
    if kernel is None:
        return
    try:
        ensure(kernel, tick)
    except JobError as error:
        raise BadKernel(str(error)) from error
    _run([*used.words, "tag", kernel.image, base], tick, say)


def drop(image: str) -> None:
    """Out of this host's store, unless something runs from it."""
    used = container.tool()
    if used and image:
        used.ask("image", "rm", image)


def sweep(unused: Iterable[str]) -> None:
    """Out of this host's store what nobody needs here. An image that other images are built on stays."""
    used = container.tool()
    names = set(unused)
    if used is None or not names:
        return
    here = set(used.ask("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split())
    for image in sorted(names & here):
        drop(image)


def _tool() -> container.Tool:
    found = container.tool()
    if found is None:
        raise BadKernel(
            _(
                "This kernel is a container, and this host has neither podman nor docker. Install one of them, or see "
                "TRAINPORTAL_CONTAINER_TOOL."
            )
        )
    return found


def _facts(used: container.Tool, image: str) -> dict[str, Any]:
    try:
        return container.facts(used, image)
    except OSError as error:
        raise BadKernel(str(error)) from error


def _facts_at_last(used: container.Tool, image: str, tick: Tick) -> dict[str, Any]:
    """The same for a job that goes on: while the machine starts the tool may be slow, and its daemon not be there."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with contextlib.suppress(TimeoutError, ConnectionError):
            return container.facts(used, image)
        tick()
        time.sleep(PAUSE)
    return container.facts(used, image)


def _loaded(said: str) -> list[str]:
    """What the tool calls the image that it loaded, by each of its names. Raises BadKernel."""
    found = re.findall(r"^Loaded image(?:\(s\)| ID)?: *(\S+)", said, re.MULTILINE)
    if not found:
        raise BadKernel(_("The image could not be loaded: %(said)s") % {"said": said.strip()[-1000:]})
    return [name for line in found for name in line.split(",") if name]  # podman 3 gives all names in one line


def _run(argv: list[str], tick: Tick, say: Say) -> str:
    """One word with the tool, however long it takes; what it said. Raises BadKernel."""
    say("$ " + shlex.join(argv))
    with tempfile.NamedTemporaryFile(prefix="image-", suffix=".log") as log:
        try:
            code = outside.run(argv, Path(log.name), container.environment() | outside.proxies(), tick, minutes=MINUTES)
        except OSError as error:
            raise BadKernel(str(error)) from error
        said = Path(log.name).read_text(encoding="utf-8", errors="replace").strip()
    if said:
        say(said)
    if code is None:
        raise BadKernel(_("The image took longer than %(n)d minutes.") % {"n": MINUTES})
    if code:
        raise BadKernel(_("The image could not be made: %(said)s") % {"said": said[-1000:] or code})
    return said


def _slug(text: str) -> str:
    """As names and tags of images may be; where that loses something, with what tells it from others."""
    if re.fullmatch(r"[a-z0-9]+([._-][a-z0-9]+)*", text):
        return text
    kept = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "kernel"
    return f"{kept}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
