"""The running mean of the weights: steadier than the last step's, and often better on few images."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn


class Average:
    """Exponential moving average of `model`. `decay` 0 keeps none: `model` itself is what is judged and kept."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._source, self._decay, self._steps = model, decay, 0
        self.model = copy.deepcopy(model).requires_grad_(False) if decay else model

    @torch.no_grad()
    def update(self) -> None:
        """After each step. At first the mean follows quickly: a mean over what came before step 1 says nothing."""
        if not self._decay:
            return
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        mean, now = ([*net.parameters(), *net.buffers()] for net in (self.model, self._source))
        floats = [(a, b) for a, b in zip(mean, now, strict=True) if a.is_floating_point()]
        torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], 1 - decay)

    def follow(self) -> None:
        """Begin anew at the model's present weights."""
        self._steps = 0
        if self._decay:
            self.model.load_state_dict(self._source.state_dict())

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps, "model": self.model.state_dict()} if self._decay else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._decay and state:
            self._steps = state["steps"]
            self.model.load_state_dict(state["model"])
