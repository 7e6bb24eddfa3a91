"""Image classification: training, validation and inference. Read it from top to bottom; `train` is the recipe."""

from kernels_app.bundled.common.start import Refusal, Run, announce, finish

RUN = announce(__file__)  # a first sign of life, before torch takes its seconds to import

# ruff: noqa: E402
import math
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

import cl_data
import cl_evaluate
import cl_model
import cl_probe
import torch
import torch.nn.functional as F
from torch import nn

from kernels_app.bundled.common import checkpoint, distributed, export, stop
from kernels_app.bundled.common.augment import augment
from kernels_app.bundled.common.schedule import Clock, generator, rate, shuffled
from kernels_app.bundled.common.session import Session, begin

POINTS = 10  # of the training loss in the graph, an epoch


@dataclass(frozen=True)
class Settings:
    """`training_params`; what each means, its bounds and its default stand in model_schema.json."""

    epochs: int
    learning_rate: float
    batch_size: int
    image_size: int
    seed: int
    max_minutes: float
    probe_epochs: int
    patience: int
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


@dataclass
class Training:
    """Where a training is: all that a resume needs beside weights and optimiser."""

    best: cl_evaluate.Scores
    step: int  # as the graphs count, the probe's steps included
    epoch: int = 0
    batch: int = 0  # of the epoch, done
    stale: int = 0  # epochs since the best
    scale: float = 1.0  # of the learning rate, after falling back
    elapsed: float = 0.0  # seconds of fine-tuning


def train(session: Session, settings: Settings) -> None:
    """Linear probe on frozen features first, then fine-tune all of it; the better by macro-F1 is kept and exported."""
    run, report = session.run, session.report
    data = cl_data.read_training(run, settings.image_size, settings.cache_mb)
    for split, end in ((data.train, 6), (data.validation, 8)):
        report.stage(f"Decoding {len(split)} images", end)
        split.images.fill(report, settings.workers)

    model = cl_model.start(run, data.classes, checkpoint.load_base(run), settings.pretrained)
    model.eval().to(session.device, memory_format=torch.channels_last)
    last = checkpoint.load_last(run)
    if last is None:
        report.cut_back(0)
        state = probe(session, model, data, settings)
        keep(run, model, data, settings, state)
    else:
        state = go_on(session, model, last)

    report.stage(f"Fine-tuning, at most {settings.epochs} epochs", 92)
    cl_model.freeze(model, settings.frozen_stages)
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, settings.learning_rate, weight_decay=settings.weight_decay)
    if last is not None:
        optimizer.load_state_dict(last["optimizer"])
    fine_tune(session, model, optimizer, data, state, settings)

    if run.rank == 0:
        report.stage("Exporting to ONNX", 99)
        deploy(session, data.validation)
    distributed.barrier()


def probe(session: Session, model: nn.Module, data: cl_data.Data, settings: Settings) -> Training:
    """Train the last layer alone, on features that are computed once; leave it in the model."""
    report = session.report
    share = min(1.0, 8 / max(1, settings.epochs))  # the probe costs about as much as the first few epochs
    report.stage("Features of the training images", 8 + 8 * share)
    known = cl_probe.features(session, model, data.train)
    report.stage("Features of the validation images", 8 + 12 * share)
    held = cl_probe.features(session, model, data.validation)
    report.stage(f"Linear probe, {settings.probe_epochs} epochs", 8 + 17 * share)
    best, step = cl_probe.fit(report, model, known, held, data, epochs=settings.probe_epochs, seed=settings.seed)
    distributed.same_everywhere(model)
    session.run.log(f"Linear probe: {best}")
    return Training(best, step)


def fine_tune(
    session: Session, model: nn.Module, optimizer: torch.optim.Optimizer, data: cl_data.Data, state: Training,
    settings: Settings,
) -> None:  # fmt: skip
    """All weights, with batch norm frozen: the model stays in eval mode. Whatever beats the best so far is kept."""
    run, report, trained = session.run, session.report, distributed.parallel(model, session.device)
    steps = math.ceil(math.ceil(len(data.train) / run.world) / settings.batch_size)
    clock = Clock(steps * settings.epochs, settings.max_minutes, state.elapsed)
    while state.epoch < settings.epochs:
        position, train_loss = train_one_epoch(session, trained, optimizer, data, state, settings, clock, steps)

        def tell(done: float, at: float = position) -> None:
            if stop.asked() and run.world == 1:  # several ranks finish the epoch together
                put_down(run, model, optimizer, state, clock)
            report.training_at(at)

        logits = cl_evaluate.judge(session, model, data.validation, tell)
        scores = cl_evaluate.score(logits, data.validation.truth, data.weights)
        scores.write(report, state.step, train_loss)
        better = scores.beats(state.best)
        run.log(f"Epoch {state.epoch + 1}: {scores}{' (best)' if better else ''}")

        state.epoch, state.batch, state.elapsed = state.epoch + 1, 0, clock.elapsed
        if better:
            state.best, state.stale = scores, 0
            keep(run, model, data, settings, state)
        going_on = better or may_go_on(run, model, optimizer, state, settings.patience)
        save_last(run, model, optimizer, state)
        if position >= 1 or not going_on:
            break


def train_one_epoch(
    session: Session, trained: nn.Module, optimizer: torch.optim.Optimizer, data: cl_data.Data, state: Training,
    settings: Settings, clock: Clock, steps: int,
) -> tuple[float, float | None]:  # fmt: skip
    """The rest of an epoch of `steps` batches; the position 0..1 in the whole training at its end, the mean loss."""
    run, report, device = session.run, session.report, session.device
    numbers = {"seed": settings.seed, "epoch": state.epoch, "rank": run.rank, "world": run.world}
    lists = shuffled(len(data.train), settings.batch_size, **numbers)[state.batch :]
    loss_weights, losses = data.weights.to(device), []
    means: list[float] = []
    position = 0.0
    for images, truth in data.train.batches(lists):
        position, asked = clock.look(state.epoch * steps + state.batch, device)
        if asked:
            put_down(run, getattr(trained, "module", trained), optimizer, state, clock)
        if position >= 1:  # out of time
            return position, average(means)
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * state.scale * rate(position)
        dice = generator(settings.seed, state.epoch, state.batch, run.rank)
        with session.precision.context():
            logits = trained(augment(cl_model.normalised(images, device), settings, dice))
        loss = F.cross_entropy(logits.float(), truth.to(device), loss_weights)
        session.precision.step(loss, optimizer)

        losses.append(loss.detach())
        state.batch, state.step = state.batch + 1, state.step + 1
        if len(losses) >= steps / POINTS or state.batch == steps:
            means.append(mean(losses, state, settings))
            report.row("batch_loss", cl_evaluate.BATCH_LOSS, step=state.step, train_loss=means[-1])
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


def may_go_on(
    run: Run, model: nn.Module, optimizer: torch.optim.Optimizer, state: Training, patience: int
) -> bool:  # fmt: skip
    """After `patience` epochs that bettered nothing: once, the best weights at a tenth of the rate; then the end."""
    state.stale += 1
    if state.stale < patience:
        return True
    if state.scale < 1:
        run.log(f"Nothing better in {patience} epochs: enough.")
        return False
    run.log(f"Nothing better in {patience} epochs: on from the best weights, at a tenth of the learning rate.")
    distributed.barrier()
    model.load_state_dict(checkpoint.load_own_best(run)["model"])
    optimizer.state.clear()
    state.scale, state.stale = 0.1, 0
    return True


def keep(run: Run, model: nn.Module, data: cl_data.Data, settings: Settings, state: Training) -> None:
    about: dict[str, Any] = {"classes": data.classes, "image_size": settings.image_size, "scores": asdict(state.best)}
    checkpoint.save_best(run, about | {"model": model.state_dict()})


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


def go_on(session: Session, model: nn.Module, last: dict[str, Any]) -> Training:
    """Where the run was when it was stopped; the metrics are cut back to that step."""
    state = Training(**last["training"] | {"best": cl_evaluate.Scores(**last["training"]["best"])})
    model.load_state_dict(last["model"])
    session.run.log(f"Going on in epoch {state.epoch + 1} after {state.batch} batches; best so far: {state.best}")
    session.report.cut_back(state.step)
    return state


def deploy(session: Session, held: cl_data.Split) -> None:
    """The best model as ONNX, compared with torch on real validation images."""
    run, report = session.run, session.report
    best = checkpoint.load_own_best(run)
    model = cl_model.Deployed(cl_model.restore(best)).eval()
    count = min(8, len(held))
    images = cl_model.normalised(next(held.batches([range(count)]))[0], torch.device("cpu")).contiguous()
    run.log(f"Kept the best weights: {cl_evaluate.Scores(**best['scores'])}")
    path = export.write_onnx(run, report, model, images[:1], ["probabilities"], any_batch=True)
    with torch.inference_mode():
        difference = abs(export.run_onnx(path, images)[0] - model(images).numpy()).max()
    run.log(f"{path.name}: the largest difference to torch on {count} validation images is {difference:.2e}")
    export.write_card(run, best["classes"], cl_model.card(best["image_size"]) | {"validation": best["scores"]})


def judge(session: Session, settings: Settings) -> None:
    """Validation and inference: what a trained model says of the images it is given."""
    run, report = session.run, session.report
    state = checkpoint.load_asked(run)
    classes = cl_data.asked_classes(run, state["classes"])
    split = cl_data.read_to_judge(run, classes, state["image_size"], settings.cache_mb)
    report.stage(f"Decoding {len(split)} images", 30)
    split.images.fill(report, settings.workers)
    report.stage("Judging", 98)
    model = cl_model.restore(state).to(session.device, memory_format=torch.channels_last)
    logits = cl_evaluate.judge(session, model, split, report.at)
    if run.rank == 0:
        cl_evaluate.write_results(run, split, classes, cl_evaluate.rearranged(logits, state["classes"], classes))


def work(run: Run) -> None:
    settings = Settings(**run.params())
    session = begin(run, amp=settings.amp, batch=settings.batch_size, seed=settings.seed)
    (train if run.config.operation == "training" else judge)(session, settings)
    distributed.disconnect()


finish(RUN, work)
