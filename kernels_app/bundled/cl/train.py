"""Image classification: training, validation and inference. Read it from top to bottom; `train` is the recipe."""

from kernels_app.bundled.common.start import Run, announce, finish

RUN = announce(__file__)  # a first sign of life, before torch takes its seconds to import

# ruff: noqa: E402
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cl_data
import cl_evaluate
import torch
from torch import nn

from kernels_app.bundled.common import checkpoint, classifier, curves, distributed, export, probe, weights
from kernels_app.bundled.common.augment import augment
from kernels_app.bundled.common.course import Course
from kernels_app.bundled.common.session import Session, begin

LIMIT = 1e-3  # how far the exported file's probabilities may be from torch's


@dataclass(frozen=True)
class Settings:
    """`training_params`; what each means, its bounds and its default stand in model_schema.json."""

    architecture: str
    epochs: int
    learning_rate: float
    batch_size: int
    image_size: int
    seed: int
    max_minutes: float
    probe_epochs: int
    patience: int
    ema: float
    weight_decay: float
    frozen_stages: int
    flip_horizontal: bool
    flip_vertical: bool
    rotate_quarter: bool
    brightness: float
    contrast: float
    pretrained: str
    amp: str
    workers: int
    cache_mb: int


def train(session: Session, settings: Settings) -> None:
    """Linear probe on frozen features first, then fine-tune all of it; the better by macro-F1 is kept and exported."""
    run, report = session.run, session.report
    data = cl_data.read_training(run, settings.image_size, settings.cache_mb)
    for split, end in ((data.train, 6), (data.validation, 8)):
        report.stage(f"Decoding {len(split)} images", end)
        split.images.fill(report, settings.workers)

    base = checkpoint.load_base(run)
    architecture = checkpoint.architecture_of(run, base, settings.architecture)
    model = classifier.start(run, architecture, data.classes, base, settings.pretrained)
    model.eval().to(session.device, memory_format=torch.channels_last)  # eval: batch norm stays as it was pretrained
    weights.freeze(model, settings.frozen_stages)
    chosen = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    about = {"classes": data.classes, "image_size": settings.image_size, "architecture": architecture}

    course = Course(session, model, optimizer, settings, len(data.train), falls_back=True)
    last = checkpoint.load_last(run)
    course.begin(last)
    if last is None:
        report.cut_back(0)
        scores, course.state.step = fit_head(session, model, data, settings)
        course.state.best = asdict(scores)
        course.average.follow()
        checkpoint.save_best(run, about | {"scores": asdict(scores), "model": model.state_dict()})

    report.stage(f"Fine-tuning, at most {settings.epochs} epochs", 92)
    fine_tune(course, data, settings, about)

    if run.rank == 0:
        report.stage("Exporting to ONNX", 99)
        deploy(session, data.validation)
    distributed.barrier()


def fit_head(
    session: Session, model: weights.Net, data: cl_data.Data, settings: Settings
) -> tuple[cl_evaluate.Scores, int]:
    """Train the last layer alone, on features that are computed once; leave it in the model. Scores and steps."""
    report = session.report
    share = min(1.0, 8 / max(1, settings.epochs))  # the probe costs about as much as the first few epochs
    known, held = (
        features(session, model, split, text, 8 + part * share)
        for split, text, part in ((data.train, "training", 8), (data.validation, "validation", 12))
    )

    def loss(logits: torch.Tensor, indices: Sequence[int]) -> torch.Tensor:
        return cl_evaluate.loss_of(logits, data.train.truth[indices], data.weights, alone=True)

    def score(head: nn.Module) -> cl_evaluate.Scores:
        return cl_evaluate.score(head(held).detach(), data.validation.truth, data.weights)

    report.stage(f"Linear probe, {settings.probe_epochs} epochs", 8 + 17 * share)
    scores, steps = probe.fit(report, model, known, loss, score, epochs=settings.probe_epochs, seed=settings.seed)
    distributed.same_everywhere(model)
    session.run.log(f"Linear probe: {scores}")
    return scores, steps


def features(session: Session, model: weights.Net, split: cl_data.Split, text: str, end: float) -> torch.Tensor:
    session.report.stage(f"Features of the {text} images", end)
    lists = iter(split.batches(session.shares(len(split))))
    return probe.features(session, model, len(split), lambda _: cl_evaluate.prepared(session, model, next(lists)[0]))


def fine_tune(course: Course, data: cl_data.Data, settings: Settings, about: dict[str, Any]) -> None:
    """All weights, with batch norm frozen. Whatever beats the best so far is kept."""
    session, device = course.session, course.session.device
    loss_weights = data.weights.to(device)
    for epoch in course.epochs():
        for images, truth in data.train.batches(course.batches()):
            if not course.may_step():
                break
            seen = augment(cl_evaluate.prepared(session, course.model, images), settings, course.dice())
            with session.precision.context():
                logits = course.trained(seen)
            course.step(cl_evaluate.loss_of(logits.float(), truth.to(device), loss_weights))

        logits = cl_evaluate.judge(session, course.judged, data.validation, course.tell)
        scores = cl_evaluate.score(logits, data.validation.truth, data.weights)
        scores.write(session.report, course.state.step, course.train_loss())
        better = scores.beats(cl_evaluate.Scores(**course.state.best))
        session.run.log(f"Epoch {epoch}: {scores}{' (best)' if better else ''}")
        course.end_epoch(asdict(scores), about, better=better)


def deploy(session: Session, held: cl_data.Split) -> None:
    """The best model as ONNX, compared with torch on real validation images; its curves of precision over recall."""
    run, report = session.run, session.report
    best = checkpoint.load_own_best(run)
    net, side = classifier.restore(best), best["image_size"]
    model = classifier.Deployed(net, nn.Softmax(dim=1)).eval()
    count = min(8, len(held))
    cpu = torch.device("cpu")
    images = weights.normalised(next(iter(held.batches([range(count)])))[0], best["architecture"], cpu).contiguous()
    run.log(f"Kept the best weights: {cl_evaluate.Scores(**best['scores'])}")
    path = export.write_onnx(run, report, model, images[:1], ["probabilities"], any_batch=True)
    with torch.inference_mode():
        difference = abs(export.run_onnx(path, images)[0] - model(images).numpy()).max()
    export.confirm(run, path, float(difference), LIMIT, f"{count} validation images")
    net.to(session.device, memory_format=torch.channels_last)
    logits = cl_evaluate.judge(session, net, held, report.training_at, alone=True)
    curves.show(report, cl_evaluate.precision_recall(logits, held.truth, best["classes"]))
    about = export.about_input(side, *weights.mean_and_std(best["architecture"]))
    about |= export.about_resize(side, is_squashed=True)
    about |= {"outputs": {"probabilities": ["batch", "classes"]}, "thresholds": {}, "validation": best["scores"]}
    export.write_card(run, best["classes"], about)


def judge(session: Session, settings: Settings) -> None:
    """Validation and inference: what a trained model says of the images it is given."""
    run, report = session.run, session.report
    state = checkpoint.load_asked(run)
    classes = cl_data.asked_classes(run, state["classes"])
    split = cl_data.read_to_judge(run, classes, state["image_size"], settings.cache_mb)
    report.stage(f"Decoding {len(split)} images", 30)
    split.images.fill(report, settings.workers)
    report.stage("Judging", 98)
    model = classifier.restore(state).to(session.device, memory_format=torch.channels_last)
    logits = cl_evaluate.judge(session, model, split, report.at)
    if run.rank == 0:
        cl_evaluate.write_results(run, split, classes, cl_evaluate.rearranged(logits, state["classes"], classes))


def work(run: Run) -> None:
    settings = Settings(**run.params())
    session = begin(run, amp=settings.amp, batch=settings.batch_size, seed=settings.seed)
    (train if run.config.operation == "training" else judge)(session, settings)
    distributed.disconnect()


finish(RUN, work)
