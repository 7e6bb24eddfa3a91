"""docker or podman around a kernel that is an image: it sees its run, its data and what the image holds; no network.

The tool's client runs in the foreground below the shim, so everything else is as with any program: the same start,
poll and stop, the same pick-up after a restart, the same log. Parts of the run folder lie inside under the paths that
they have outside; `training.json` at the root too, under both of its names.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from jobs.enclosure import toolstate
from jobs.kinds import Launch
from jobs.launchers import sandbox
from jobs.launchers.errors import LaunchFailed, NotNow

TOOLS = ("podman", "docker")  # the first that is here, where nobody says which
ROOTED = ("/training.json", "/vlad_training.json")  # where a kernel of the original system looks for its settings
LABEL = "trainportal.run"  # of a container: its run folder
SELINUX = Path("/sys/fs/selinux/enforce")  # there where it is switched on
SHARED_MEMORY = "1g"  # data loaders hand their batches over in it; 64 MB are usual, and end in a bus error
NO_IMAGE = ("no such image", "image not known", "no such object")  # what the tools say of one that is not here
LIMIT = 60.0  # seconds for one short word with the tool
KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "TMPDIR",
    "DBUS_SESSION_BUS_ADDRESS",
)
KEPT_PREFIXES = ("DOCKER_", "CONTAINER_", "CONTAINERS_", "REGISTRY_", "STORAGE_")  # what tells the tool where it works


@dataclass(frozen=True)
class Tool:
    """How docker or podman is called here: its words, such as `podman --runtime runc`."""

    words: tuple[str, ...]

    @property
    def name(self) -> str:
        return "docker" if "docker" in Path(self.words[0]).name else "podman"

    def argv(self, *words: str) -> list[str]:
        return [*self.words, *words]

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Raises OSError, also where it takes too long."""
        try:
            return subprocess.run(
                self.argv(*words), env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", timeout=LIMIT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(str(error)) from error


def tool() -> Tool | None:
    """What runs containers here; None where nothing does, or nothing shall."""
    said: str = settings.TRAINPORTAL_CONTAINER_TOOL
    if said == "off":
        return None
    if said == "auto":
        return next((Tool((name,)) for name in TOOLS if shutil.which(name)), None)
    words = tuple(shlex.split(said))
    return Tool(words) if words and shutil.which(words[0]) else None


def needed() -> Tool:
    """The same. Raises LaunchFailed where there is none."""
    found = tool()
    if found is None:
        raise LaunchFailed(_("This kernel is a container, and this host has neither podman nor docker."))
    return found


def enclose(launch: Launch, attempt: int) -> tuple[Launch, dict[str, list[str]]]:
    """The client that runs it, and the tool's words for it by what they do. Raises LaunchFailed."""
    used, name = needed(), name_of(launch.folder, attempt)
    label = f"{LABEL}={launch.folder}"
    argv = used.argv("run", "--name", name, "--label", label, *_options(used, launch), launch.image, *launch.argv)
    return Launch(argv, environment(), launch.folder, launch.output, launch.project_key), words(used, name)


def words(used: Tool, name: str) -> dict[str, list[str]]:
    """What a shim may have to say to the tool."""
    return {
        "attach": used.argv("attach", "--no-stdin", name),
        "running": used.argv("container", "inspect", "--format", "{{.State.Running}}", name),
        "stop": used.argv("kill", "--signal", "TERM", name),
        "kill": used.argv("kill", "--signal", "KILL", name),
        "remove": used.argv("rm", "--force", "--volumes", name),
    }


def name_of(folder: Path, attempt: int) -> str:
    """Of the container of one attempt in this run folder."""
    return f"trainportal-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}-{attempt}"


def state_of(order: dict[str, Any]) -> tuple[bool, int | None]:
    """Whether the container of an order runs, and else its exit code, as the tool says; (False, None) where it has
    none by that name, or none that ended by itself. For when nobody is left who watches it.

    Where the tool does not answer it may run: another one beside it would be worse than waiting.
    """
    found = toolstate.state(order["container"]["running"], environment(), LIMIT)
    return found.is_running is not False, found.code


def stop(order: dict[str, Any]) -> None:
    """SIGTERM to its first process."""
    _ask(order, "stop")


def kill(order: dict[str, Any]) -> None:
    """SIGKILL to all that is inside."""
    _ask(order, "kill")


def remove(order: dict[str, Any]) -> None:
    """Nothing is left of it, whatever state it is in: podman needs a second word where its monitor was killed.

    Raises NotNow where the tool does not say so.
    """
    for _try in range(3):
        done = _ask(order, "running")
        if done is not None and done.returncode and toolstate.is_absent(done):
            return
        _ask(order, "remove")
    raise NotNow(_("It cannot be told whether the container of the last start is gone."))


def _ask(order: dict[str, Any], what: str) -> subprocess.CompletedProcess[str] | None:
    """None where the tool does not answer."""
    return toolstate.ask(order["container"][what], environment(), LIMIT)


def environment() -> dict[str, str]:
    """Of the client: where the tool keeps its images; nothing of the portal's own."""
    return {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}


def _options(used: Tool, launch: Launch) -> list[str]:
    inside = launch.environment
    seen = [word for name in sorted(inside) for word in ("--env", f"{name}={inside[name]}")]
    limits = ["--pids-limit", str(settings.TRAINPORTAL_CONTAINER_PIDS)]
    if settings.TRAINPORTAL_CONTAINER_MEMORY:
        limits += ["--memory", settings.TRAINPORTAL_CONTAINER_MEMORY]
    safe = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--oom-score-adj", "500"]
    network = settings.TRAINPORTAL_CONTAINER_NETWORK
    if launch.to_broker:
        network = settings.BROKER_NETWORK
    return [
        *("--log-driver", "none", "--pull", "never", "--network", network, *safe, *limits),
        *(["--init"] if _has_init(used) else []),
        *("--user", f"{os.getuid()}:{os.getgid()}" if used.name == "docker" else "0:0"),
        *("--shm-size", SHARED_MEMORY),
        *(["--security-opt", "label=disable"] if SELINUX.exists() else []),  # else nothing that is mounted can be read
        *_gpus(used, launch.gpus[1]),
        *seen,
        *_mounts(launch),
        *shlex.split(settings.TRAINPORTAL_CONTAINER_OPTIONS),
    ]


@cache
def _has_init(used: Tool) -> bool:
    """Whether the tool brings a first process that hands on signals and collects orphans."""
    places = ("/usr/libexec/podman/catatonit", "/usr/bin/catatonit")
    return used.name == "docker" or any(Path(place).exists() for place in places)


def _gpus(used: Tool, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    if used.name == "docker":
        return ["--gpus", '"device=' + ",".join(names) + '"']
    return [word for name in names for word in ("--device", f"nvidia.com/gpu={name}")]


def _mounts(launch: Launch) -> list[str]:
    """As `sandbox.enclose` has it: a scratch folder in the place of the run folder, and the kernel's parts in that."""
    folder = launch.folder
    scratch = sandbox.fresh_scratch(folder)
    (folder / "status.jsonl").touch()
    found = [_mount(scratch, folder, writable=True)]
    for path in sorted(folder.iterdir()):
        if path.name not in sandbox.KEPT_BACK and not path.name.startswith("."):
            found.append(_mount(path, path, writable=path.name in sandbox.WRITABLE))
    config = folder / "training.json"
    found += [_mount(config, Path(place)) for place in ROOTED]
    given = [*launch.readable, *sandbox.links_lead_to(folder)]
    found += [_mount(path, path) for path in sorted(set(given)) if path.exists()]
    return [word for mount in found for word in ("--mount", mount)]


def _mount(source: Path, target: Path, *, writable: bool = False) -> str:
    """One of the tool's own lines of comma-separated values, since a path may hold anything."""
    text = io.StringIO()
    fields = ["type=bind", f"source={source}", f"target={target}", *([] if writable else ["readonly"])]
    csv.writer(text, lineterminator="").writerow(fields)
    return text.getvalue()


def facts(used: Tool, image: str) -> dict[str, Any]:
    """What the tool knows of an image: `id`, `size` in bytes, `created`, `entrypoint`, `command`, and `content`, which
    is the same for the same image whatever tool holds it; {} where it is not here. Raises OSError, as where the tool
    says nothing of it."""
    done = used.ask("image", "inspect", image)
    if done.returncode and not any(words in done.stderr.lower() for words in NO_IMAGE):
        raise ConnectionError(done.stderr.strip()[-500:] or f"{used.name}: exit code {done.returncode}")
    try:
        found = json.loads(done.stdout)[0]
    except (ValueError, LookupError, TypeError):
        return {}
    config = found.get("Config") or {}
    layers = (found.get("RootFS") or {}).get("Layers") or []
    what = [layers, *(config.get(key) or None for key in ("Entrypoint", "Cmd", "Env", "WorkingDir", "User"))]
    return {
        "content": hashlib.sha256(json.dumps(what).encode()).hexdigest(),
        "id": str(found.get("Id", "")).removeprefix("sha256:"),
        "size": found.get("Size"),
        "created": found.get("Created"),
        "platform": "/".join(filter(None, (found.get("Os"), found.get("Architecture")))),
        "entrypoint": config.get("Entrypoint") or [],
        "command": config.get("Cmd") or [],
        "layers": len(layers),
    }
