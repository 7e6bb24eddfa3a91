"""Which numbers a step computes with: `amp` is auto, off, bf16 or fp16."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

CHOICES = ("auto", "off", "bf16", "fp16")


class Precision:
    """Autocast and, where fp16 needs it, a scaler of the loss."""

    def __init__(self, choice: str, device: torch.device, *, is_dense: bool = False) -> None:
        self._device = device
        self.dtype = _dtype(choice, device, is_dense)
        self._scaler = torch.amp.GradScaler(device.type, enabled=self.dtype is torch.float16)

    def context(self) -> AbstractContextManager[object]:
        return nullcontext() if self.dtype is None else torch.autocast(self._device.type, self.dtype)

    def step(self, loss: torch.Tensor, optimizer: torch.optim.Optimizer, largest: float = 0.0) -> None:
        """Gradients of `loss`, cut to the norm `largest` where that is given, and one step of the optimiser."""
        optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()
        if largest:
            self._scaler.unscale_(optimizer)
            weights = (p for group in optimizer.param_groups for p in group["params"])
            torch.nn.utils.clip_grad_norm_(weights, largest)
        self._scaler.step(optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Of the scaler; empty where there is none."""
        return self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state and self._scaler.is_enabled():
            self._scaler.load_state_dict(state)

    @property
    def name(self) -> str:
        return "fp32" if self.dtype is None else str(self.dtype).removeprefix("torch.")


def _dtype(choice: str, device: torch.device, is_dense: bool) -> torch.dtype | None:
    """auto: bf16 on a GPU that has it, else fp16. On a CPU bf16 where it computes in it and convolutions are dense.

    Measured: dense convolutions are then 1.4 to 2 times as fast, depthwise ones 20-50 % slower; and on a CPU without
    bf16 everything is 6 to 17 times slower in it.
    """
    if choice == "auto" and device.type == "cuda":
        choice = "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    elif choice == "auto":
        choice = "bf16" if is_dense and _cpu_has_bf16() else "off"
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[choice]


def _cpu_has_bf16() -> bool:
    asks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, name, bool)() for name in asks)
