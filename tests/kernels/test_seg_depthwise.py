"""Depthwise convolutions of the segmenter compute in fp32 on a CPU; what goes in and comes out stays as it was."""

import runpy
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn

import kernels_app.bundled

in_fp32 = runpy.run_path(str(Path(kernels_app.bundled.__file__).parent / "seg" / "seg_depthwise.py"))["in_fp32"]


def test_depthwise_alone_and_with_the_same_weights() -> None:
    net = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    in_fp32(net)
    in_fp32(deepcopy(net))
    assert type(net[1]) is nn.Conv2d
    assert type(net[0]) is not nn.Conv2d
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_in_bf16_it_is_what_fp32_gives_rounded_once() -> None:
    layer = nn.Conv2d(8, 8, 3, groups=8)
    seen = torch.randn(2, 8, 9, 9, generator=torch.Generator().manual_seed(1)).bfloat16()
    exact = layer(seen.float())
    in_fp32(layer)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(seen), exact.bfloat16())
    assert torch.equal(layer(seen.float()), exact)
