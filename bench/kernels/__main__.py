"""`python -m bench.kernels [cl rc od seg]`: prints the figures. Exit code 1 only where one could not be measured."""

from __future__ import annotations

import argparse
import os
import signal
import sys

from bench import table
from bench.kernels import quality, speed
from bench.options import Options
from kernels_app.bundled import packing

SEEDS = PAIRS = 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.kernels", description="Measure the bundled kernels.")
    parser.add_argument("kernel", nargs="*", help=f"all of them without a name: {', '.join(packing.BUNDLED)}")
    parser.add_argument("--seeds", type=int, help=f"trainings for the quality of a kernel ({SEEDS})")
    parser.add_argument(
        "--pairs", type=int, help=f"of a kernel and a plain loop, for the speed on one kind of data ({PAIRS})"
    )
    parser.add_argument("--no-quality", action="store_true", help="only the speed beside a plain loop")
    parser.add_argument("--no-speed", action="store_true", help="only the quality")
    parser.add_argument("--quick", action="store_true", help="least of all: shows that the bench works")
    given = parser.parse_args()
    if unknown := [name for name in given.kernel if name not in packing.BUNDLED]:
        parser.error(f"there is no {unknown[0]}; choose from {', '.join(packing.BUNDLED)}")
    options = Options(quick=given.quick)
    seeds, pairs = (
        options.count(usual, 1) if asked is None else asked
        for usual, asked in ((SEEDS, given.seeds), (PAIRS, given.pairs))
    )
    if min(seeds, pairs) < 1:
        parser.error("--seeds and --pairs must be 1 or more; --no-quality and --no-speed leave something out")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: cleans up, and shows what there is
    table.say(f"{os.cpu_count()} cores, load {table.load()}")
    rows: list[table.Row] = []
    failed: list[str] = []
    try:
        for kind in given.kernel or packing.BUNDLED:
            if not given.no_quality:
                _take(rows, failed, quality.run(kind, options, seeds))
            if not given.no_speed:
                _take(rows, failed, speed.run(kind, options, pairs))
    except KeyboardInterrupt:
        table.say("stopped")
        table.show(rows, failed)
        return 130
    return table.show(rows, failed)


def _take(rows: list[table.Row], failed: list[str], found: tuple[list[table.Row], list[str]]) -> None:
    rows += found[0]
    failed += found[1]


if __name__ == "__main__":
    sys.exit(main())
