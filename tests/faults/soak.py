"""`make faults MINUTES=30`: the cases again and again, in an order and at moments that a seed decides.

Every round is a run of pytest over all cases, on one of the databases, in or out of a sandbox. It goes on until the
time is over and every case has had its turns; a seed printed with a failure brings its round back:

    python -m pytest tests/faults --faults-seed SEED -k CASE
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

REPOSITORY = Path(__file__).resolve().parents[2]
TURNS = 5  # of every case at least, on each database


@dataclass
class Tally:
    """What became of the cases of one database."""

    database: str
    url: str | None
    rounds: int = 0
    survived: Counter[str] = field(default_factory=Counter)
    failed: list[tuple[str, int]] = field(default_factory=list)  # the case, the seed of its round


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options, rest = parser.parse_known_args()
    print(f"seed {options.seed}, at least {options.minutes:g} minutes and {TURNS} turns of every case", flush=True)
    tallies = [Tally("SQLite", None)]
    if url := os.environ.get("TRAINPORTAL_TEST_DATABASE_URL"):
        tallies.append(Tally("PostgreSQL", url))
    else:
        print("PostgreSQL is left out: TRAINPORTAL_TEST_DATABASE_URL says of none")
    until = time.monotonic() + 60 * options.minutes
    threads = [threading.Thread(target=_soak, args=(tally, options.seed, until, rest)) for tally in tallies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.exit(_tell(tallies, options.seed))


def _soak(tally: Tally, seed: int, until: float, rest: list[str]) -> None:
    while time.monotonic() < until or tally.rounds < TURNS:
        _round(tally, seed + tally.rounds, rest)
        tally.rounds += 1
        turns = sum(tally.survived.values()) + len(tally.failed)
        print(f"{tally.database}, round {tally.rounds}: {turns - len(tally.failed)} of {turns} survived", flush=True)


def _round(tally: Tally, seed: int, rest: list[str]) -> None:
    environment = dict(os.environ) | ({"DATABASE_URL": tally.url} if tally.url else {})
    if tally.rounds % 2:
        environment["FAULTS_SANDBOX"] = "off"
    if not tally.rounds:
        environment["FAULTS_ROWS"] = "10000000"
    with TemporaryDirectory(prefix="faults-") as folder:
        report = Path(folder) / "report.xml"
        argv = [
            "tests/faults",
            "-q",
            "-m",
            "not kernel",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
            f"--basetemp={folder}/runs",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *argv, "--faults-seed", str(seed), "--faults-shuffle", *rest],
            cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not report.exists():
            tally.failed.append(("the round itself", seed))
            print(done.stdout[-3000:], done.stderr[-3000:], flush=True)
            return
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("skipped") is not None:
                continue
            if case.find("failure") is None and case.find("error") is None:
                tally.survived[name] += 1
            else:
                tally.failed.append((name, seed))
                print(f"{tally.database}, seed {seed}: {name}\n{_why(case)}", flush=True)


def _why(case: ElementTree.Element) -> str:
    found = [part.text or part.get("message") or "" for part in case if part.tag in ("failure", "error")]
    return "\n".join(found)[-4000:]


def _tell(tallies: list[Tally], seed: int) -> int:
    survived, failed = sum(sum(t.survived.values()) for t in tallies), sum(len(t.failed) for t in tallies)
    for tally in tallies:
        fewest = min(tally.survived.values(), default=0)
        print(f"{tally.database}: {tally.rounds} rounds, {len(tally.survived)} cases, each {fewest} times at least")
        for name, of_seed in tally.failed:
            print(f"  failed with seed {of_seed}: {name}")
    print(f"seed {seed}: {survived} of {survived + failed} survived")
    return 1 if failed else 0


if __name__ == "__main__":
    main()
