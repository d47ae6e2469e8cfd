"""Variance scaling: weights whose variance is a gain squared over a fan.

One rule with three choices (the gain, the fan, the distribution) and one class for each combination
that has a name. A sum of `fan_in` products of unit variance then has variance ``gain ** 2``.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from fanin.draws import Law, Normal, TruncatedNormal, Uniform
from fanin.errors import FaninError
from fanin.schemes.arguments import GAIN, POSITIVE, as_number, word
from fanin.schemes.base import ElementwiseScheme, Style, Target
from fanin.schemes.fans import Fans
from fanin.schemes.layout import Layout

Mode = Literal["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
Distribution = Literal["normal", "truncated_normal", "uniform"]


class FanScaled(ElementwiseScheme):
    """A scheme whose spread depends on the fans of the layer."""

    def _fans(self, target: Target) -> Fans | None:
        if target.fans is not None or target.shape is None:
            return target.fans
        if target.layout is None and len(target.shape) > 1:
            raise FaninError(
                f"{self} cannot fill a tensor of shape {target.shape}: a shape does not tell what "
                "is summed over. Pass layout=, such as Layout.linear() for (out, in) or "
                "Layout.dense() for (in, out), or fans="
            )
        try:
            return (target.layout or Layout.vector()).fans(target.shape)
        except FaninError as problem:
            raise FaninError(
                f"{self} cannot fill a tensor of shape {target.shape}: {problem}. Pass fans= of "
                "the layer it belongs to, or take a scheme that needs none, such as zeros or "
                "normal(0, 0.02)"
            ) from None

    def _spread(self, fans: Fans | None, gain: float, mode: str, distribution: str) -> Law:
        """Give the law of standard deviation ``gain / sqrt(fan)``."""
        if fans is None:
            raise FaninError(f"{self} scales with the fans of the layer: pass fans= or layout=")
        fan = {
            "fan_in": fans.fan_in,
            "fan_out": fans.fan_out,
            "fan_avg": fans.mean,
            "fan_geo_avg": fans.geometric,
        }[mode]
        if fan <= 0:
            raise FaninError(f"{self} divides by {mode}, which is 0 for {fans}")
        std = gain / math.sqrt(fan)
        if distribution == "uniform":
            return Uniform(-math.sqrt(3) * std, math.sqrt(3) * std)
        return TruncatedNormal(0.0, std) if distribution == "truncated_normal" else Normal(0.0, std)


@dataclass(frozen=True)
class variance_scaling(FanScaled):
    """Variance ``scale / fan``, with the fan and the distribution to choose: the general rule.

    The arguments of Keras and JAX. Their "normal" differ: JAX's is the plain one, as here, and
    Keras's is the truncated one.

    Attributes:
        scale: The variance of a sum of fan terms; above 0. For a gain take its square.
        mode: ``fan_in``, ``fan_out``, ``fan_avg`` (half the sum of both) or ``fan_geo_avg`` (root
            of their product).
        distribution: ``normal``, ``truncated_normal`` (cut at 2 sigma, and the spread made up for)
            or ``uniform``.

    Example:
        >>> variance_scaling(2, "fan_out", "normal").law(Fans(100, 50))
        Normal(mean=0.0, std=0.2)

    References:
        Glorot and Bengio (2010), equations 10 to 12, and He et al. (2015), equations 10 and 14, are
        the special cases that named the modes.
    """

    style: ClassVar[Style] = "keywords"

    scale: float = field(default=1.0, metadata=POSITIVE)
    mode: str = field(
        default="fan_in", metadata=word("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
    )
    distribution: str = field(
        default="truncated_normal", metadata=word("normal", "truncated_normal", "uniform")
    )

    def _law(self, fans: Fans | None) -> Law:
        return self._spread(fans, math.sqrt(self.scale), self.mode, self.distribution)


@dataclass(frozen=True)
class _Gained(FanScaled):
    """Standard deviation ``gain / sqrt(fan)`` with the fan and the distribution of the class."""

    mode: ClassVar[Mode]
    distribution: ClassVar[Distribution]

    gain: float | str = field(default=1.0, metadata=GAIN)

    def _law(self, fans: Fans | None) -> Law:
        return self._spread(fans, as_number(self.gain), self.mode, self.distribution)


@dataclass(frozen=True)
class lecun_normal(_Gained):
    """Gaussian of variance ``gain**2 / fan_in``: a linear layer keeps the size of its input.

    The start of self-normalising networks (selu). What Keras and JAX call `lecun_normal` is
    truncated: here that is `lecun_truncated_normal`.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer.

    Example:
        >>> lecun_normal().law(Fans(16, 4))
        Normal(mean=0.0, std=0.25)

    References:
        LeCun, Bottou, Orr and Mueller (1998), Efficient BackProp, section 4.6, equation 16.
        Klambauer et al. (2017), Self-Normalizing Neural Networks, arXiv 1706.02515, for selu.
    """

    mode = "fan_in"
    distribution = "normal"


@dataclass(frozen=True)
class lecun_truncated_normal(_Gained):
    """Gaussian cut at 2 sigma, of variance ``gain**2 / fan_in`` after the cut.

    What Keras and JAX call `lecun_normal`, and the default kernel of Flax.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer.

    Example:
        >>> lecun_truncated_normal().promised(Fans(16, 4)).std
        0.25

    References:
        LeCun, Bottou, Orr and Mueller (1998), Efficient BackProp, section 4.6, equation 16.
    """

    mode = "fan_in"
    distribution = "truncated_normal"


@dataclass(frozen=True)
class lecun_uniform(_Gained):
    """Even within ``gain * sqrt(3 / fan_in)`` of 0: variance ``gain**2 / fan_in``.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer.

    Example:
        >>> lecun_uniform().law(Fans(3, 4))
        Uniform(low=-1.0, high=1.0)

    References:
        LeCun, Bottou, Orr and Mueller (1998), Efficient BackProp, section 4.6, equation 16.
    """

    mode = "fan_in"
    distribution = "uniform"


@dataclass(frozen=True)
class glorot_normal(_Gained):
    """Gaussian of variance ``2 * gain**2 / (fan_in + fan_out)``, also called Xavier.

    A compromise between keeping the size of the signal forwards and of the gradient backwards. What
    Keras and JAX call `glorot_normal` is truncated: here that is `glorot_truncated_normal`.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer.

    Example:
        >>> str(xavier_normal(gain="tanh"))
        'glorot_normal(gain=tanh)'

    References:
        Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural
        networks, equation 12.
    """

    mode = "fan_avg"
    distribution = "normal"


@dataclass(frozen=True)
class glorot_truncated_normal(_Gained):
    """Gaussian cut at 2 sigma, of variance ``2 * gain**2 / (fan_in + fan_out)`` after the cut.

    What Keras and JAX call `glorot_normal`.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer.

    Example:
        >>> glorot_truncated_normal().promised(Fans(24, 8)).std
        0.25

    References:
        Glorot and Bengio (2010), equation 12.
    """

    mode = "fan_avg"
    distribution = "truncated_normal"


@dataclass(frozen=True)
class glorot_uniform(_Gained):
    """Even within ``gain * sqrt(6 / (fan_in + fan_out))`` of 0, also called Xavier.

    The "normalized initialization" of the paper, and the default kernel of Keras.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer.

    Example:
        >>> glorot_uniform().law(Fans(4, 2))
        Uniform(low=-1.0, high=1.0)

    References:
        Glorot and Bengio (2010), equation 16.
    """

    mode = "fan_avg"
    distribution = "uniform"


@dataclass(frozen=True)
class _He(_Gained):
    """The same with the gain of relu unless told."""

    gain: float | str = field(default="relu", metadata=GAIN)


@dataclass(frozen=True)
class he_normal(_He):
    """Gaussian of variance ``2 / fan_in``, also called Kaiming: relu keeps the size of its input.

    Half of what goes into a relu is lost, and the 2 makes up for it. What Keras and JAX call
    `he_normal` is truncated: here that is `he_truncated_normal`.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer; relu, sqrt 2.
            The variance is ``gain**2 / fan_in``.

    Example:
        >>> he_normal().law(Fans(8, 4))
        Normal(mean=0.0, std=0.5)
        >>> str(he_normal()), str(kaiming_normal(gain="leaky_relu(0.2)"))
        ('he_normal', 'he_normal(gain=leaky_relu(0.2))')

    References:
        He, Zhang, Ren and Sun (2015), Delving Deep into Rectifiers, equation 10; equation 15 for
        leaky relu.
    """

    mode = "fan_in"
    distribution = "normal"


@dataclass(frozen=True)
class he_truncated_normal(_He):
    """Gaussian cut at 2 sigma, of variance ``2 / fan_in`` after the cut.

    What Keras and JAX call `he_normal`.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer; relu, sqrt 2.

    Example:
        >>> he_truncated_normal().promised(Fans(8, 4)).std
        0.5

    References:
        He, Zhang, Ren and Sun (2015), equation 10.
    """

    mode = "fan_in"
    distribution = "truncated_normal"


@dataclass(frozen=True)
class he_uniform(_He):
    """Even within ``sqrt(6 / fan_in)`` of 0: variance ``2 / fan_in``.

    PyTorch's `kaiming_uniform_` as its layers call it, with ``a=sqrt(5)``, is another thing: it
    has a sixth of this variance, and is `torch_default`.

    Attributes:
        gain: A number, or the name of the activation that comes before this layer; relu, sqrt 2.

    Example:
        >>> round(he_uniform().law(Fans(6, 4)).high, 12)
        1.0

    References:
        He, Zhang, Ren and Sun (2015), equation 10.
    """

    mode = "fan_in"
    distribution = "uniform"


xavier_normal = glorot_normal
"""The same as `glorot_normal`."""

xavier_truncated_normal = glorot_truncated_normal
"""The same as `glorot_truncated_normal`."""

xavier_uniform = glorot_uniform
"""The same as `glorot_uniform`."""

kaiming_normal = he_normal
"""The same as `he_normal`."""

kaiming_truncated_normal = he_truncated_normal
"""The same as `he_truncated_normal`."""

kaiming_uniform = he_uniform
"""The same as `he_uniform`."""
