"""Networks of a study as torch modules.

A line of the grammar becomes a plain module; a factory is called. The networks give logits, because
the losses take them: a sigmoid or softmax that a cross-entropy follows is computed with it, where
it cannot overflow.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from fanin.errors import FaninError
from fanin.studies.design import Loss
from fanin.studies.fits import ABSORBED
from fanin.studies.grammar import Network
from fanin.theory import activation


class FullyConnected(nn.Module):
    """A network of the grammar: linear, then norm, activation, dropout and linear for each depth.

    Args:
        network: The line it was written in.
        loss: What it is trained with; decides whether the output activation is applied here.

    Example:
        >>> model = FullyConnected(Network.parse("4-8-3 relu norm=layer"), "cross_entropy")
        >>> [name for name, _ in model.named_parameters()][:3]
        ['layers.0.weight', 'layers.0.bias', 'layers.1.weight']
        >>> model(torch.zeros(5, 4)).shape
        torch.Size([5, 3])
    """

    def __init__(self, network: Network, loss: Loss) -> None:
        super().__init__()
        norm = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d}.get(network.norm)
        self.layers = nn.ModuleList(
            nn.Linear(fan_in, fan_out, bias=network.bias)
            for fan_in, fan_out in pairwise(network.sizes)
        )
        self.norms = nn.ModuleList([norm(units) for units in network.hidden_sizes] if norm else [])
        self.dropout = nn.Dropout(network.dropout) if network.dropout else nn.Identity()
        self.bias = network.bias
        self.hidden = torch_activation(network.hidden)
        absorbed = ABSORBED.get(loss) == network.output
        self.output = torch_activation("linear" if absorbed else network.output)

    def forward(self, features: Tensor) -> Tensor:
        """Compute the logits, or with ``"mse"`` the outputs, of a batch (examples, inputs).

        Inside, the examples are the last axis: with many small layers stacked, products whose long
        axis is the contiguous one take a third to an eighth of the time.
        """
        signal = features.t()
        for depth, layer in enumerate(cast("Iterable[nn.Linear]", self.layers)):
            if depth > 0:
                if self.norms:
                    signal = self.norms[depth - 1](signal.t()).t()
                signal = self.dropout(self.hidden(signal))
            signal = layer.weight @ signal
            if self.bias:
                signal = signal + layer.bias.unsqueeze(-1)
        return self.output(signal.t())


def torch_activation(text: str) -> Callable[[Tensor], Tensor]:
    """Find the torch function of an activation.

    Args:
        text: A name as of `fanin.theory.activation`, or ``"softmax"``, which acts on the last axis.

    Returns:
        The function.

    Example:
        >>> torch_activation("leaky_relu(0.5)")(torch.tensor([-2.0, 2.0]))
        tensor([-1.,  2.])
    """
    if text == "softmax":
        return lambda z: z.softmax(-1)
    known = activation(text)
    function = _FUNCTIONS[known.name]
    if known.parameter is None:
        return function
    return lambda z: function(z, known.parameter)


def _identity(z: Tensor) -> Tensor:
    return z


def _gelu_tanh(z: Tensor) -> Tensor:
    return functional.gelu(z, approximate="tanh")


def _relu2(z: Tensor) -> Tensor:
    return functional.relu(z).square()


_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "linear": _identity,
    "relu": functional.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "erf": torch.erf,
    "gelu": functional.gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": functional.silu,
    "mish": functional.mish,
    "softplus": functional.softplus,
    "softsign": functional.softsign,
    "selu": functional.selu,
    "hardtanh": functional.hardtanh,
    "hardsigmoid": functional.hardsigmoid,
    "hardswish": functional.hardswish,
    "relu6": functional.relu6,
    "relu2": _relu2,
    "sin": torch.sin,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "celu": functional.celu,
}


def build_network(network: Network | Callable[[], Any], loss: Loss) -> nn.Module:
    """Make the module of a study.

    Args:
        network: A network of the grammar, or a function without arguments that returns a module.
        loss: What it is trained with.

    Returns:
        A module; a factory's own, not a copy.

    Raises:
        FaninError: The factory fails, or returns something else, or a module with nothing to train.
    """
    if isinstance(network, Network):
        return FullyConnected(network, loss)
    name = getattr(network, "__name__", repr(network))
    try:
        module = network()
    except (Exception, SystemExit) as problem:  # argparse in a factory exits
        raise FaninError(
            f"the network's factory {name}() failed: {type(problem).__name__}: {problem}"
        ) from problem
    if not isinstance(module, nn.Module):
        raise FaninError(
            f"the network's factory {name}() must return a torch.nn.Module, got "
            f"{'nothing' if module is None else type(module).__qualname__}"
        )
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise FaninError(f"the network of {name}() has no parameter to train")
    return module
