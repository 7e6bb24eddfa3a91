"""The segmenter's group norm gives what torch's gives, forwards and back."""

import runpy
from pathlib import Path

import pytest
import torch

import kernels_app.bundled

GroupNorm = runpy.run_path(str(Path(kernels_app.bundled.__file__).parent / "seg" / "seg_norm.py"))["GroupNorm"]


def _both(dtype: torch.dtype) -> list[list[torch.Tensor]]:
    """Output and gradients of input, weight and bias: of ours over channels_last, of torch's in double precision."""
    dice = torch.Generator().manual_seed(3)
    norm = GroupNorm(4, 16).double()
    with torch.no_grad():
        norm.weight.normal_(generator=dice)
        norm.bias.normal_(generator=dice)
    images = (3 + 2 * torch.randn(3, 16, 7, 5, generator=dice, dtype=torch.float64)).to(dtype)
    pull = torch.randn(3, 16, 7, 5, generator=dice, dtype=torch.float64).to(dtype)
    found = []
    for mine in (True, False):
        layer = GroupNorm(4, 16).to(torch.float32 if dtype is torch.bfloat16 and mine else dtype)
        layer = layer if mine else torch.nn.GroupNorm(4, 16).double()
        layer.load_state_dict(norm.state_dict())
        seen = images.detach().to(memory_format=torch.channels_last) if mine else images.detach().double()
        seen.requires_grad_()
        out = layer(seen)
        assert (out.grad_fn.name() == "_QuickBackward") is mine
        gradients = torch.autograd.grad(out, [seen, layer.weight, layer.bias], pull.to(out.dtype))
        found.append([out.detach().double(), *(gradient.double() for gradient in gradients)])
    return found


@pytest.mark.parametrize(("dtype", "most"), [(torch.float64, 1e-12), (torch.float32, 2e-5), (torch.bfloat16, 0.03)])
def test_output_and_gradients_are_those_of_torch(dtype: torch.dtype, most: float) -> None:
    ours, theirs = _both(dtype)
    for mine, other in zip(ours, theirs, strict=True):
        assert (mine - other).abs().max() <= most * other.abs().max()


def test_without_gradients_it_is_torchs_own() -> None:
    layer = GroupNorm(4, 16)
    with torch.inference_mode():
        seen = torch.randn(2, 16, 4, 4).to(memory_format=torch.channels_last)
        assert torch.equal(layer(seen), torch.nn.functional.group_norm(seen, 4, layer.weight, layer.bias, layer.eps))


def test_in_fp16_whose_range_is_too_small_it_is_torchs_own() -> None:
    layer = GroupNorm(4, 16).half()
    out = layer(torch.randn(2, 16, 4, 4).half().to(memory_format=torch.channels_last))
    assert out.grad_fn.name() != "_QuickBackward"
