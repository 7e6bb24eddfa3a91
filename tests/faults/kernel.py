"""The kernel of the fault cases: a real program that keeps a journal of its life in its log.

Every line that begins with `@` is a JSON object of the journal: which process (`k`, a name of its own, since process
numbers are not the same inside a sandbox), what (`e`), when (`t`, of the clock that all processes of a machine share).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

from kernels_app.contract.config import TrainingConfig, config_path
from kernels_app.contract.metrics import MetricsWriter, cut_back
from kernels_app.contract.results import CHECKPOINT, METRICS, RESUME
from kernels_app.contract.settings import ModelSettings
from kernels_app.contract.status import StatusWriter

BEAT = 0.05
NAME = uuid.uuid4().hex[:8]
CHILD = """
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
end = time.monotonic() + 60
while time.monotonic() < end:
    os.write(1, ("@" + json.dumps({"k": sys.argv[1], "e": "child", "t": time.monotonic()}) + "\\n").encode())
    time.sleep(0.05)
"""

config = TrainingConfig.read(config_path())
params = ModelSettings.read(Path(config.training_config_file)).training_params
status = StatusWriter(config)
behaviour = params.get("behaviour", "good")
stopping = threading.Event()


def say(event: str, **more: object) -> None:
    line = {"k": NAME, "e": event, "t": time.monotonic()} | more
    os.write(1, ("@" + json.dumps(line) + "\n").encode())


def beat() -> None:
    while True:
        time.sleep(BEAT)
        say("beat")


def keep(place: Path, text: str) -> None:
    path = config.output / place
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text)
    draft.replace(path)


def train() -> None:
    metrics = config.output / METRICS
    first = 1
    if config.resume:
        first = int((config.output / RESUME).read_text()) + 1
        cut_back(metrics, first - 1)
    loss = MetricsWriter(metrics, "loss", ["step", "train_loss", "val_loss"])
    for step in range(first, int(params.get("steps", 20)) + 1):
        if stopping.is_set():
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
    before = globals().get(f"before_{behaviour}")
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


def before_floods() -> None:
    """A hundred times the limit of its log: many lines, one that does not end, and bytes that are no text."""
    os.write(1, b"the first line\n")
    block = b"".join(b"%08d a line of a log that goes on and on and on and on\n" % n for n in range(1000))
    for _ in range(1000):
        os.write(1, block)
    for _ in range(20):
        os.write(1, b"x" * 2**20)
    os.write(1, b"\n\x1b[2J\x1b]52;c;aGk=\x07\xff\xfe\x00\r50 %\r100 %\n")


def after_floods() -> int:
    good()
    os.write(1, b"the last line\n")
    return 0


def before_fills() -> None:
    threading.Thread(target=fill, daemon=True).start()


def fill() -> None:
    with (config.output / "large.bin").open("wb") as file:
        for _ in range(40):
            file.write(os.urandom(2**18))
            file.flush()
            time.sleep(0.05)


def before_links() -> None:
    config.output.mkdir(parents=True, exist_ok=True)
    (config.output / "secret.txt").symlink_to("/etc/passwd")
    (config.output / "up.txt").symlink_to("../../../secret_key")
    (config.output / "home").symlink_to(config_path().parents[2])
    (config.output / "inside.txt").symlink_to("model.onnx")
    (config.output / "circle.txt").symlink_to("circle.txt")


def after_links_its_checkpoint() -> int:
    before_links()
    (config.output / CHECKPOINT).unlink()
    (config.output / CHECKPOINT).symlink_to("/etc/passwd")
    done()
    return 0


def before_bad_status() -> None:
    key = config.project_key
    with Path(config.status_file).open("ab") as file:
        for line in (
            b"this is no JSON", b"[1, 2]", b'{"cmd": "training_status", "project_key": "another", "status": "training_error"}',
            b"[" * 100_000, b"x" * 2**20, b"\xff\xfe\x00", b'{"project_key": "%s", "status": "training_party"}' % key.encode(),
            b'{"project_key": "%s"}' % key.encode(),
        ):  # fmt: skip
            file.write(line + b"\n")
        for percentage in (b"1e9", b"NaN", b"-5", b"Infinity", b'"many"', b"[1]", b"1" + b"0" * 400):
            file.write(
                b'{"cmd": "training_status", "project_key": "%s", "status": "training_ing", "percentage": %s, "step": %s}\n'
                % (key.encode(), percentage, percentage)
            )


def before_bad_metrics() -> None:
    folder = config.output / METRICS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gaps.csv").write_text("step,a\n1,nan\nrubbish\n2,inf\nx,y\n3,4\n,5\n\n1,2,3\n")
    (folder / "crlf.csv").write_bytes(b"\xef\xbb\xbfstep, a\r\n1, 2\r\n2, 3\r\n")
    (folder / "unended.csv").write_text("step,a\n1,1\n2,2")
    (folder / "header.csv").write_text("step,a\n")
    (folder / "utf16.csv").write_bytes("step,a\n1,2\n".encode("utf-16"))
    (folder / "wide.csv").write_text(
        ",".join(["step", *(f"c{n}" for n in range(70))]) + "\n" + ",".join("1" for _ in range(65))
    )
    (folder / "link.csv").symlink_to("gaps.csv")
    os.mkfifo(folder / "pipe.csv")
    (folder / "replaced.csv").write_text("step,a\n1,2\n2,3\n3,4\n")
    time.sleep(0.4)
    (folder / ".draft").write_text("step,b\n5,6\n")
    (folder / ".draft").replace(folder / "replaced.csv")


def before_many_rows() -> None:
    folder = config.output / METRICS
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "many.csv").write_text("step,a\n" + "".join(f"{n},{n / 7}\n" for n in range(100_000)))


def before_probes() -> None:
    """Try what a kernel has no business with, and what it has; each "done" or the error."""
    import socket

    folder, home, target = config_path().parent, config_path().parents[2], params["database"]

    def connect(host: str, port: int) -> None:
        socket.create_connection((host, port), timeout=2).close()

    def database() -> None:
        if target["host"]:
            connect(target["host"], target["port"])
        else:
            Path(target["file"]).read_bytes()

    tries = {
        "reads the secret key": lambda: (home / "secret_key").read_text(),
        "lists the portal's files": lambda: next((home / "faults").iterdir()),
        "lists the kernels": lambda: list((home / "kernels").glob("*/kernel.toml"))[1],
        "reads another run": lambda: (home / "runs" / str(params["other"]) / "launch.json").read_text(),
        "reads how it was started": lambda: (folder / "launch.json").read_text(),
        "forges how it ended": lambda: (folder / "exit.json").rename(folder / "exit.json.old"),
        "takes the runner's lock": lambda: (folder / "runner.lock").read_text(),
        "reaches the database": database,
        "reaches the network": lambda: connect("169.254.169.254", 80),
        "signals the portal": lambda: os.kill(int(params["victim"]), 0),
        "sees the portal's processes": lambda: next(
            p for p in Path("/proc").glob("[0-9]*/cmdline") if b"manage.py" in p.read_bytes()
        ),
        "reads the portal's code": lambda: (Path(os.environ["PYTHONPATH"]) / "trainportal" / "settings.py").read_text(),
        "reads the portal's environment": lambda: {}[[k for k in os.environ if "DATABASE" in k or "SECRET" in k] == []],
        "reads the shadow file": lambda: Path("/etc/shadow").read_text(),
        "reads a file of a home folder": lambda: next(p for p in Path("/root").iterdir() if p.is_file()).read_bytes(),
        "writes into its data": lambda: (config.dataset / "label.txt").open("a"),
        "writes into its program": lambda: Path(__file__).open("a"),
        "writes into the system": lambda: Path("/usr/probe").touch(),
        "reads its data": lambda: (config.dataset / "label.txt").read_text(),
        "writes its results": lambda: (config.output / "probe.txt").touch(),
        "writes into its folder": lambda: (folder / "scratch").touch(),
    }
    found = {}
    for what, attempt in tries.items():
        try:
            attempt()
            found[what] = "done"
        except Exception as error:
            found[what] = repr(error)
    keep(Path("probe.json"), json.dumps(found))


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
