"""Group norm whose way back is quick on a CPU as well.

torch's own (2.14) takes 19 ms a layer over channels_last, a third of a training step, against 0.5 ms over channels that
lie apart; but the convolutions are quickest over channels_last. The same sums as whole-tensor operations: a step of
the segmenter takes 90 ms an image instead of 138, and 102 where all channels lie apart (2 cores, bf16).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class GroupNorm(nn.GroupNorm):
    """As `nn.GroupNorm`, for (n, channels, height, width): same weights, same outputs."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        is_slow = input.device.type == "cpu" and input.is_contiguous(memory_format=torch.channels_last)
        has_range = input.dtype is not torch.float16  # products of pixels and their gradients leave its range
        if is_slow and has_range and torch.is_grad_enabled() and not torch.compiler.is_exporting():
            return _Quick.apply(input, self.weight, self.bias, self.num_groups, self.eps)  # type: ignore[no-any-return]
        return super().forward(input)


class _Quick(torch.autograd.Function):
    """y = w (x - mean) rstd + b, mean and rstd of each group of channels of an image."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, groups: int, eps: float) -> torch.Tensor:
        n, channels, height, width = x.shape
        y, mean, rstd = torch.native_group_norm(x, w, b, n, channels, height * width, groups, eps)
        ctx.save_for_backward(x, w, mean, rstd)
        return y

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Sums in fp32 at least; what is done to each pixel in the numbers that the pixels have."""
        x, w, mean, rstd = ctx.saved_tensors
        n, channels, height, width = x.shape
        groups = mean.shape[1]
        each, exact = channels // groups, torch.promote_types(x.dtype, torch.float32)
        mean, rstd = (value.to(exact).repeat_interleave(each, 1) for value in (mean, rstd))
        scale = w.to(exact)
        of_bias = dy.sum((2, 3), dtype=exact)  # (n, channels)
        of_weight = ((dy * x).sum((2, 3), dtype=exact) - mean * of_bias) * rstd

        def of_group(sums: torch.Tensor) -> torch.Tensor:
            means = (scale * sums).view(n, groups, each).sum(2) / (each * height * width)
            return means.repeat_interleave(each, 1)

        slope = -rstd * rstd * of_group(of_weight)
        level = -rstd * of_group(of_bias) - slope * mean
        level, slope, gain = (value[:, :, None, None].to(x.dtype) for value in (level, slope, rstd * scale))
        dx = torch.addcmul(torch.addcmul(level, dy, gain), x, slope)
        return dx, of_weight.sum(0).to(w.dtype), of_bias.sum(0).to(w.dtype), None, None
