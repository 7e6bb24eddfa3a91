"""The linear probe: the backbone's features of every image once, then only the last layer is trained on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import torch
from torch import nn

from . import distributed
from .report import Report
from .schedule import shuffled
from .session import Session
from .weights import Net

RATE, WEIGHT_DECAY, BATCH = 1e-3, 0.1, 32


class Scores(Protocol):
    """How good a model is."""

    def beats(self, other: Scores) -> bool: ...  # type: ignore[misc]
    def write(self, report: Report, step: int, train_loss: float | None) -> None: ...


S = TypeVar("S", bound=Scores)
Loss = Callable[[torch.Tensor, Sequence[int]], torch.Tensor]  # logits and the indices of their samples


@torch.no_grad()
def features(session: Session, model: Net, count: int, images: Callable[[Sequence[int]], torch.Tensor]) -> torch.Tensor:
    """(count, width) float32 on the CPU: what the last layer sees of each image. Each rank computes its share.

    `images` gives those of some indices, normalised, on the device.
    """
    lists = session.shares(count)
    found = torch.zeros(count, model.get_classifier().in_features)
    for n, indices in enumerate(lists, start=1):
        with session.precision.context():
            maps = model.forward_features(images(indices))
            found[indices] = model.forward_head(maps, pre_logits=True).float().cpu()
        session.report.at(n / len(lists))
    return distributed.add_up(found)


def fit(
    report: Report, model: Net, known: torch.Tensor, loss: Loss, score: Callable[[nn.Module], S], *, epochs: int,
    seed: int,
) -> tuple[S, int]:  # fmt: skip
    """Train the model's last layer on the features `known`, judged by `score`; leave it at its best epoch.

    Returns its scores and the steps taken. Every rank does the same on its CPU: it is a second's work.
    """
    last = model.get_classifier()
    head = nn.Linear(last.in_features, last.out_features)
    head.load_state_dict({name: tensor.cpu() for name, tensor in last.state_dict().items()})
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    best = score(head)
    step = 0
    for epoch in range(epochs):
        lists = shuffled(len(known), BATCH, seed=seed, epoch=epoch, rank=0, world=1)
        total = 0.0
        for indices in lists:
            value = loss(head(known[indices]), indices)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.item()
        step += len(lists)
        now = score(head)
        now.write(report, step, total / len(lists))
        report.at((epoch + 1) / epochs, step)
        if now.beats(best):
            best = now
            last.load_state_dict(head.state_dict())
    return best, step
