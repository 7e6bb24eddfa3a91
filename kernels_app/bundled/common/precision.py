"""Which numbers a step computes with: `amp` is auto, off, bf16 or fp16."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

CHOICES = ("auto", "off", "bf16", "fp16")


class Precision:
    """Autocast and, where fp16 needs it, a scaler of the loss."""

    def __init__(self, choice: str, device: torch.device) -> None:
        self._device = device
        self.dtype = _dtype(choice, device)
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

    @property
    def name(self) -> str:
        return "fp32" if self.dtype is None else str(self.dtype).removeprefix("torch.")


def _dtype(choice: str, device: torch.device) -> torch.dtype | None:
    """auto: bf16 on a GPU that has it, else fp16; fp32 on a CPU (depthwise convolutions are 20-50 % slower in bf16)."""
    if choice == "auto":
        choice = ("bf16" if torch.cuda.is_bf16_supported() else "fp16") if device.type == "cuda" else "off"
    return {"off": None, "bf16": torch.bfloat16, "fp16": torch.float16}[choice]
