"""What the kernel of the fault cases is told, and how it speaks. Packed as `parts.py` beside its `train.py`."""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from pathlib import Path

from kernels_app.contract.config import TrainingConfig, config_path
from kernels_app.contract.settings import ModelSettings
from kernels_app.contract.status import StatusWriter

NAME = uuid.uuid4().hex[:8]

config = TrainingConfig.read(config_path())
params = ModelSettings.read(Path(config.training_config_file)).training_params
status = StatusWriter(config)
behaviour = params.get("behaviour", "good")
stopping = threading.Event()


def say(event: str, **more: object) -> None:
    line = {"k": NAME, "e": event, "t": time.monotonic()} | more
    os.write(1, ("@" + json.dumps(line) + "\n").encode())


def keep(place: Path, text: str) -> None:
    path = config.output / place
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{NAME}.tmp")  # two kernels of one job are what the ablation is about
    if behaviour == "tears" and not config.resume and text == str(params["tears_at"]):
        draft.write_text(text[:1])  # the rest of it never comes
        time.sleep(600)
    draft.write_text(text)
    draft.replace(path)
