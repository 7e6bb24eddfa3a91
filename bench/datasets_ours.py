"""`datasets_ours.py PROJECT NAME FOLDER`: one import as `import_dataset` does it, timed in its parts."""

import json
import os
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "trainportal.settings")

import django  # the settings are named by now

django.setup()

from datasets_app import blobs, importing  # noqa: E402
from datasets_app.models import Annotation, Image  # noqa: E402
from projects_app.models import Project  # noqa: E402


class Clock:
    """Seconds by the clock and of this process's CPU, added up."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self.began = time.perf_counter(), time.process_time()

    def __exit__(self, *_error: object) -> None:
        self.wall += time.perf_counter() - self.began[0]
        self.cpu += time.process_time() - self.began[1]


def peak() -> float:
    """MB this process ever held. `getrusage` would tell of the one that started it too."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main() -> None:
    code, name, folder = sys.argv[1:]
    project, everything, pictures = Project.objects.get(code=code), Clock(), Clock()
    _clock_pictures(pictures)
    with everything:
        source = importing.Source(Path(folder))
        reading = importing.read(source)
        plan = importing.propose(project, name, reading, importing.Options())
        (dataset,) = importing.commit(project, None, source, reading, plan)
    answer = {
        "wall": everything.wall - pictures.wall,
        "cpu": everything.cpu - pictures.cpu,
        "pictures": pictures.wall,
        "memory": peak(),
        "images": Image.objects.filter(dataset=dataset).count(),
        "labels": Annotation.objects.filter(image__dataset=dataset).count(),
    }
    print(json.dumps(answer))


def _clock_pictures(clock: Clock) -> None:
    """Decoding, hashing and copying are timed apart: datumaro does none of it."""
    one, keep = importing._arrive_one, blobs.keep_staged

    def arrive_one(*arguments):
        with clock:
            return one(*arguments)

    def keep_staged(files):
        with clock:
            return keep(files)

    importing._arrive_one, blobs.keep_staged = arrive_one, keep_staged


if __name__ == "__main__":
    main()
