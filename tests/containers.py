"""Kernels that are containers, for tests: a base image from nothing, and the fake kernel on it.

No image can be fetched where tests run, so the base is made of busybox and two links, and the Python that runs these
tests is seen from inside as it lies outside.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from jobs.launchers.container import LABEL
from kernels_app import images
from kernels_app.bundled import packing
from tests import fake_kernels
from tests.needs import need

ROOT = Path(__file__).resolve().parents[1]
BASE = "test-base"
TOOL = "podman --runtime runc"
LIMITS = "--ulimit nofile=4096:4096 --ulimit nproc=4096:4096"
LIBRARIES = f"--volume /usr:/usr:ro --volume {sys.base_prefix}:{sys.base_prefix}:ro"
SETTINGS = {
    "TRAINPORTAL_CONTAINER_TOOL": TOOL,
    "TRAINPORTAL_CONTAINER_OPTIONS": f"{LIMITS} {LIBRARIES}",
    "TRAINPORTAL_CONTAINER_BUILD_OPTIONS": f"--network none {LIMITS}",
}
BASE_FILE = """FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox ln -s usr/lib /lib && /bin/busybox ln -s usr/lib64 /lib64"]
RUN ["/bin/busybox", "mkdir", "-p", "/usr", "/tmp"]
"""
FILE = """FROM {base}
COPY . /kernel
ENV PYTHONPATH=/kernel
USER 1000:1000
ENTRYPOINT ["{python}", "/kernel/train.py"]
"""


def need_podman() -> None:
    for program in ("podman", "runc", "busybox"):
        need(shutil.which(program), f"{program}, to run a container")


def base_files() -> dict[str, bytes]:
    """The package of the base image."""
    busybox = Path(shutil.which("busybox") or "")
    about = f'name = "{BASE}"\nversion = "1"\ntype = "base"\n'
    return {"Dockerfile": BASE_FILE.encode(), "busybox": busybox.read_bytes(), "kernel.toml": about.encode()}


def files(name: str = "contained", *, base: str = f"{images.OWN}/{BASE}:1", **params: object) -> dict[str, bytes]:
    """The fake kernel as a container. It has no idea that it is one."""
    found = fake_kernels.files("CL", name=name, supported_operations={"const": "training, validation"})
    found["kernel.toml"] += b'runs_in = "container"\n[doctor.params]\n'
    told = {"rows": 5, "pause": 0.04} | params
    found["kernel.toml"] += "".join(f"{key} = {json.dumps(value)}\n" for key, value in told.items()).encode()
    python = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    found["Dockerfile"] = FILE.format(base=base, python=python).encode()
    for path in (ROOT / "kernels_app" / "__init__.py", *packing.sources(ROOT / "kernels_app" / "contract")):
        found[path.relative_to(ROOT).as_posix()] = path.read_bytes()
    return found


def left_below(home: Path) -> list[str]:
    """Containers of runs below this folder: others may test at the same time."""
    argv = ["podman", "ps", "--all", "--format", f'{{{{.Names}}}} {{{{index .Labels "{LABEL}"}}}}']
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    return [line.split()[0] for line in said if line.partition(" ")[2].startswith(f"{home}/")]


def drop_images(*names: str) -> None:
    argv = ["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    for image in said:
        if image.rpartition(":")[0].removeprefix(f"{images.OWN}/") in names:
            subprocess.run(["podman", "image", "rm", "--force", image], capture_output=True, check=False)
