"""The bench's kernel, which `bench/kernel.py` packs as `train.py`: does what its settings say, and says when."""
# ruff: noqa: E402 (the first line of code is what is measured)

import time

FIRST_LINE = time.time_ns()

import random
from pathlib import Path

from kernels_app.contract.config import TrainingConfig, config_path
from kernels_app.contract.results import CHECKPOINT, METRICS
from kernels_app.contract.settings import ModelSettings
from kernels_app.contract.status import StatusWriter

SIDE = 600  # rows and columns of the matrices


def main() -> None:
    Path("first_line").write_text(str(FIRST_LINE), encoding="ascii")  # in the run folder
    config = TrainingConfig.read(config_path())
    params = ModelSettings.read(Path(config.training_config_file)).training_params
    status = StatusWriter(config)
    metrics = config.output / METRICS / "bench.csv"
    metrics.parent.mkdir(parents=True, exist_ok=True)
    metrics.write_text("step,written\n", encoding="ascii")
    for step in range(1, params["steps"] + 1):
        burn(params["work"])
        time.sleep(params["pause"] * random.uniform(0.5, 1.5))
        status.progress(100 * step / params["steps"], step)
        with metrics.open("a", encoding="ascii") as file:
            file.write(f"{step},{time.time()!r}\n")
    (config.output / CHECKPOINT).write_text("nothing was learnt", encoding="ascii")
    status.done()


def burn(products: int) -> None:
    """The same work each time: as many matrix products, on as many threads as the environment grants."""
    if products:
        import numpy as np

        matrix = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(np.float32) / SIDE
        for _ in range(products):
            matrix = np.tanh(matrix @ matrix)


if __name__ == "__main__":
    main()
