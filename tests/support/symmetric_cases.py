"""What the tests of symmetry share: a batch, plain stacks, and the rules that speak."""

from itertools import pairwise
from typing import Any

import torch
from torch import nn

from fanin import check
from fanin.checks import Severity

INPUTS, TARGET = (
    torch.randn(64, 20, generator=torch.Generator().manual_seed(0)),
    torch.arange(64) % 4,
)


def found(model, loss=None, batch=(INPUTS, TARGET)):
    report = check(model, *batch, loss=loss)
    return {one.code: one for one in report.findings if one.severity is not Severity.INFO}


def remarks(model):
    report = check(model, INPUTS, TARGET)
    return {one.code for one in report.findings if one.severity is Severity.INFO}


def stack(*widths) -> Any:
    layers = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
