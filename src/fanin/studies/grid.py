"""What a sweep goes through: scales of a scheme, and depths and widths of a network.

The theory of wide networks says at which scale of the weights a deep one can be trained at all:
where the gradient neither grows nor shrinks from layer to layer. The grid knows that place for each
width, so that what was measured can be held against it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fanin.errors import FaninError
from fanin.recipes import as_recipe
from fanin.schemes import Fans, as_scheme
from fanin.studies.grammar import Network
from fanin.theory import critical_sigma_w

GAP = "{}"
"""Where the value goes in a scheme."""


@dataclass(frozen=True)
class Grid:
    """The networks and the schemes of a sweep.

    Attributes:
        network: The network whose hidden layers are replaced.
        scheme: A scheme with ``{}`` where the value goes, such as ``"normal(0, {})"``.
        values: The values.
        depths: Numbers of hidden layers.
        widths: Units of each hidden layer.

    Raises:
        FaninError: The network has no hidden layer, or the scheme no place for a value.

    Example:
        >>> grid = Grid(Network.parse("4-8-3 relu"), "normal(0, {})", (0.1,), (1, 2), (16,))
        >>> [str(network) for _, _, network in grid.networks()]
        ['4-16-3 relu', '4-16-16-3 relu']
    """

    network: Network
    scheme: str
    values: tuple[float, ...]
    depths: tuple[int, ...]
    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.network.hidden_sizes:
            raise FaninError(
                f'a sweep goes over hidden layers, and "{self.network}" has none: write one, such '
                f'as "{self.network.sizes[0]}-16-{self.network.sizes[-1]} relu"'
            )
        if self.scheme.count(GAP) != 1:
            raise FaninError(
                f"the scheme of a sweep has {GAP} once, where the value goes, such as "
                f'"normal(0, {GAP})" or "he_normal(gain={GAP})", got "{self.scheme}"'
            )

    @property
    def schemes(self) -> tuple[str, ...]:
        """The scheme with each value, printed in full."""
        return tuple(str(as_recipe(self.written(value))) for value in self.values)

    def written(self, value: float) -> str:
        """Write the scheme with a value."""
        return self.scheme.replace(GAP, repr(value))

    def networks(self) -> Iterator[tuple[int, int, Network]]:
        """List the networks.

        Yields:
            Depth, width and network, the narrowest and shallowest first.
        """
        inputs, outputs = self.network.sizes[0], self.network.sizes[-1]
        for width in self.widths:
            for depth in self.depths:
                sizes = (inputs, *[width] * depth, outputs)
                yield depth, width, replace(self.network, sizes=sizes)

    def critical(self, width: int) -> float | None:
        """Find the value at which theory has the gradient keep its size from layer to layer.

        Args:
            width: Units of a hidden layer.

        Returns:
            The value; None where there is none between half the smallest and twice the largest,
            where a norm takes the scale away, and for weights that are not random around zero.

        References:
            Schoenholz et al. (2017), section 3: chi_1 = 1, with sigma_w the standard deviation of a
            weight times the root of its fan_in.
        """
        if self.network.norm != "none":
            return None
        try:
            wanted = critical_sigma_w(self.network.hidden) / math.sqrt(width)
        except FaninError:
            return None
        fans = Fans(width, width)

        def excess(log_value: float) -> float:
            scheme = as_scheme(self.written(math.exp(log_value)))
            moments = scheme.promised(fans, shape=(width, width))
            centred = moments.std > 0 and moments.mean == 0
            return math.log(moments.std / wanted) if centred else -math.inf

        from scipy.optimize import brentq

        ends = math.log(self.values[0] / 2), math.log(self.values[-1] * 2)
        try:
            if not excess(ends[0]) < 0 < excess(ends[1]):
                return None
            return math.exp(float(brentq(excess, *ends, xtol=1e-9)))
        except FaninError:  # a recipe has no moments, and some schemes not at every value
            return None
