"""What a kernel may do to the portal, by mistake or on purpose. Packed as `hostile.py` beside its `train.py`."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

from parts import config, keep, params

from kernels_app.contract.config import config_path
from kernels_app.contract.results import METRICS


def before_floods() -> None:
    """A hundred times the limit of its log: many lines, one that does not end, and bytes that are no text."""
    os.write(1, b"the first line\n")
    block = b"".join(b"%08d a line of a log that goes on and on and on and on\n" % n for n in range(1000))
    for _ in range(1000):
        os.write(1, block)
    for _ in range(20):
        os.write(1, b"x" * 2**20)
    os.write(1, b"\n\x1b[2J\x1b]52;c;aGk=\x07\xff\xfe\x00\r50 %\r100 %\n")


def before_fills() -> None:
    threading.Thread(target=fill, daemon=True).start()


def fill() -> None:
    with (config.output / "large.bin").open("wb") as file:
        for _ in range(40):
            file.write(os.urandom(2**18))
            file.flush()
            time.sleep(0.05)


def before_fills_the_disk() -> None:
    """Until there is no room left for anything, a last word included."""
    with (config.output / "large.bin").open("wb") as file:
        while True:
            file.write(os.urandom(2**16))
            file.flush()


def before_links() -> None:
    config.output.mkdir(parents=True, exist_ok=True)
    (config.output / "secret.txt").symlink_to("/etc/passwd")
    (config.output / "up.txt").symlink_to("../../../secret_key")
    (config.output / "home").symlink_to(config_path().parents[2])
    (config.output / "inside.txt").symlink_to("model.onnx")
    (config.output / "circle.txt").symlink_to("circle.txt")


def before_bad_status() -> None:
    key = config.project_key.encode()
    foreign = b'{"cmd": "training_status", "project_key": "another", "status": "training_error"}'
    silent = b'{"project_key": "%s"}' % key
    party = b'{"project_key": "%s", "status": "training_party"}' % key
    far = b'{"cmd": "training_status", "project_key": "%s", "status": "training_ing", "percentage": %s, "step": %s}'
    none = [b"this is no JSON", b"[1, 2]", b"[" * 100_000, b"x" * 2**20, b"\xff\xfe\x00", foreign, silent, party]
    numbers = [b"1e9", b"NaN", b"-5", b"Infinity", b'"many"', b"[1]", b"1" + b"0" * 400]
    with Path(config.status_file).open("ab") as file:
        file.writelines(line + b"\n" for line in none)
        file.writelines(far % (key, number, number) + b"\n" for number in numbers)


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


def before_eats() -> None:
    """Memory, up to half a GB; where there is a limit below that, it ends here."""
    eaten = bytearray()
    while len(eaten) < 2**29:
        eaten += b"x" * 2**24


def before_many_rows() -> None:
    folder = config.output / METRICS
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "many.csv").open("w") as file:
        file.write("step,a\n")
        file.writelines(f"{n},{n / 7}\n" for n in range(params["rows"]))


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
        "writes into its data": lambda: os.open(config.dataset / "label.txt", os.O_WRONLY),
        "writes into its program": lambda: os.open(__file__, os.O_WRONLY),
        "writes into the system": lambda: os.open("/usr/lib/os-release", os.O_WRONLY),
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
