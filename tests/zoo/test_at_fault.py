"""The evidence against the models that are said to be at fault, taken without fanin."""

import math

import pytest
import torch
from torch import nn

from zoo.at_fault import AT_FAULT
from zoo.hugging import HUGGING


def built(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return next(case for case in HUGGING if case.name == name).build()


def test_no_kernel_of_funnel_has_a_negative_weight() -> None:
    kernels = [
        weight.detach().flatten(1)
        for name, weight in built("transformers/FunnelForMaskedLM").named_parameters()
        if name.endswith("r_kernel")
    ]
    assert len(kernels) == 3
    for kernel in kernels:
        assert kernel.min() >= 0
        strengths = torch.linalg.svdvals(kernel).square()
        # 3/4 goes into the common direction; without it the largest would have about 4/32.
        assert 0.7 < strengths[0] / strengths.sum() < 0.85


LOST = [name for name, fault in AT_FAULT.items() if fault.code == "FI104"]


@pytest.mark.parametrize("name", LOST)
def test_the_positional_convolution_never_gets_what_is_asked_for(name: str) -> None:
    model = built(name)
    path = next(path for path, _ in model.named_modules() if path.endswith("pos_conv_embed.conv"))
    conv = model.get_submodule(path)
    assert isinstance(conv, nn.Conv1d)
    size = conv.kernel_size[0]
    asked = 2 / math.sqrt(size * conv.in_channels)
    default = 1 / math.sqrt(3 * size * conv.in_channels / conv.groups)
    # 1024 * 4 uniform weights: the standard error of their std is below 1%.
    assert conv.weight.std().item() == pytest.approx(default, rel=0.05)
    assert asked / default > 1.5
