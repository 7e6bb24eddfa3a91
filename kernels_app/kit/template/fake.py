"""The program of a fake kernel: learns nothing, behaves as its settings say. For demos, trials and tests.

It is started as any kernel is and writes what the contract asks for. `seen.json` among its results says what it was
given: training.json, model.json, its environment, the extra files, how many samples each split has.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kernels_app.contract.config import TrainingConfig, config_path
from kernels_app.contract.data import (
    ClSample,
    Shape,
    ShapeSample,
    read_cl,
    read_files,
    read_files_rc,
    read_labels,
    read_rc,
    read_split_shapes,
    write_shapes,
)
from kernels_app.contract.metrics import MetricsWriter, cut_back
from kernels_app.contract.results import (
    CHECKPOINT,
    FAILURE,
    METRICS,
    RESUME,
    Detection,
    Produced,
    write_confusion,
    write_detections,
    write_produced,
    write_summary,
)
from kernels_app.contract.settings import ModelSettings
from kernels_app.contract.status import StatusWriter

ROW_PAUSE = 0.2  # seconds between the rows of the behaviours that never end by themselves


class Run:
    def __init__(self) -> None:
        self.config = TrainingConfig.read(config_path())
        self.settings = ModelSettings.read(Path(self.config.training_config_file))
        self.status = StatusWriter(self.config)
        self.stopping = False

    def param(self, name: str, usual: object = None):
        return self.settings.training_params.get(name, usual)

    def listen(self) -> None:
        """SIGTERM is heard at the next row."""
        signal.signal(signal.SIGTERM, lambda number, frame: setattr(self, "stopping", True))

    def keep(self, place: Path, text: str) -> None:
        path = self.config.output / place
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.tmp")
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)

    def save(self, step: int) -> None:
        self.keep(RESUME, str(step))
        if self.param("behaviour") != "no_checkpoint":
            self.keep(CHECKPOINT, json.dumps({"step": step, "lr": self.param("lr")}))

    def tell_what_it_saw(self) -> None:
        config = self.config
        etc = {
            path.name: path.read_text(encoding="utf-8", errors="replace") for path in Path(config.etc_path).iterdir()
        }
        before = config.base_model
        base = sorted(path.name for path in before.iterdir()) if before else None
        if before and self.param("fault") != "ignores_base" and (before / CHECKPOINT).is_file():
            (before / CHECKPOINT).read_text(encoding="utf-8")
        seen = {
            "config": json.loads(config_path().read_text(encoding="utf-8")),
            "settings": json.loads(Path(config.training_config_file).read_text(encoding="utf-8")),
            "environment": dict(os.environ),
            "etc": etc,
            "base": base,
            "labels": read_labels(config.dataset),
            "samples": {split: len(samples(self, split)) for split in ("train", "validation")},
            "pid": os.getpid(),
        }
        self.keep(Path("seen.json"), json.dumps(seen, ensure_ascii=False, indent=1))


def samples(run: Run, split: str) -> list:
    if not (run.config.dataset / split).is_dir():
        return []
    readers: dict[str, Callable[[Path, str], list]] = {"CL": read_cl, "RC": read_rc}
    return readers.get(run.settings.training_type, read_split_shapes)(run.config.dataset, split)


# --- training --------------------------------------------------------------------------------------------------------


def misbehave(run: Run) -> None:
    """What a doctor has to find: `fault` says which."""
    fault, config = run.param("fault"), run.config
    if fault == "strays":
        Path("left_over.txt").write_text("outside of its folders")
    if fault == "bad_rows":
        (config.output / METRICS).mkdir(parents=True, exist_ok=True)
        (config.output / METRICS / "notes.csv").write_text("step,note\n1,fine\n")
    if fault == "other_key":
        with Path(config.status_file).open("a", encoding="utf-8") as file:
            file.write('{"status": "training_ing", "project_key": "of another run", "percentage": 3}\n')
    if fault == "crashes_with_base" and config.base_model and config.operation == "training":
        raise ValueError("the base model is of another kind")
    if fault == "silent":
        run.status.progress = run.status.done = lambda *told: None  # type: ignore[method-assign,assignment]


def train(run: Run) -> int:
    misbehave(run)
    behaviour = run.param("behaviour", "good")
    run.tell_what_it_saw()
    print(f"fake kernel {os.getpid()}: {behaviour}", flush=True)
    if behaviour == "nothing":
        return 0
    endless = behaviour in ("slow", "ignores_term", "stops_badly")
    if behaviour == "ignores_term" or run.param("fault") == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        run.listen()
    if behaviour == "hangs":
        while not run.stopping:
            time.sleep(0.05)
        return 0
    rows(run, endless=endless)
    return ENDS[behaviour](run)


def rows(run: Run, *, endless: bool) -> None:
    """One metrics row, status and last state a step; goes on where this very run was."""
    metrics = run.config.output / METRICS
    first = 1
    if run.config.resume and run.param("fault") != "ignores_resume":
        first = int((run.config.output / RESUME).read_text()) + 1
        if run.param("fault") != "restarts_graph":
            cut_back(metrics, first - 1)
        else:
            first = 1
        print(f"going on at {first}", flush=True)
    loss = MetricsWriter(metrics, "loss", ["step", "train_loss", "val_loss"])
    accuracy = MetricsWriter(metrics, "accuracy", ["step", "accuracy"])
    count, pause = int(run.param("rows", 3)), float(run.param("pause", 0)) or (ROW_PAUSE if endless else 0)
    step = first
    while (endless or step <= count) and not run.stopping:
        value = CURVES[run.param("curve", "falling")](step)
        loss.row({"step": step, "train_loss": value, "val_loss": 1.5 * value if step % 2 else None})
        accuracy.row({"step": step, "accuracy": 1 - 1 / (step + 1)})
        run.status.progress(min(99, 100 * step / count), step)
        print(f"step {step}", flush=True)
        if run.param("fault") != "no_resume":
            run.save(step)
        elif step == 1:
            run.keep(CHECKPOINT, "{}")
        step += 1
        time.sleep(pause)


CURVES = {  # the loss at a step, from 1 on
    "falling": lambda step: 1 / step,
    "noisy": lambda step: 1 / step * random.uniform(0.5, 1.5),  # noqa: S311
    "overfitting": lambda step: 1 / step + (step / 40) ** 2,
    "diverging": lambda step: 0.5 * 1.2**step if step < 60 else math.nan,
    "flat": lambda step: 1.0,
}


def finish(run: Run) -> None:
    run.keep(Path(f"{run.settings.model_type}.onnx"), "no real network")
    run.status.done()


def good(run: Run) -> int:
    if not run.stopping:
        finish(run)
    return 0


def exit3(run: Run) -> int:
    print("something is wrong with this kernel", file=sys.stderr)
    return 3


def error(run: Run) -> int:
    run.status.error(run.param("message", "The images are too small for this network."))
    return 1


def error_then_done(run: Run) -> int:
    error(run)
    finish(run)
    return 0


def no_done(run: Run) -> int:
    return 0


def done_then_crash(run: Run) -> int:
    finish(run)
    os.kill(os.getpid(), signal.SIGSEGV)
    return 0


def traceback(run: Run) -> int:
    raise ValueError("the learning rate fell into a well")


def failure_file(run: Run) -> int:
    run.keep(FAILURE, "The GPU ran out of memory: choose a smaller batch.\n")
    return 1


def killed(run: Run) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def recovers(run: Run) -> int:
    """Killed the first time; where it goes on it ends well."""
    return good(run) if run.config.resume else killed(run)


def prints(run: Run) -> int:
    """Says `message` in its log alone."""
    print(run.param("message", "nothing"), flush=True)
    return 1


def stops_badly(run: Run) -> int:
    return 7


def bad_lines(run: Run) -> int:
    """Lines that are no messages, and one of another run: each is counted, none does harm."""
    with Path(run.config.status_file).open("a", encoding="utf-8") as file:
        file.write("this is no JSON\n[1, 2]\n")
        file.write('{"cmd": "training_status", "project_key": "of another run", "status": "training_error"}\n')
    with (run.config.output / METRICS / "loss.csv").open("a", encoding="utf-8") as file:
        file.write("9,many,none\n10,,inf\n")
    return good(run)


def leaves_children(run: Run) -> int:
    """A child in a session of its own lives on: whoever looks after the kernel ends it."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=True, close_fds=True)
    run.keep(Path("child.pid"), str(child.pid))
    return good(run)


ENDS = {
    "good": good, "slow": good, "ignores_term": good, "no_checkpoint": good, "exit3": exit3, "error": error,
    "error_then_done": error_then_done, "no_done": no_done, "done_then_crash": done_then_crash, "traceback": traceback,
    "failure_file": failure_file, "killed": killed,
    "recovers": recovers, "prints": prints, "stops_badly": stops_badly, "bad_lines": bad_lines,
    "leaves_children": leaves_children,
}  # fmt: skip


# --- validation and inference ----------------------------------------------------------------------------------------


def judge(run: Run) -> int:
    """Says the truth of all samples but the first `wrong`."""
    behaviour = run.param("judging", "good")
    run.tell_what_it_saw()
    if behaviour == "exit3":
        return 3
    if behaviour == "error":
        run.status.error(run.param("message", "The model does not know these images."))
        return 1
    if run.config.operation == "preprocessing":
        produce(run)
    elif run.settings.training_type == "CL":
        judge_categories(run, behaviour)
    elif run.settings.training_type == "RC":
        judge_regions(run)
    else:
        judge_shapes(run, behaviour)
    run.status.progress(100)
    run.status.done()
    return 0


def judge_categories(run: Run, behaviour: str) -> None:
    names, output = read_labels(run.config.dataset), run.config.output
    is_validation = run.config.operation == "validation"
    found = samples(run, "validation") if is_validation else [ClSample(path) for path in read_files(run.config.dataset)]
    wrong, detections, matrix = int(run.param("wrong", 1)), [], [[0] * len(names) for _name in names]
    for n, sample in enumerate(found):
        truth = names.index(sample.category) if is_validation else None
        said = ((truth or 0) + (n < wrong)) % len(names)
        chances = [0.9 if k == said else 0.1 / max(1, len(names) - 1) for k in range(len(names))]
        detections.append(Detection(sample.path, truth, said, tuple(chances)))
        if truth is not None:
            matrix[truth][said] += 1
    if behaviour == "foreign_image":
        detections.append(Detection("/somewhere/else.png", 0, 0, detections[0].probabilities))
    if behaviour == "no_detections":
        return
    if behaviour == "forgets_one":
        detections = detections[1:]
    write_detections(output, detections, classes=len(names))
    if behaviour == "bad_lines":
        with (output / "detections.csv").open("a", encoding="utf-8") as file:
            file.write(f"{found[0].path},0,{len(names)},1,0\nshort,0\n")
    if is_validation:
        right = sum(d.truth == d.predicted for d in detections)
        write_confusion(output, names, matrix)
        write_summary(output, [("accuracy", right / len(detections)), ("macro_f1", 0.5)])
        more_reports(output, behaviour)


def more_reports(output: Path, behaviour: str) -> None:
    if behaviour == "more_tables":
        (output / "by_size.csv").write_text("size, accuracy\nsmall, 0.5\nlarge, 1\n", encoding="utf-8")
        (output / "a_first.csv").write_text("name,value\nx,1\n", encoding="utf-8")
    if behaviour == "old_summary":
        (output / "summary.csv").rename(output / "summay.csv")
    if behaviour == "binary_summary":
        (output / "summary.csv").write_bytes(b"\xff\xfe\x00accuracy")


def judge_regions(run: Run) -> None:
    is_validation, output = run.config.operation == "validation", run.config.output
    found = samples(run, "validation") if is_validation else read_files_rc(run.config.dataset)
    wrong, detections, matrix = int(run.param("wrong", 1)), [], [[0, 0], [0, 0]]
    for n, one in enumerate(found):
        truth = int(bool(one.verdict)) if is_validation else None
        said = 1 - (truth or 0) if n < wrong else truth or 0
        chances = (0.2, 0.8) if said else (0.8, 0.2)
        detections.append(Detection(one.path, truth, said, chances, (one.x, one.y, one.width, one.height)))
        matrix[truth or 0][said] += 1
    write_detections(output, detections, classes=2)
    if is_validation:
        write_confusion(output, ["false", "true"], matrix)
        right = sum(d.truth == d.predicted for d in detections)
        write_summary(output, [("accuracy", right / max(1, len(detections)))])


def produce(run: Run) -> None:
    """A copy of every image, under its own name."""
    made = []
    is_rc = run.settings.training_type == "RC"
    paths = [one.path for one in read_files_rc(run.config.dataset)] if is_rc else read_files(run.config.dataset)
    for path in dict.fromkeys(paths):
        target = Path(run.config.image_write_path) / Path(path).parent.name / Path(path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(path).read_bytes())
        made.append(Produced(path, str(target)))
    write_produced(run.config.output, made)


def label_shapes(run: Run) -> None:
    """A box in every image but the last, ever less sure; named as a kernel does that knows no ids."""
    names, paths = read_labels(run.config.dataset), read_files(run.config.dataset)
    for n, path in enumerate(paths):
        corners = ((4.0, 5.0), (14.0, 5.0), (14.0, 15.0), (4.0, 15.0))
        is_box = run.settings.training_type == "OD"
        points = (corners[0], corners[2]) if is_box else corners
        score = round(0.95 - 0.1 * n, 2)
        shape = Shape(
            names[n % len(names)], "rectangle" if is_box else "polygon", points, isgenerated=True, score=score
        )
        found = (shape,) if n < len(paths) - 1 else ()
        write_shapes(run.config.output / "annotations", ShapeSample(path, f"{n}-{Path(path).stem}", 40, 30, found))


def judge_shapes(run: Run, behaviour: str) -> None:
    output = run.config.output
    (output / "annotations").mkdir(parents=True, exist_ok=True)
    if run.config.operation == "inference":
        label_shapes(run)
        return
    wrong = int(run.param("wrong", 1))
    for n, sample in enumerate(samples(run, "validation")):
        shapes = [Shape(s.label, s.shape_type, s.points, isgenerated=True, score=0.9) for s in sample.shapes]
        found = ShapeSample(sample.path, sample.image_id, sample.width, sample.height, tuple(shapes[n < wrong :]))
        write_shapes(output / "annotations", found)
    if behaviour == "bad_lines":
        (output / "annotations" / "999999.json").write_text('{"shapes": 3}', encoding="utf-8")
    if behaviour == "foreign_image":
        write_shapes(output / "annotations", ShapeSample("/x.png", "999999", 4, 4))
    if run.config.operation == "validation":
        write_summary(output, [("mAP50", 0.75), ("mAP", 0.5), ("GT", 8)])
        more_reports(output, behaviour)


if __name__ == "__main__":
    this = Run()
    sys.exit(train(this) if this.config.operation == "training" else judge(this))
