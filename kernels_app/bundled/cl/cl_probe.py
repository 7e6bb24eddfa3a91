"""The linear probe: the backbone's features of every image once, then only the last layer is trained on them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from cl_data import Data, Split
from cl_evaluate import Scores, score
from cl_model import Net, normalised
from torch import nn

from kernels_app.bundled.common import distributed
from kernels_app.bundled.common.report import Report
from kernels_app.bundled.common.schedule import shuffled
from kernels_app.bundled.common.session import Session

RATE, WEIGHT_DECAY, BATCH = 1e-3, 0.1, 32


@torch.no_grad()
def features(session: Session, model: Net, split: Split) -> torch.Tensor:
    """(n, 1280) float32 on the CPU: what the last layer sees of each image. Each rank computes its share."""
    lists = session.shares(len(split))
    found = torch.zeros(len(split), model.num_features)
    for n, (indices, (images, _)) in enumerate(zip(lists, split.batches(lists), strict=True), start=1):
        with session.precision.context():
            maps = model.forward_features(normalised(images, session.device))
            found[indices] = model.forward_head(maps, pre_logits=True).float().cpu()
        session.report.at(n / len(lists))
    return distributed.add_up(found, session.device)


def fit(
    report: Report, model: Net, known: torch.Tensor, held: torch.Tensor, data: Data, *, epochs: int, seed: int
) -> tuple[Scores, int]:
    """Train the model's last layer on the features `known`, judged by those of `held`; leave it at its best epoch.

    Returns its scores and the steps taken. Every rank does the same on its CPU: it is a second's work.
    """
    head = nn.Linear(known.shape[1], len(data.classes))
    head.load_state_dict({name: tensor.cpu() for name, tensor in model.classifier.state_dict().items()})
    optimizer = torch.optim.AdamW(head.parameters(), RATE, weight_decay=WEIGHT_DECAY)
    best = score(head(held).detach(), data.validation.truth, data.weights)
    step = 0
    for epoch in range(epochs):
        lists = shuffled(len(known), BATCH, seed=seed, epoch=epoch, rank=0, world=1)
        loss = sum(_step(head, optimizer, known[n], data.train.truth[n], data.weights) for n in lists) / len(lists)
        step += len(lists)
        now = score(head(held).detach(), data.validation.truth, data.weights)
        now.write(report, step, loss)
        report.at((epoch + 1) / epochs, step)
        if now.beats(best):
            best = now
            model.classifier.load_state_dict(head.state_dict())
    return best, step


def _step(
    head: nn.Linear, optimizer: torch.optim.Optimizer, seen: torch.Tensor, truth: torch.Tensor, weights: torch.Tensor
) -> float:
    loss = F.cross_entropy(head(seen), truth, weights)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
