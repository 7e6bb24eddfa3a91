"""Object detection: training, validation and inference. Read it from top to bottom; `train` is the recipe."""

from kernels_app.bundled.common.start import Refusal, Run, announce, finish

RUN = announce(__file__)  # a first sign of life, before torch takes its seconds to import

# ruff: noqa: E402
import math
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import od_augment
import od_data
import od_evaluate
import od_model
import torch
from torch import nn

from kernels_app.bundled.common import checkpoint, distributed, export, stop
from kernels_app.bundled.common.schedule import Clock, generator, rate, shuffled
from kernels_app.bundled.common.session import Session, begin

POINTS = 10  # of the training loss in the graph, an epoch
NOTHING = od_evaluate.Scores(-1.0, -1.0, math.inf)
LARGEST_GRADIENT = 10.0  # its norm; a rare batch would else throw the weights far off


@dataclass(frozen=True)
class Settings:
    """`training_params`; what each means, its bounds and its default stand in model_schema.json."""

    epochs: int
    learning_rate: float
    batch_size: int
    image_size: int
    seed: int
    max_minutes: float
    patience: int
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


@dataclass
class Training:
    """Where a training is: all that a resume needs beside weights and optimiser."""

    best: od_evaluate.Scores = NOTHING
    step: int = 0
    epoch: int = 0
    batch: int = 0  # of the epoch, done
    stale: int = 0  # epochs since the best
    elapsed: float = 0.0  # seconds of training


def train(session: Session, settings: Settings) -> None:
    """The early stages of the pretrained backbone frozen, the rest trained; the best epoch by mAP50 is exported."""
    run, report = session.run, session.report
    data = od_data.read_training(run, settings.image_size, settings.cache_mb)
    for split, end in ((data.train, 4), (data.validation, 5)):
        report.stage(f"Decoding {len(split)} images", end)
        split.images.fill(report, settings.workers)

    model = od_model.start(run, data.classes, checkpoint.load_base(run), settings.pretrained)
    model.score_thresh, model.detections_per_img = settings.score_threshold, settings.max_detections
    model.precision = session.precision
    model.to(session.device, memory_format=torch.channels_last)
    distributed.same_everywhere(model)
    od_model.freeze(model, settings.frozen_stages)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
    last = checkpoint.load_last(run)
    if last is None:
        report.cut_back(0)
    state = Training() if last is None else go_on(session, model, optimizer, last)

    report.stage(f"Training, at most {settings.epochs} epochs", 94)
    fit(session, model, optimizer, data, state, settings)

    if run.rank == 0:
        report.stage("Exporting to ONNX", 99)
        deploy(session, data.validation, settings)
    distributed.barrier()


def fit(
    session: Session, model: od_model.Detector, optimizer: torch.optim.Optimizer, data: od_data.Data, state: Training,
    settings: Settings,
) -> None:  # fmt: skip
    """Epoch after epoch, until all are done, the time is over, or nothing got better for `patience` epochs."""
    run, report, trained = session.run, session.report, distributed.parallel(model, session.device)
    steps = math.ceil(math.ceil(len(data.train) / run.world) / settings.batch_size)
    clock = Clock(steps * settings.epochs, settings.max_minutes, state.elapsed)
    while state.epoch < settings.epochs:
        trained.train()
        position, train_loss = train_one_epoch(session, trained, optimizer, data, state, settings, clock, steps)

        def tell(done: float, at: float = position) -> None:
            if stop.asked() and run.world == 1:  # several ranks finish the epoch together
                put_down(run, model, optimizer, state, clock)
            report.training_at(at)

        model.eval()
        found, loss = od_evaluate.judge(session, model, data.validation, tell, with_loss=True)
        scores = od_evaluate.Scores(*od_evaluate.average_precision(data.validation.truth, found), loss)
        scores.write(report, state.step, train_loss)
        better = scores.beats(state.best)
        run.log(f"Epoch {state.epoch + 1}: {scores}{' (best)' if better else ''}")

        state.epoch, state.batch, state.elapsed = state.epoch + 1, 0, clock.elapsed
        state.stale = 0 if better else state.stale + 1
        if better:
            state.best = scores
            keep(run, model, data, settings, scores, od_evaluate.count(data.validation.truth, found).min_score)
        save_last(run, model, optimizer, state)
        if position >= 1 or state.stale >= settings.patience:
            break


def train_one_epoch(
    session: Session, trained: nn.Module, optimizer: torch.optim.Optimizer, data: od_data.Data, state: Training,
    settings: Settings, clock: Clock, steps: int,
) -> tuple[float, float | None]:  # fmt: skip
    """The rest of an epoch of `steps` batches; the position 0..1 in the whole training at its end, the mean loss."""
    run, report, device = session.run, session.report, session.device
    numbers = {"seed": settings.seed, "epoch": state.epoch, "rank": run.rank, "world": run.world}
    lists = shuffled(len(data.train), settings.batch_size, **numbers)[state.batch :]
    losses: list[torch.Tensor] = []
    means: list[float] = []
    for images, targets in data.train.batches(lists):
        position, asked = clock.look(state.epoch * steps + state.batch, device)
        if asked:
            put_down(run, getattr(trained, "module", trained), optimizer, state, clock)
        if position >= 1:  # out of time
            return position, average(means)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate(position)
        dice = generator(settings.seed, state.epoch, state.batch, run.rank)
        changed = [od_augment.augment(*pair, settings, dice) for pair in zip(images, targets, strict=True)]
        batch, sizes = od_model.collate([image for image, _ in changed], device)
        truth = [{name: value.to(device) for name, value in target.items()} for _, target in changed]
        loss = sum(trained(batch, sizes, truth)[0].values())
        session.precision.step(loss, optimizer, LARGEST_GRADIENT)

        losses.append(loss.detach())
        state.batch, state.step = state.batch + 1, state.step + 1
        if len(losses) >= steps / POINTS or state.batch == steps:
            means.append(mean(losses, state, settings))
            report.row("batch_loss", od_evaluate.BATCH_LOSS, step=state.step, train_loss=means[-1])
            losses.clear()
        report.training_at(position, state.step)
    return clock.look((state.epoch + 1) * steps, device)[0], average(means)


def average(means: list[float]) -> float | None:
    """Of the epoch so far; None where no batch was done."""
    return sum(means) / len(means) if means else None


def mean(losses: list[torch.Tensor], state: Training, settings: Settings) -> float:
    """Of the last few steps; read only now and then, as reading waits for the GPU. Raises Refusal for no number."""
    value = torch.stack(losses).mean().item()
    if not math.isfinite(value):
        raise Refusal(
            f"The training went astray: at step {state.step} the loss is no number any more. "
            f"A learning rate smaller than {settings.learning_rate:g} usually helps."
        )
    return value


def keep(
    run: Run, model: nn.Module, data: od_data.Data, settings: Settings, scores: od_evaluate.Scores, min_score: float
) -> None:
    about: dict[str, Any] = {"classes": data.classes, "image_size": settings.image_size, "scores": asdict(scores)}
    checkpoint.save_best(run, about | {"min_score": min_score, "model": model.state_dict()})


def save_last(run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, state: Training) -> None:
    checkpoint.save_last(
        run, {"training": asdict(state), "model": model.state_dict(), "optimizer": optimizer.state_dict()}
    )


def put_down(
    run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, state: Training, clock: Clock
) -> NoReturn:  # fmt: skip
    """Asked to stop: write down where we are, and leave."""
    state.elapsed = clock.elapsed
    save_last(run, model, optimizer, state)
    raise stop.Stopped


def go_on(session: Session, model: nn.Module, optimizer: torch.optim.Optimizer, last: dict[str, Any]) -> Training:
    """Where the run was when it was stopped; the metrics are cut back to that step."""
    state = Training(**last["training"] | {"best": od_evaluate.Scores(**last["training"]["best"])})
    model.load_state_dict(last["model"])
    optimizer.load_state_dict(last["optimizer"])
    session.run.log(f"Going on in epoch {state.epoch + 1} after {state.batch} batches; best so far: {state.best}")
    session.report.cut_back(state.step)
    return state


def deploy(session: Session, held: od_data.Split, settings: Settings) -> None:
    """The best model as ONNX, compared with torch on real validation images."""
    run, report = session.run, session.report
    best = checkpoint.load_own_best(run)
    side, limits = best["image_size"], {"score_threshold": settings.score_threshold}
    detector = od_model.restore(best, **limits, detections=settings.max_detections)
    model = od_model.Deployed(detector, side).eval()
    shown = [held.images.image(n) for n in range(min(4, len(held)))]
    batches = [od_model.collate([image], torch.device("cpu"), side)[0].contiguous() for image in shown]
    path = export.write_onnx(run, report, model, batches[0], ["boxes", "scores", "labels"], any_batch=False)
    differences = [od_evaluate.largest_difference(model, path, batch) for batch in batches]
    run.log(
        f"{path.name}: the largest difference to torch on {len(shown)} validation images is {max(differences):.2e} px"
    )
    about = od_model.card(side, limits | {"min_score": best["min_score"]})
    export.write_card(run, best["classes"], about | {"validation": best["scores"]})


def judge(session: Session, settings: Settings) -> None:
    """Validation and inference: what a trained model finds in the images it is given."""
    run, report = session.run, session.report
    state = checkpoint.load_asked(run)
    split = od_data.read_to_judge(run, state["classes"], state["image_size"], settings.cache_mb)
    report.stage(f"Decoding {len(split)} images", 30)
    split.images.fill(report, settings.workers)
    report.stage("Judging", 95)
    limits = {"score_threshold": settings.score_threshold, "detections": settings.max_detections}
    model = od_model.restore(state, **limits).to(session.device, memory_format=torch.channels_last)
    model.precision = session.precision
    found, _ = od_evaluate.judge(session, model, split, report.at, with_loss=False)
    if run.rank == 0:
        report.stage("Writing results", 99)
        with report.busy(2.0):
            od_evaluate.write_results(run, split, found, state["classes"], settings.min_score or state["min_score"])


def work(run: Run) -> None:
    settings = Settings(**run.params())
    session = begin(run, amp=settings.amp, batch=settings.batch_size, seed=settings.seed)
    (train if run.config.operation == "training" else judge)(session, settings)
    distributed.disconnect()


finish(RUN, work)
