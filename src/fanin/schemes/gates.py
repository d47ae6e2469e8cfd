"""The biases that hold the memory of an LSTM open.

An LSTM stores its four gates in one vector, input, forget, cell and output in this order (torch,
Keras and Flax agree). The state of the next step is the one before times the forget gate, so a gate
that starts half shut forgets everything within a few steps.
"""

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fanin.draws import Uniform, sample
from fanin.errors import FaninError
from fanin.schemes.arguments import FINITE, LONG
from fanin.schemes.base import Moments, Request, Scheme, Style, Target

GATES = 4
INPUT, FORGET = 0, 1


@dataclass(frozen=True)
class _GateBias(Scheme):
    """A vector of four equal blocks: the biases of the gates."""

    style: ClassVar[Style] = "positions"

    @abstractmethod
    def _gates(self, request: Request) -> NDArray[np.float64]:
        """Make (4, units)."""

    def _values(self, request: Request) -> NDArray[Any]:
        self._check(request.shape)
        part = self._gates(request).reshape(request.shape)[request.region or ()]
        return np.ascontiguousarray(part.astype(np.float32), request.dtype)

    def _check(self, shape: tuple[int, ...] | None) -> None:
        if shape is not None and (len(shape) != 1 or shape[0] % GATES):
            raise FaninError(
                f"{self} cannot fill a tensor of shape {shape}: it is for the bias of an LSTM, one "
                "axis that holds input, forget, cell and output gates, one after the other"
            )


@dataclass(frozen=True)
class forget_gate(_GateBias):
    """Zeros, but the forget gates of an LSTM start open: their bias is `value`.

    torch adds two biases: give this to one of them and zeros to the other.

    Attributes:
        value: Bias of the forget gates; at 1 they let 73 percent of the state through.

    Example:
        >>> forget_gate(1).values((8,), seed=0, name="bias").tolist()
        [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]

    References:
        Gers, Schmidhuber and Cummins (2000), Learning to Forget, for the gate and its bias;
        Jozefowicz, Zaremba and Sutskever (2015), An Empirical Exploration of Recurrent Network
        Architectures, section 3.2, for 1.
    """

    value: float = field(default=1.0, metadata=FINITE)

    def _promised(self, target: Target) -> Moments:
        self._check(target.shape)
        return Moments(self.value / GATES, abs(self.value) * math.sqrt(3) / GATES)

    def _gates(self, request: Request) -> NDArray[np.float64]:
        gates = np.zeros((GATES, request.shape[0] // GATES))
        gates[FORGET] = self.value
        return gates


@dataclass(frozen=True)
class chrono(_GateBias):
    """Forget gates of an LSTM that remember for 1 to `steps` - 1 steps, spread over the units.

    A unit whose forget gate is ``sigmoid(b)`` remembers for about ``1 + exp(b)`` steps, so its bias
    is the logarithm of a time: ``b_f = ln u`` with u even on [1, steps - 1]. The input gates get
    ``-b_f``, so that what is stored is as little as is forgotten; the others zero.

    Attributes:
        steps: The longest time to remember, in steps of the network; more than 2.

    Example:
        >>> bias = chrono(100).values((8,), seed=0, name="bias").reshape(4, 2)
        >>> bool((bias[0] == -bias[1]).all()), bool(bias[1].max() <= np.log(99))
        (True, True)

    References:
        Tallec and Ollivier (2018), Can recurrent neural networks warp time?, arXiv 1804.11188,
        equation 16.
    """

    steps: float = field(default=100.0, metadata=LONG)

    def _promised(self, target: Target) -> Moments:
        self._check(target.shape)
        return Moments(0.0, math.sqrt(_squared_logarithm(self.steps - 1) / 2))

    def _gates(self, request: Request) -> NDArray[np.float64]:
        units = request.shape[0] // GATES
        times = sample(Uniform(1.0, self.steps - 1), request.seed, request.name, (units,))
        gates = np.zeros((GATES, units))
        gates[FORGET] = np.log(times.astype(np.float64))
        gates[INPUT] = -gates[FORGET]
        return gates


def _squared_logarithm(last: float) -> float:
    """Integrate the mean of ``ln(u)**2`` for u even on [1, last], by parts."""
    logarithm = math.log(last)
    return (last * (logarithm**2 - 2 * logarithm + 2) - 2) / (last - 1)
