"""`python -m bench [NAME …]`: prints the figures. Exit code 1 only where one could not be measured."""

from __future__ import annotations

import argparse
import signal
import sys

import django

from bench import home
from bench.options import Options

BENCHES = {  # each a module of this package with `run(portal) -> list[Row]`
    "start": "from Start training to the kernel's first line of code",
    "metrics": "from a row in a metrics file to its point on the page",
    "form": "the live check of a training form with 60 settings",
    "validation": "reading a validation of 5,000 images with 50,000 predictions, and its page",
    "models_list": "the list of a project with 100,000 models, every filter and order",
    "datasets": "importing 20,000 images beside datumaro, its memory, the gallery of 100,000",
    "charts": "metrics into SQLite and PostgreSQL, a chart of a million points, MLflow beside",
    "overhead": "what the portal takes from a training: CPU and wall time",
}


def main() -> int:
    what = "; ".join(f"{name}: {about}" for name, about in BENCHES.items())
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the portal from outside.")
    parser.add_argument("name", nargs="*", help=f"all of them without a name. {what}")
    parser.add_argument("--quick", action="store_true", help="few repetitions: shows that the bench works")
    parser.add_argument("--real", action="store_true", help="overhead: with the bundled CL kernel on the demo data")
    given = parser.parse_args()
    if unknown := [name for name in given.name if name not in BENCHES]:
        parser.error(f"there is no {unknown[0]}; choose from {', '.join(BENCHES)}")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that the end cleans up
    with home.temporary():
        django.setup()
        from bench import run  # needs Django's settings, which need the home

        try:
            return run.benches(given.name or list(BENCHES), Options(quick=given.quick, real=given.real))
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 130


if __name__ == "__main__":
    sys.exit(main())
