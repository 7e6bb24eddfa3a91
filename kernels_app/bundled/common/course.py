"""A training under way: its position, its learning rate, what is written down to go on from, and when it ends.

The loop itself stands in each kernel's `train.py`; it asks here what comes next and tells what came out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn, Protocol

import torch
from torch import nn

from . import checkpoint, distributed, stop
from .ema import Average
from .schedule import Clock, generator, rate, shuffled
from .session import Session
from .start import Refusal

POINTS = 10  # of the training loss in the graph, an epoch
BATCH_LOSS = ["step", "train_loss"]  # several rows an epoch, so that the graph grows
FALLEN = 0.1  # of the learning rate, after falling back to the best weights


class Plan(Protocol):
    """What the settings of a kernel say of the course."""

    @property
    def epochs(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def seed(self) -> int: ...
    @property
    def max_minutes(self) -> float: ...
    @property
    def patience(self) -> int: ...
    @property
    def ema(self) -> float: ...


@dataclass
class State:
    """All that a resume needs beside weights and optimiser."""

    best: dict[str, float] = field(default_factory=dict)  # scores of what is kept
    step: int = 0  # as the graphs count
    epoch: int = 0
    batch: int = 0  # of the epoch, done
    stale: int = 0  # epochs since the best
    scale: float = 1.0  # of the learning rate
    elapsed: float = 0.0  # seconds of training
    total: float = 0.0  # of the losses of this epoch
    seen: int = 0  # samples this rank trained on
    busy: float = 0.0  # seconds it took, from batch to batch
    over: bool = False  # nothing more to do but to export


class Course:
    """`samples` to train on, over all ranks. `falls_back`: before it ends for want of progress, once, the best weights
    are taken up again at a tenth of the learning rate. `largest`: norm to which gradients are cut, 0 for none."""

    def __init__(
        self, session: Session, model: nn.Module, optimizer: torch.optim.Optimizer, plan: Plan, samples: int, *,
        falls_back: bool = False, largest: float = 0.0,
    ) -> None:  # fmt: skip
        self.session, self.model, self.optimizer, self.plan = session, model, optimizer, plan
        self.state = State()
        self.average = Average(model, plan.ema)
        self.samples, self.falls_back, self.largest = samples, falls_back, largest
        self.mine = math.ceil(samples / session.run.world)  # this rank's in an epoch
        self.steps = math.ceil(self.mine / plan.batch_size)  # in an epoch
        self.trained = distributed.parallel(model, session.device)  # the one to call in a step
        self.position = 0.0  # 0..1 in the whole course
        self._losses: list[torch.Tensor] = []  # since the last row of the graph
        self._clock = Clock(1, 0)
        self._since = time.monotonic()  # when the last step ended

    @property
    def judged(self) -> nn.Module:
        """The model to judge and keep: the average where one is kept."""
        return self.average.model

    def begin(self, last: dict[str, Any] | None) -> None:
        """Where the run was when it was stopped, `last`; the metrics are cut back to that step."""
        if last is not None:
            self.state = State(**last["training"])
            self.model.load_state_dict(last["model"])
            self.optimizer.load_state_dict(last["optimizer"])
            self.average.follow()
            self.average.load_state_dict(last["average"])
            self.session.precision.load_state_dict(last["scaler"])
            self.session.report.cut_back(self.state.step)
            self.session.run.log(
                f"Going on in epoch {self.state.epoch + 1} after {self.state.batch} batches; best: {self.state.best}"
            )
        self._clock = Clock(self.steps * self.plan.epochs, self.plan.max_minutes, self.state.elapsed)

    def epochs(self) -> Iterator[int]:
        """The epochs to do, counted from 1, until all are done, the time is over, or nothing gets better."""
        while self.state.epoch < self.plan.epochs and not self.state.over:
            self._since = time.monotonic()
            yield self.state.epoch + 1
        if self.state.busy:
            speed, world = self.state.seen / self.state.busy, self.session.run.world
            self.session.run.log(f"{speed * world:.1f} images/s in training ({world} process(es))")

    def batches(self) -> list[list[int]]:
        """Indices of this rank's samples for the rest of the epoch."""
        run = self.session.run
        lists = shuffled(
            self.samples, self.plan.batch_size, seed=self.plan.seed, epoch=self.state.epoch, rank=run.rank,
            world=run.world,
        )  # fmt: skip
        return lists[self.state.batch :]

    def may_step(self) -> bool:
        """Before each step: sets the learning rate. False when the time is over. Leaves when asked to stop."""
        state = self.state
        self.position, asked = self._clock.look(state.epoch * self.steps + state.batch)
        if asked:
            self._put_down()
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * state.scale * rate(self.position) * group.get("share", 1.0)
        return self.position < 1

    def dice(self, *, shared: bool = False) -> torch.Generator:
        """Random numbers of this step, the same again after a resume: this rank's own, or those `shared` by all."""
        rank = -1 if shared else self.session.run.rank
        return generator(self.plan.seed, self.state.epoch, self.state.batch, rank)

    def step(self, loss: torch.Tensor) -> None:
        """One step of the optimiser down `loss`, a scalar. Raises Refusal when the loss is no number any more."""
        state, report = self.state, self.session.report
        self.session.precision.step(loss, self.optimizer, self.largest)
        self.average.update()
        size = min(self.plan.batch_size, self.mine - state.batch * self.plan.batch_size)
        self._losses.append(loss.detach())
        now = time.monotonic()
        state.seen, state.busy, self._since = state.seen + size, state.busy + now - self._since, now
        state.batch, state.step = state.batch + 1, state.step + 1
        if len(self._losses) >= self.steps / POINTS or state.batch == self.steps:
            report.row("batch_loss", BATCH_LOSS, step=state.step, train_loss=self._count_losses())
        report.training_at(self.position, state.step)

    def train_loss(self) -> float | None:
        """The mean of the epoch so far; None where no step was done."""
        self._count_losses()
        return self.state.total / self.state.batch if self.state.batch else None

    def tell(self, fraction: float) -> None:
        """While judging, `fraction` of it done: keeps the page moving; leaves when asked to stop."""
        if stop.asked() and self.session.run.world == 1:  # several ranks finish the epoch together
            self._put_down()
        self.session.report.training_at(self.position)

    def end_epoch(self, scores: dict[str, float], about: dict[str, Any], *, better: bool) -> None:
        """Write down where we are. With `better` the judged weights become the best, kept with `about`."""
        run, state = self.session.run, self.state
        state.epoch, state.batch, state.total, state.elapsed = state.epoch + 1, 0, 0.0, self._clock.elapsed
        self.position = max(self.position, self._clock.look(state.epoch * self.steps)[0])
        if better:
            state.best, state.stale = scores, 0
            checkpoint.save_best(run, about | {"scores": scores, "model": self.judged.state_dict()})
        else:
            self._count_stale()
        state.over = state.over or self.position >= 1
        self.save()

    def save(self) -> None:
        checkpoint.save_last(self.session.run, {
            "training": asdict(self.state), "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict(), "scaler": self.session.precision.state_dict(),
        })  # fmt: skip

    def _put_down(self) -> NoReturn:
        """Asked to stop: write down where we are, and leave."""
        self._count_losses()
        self.state.elapsed = self._clock.elapsed
        self.save()
        raise stop.Stopped

    def _count_losses(self) -> float:
        """Add the last few losses to the epoch's; their mean. Read only now and then, as reading waits for the GPU."""
        if not self._losses:
            return 0.0
        total = torch.stack(self._losses).sum().item()
        if not math.isfinite(total):
            raise Refusal(
                f"The training went astray: at step {self.state.step} the loss is no number any more. "
                f"A learning rate smaller than {self.plan.learning_rate:g} usually helps."
            )
        mean = total / len(self._losses)
        self.state.total += total
        self._losses.clear()
        return mean

    def _count_stale(self) -> None:
        """An epoch that bettered nothing: after `patience` of them fall back, or end."""
        run, state, patience = self.session.run, self.state, self.plan.patience
        state.stale += 1
        if state.stale < patience:
            return
        if not self.falls_back or state.scale < 1:
            run.log(f"Nothing better in {patience} epochs: enough.")
            state.over = True
            return
        run.log(f"Nothing better in {patience} epochs: on from the best weights, at a tenth of the learning rate.")
        distributed.barrier()
        self.model.load_state_dict(checkpoint.load_own_best(run)["model"])
        self.average.follow()
        self.optimizer.state.clear()
        state.scale, state.stale = FALLEN, 0
