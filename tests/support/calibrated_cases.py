"""What the tests of the calibration share: batches, plans, outputs by hooks, and layers."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import fanin
from fanin.recipes import Plan, assign
from fanin.torch import slots
from fanin.torch.calibrate import calibrate

SEED = 3
WITHIN = 0.0101
"""The tolerance of the calibration, and a little for the rounding of float32."""


def gaussian(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(7))


def plan_of(model: nn.Module, scheme: str = "lecun_normal", **rules: str) -> Plan:
    return assign(slots(model), scheme, rules)


def calibrated(model: nn.Module, plan: Plan, *batch: Tensor) -> Plan:
    """Calibrate, and start the model from the result."""
    result = calibrate(model, plan, SEED, lambda: model(*batch))
    fanin.init_(model, result, SEED)
    return result


def outputs_of(model: nn.Module, batch: Tensor) -> dict[str, list[Tensor]]:
    """What every linear layer and convolution puts out, units first."""
    found = dict[str, list[Tensor]]()

    def note(name: str, axis: int) -> Callable[..., None]:
        return lambda _, __, output: found.setdefault(name, []).append(
            output.detach().double().movedim(axis, 0).flatten(1)
        )

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.Bilinear)
    hooks = [
        module.register_forward_hook(note(name, 1 if hasattr(module, "stride") else -1))
        for name, module in model.named_modules()
        if isinstance(module, kinds)
    ]
    with torch.no_grad():
        model(batch)
    for hook in hooks:
        hook.remove()
    return found


def assert_unit(signal: Tensor, target: float = 1.0, *, centred: bool = True) -> None:
    if centred:
        assert signal.mean(1).abs().max().item() <= WITHIN * target
        spread = signal.var(1, correction=0).mean().sqrt()
    else:
        spread = signal.std(correction=0)
    assert spread.item() == pytest.approx(target, rel=WITHIN)


def cycling(width: int = 64, depth: int = 20, inputs: int = 64, outputs: int = 10) -> nn.Module:
    """The stack that no formula starts well: four activations in turn, two of them uncentred."""
    activations = [nn.Tanh, nn.GELU, nn.Softplus, nn.Sigmoid]
    layers = list[nn.Module]()
    for place in range(depth - 1):
        layers += [nn.Linear(width if place else inputs, width), activations[place % 4]()]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


CONVOLUTIONS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "1d": (nn.Conv1d(8, 16, 3), (10, 8, 20)),
    "grouped": (nn.Conv2d(8, 16, 3, groups=4, stride=2), (10, 8, 9, 9)),
    "depthwise": (nn.Conv2d(8, 8, 3, groups=8), (10, 8, 9, 9)),
    "transposed": (nn.ConvTranspose2d(8, 16, 4, stride=2), (10, 8, 9, 9)),
    "without bias": (nn.Conv2d(8, 16, 3, bias=False), (10, 8, 9, 9)),
    "linear on sequences": (nn.Linear(8, 16), (10, 20, 8)),
}
