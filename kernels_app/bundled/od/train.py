"""Object detection: training, validation and inference. Read it from top to bottom; `train` is the recipe."""

from kernels_app.bundled.common.start import Run, announce, finish

RUN = announce(__file__)  # a first sign of life, before torch takes its seconds to import

# ruff: noqa: E402
from dataclasses import asdict, dataclass
from typing import Any

import od_augment
import od_data
import od_evaluate
import od_measure
import od_model
import od_tiles
import torch

from kernels_app.bundled.common import checkpoint, curves, distributed, export, weights
from kernels_app.bundled.common.course import Course
from kernels_app.bundled.common.session import Session, begin

LIMIT = 0.05  # pixels, or hundredths of the score: how far the exported file's detections may be from torch's
LARGEST_GRADIENT = 10.0  # its norm; a rare batch would else throw the weights far off


@dataclass(frozen=True)
class Settings:
    """`training_params`; what each means, its bounds and its default stand in model_schema.json."""

    architecture: str
    detector: str
    epochs: int
    learning_rate: float
    batch_size: int
    image_size: int
    tile_size: int
    tile_overlap: int
    seed: int
    max_minutes: float
    patience: int
    ema: float
    weight_decay: float
    frozen_stages: int
    flip_horizontal: bool
    flip_vertical: bool
    brightness: float
    contrast: float
    score_threshold: float
    min_score: float
    max_detections: int
    pretrained: str
    amp: str
    workers: int
    cache_mb: int


def train(session: Session, settings: Settings) -> None:
    """The early stages of the pretrained backbone frozen, the rest trained; the best epoch by mAP50 is exported."""
    run, report = session.run, session.report
    tiles = od_tiles.asked(settings.tile_size, settings.tile_overlap)
    data = od_data.read_training(run, settings.image_size, tiles, settings.cache_mb, settings.seed)
    for split, end in ((data.train, 4), (data.validation, 5)):
        report.stage(f"Decoding {len(split)} images", end)
        split.images.fill(report, settings.workers)

    base = od_model.known(checkpoint.load_base(run))
    architecture = checkpoint.architecture_of(run, base, settings.architecture)
    detector = od_model.detector_of(run, base, settings.detector)
    model = od_model.start(run, detector, architecture, data.classes, base, settings.pretrained)
    model.limit(settings.score_threshold, settings.max_detections)
    model.to(session.device, memory_format=torch.channels_last)
    distributed.same_everywhere(model)
    weights.freeze(model.backbone.body, settings.frozen_stages)
    chosen = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    about = {
        "classes": data.classes, "image_size": settings.image_size, "architecture": architecture, "detector": detector,
        "frame": list(data.frame), "tiles": tiles,
    }  # fmt: skip

    course = Course(session, model, optimizer, settings, len(data.train), largest=LARGEST_GRADIENT)
    last = checkpoint.load_last(run)
    if last is None:
        report.cut_back(0)
    course.begin(last)

    report.stage(f"Training, at most {settings.epochs} epochs", 94)
    fit(course, data, settings, about)

    if run.rank == 0:
        report.stage("Exporting to ONNX", 99)
        deploy(session, data.validation, settings)
    distributed.barrier()


def fit(course: Course, data: od_data.Data, settings: Settings, about: dict[str, Any]) -> None:
    """Epoch after epoch; the best by mAP50 is kept."""
    session, device, state = course.session, course.session.device, course.state
    view = od_evaluate.View(data.frame, about["architecture"], settings.max_detections)
    for epoch in course.epochs():
        course.trained.train()
        for images, targets in data.train.batches(course.batches()):
            if not course.may_step():
                break
            dice = course.dice()
            torch.manual_seed(course.dice(shared=True).initial_seed())  # from which Faster R-CNN draws its samples
            changed = [od_augment.augment(*pair, settings, dice) for pair in zip(images, targets, strict=True)]
            batch = od_model.collate([image for image, _ in changed], data.frame, view.architecture, device)
            with session.precision.context():
                parts, _ = course.trained(batch, od_model.on(device, [target for _, target in changed]))
            course.step(od_model.loss_of(parts))

        course.judged.eval()
        found, loss = od_evaluate.judge(session, course.judged, view, data.validation, course.tell, with_loss=True)
        scores = od_evaluate.score(data.validation, found, loss)
        scores.write(session.report, state.step, course.train_loss())
        better = not state.best or scores.beats(od_evaluate.Scores(**state.best))
        session.run.log(f"Epoch {epoch}: {scores}{' (best)' if better else ''}")
        ranked = od_measure.rank(data.validation.truth, found) if better else None
        threshold = {"min_score": od_measure.count(data.validation.truth, ranked).min_score} if ranked else {}
        course.end_epoch(asdict(scores), about | threshold, better=better)


def deploy(session: Session, held: od_data.Split, settings: Settings) -> None:
    """The best model as ONNX, compared with torch on real validation images; its curves of precision over recall."""
    run, report = session.run, session.report
    best = checkpoint.load_own_best(run)
    limits = settings.score_threshold, settings.max_detections
    net, view = od_model.restore(best, *limits), od_evaluate.View(best["frame"], best["architecture"], limits[1])
    model = od_model.Deployed(net).eval()
    run.log(f"Kept the best weights: {od_evaluate.Scores(**best['scores'])}")
    shown, cpu = [held.images.image(n) for n in range(min(4, len(held)))], torch.device("cpu")
    seen = [od_model.collate([image], view.frame, view.architecture, cpu).contiguous() for image in shown]
    path = export.write_onnx(run, report, model, seen[0], ["boxes", "scores", "labels"], any_batch=False)
    difference, compared = od_model.largest_difference(model, path, seen, *limits)
    export.confirm(run, path, difference, LIMIT, f"{compared} detections in {len(seen)} validation images (px)")
    net.to(session.device, memory_format=torch.channels_last)
    found, _ = od_evaluate.judge(session, net, view, held, report.training_at, with_loss=False, alone=True)
    ranked = od_measure.rank(held.truth, found)
    curves.show(report, od_measure.precision_recall(held.truth, ranked, best["classes"]))
    export.write_card(run, best["classes"], od_model.card(best, *limits))


def judge(session: Session, settings: Settings) -> None:
    """Validation and inference: what a trained model finds in the images it is given."""
    run, report = session.run, session.report
    state = od_model.known(checkpoint.load_asked(run))
    cut = od_data.Cut(tuple(state["frame"]), state["tiles"], settings.cache_mb)
    split = od_data.read_to_judge(run, state["classes"], cut)
    report.stage(f"Decoding {len(split)} images", 30)
    split.images.fill(report, settings.workers)
    report.stage("Judging", 95)
    model = od_model.restore(state, settings.score_threshold, settings.max_detections)
    model.to(session.device, memory_format=torch.channels_last)
    view = od_evaluate.View(cut.frame, state["architecture"], settings.max_detections)
    found, _ = od_evaluate.judge(session, model, view, split, report.at, with_loss=False)
    if run.rank == 0:
        report.stage("Writing results", 99)
        with report.busy(2.0):
            classes = od_data.all_classes(run, state["classes"])
            od_evaluate.write_results(run, split, found, classes, settings.min_score or state["min_score"])


def work(run: Run) -> None:
    settings = Settings(**run.params())
    session = begin(run, amp=settings.amp, batch=settings.batch_size, seed=settings.seed)
    (train if run.config.operation == "training" else judge)(session, settings)
    distributed.disconnect()


finish(RUN, work)
