"""The kernel of the fault cases: a real program that keeps a journal of its life in its log.

Every line that begins with `@` is a JSON object of the journal: which process (`k`, a name of its own, since process
numbers are not the same inside a sandbox), what (`e`), when (`t`, of the clock that all processes of a machine share).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import hostile
from parts import NAME, behaviour, config, keep, params, say, status, stopping

from kernels_app.contract.config import config_path
from kernels_app.contract.metrics import MetricsWriter, cut_back
from kernels_app.contract.results import CHECKPOINT, METRICS, RESUME

BEAT = 0.05
CHILD = """
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 60
while time.monotonic() < end:
    os.write(1, ("@" + json.dumps({"k": sys.argv[1], "e": "child", "t": time.monotonic()}) + "\\n").encode())
    time.sleep(0.05)
"""


def beat() -> None:
    while True:
        time.sleep(BEAT)
        say("beat")


def train() -> None:
    metrics = config.output / METRICS
    first = 1
    if config.resume:
        first = int((config.output / RESUME).read_text()) + 1
        cut_back(metrics, first - 1)
    loss = MetricsWriter(metrics, "loss", ["step", "train_loss", "val_loss"])
    for step in range(first, int(params.get("steps", 20)) + 1):
        if stopping.is_set() or (config.output / "enough").exists():
            return
        loss.row({"step": step, "train_loss": 1 / step, "val_loss": 2 / step if step % 2 else None})
        keep(CHECKPOINT, NAME)
        keep(RESUME, str(step))
        status.progress(step, step)
        say("step", step=step)
        time.sleep(float(params.get("pause", 0.05)))


def done() -> None:
    keep(Path("model.onnx"), NAME)
    status.done()


def main() -> int:
    say(
        "start", devices=os.environ.get("CUDA_VISIBLE_DEVICES", ""), run=str(config_path().parent), resume=config.resume
    )
    if behaviour in ("ignores_term", "forks_and_ignores"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    if behaviour != "silent":
        threading.Thread(target=beat, daemon=True).start()
    if behaviour in ("forks_and_ignores", "leaves_daemon"):
        fork_away()
    code = 0
    before = globals().get(f"before_{behaviour}") or getattr(hostile, f"before_{behaviour}", None)
    if before:
        code = before() or 0
    train()
    after = globals().get(f"after_{behaviour}", good)
    return code or after()


def good() -> int:
    if not stopping.is_set():
        done()
    say("end")
    return 0


def fork_away() -> None:
    """A child in a session of its own, and one that is nobody's child any more: neither hears SIGTERM."""
    for _ in range(2):
        subprocess.Popen([sys.executable, "-c", CHILD, NAME], start_new_session=True)
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-c", CHILD, NAME])
        os._exit(0)
    os.wait()


def before_ranks() -> None:
    """Two ranks in sessions of their own; when one of them ends, so does the leader."""
    ranks = [subprocess.Popen([sys.executable, "-c", CHILD, NAME], start_new_session=True) for _ in range(2)]

    def look() -> None:
        while all(rank.poll() is None for rank in ranks):
            time.sleep(0.02)
        keep(Path("failure"), "A rank ended before the others.")
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def before_silent() -> None:
    while not stopping.is_set():
        time.sleep(0.05)


def after_done_when_told() -> int:
    done()
    return 0


def after_floods() -> int:
    good()
    os.write(1, b"the last line\n")
    return 0


def after_links_its_checkpoint() -> int:
    hostile.before_links()
    (config.output / CHECKPOINT).unlink()
    (config.output / CHECKPOINT).symlink_to("/etc/passwd")
    done()
    return 0


def after_exit3() -> int:
    print("something is wrong", file=sys.stderr)
    return 3


def after_no_done() -> int:
    return 0


def after_done_then_crash() -> int:
    done()
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


def after_error_then_done() -> int:
    status.error("The images are too small.")
    done()
    return 0


if __name__ == "__main__":
    sys.exit(main())
