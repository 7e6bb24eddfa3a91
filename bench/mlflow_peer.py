"""Runs in MLflow's own environment, `mlflow_peer.py FOLDER ROWS`: writes points to a SQLite store and reads them."""

import json
import math
import os
import sys
import time

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

import mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient

BATCH = 1000  # values, the most that one log_batch takes


def main() -> None:
    folder, rows = sys.argv[1], int(sys.argv[2])
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    run = client.create_run(client.create_experiment("bench", f"file://{folder}/artifacts")).info.run_id
    client.log_batch(run, metrics=[Metric("warm", 1.0, 1, 0)])
    now = int(time.time() * 1000)
    batches = [
        [
            Metric(key, math.exp(-n / rows), now + n, n)
            for n in range(start, min(start + BATCH // 2, rows))
            for key in ("train_loss", "val_loss")
        ]
        for start in range(0, rows, BATCH // 2)
    ]
    clock = Clock()
    for batch in batches:
        client.log_batch(run, metrics=batch)
    write, clock = clock.read(), Clock()
    points = sum(len(client.get_metric_history(run, key)) for key in ("train_loss", "val_loss"))
    print(json.dumps({"write": write, "read": clock.read(), "points": points, "version": mlflow.__version__}))


class Clock:
    """Seconds by the clock and of this process's CPU, since it was made."""

    def __init__(self) -> None:
        self.began, self.cpu = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        return {"wall": time.perf_counter() - self.began, "cpu": time.process_time() - self.cpu}


if __name__ == "__main__":
    main()
