"""Semantic segmentation: training, validation and inference. Read it from top to bottom; `train` is the recipe."""

from kernels_app.bundled.common.start import Run, announce, finish

RUN = announce(__file__)  # a first sign of life, before torch takes its seconds to import

# ruff: noqa: E402
from dataclasses import asdict, dataclass
from typing import Any

import seg_augment
import seg_data
import seg_evaluate
import seg_model
import torch
from seg_polygons import Tracing
from torch import nn

from kernels_app.bundled.common import checkpoint, classifier, curves, distributed, export, weights
from kernels_app.bundled.common.course import Course
from kernels_app.bundled.common.session import Session, begin
from kernels_app.contract.data import ShapeSample

LIMIT = 1e-3  # how far the exported file's probabilities may be from torch's
LARGEST_GRADIENT = 10.0  # its norm; a rare batch would else throw the weights far off


@dataclass(frozen=True)
class Settings:
    """`training_params`; what each means, its bounds and its default stand in model_schema.json."""

    architecture: str
    decoder: str
    epochs: int
    learning_rate: float
    batch_size: int
    image_size: int
    seed: int
    max_minutes: float
    patience: int
    ema: float
    weight_decay: float
    frozen_stages: int
    flip_horizontal: bool
    flip_vertical: bool
    rotate_quarter: bool
    zoom: float
    brightness: float
    contrast: float
    min_area: int
    simplify: float
    pretrained: str
    amp: str
    workers: int
    cache_mb: int


def train(session: Session, settings: Settings) -> None:
    """The early stages of the pretrained backbone frozen, the rest trained; the best epoch by IoU is exported."""
    run, report = session.run, session.report
    data = seg_data.read_training(run, settings.image_size, settings.cache_mb)
    for split, end in ((data.train, 4), (data.validation, 5)):
        report.stage(f"Decoding {len(split)} images", end)
        split.images.fill(report, settings.workers)

    base = checkpoint.load_base(run)
    architecture = checkpoint.architecture_of(run, base, settings.architecture)
    decoder = seg_model.decoder_of(run, base, settings.decoder)
    model = seg_model.start(run, decoder, architecture, data.classes, base, settings.pretrained)
    model.to(session.device, memory_format=torch.channels_last)
    distributed.same_everywhere(model)
    weights.freeze(model.encoder.model, settings.frozen_stages)
    chosen = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    about = {
        "classes": data.classes, "image_size": settings.image_size, "architecture": architecture, "decoder": decoder,
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
        deploy(session, data.validation)
    distributed.barrier()


def fit(course: Course, data: seg_data.Data, settings: Settings, about: dict[str, Any]) -> None:
    """Epoch after epoch; the best by IoU is kept."""
    session, device, state = course.session, course.session.device, course.state
    balance = seg_data.class_weights(data.train)
    loss_weights = balance.to(device)
    for epoch in course.epochs():
        for images, masks in data.train.batches(course.batches()):
            if not course.may_step():
                break
            seen = seg_evaluate.prepared(session, course.model, images, masks)
            seen, truth = seg_augment.augment(seen, masks.to(device), settings, course.dice())
            with session.precision.context():
                logits = course.trained(seen)
            sums = seg_evaluate.loss_sums(logits.float(), truth, loss_weights)
            course.step(seg_evaluate.loss_from(distributed.whole(sums)))

        verdict = seg_evaluate.judge(session, course.judged, data.validation, balance, course.tell)
        scores = verdict.scores
        seg_evaluate.write_graphs(session.report, verdict, data.classes, state.step, course.train_loss())
        better = not state.best or scores.beats(seg_evaluate.Scores(**state.best))
        session.run.log(f"Epoch {epoch}: {scores}{' (best)' if better else ''}")
        course.end_epoch(asdict(scores), about, better=better)


def deploy(session: Session, held: seg_data.Split) -> None:
    """The best model as ONNX, compared with torch on real validation images; its curves of precision over recall."""
    run, report = session.run, session.report
    best = checkpoint.load_own_best(run)
    net, side, names = seg_model.restore(best), best["image_size"], best["classes"]
    model = classifier.Deployed(net, nn.Softmax(dim=1)).eval()
    run.log(f"Kept the best weights: {seg_evaluate.Scores(**best['scores'])}")
    count = min(4, len(held))
    alone = Session(run, report, torch.device("cpu"), session.precision, session.batch)
    images, masks = next(iter(held.batches([range(count)])))
    seen = seg_evaluate.prepared(alone, net, images, masks).contiguous()
    path = export.write_onnx(run, report, model, seen[:1], ["probabilities"], any_batch=False)
    with torch.inference_mode():
        differences = [abs(export.run_onnx(path, one)[0] - model(one).numpy()).max() for one in seen.split(1)]
    export.confirm(run, path, float(max(differences)), LIMIT, f"{count} validation images")
    net.to(session.device, memory_format=torch.channels_last)
    verdict = seg_evaluate.judge(session, net, held, torch.ones(len(names) + 1), report.training_at, alone=True)
    curves.show(report, verdict.curves(names))
    about = export.about_input(side, *weights.mean_and_std(best["architecture"]), batch=1)
    about |= export.about_resize(side, is_squashed=False)
    about |= {"outputs": {"probabilities": [1, "background, then classes", side, side]}, "thresholds": {}}
    export.write_card(run, names, about | {"validation": best["scores"]})


def judge(session: Session, settings: Settings) -> None:
    """Validation and inference: what a trained model finds in the images it is given."""
    run, report = session.run, session.report
    state = checkpoint.load_asked(run)
    split = seg_data.read_to_judge(run, state["classes"], state["image_size"], settings.cache_mb)
    report.stage(f"Decoding {len(split)} images", 30)
    split.images.fill(report, settings.workers)
    report.stage("Judging", 95)
    model = seg_model.restore(state).to(session.device, memory_format=torch.channels_last)
    mine: dict[int, ShapeSample] = {}
    each = seg_evaluate.shapes_of(split, Tracing(settings.min_area, settings.simplify), mine)
    verdict = seg_evaluate.judge(session, model, split, torch.ones(len(state["classes"]) + 1), report.at, each=each)
    found = {index: sample for part in distributed.gathered(mine) for index, sample in part.items()}
    if run.rank == 0:
        report.stage("Writing results", 99)
        seg_evaluate.write_results(run, list(found.values()), verdict, list(split.index))


def work(run: Run) -> None:
    settings = Settings(**run.params())
    session = begin(run, amp=settings.amp, batch=settings.batch_size, seed=settings.seed, is_dense=True)
    (train if run.config.operation == "training" else judge)(session, settings)
    distributed.disconnect()


finish(RUN, work)
