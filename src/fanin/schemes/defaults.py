"""What the frameworks start a kernel with when nobody asks for anything.

Each is one of the other schemes under the name of where it comes from, so that a table can say
"torch_default" and a study can compare against what people really use. What a framework gives to
biases, embeddings and recurrent matrices follows from the role of the parameter: see
`fanin.recipes`.
"""

import math
from dataclasses import dataclass

from fanin.draws import Law
from fanin.schemes.fans import Fans
from fanin.schemes.scaling import FanScaled


@dataclass(frozen=True)
class torch_default(FanScaled):
    """Even within ``1 / sqrt(fan_in)`` of 0: variance ``1 / (3 fan_in)``, from PyTorch's layers.

    Linear and the convolutions call ``kaiming_uniform_(a=sqrt(5))``, which comes to this; their
    biases have the same bounds. It loses two thirds of the signal's second moment per linear layer,
    and five sixths with relu. The fan is the one of the use: for a transposed convolution PyTorch
    itself takes ``out / groups * taps`` in its place.

    Example:
        >>> torch_default().law(Fans(4, 2))
        Uniform(low=-0.5, high=0.5)

    References:
        PyTorch 2.13, `reset_parameters` of torch/nn/modules/linear.py and conv.py.
    """

    def _law(self, fans: Fans | None) -> Law:
        return self._spread(fans, 1 / math.sqrt(3), "fan_in", "uniform")


@dataclass(frozen=True)
class keras_default(FanScaled):
    """`glorot_uniform`, from the layers of Keras; their biases are zeros.

    Example:
        >>> keras_default().law(Fans(4, 2))
        Uniform(low=-1.0, high=1.0)

    References:
        Keras 3.15, `kernel_initializer` of keras/src/layers/core/dense.py.
    """

    def _law(self, fans: Fans | None) -> Law:
        return self._spread(fans, 1.0, "fan_avg", "uniform")


@dataclass(frozen=True)
class jax_default(FanScaled):
    """`lecun_truncated_normal`, from the layers of Flax; their biases are zeros.

    Example:
        >>> jax_default().promised(Fans(4, 2)).std
        0.5

    References:
        Flax 0.12, `default_kernel_init` of flax/linen/linear.py and flax/nnx/nn/linear.py.
    """

    def _law(self, fans: Fans | None) -> Law:
        return self._spread(fans, 1.0, "fan_in", "truncated_normal")
