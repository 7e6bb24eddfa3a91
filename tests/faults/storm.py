"""Dispatchers that race: each claims what it gets, holds it for a moment, and notes from when to when it held what."""

from __future__ import annotations

import json
import random
import threading
import time
import traceback
from pathlib import Path

THREADS = 6


def run(seed: int) -> None:
    """Until nothing waits any more. Ends the process with 1 where any thread met an error."""
    errors: list[str] = []
    threads = [threading.Thread(target=_one, args=(seed * THREADS + n, errors)) for n in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise SystemExit("\n".join(errors))


def _one(seed: int, errors: list[str]) -> None:
    from django.conf import settings
    from django.db import connection

    from jobs import hosts, queue
    from jobs.models import HELD, Job, State

    dice = random.Random(seed)
    try:
        while Job.objects.filter(state=State.QUEUED).exists():
            job = queue.claim_next(hosts.beat())
            if job is None:
                time.sleep(0.01)
                continue
            began = time.monotonic()
            devices = list(job.leases.values_list("index", flat=True))
            time.sleep(dice.uniform(0, 0.03))
            entry = {"job": job.pk, "devices": devices, "from": began, "to": time.monotonic()}
            with (Path(settings.TRAINPORTAL_HOME) / "storm.jsonl").open("a") as file:
                file.write(json.dumps(entry) + "\n")
            assert job.move(HELD, State.FAILED, epoch=job.epoch, who="storm")
    except Exception:
        errors.append(traceback.format_exc())
    finally:
        connection.close()


def held(home: Path) -> list[tuple[int, float, float]]:
    """Which device was held from when to when."""
    entries = [json.loads(line) for line in (home / "storm.jsonl").read_text().splitlines()]
    return [(device, entry["from"], entry["to"]) for entry in entries for device in entry["devices"]]


def overlaps(home: Path) -> list[tuple]:
    """Pairs of times in which one device was held twice."""
    found = held(home)
    return [
        (one, other)
        for n, one in enumerate(found)
        for other in found[n + 1 :]
        if one[0] == other[0] and one[1] < other[2] and other[1] < one[2]
    ]
