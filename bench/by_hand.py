"""A kernel started by hand: on a copy of a run folder, with the portal's command line, environment and niceness."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

from bench.table import MeasurementFailed
from jobs import runfolder
from jobs.launchers import shim

NICENESS = 10  # as the shim gives it


def keep(folder: Path, template: Path) -> None:
    """Copy a run folder that is complete. `template` lies beside it, so that relative links stay true."""
    shutil.copytree(folder, template, symlinks=True)
    for name in (shim.ORDER, runfolder.CONFIG):
        path = template / name
        path.write_text(path.read_text(encoding="utf-8").replace(f"{folder}/", f"{template}/"), encoding="utf-8")
    for name in (runfolder.OUTPUT, runfolder.IMAGES, runfolder.TEMPORARY):
        shutil.rmtree(template / name, ignore_errors=True)
        (template / name).mkdir()


def wall(template: Path) -> float:
    """Seconds that the kernel takes, from started to ended. The folder is as new afterwards."""
    order = json.loads((template / shim.ORDER).read_text(encoding="utf-8"))
    with (template / shim.LOG).open("wb") as log:
        process = subprocess.Popen(
            order["argv"],
            env=order["environment"],
            cwd=template,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: os.nice(NICENESS) and None,
        )
    began = time.time()
    code = process.wait()
    took = time.time() - began
    if code:
        raise MeasurementFailed(f"the kernel started by hand ended with {code}: {_last_line(template / shim.LOG)}")
    _renew(template)
    return took


def _renew(template: Path) -> None:
    for name in (runfolder.OUTPUT, runfolder.IMAGES, runfolder.TEMPORARY):
        shutil.rmtree(template / name)
        (template / name).mkdir()
    (template / runfolder.STATUS).unlink(missing_ok=True)


def _last_line(log: Path) -> str:
    return (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["nothing in its log"])[-1]
