"""`python -m tests.fuzz [FORMAT …] [--seconds 60]`: each reader gets spoiled sources until its time is over.

A reader may read, say problems, or refuse the source by a FormatError. Anything else ends with exit code 1, the
smallest source that does it kept below `--keep`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trainportal.settings")
os.environ["TRAINPORTAL_HOME"] = tempfile.mkdtemp(prefix="trainportal-fuzz-")

import django

django.setup()

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from datasets_app import importing  # noqa: E402
from datasets_app.formats import FORMATS, Source  # noqa: E402
from datasets_app.problems import PROBLEMS  # noqa: E402
from tests.fuzz import cases  # noqa: E402

ROUND = 100  # sources between two looks at the clock
PATIENCE = 20  # seconds for one small source


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Spoiled sources for every reader.")
    parser.add_argument("format", nargs="*", help=f"all of {', '.join(FORMATS)} without one")
    parser.add_argument("--seconds", type=float, default=60, help="for each reader (60)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"), help="where what fails is kept")
    given_ = parser.parse_args()
    signal.signal(signal.SIGALRM, _too_long)
    try:
        return max(_fuzz(format, given_) for format in given_.format or FORMATS)
    finally:
        shutil.rmtree(os.environ["TRAINPORTAL_HOME"], ignore_errors=True)


def _fuzz(format: str, options: argparse.Namespace) -> int:
    end, count, number = time.monotonic() + options.seconds, 0, options.seed
    folder = Path(os.environ["TRAINPORTAL_HOME"]) / "source"
    while time.monotonic() < end:
        try:
            count += _round(format, folder, number)
        except Exception as error:
            kept = options.keep / f"{format}-{number}"
            shutil.copytree(folder, kept, dirs_exist_ok=True)
            print(f"{format}: {type(error).__name__}: {str(error)[:500]}\n  kept in {kept}, seed {number}", flush=True)
            return 1
        number += 1
    print(f"{format}: {count} sources, only clean answers", flush=True)
    return 0


def _round(format: str, folder: Path, number: int) -> int:
    names = sorted(cases.FILES[format])
    tried = 0

    @seed(number)
    @settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=[Phase.generate, Phase.shrink])  # fmt: skip
    @given(st.lists(st.tuples(st.sampled_from(names), cases.spoils), min_size=1, max_size=6), st.data())
    def check(spoiled: list, data: st.DataObject) -> None:
        nonlocal tried
        tried += 1
        cases.write(folder, format)
        for name, spoil in spoiled:
            path = folder / name
            path.write_bytes(spoil(path.read_bytes()))
        if name.endswith(".json") and data.draw(st.booleans()):
            good = json.loads(cases.FILES[format][name])
            (folder / name).write_text(json.dumps(data.draw(cases.documents(good))), encoding="utf-8", errors="replace")
        read(folder)

    check()
    return tried


def read(folder: Path) -> None:
    """A clean answer: a reading whose problems have words and whose points are numbers, or a refusal."""
    signal.alarm(PATIENCE)
    try:
        reading = importing.read(Source(folder))
    except importing.ImportRefused as refusal:
        if not str(refusal):
            raise AssertionError("refused without a word") from refusal
        return
    finally:
        signal.alarm(0)
    for one in (reading, *reading.also):
        unknown = {problem.code for problem in one.problems} - set(PROBLEMS)
        if unknown:
            raise AssertionError(f"problems without a sentence: {unknown}")
        for image in one.images:
            for shape in image.shapes:
                inside = all(-0.01 <= x <= 100.01 and -0.01 <= y <= 80.01 for x, y in shape.points)
                if not inside or not (shape.label or shape.is_roi):
                    raise AssertionError(f"{image.path}: {shape}")


def _too_long(_number: int, _frame: object) -> None:
    raise TimeoutError(f"a small source took more than {PATIENCE} s")


if __name__ == "__main__":
    sys.exit(main())
