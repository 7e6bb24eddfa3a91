"""A kernel as it was written for the system before: it knows the path of `vlad_training.json`, and RabbitMQ.

Nothing of the portal is imported here. `behaviour` says what it sends beside its progress.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import pika

with Path(sys.argv[1] if len(sys.argv) > 1 else "/vlad_training.json").open(encoding="utf-8") as file:
    CONFIG = json.load(file)
if CONFIG["vlad_training_config_version"] != 1.0:
    sys.exit("unknown version")
PARAMS = json.loads(Path(CONFIG["training_config_file"]).read_text(encoding="utf-8"))["training_params"]
OUTPUT, QUEUE = Path(CONFIG["model_write_path"]), CONFIG["queue_name"]
ENDED = []
signal.signal(signal.SIGTERM, lambda number, frame: ENDED.append(number))

credentials = pika.PlainCredentials(CONFIG["message_id"], CONFIG["message_pw"])
connection = pika.BlockingConnection(
    pika.ConnectionParameters(CONFIG["message_host"], CONFIG["message_port"], credentials=credentials)
)
channel = connection.channel()
if PARAMS.get("behaviour") == "declares":
    channel.queue_declare(queue=QUEUE)


def send(body: bytes) -> None:
    channel.basic_publish(exchange="", routing_key=QUEUE, body=body)


def say(status: str, **more: object) -> None:
    about = {"cmd": "training_status", "project_key": CONFIG["project_key"], "model_id": CONFIG["model_id"]}
    send(json.dumps({**about, "status": status, **more}, indent=1).encode())  # over several lines, as it may be


def keep(place: str, text: str) -> None:
    path = OUTPUT / place
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_text(text)
    draft.replace(path)


def misbehave() -> None:
    send(b"x" * 2**20)  # 1 MB
    send(b"{" + b'"a": "' + b"y" * 2**20 + b'"}')
    send(bytes(range(256)) * 4)  # binary, with line ends in it
    send(b"no JSON\nat all\n")
    send(b"[1, 2]")
    send(b"[" * 60_000)
    send(b"")
    send(b'{"project_key": "of another run", "status": "training_error", "message": "stolen"}')
    send(json.dumps({"project_key": CONFIG["project_key"], "status": "dancing"}).encode())
    for n in range(1000):  # a flood
        say("training_ing", percentage=1, step=n)
    if PARAMS["behaviour"] == "deletes":
        channel.queue_delete(queue=QUEUE)
        time.sleep(0.5)


def validate() -> None:
    lines = (Path(CONFIG["dataset_path"]) / "validation" / "validation.txt").read_text().splitlines()
    labels = (Path(CONFIG["dataset_path"]) / "label.txt").read_text().split()
    rows = [f"{line.rpartition(' ')[0]},{labels.index(line.rpartition(' ')[2])},0,1,0\n" for line in lines]
    keep("detections.csv", "filename,y,y_pred,p0,p1\n" + "".join(rows))
    keep("confusion.csv", "0,1,name\n" + "".join(f"1,0,{name}\n" for name in labels))
    say("validation_done", validation_id=CONFIG["validation_id"], cmd="validation_status")


def train() -> None:
    if CONFIG["base_model_path"]:
        (Path(CONFIG["base_model_path"]) / "save/checkpoint.pth").read_text()
    if PARAMS.get("behaviour") in ("hostile", "deletes"):
        misbehave()
    keep("save/metrics/loss.csv", "step,train_loss,val_loss\n")
    for step in range(1, PARAMS.get("steps", 20) + 1):
        if ENDED or (OUTPUT / "enough").exists():
            break
        with (OUTPUT / "save/metrics/loss.csv").open("a") as file:
            file.write(f"{step},{1 / step},{2 / step}\n")
        say("training_ing", percentage=min(99, step), step=step)
        print(f"sent {step}", flush=True)
        time.sleep(PARAMS.get("pause", 0.05))
    keep("save/checkpoint.pth", "the best")
    keep("model.onnx", "the model")
    if PARAMS.get("behaviour") == "error":
        say("training_error", message="The pictures are too dark.")
        os._exit(0)  # the word is on its way, and nobody says good-bye
    say("training_done")


if CONFIG["operation"] == "training":
    train()
else:
    validate()
connection.close()
