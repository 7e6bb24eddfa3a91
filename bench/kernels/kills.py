"""`python -m bench.kernels.kills [cl rc od seg]`: SIGKILL at 20 moments of one training, each time resumed.

Every other kill waits until a checkpoint is being written, or has this instant been renamed; of the others some fall
into the start, some between two steps. At the end the results must be whole, nothing left behind, and scores and curves
those of a training that nobody killed.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.kernels import datasets, runs
from kernels_app.bundled import packing
from kernels_app.contract.results import RESUME, missing

KILLS = 20
Moment = Callable[[runs.Run, "subprocess.Popen[bytes]", random.Random], bool]  # False where the training ended before
SMALL: dict[str, dict[str, Any]] = {  # settings of trainings that take long enough to be killed so often
    "cl": {"epochs": 60, "patience": 60, "batch_size": 4, "image_size": 64, "probe_epochs": 20, "amp": "off"},
    "rc": {"epochs": 60, "patience": 60, "batch_size": 4, "image_size": 64, "probe_epochs": 20, "amp": "off"},
    "od": {"epochs": 60, "patience": 60, "batch_size": 2, "image_size": 128, "amp": "off"},
    "seg": {"epochs": 60, "patience": 60, "batch_size": 2, "image_size": 128, "amp": "off"},
}
PLATES = {"cl": (12, 4), "rc": (2, 1), "od": (8, 4), "seg": (8, 4)}  # to train on and to judge by; RC: 8 regions each
START = 6.0  # seconds in which a training starts on a quiet machine; longer ones would use up the epochs there
FEWEST, MOST = 1, 8  # rows of the graph that may be written before a kill


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.kernels.kills", description=__doc__)
    parser.add_argument("kernel", nargs="*", help=f"all of them without a name: {', '.join(packing.BUNDLED)}")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    if unknown := [name for name in asked.kernel if name not in packing.BUNDLED]:
        parser.error(f"there is no {unknown[0]}; choose from {', '.join(packing.BUNDLED)}")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the end cleans up
    good = True
    for kind in asked.kernel or packing.BUNDLED:
        with tempfile.TemporaryDirectory(prefix="bench-kills-") as folder:
            good &= torment(kind, Path(folder), asked.kills, random.Random(asked.seed), SMALL[kind])
    return 0 if good else 1


def torment(kind: str, folder: Path, kills: int, dice: random.Random, settings: dict[str, Any]) -> bool:
    """True where all went well. Prints what happened."""
    train, held = PLATES[kind]
    data = datasets.drawn(kind, folder / "data", train=train, held=held, size=(160, 120))
    unbroken = runs.prepare(kind, data, folder / "unbroken", settings)
    took = unbroken.finish()
    if took.code:
        print(f"{kind}: the training fails without any kill:\n{unbroken.log[-2000:]}")
        return False
    run, done, saved = runs.prepare(kind, data, folder / "run", settings), 0, 0
    while done < kills:
        moment = (_await_start, _await_file, _await_rows, _await_file)[done % 4]
        if not _killed(run, dice, moment):
            break  # it was over before
        done, saved = done + 1, saved + (moment is _await_file)
        run = runs.prepare(kind, data, folder / "run", settings, resume=(run.output / RESUME).is_file())
    faults = [f"it was over before the other {kills - done} kills"] if done < kills else []
    faults += _faults(run, unbroken, run.finish().code)
    print(
        f"{kind}: killed {done} times, {saved} of them at a checkpoint's file; " + ("; ".join(faults) or "all well"),
        flush=True,
    )
    if faults:
        print(run.log[-3000:])
    return not faults


def _killed(run: runs.Run, dice: random.Random, moment: Moment) -> bool:
    """Start the training and kill it; False where it ended before."""
    process = run.start()
    try:
        return moment(run, process, dice)
    finally:
        process.kill()
        process.wait()


def _await_start(run: runs.Run, process: subprocess.Popen[bytes], dice: random.Random) -> bool:
    """Some seconds: it is importing, decoding, or at the first steps."""
    try:
        process.wait(dice.uniform(0.5, START))
    except subprocess.TimeoutExpired:
        return True
    return False


def _await_rows(run: runs.Run, process: subprocess.Popen[bytes], dice: random.Random) -> bool:
    """Until some rows were written, and a moment longer."""
    path, waiting, known = run.output / "save/metrics/batch_loss.csv", dice.randint(FEWEST, MOST), 0
    while process.poll() is None:
        size = path.stat().st_size if path.exists() else 0
        if size != known:
            known, waiting = size, waiting - 1
        if waiting < 0:
            time.sleep(dice.uniform(0, 0.3))
            return True
        time.sleep(0.002)
    return False


def _await_file(run: runs.Run, process: subprocess.Popen[bytes], dice: random.Random) -> bool:
    """Until a checkpoint's temporary file is there, and a moment longer: it is being written, synced or renamed."""
    since, skip = time.time(), dice.randrange(3)
    while process.poll() is None:
        if _is_writing(run.output / "save", since):
            if skip == 0:
                time.sleep(dice.choice((0.0, 0.005, 0.02, 0.05)))
                return True
            skip -= 1
            time.sleep(0.1)
        time.sleep(0.001)
    return False


def _is_writing(folder: Path, since: float) -> bool:
    """What an earlier kill left there does not count: `since` when, in seconds since the epoch."""
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
            if path.stat().st_mtime >= since:
                return True
    return False


def _faults(run: runs.Run, unbroken: runs.Run, code: int) -> list[str]:
    found = [f"exit code {code}"] if code else []
    found += [f"{name} is missing" for name in missing(run.output, "training", run.kind.upper())]
    found += [f"{path.name} is left behind" for path in sorted(run.output.rglob("*.tmp"))]
    if found:
        return found
    if run.scores() != unbroken.scores():
        found.append(f"scores {run.scores()} instead of {unbroken.scores()}")
    for path in sorted((unbroken.output / "save/metrics").glob("*.csv")):
        rows, wanted = (
            (each / "save/metrics" / path.name).read_text(encoding="utf-8").splitlines()
            for each in (run.output, unbroken.output)
        )
        if rows != wanted:
            found.append(f"{path.name} has {len(rows)} rows instead of {len(wanted)}, or others")
    return found


if __name__ == "__main__":
    sys.exit(main())
