"""A program that nobody here wrote for: imported on the page, it trains through the page and draws graphs."""

from __future__ import annotations

import io
import json
import zipfile

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from jobs import charts, following
from jobs.models import Job, State
from kernels_app.models import Kernel
from models_app.models import TrainedModel

PROGRAM = """
import json, pathlib, sys, time
config = json.load(open(sys.argv[-1]))
rate = json.load(open(config["training_config_file"]))["training_params"]["rate"]
if config["base_model_path"]:
    (pathlib.Path(config["base_model_path"]) / "save/checkpoint.pth").read_text()
for step in range(1, 5):
    print(f"[{step}/4] loss: {rate / step:.4f}", flush=True)
    time.sleep(0.03)
save = pathlib.Path(config["model_write_path"], "save")
save.mkdir(exist_ok=True)
(save / "checkpoint.pth").write_text("weights")
"""
SCHEMA = {
    "properties": {
        "training_type": {"const": "CL"}, "model_type": {"type": "string"},
        "training_params": {"type": "object", "properties": {"rate": {"type": "number", "default": 0.5}}},
        "supported_operations": {"const": "training"},
    },
}  # fmt: skip
ABOUT = r"""
name = "plain"
version = "1"
command = "python go.py --fast"
[[metrics]]
name = "loss"
regex = '\[(?P<step>\d+)/\d+\] loss: (?P<loss>[0-9.]+)'
"""


def test_a_plain_script_trains_through_the_page_and_draws_graphs(shop, page, client_of, dev, settings):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in {"go.py": PROGRAM, "model_schema.json": json.dumps(SCHEMA), "kernel.toml": ABOUT}.items():
            archive.writestr(name, text)
    sent = {"archive": SimpleUploadedFile("plain.zip", buffer.getvalue())}
    client_of(dev).post(reverse("kernels:import", args=[shop.project.code]), sent)
    job = following.run_here(Job.objects.latest("pk"))
    assert job.state == State.SUCCEEDED, job.message
    kernel = Kernel.objects.get(name="plain")

    data = {"kernel": kernel.pk, "params.rate": "0.8", "name": "by the plain one"}
    gone = dict.fromkeys(f"params.{name}" for name in shop.kernel.schema["properties"]["training_params"]["properties"])
    answer = page.post(**(gone | data))
    model = TrainedModel.objects.get(name="by the plain one")
    assert answer["Location"] == model.get_absolute_url()
    job = following.run_here(model.job)
    assert job.state == State.SUCCEEDED, job.message
    (chart,) = charts.since(job, 0)["charts"]
    drawn = [point[:2] for point in chart["series"][0]["points"]]
    assert (chart["name"], drawn) == ("loss", [[1, 0.8], [2, 0.4], [3, 0.2667], [4, 0.2]])
