"""One process or several: torchrun's ranks. With one rank nothing happens here.

Tensors on GPUs go by nccl, those on the CPU by gloo: what is only to be agreed upon then waits for no GPU.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from .start import Run

TIMEOUT = timedelta(hours=2)  # rank 0 may export or decode for long while others wait


def connect(run: Run) -> torch.device:
    """Join the other ranks; the device of this one."""
    gpu = torch.cuda.is_available() and run.config.gpu_count > 0
    if gpu:
        torch.cuda.set_device(run.local_rank % torch.cuda.device_count())
    if run.world > 1:
        dist.init_process_group("cpu:gloo,cuda:nccl" if gpu else "gloo", timeout=TIMEOUT)
    device = torch.device("cuda", torch.cuda.current_device()) if gpu else torch.device("cpu")
    name = torch.cuda.get_device_name(device) if gpu else f"CPU, {torch.get_num_threads()} thread(s)"
    run.log(f"torch {torch.__version__} on {name}")
    return device


def disconnect() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def barrier() -> None:
    if dist.is_initialized():
        dist.barrier()


def parallel(model: nn.Module, device: torch.device) -> nn.Module:
    """The model to call in a training step; gradients are averaged over the ranks. Batch norm is frozen: no buffers."""
    if not dist.is_initialized():
        return model
    ids = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(model, device_ids=ids, broadcast_buffers=False)


def add_up(tensor: torch.Tensor) -> torch.Tensor:
    """The sum over the ranks of a CPU tensor. Each rank that filled other rows of zeros gets them all."""
    if not dist.is_initialized():
        return tensor
    total = tensor.clone()
    dist.all_reduce(total)
    return total


def average(tensor: torch.Tensor) -> torch.Tensor:
    """The mean over the ranks of a CPU tensor: all ranks then decide alike."""
    return add_up(tensor) / dist.get_world_size() if dist.is_initialized() else tensor


def whole(part: torch.Tensor) -> torch.Tensor:
    """The sum over the ranks of this rank's `part` of it, as if one process had seen the whole batch.

    Its gradient is this rank's share times the number of ranks, which the mean of DistributedDataParallel takes back.
    """
    if not dist.is_initialized():
        return part
    total = part.detach().clone()
    dist.all_reduce(total)
    mine = part * dist.get_world_size()
    return mine + (total - mine.detach())


def gathered(value: Any) -> list[Any]:
    """The values of all ranks, in the order of ranks."""
    if not dist.is_initialized():
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def same_everywhere(model: nn.Module) -> None:
    """Rank 0's weights, on every rank."""
    if dist.is_initialized():
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, src=0)


def share(count: int, run: Run) -> range:
    """The indices out of 0..count-1 that are this rank's."""
    return range(run.rank, count, run.world)
