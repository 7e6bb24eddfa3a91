"""Runs in datumaro's own environment, `datasets_peer.py FOLDER`: reads a COCO set, every image and label of it."""

import json
import re
import sys
import time
from importlib.metadata import version
from pathlib import Path

from datumaro.components.dataset import Dataset


def peak() -> float:
    """MB this process ever held. `getrusage` would tell of the one that started it too."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    began, cpu = time.perf_counter(), time.process_time()
    images = labels = 0
    for item in Dataset.import_from(sys.argv[1], "coco_instances"):
        images += 1
        labels += len(item.annotations)
    answer = {
        "wall": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "memory": peak(),
        "images": images,
        "labels": labels,
        "version": version("datumaro"),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
