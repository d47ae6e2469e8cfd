"""The moments of a tensor that flows through a network, forward or backward.

One pass over the tensor gives mean and variance of every unit; the figures of the whole follow from
them. A signal is plain numbers: it can be stored, compared and drawn without a framework.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Signal:
    """What one tensor carried in one pass.

    Attributes:
        shape: Shape of the tensor, the examples along the first axis.
        mean: Mean over all elements.
        rms: Root of the mean square over all elements.
        unit_means: Smallest, middle and largest mean of a unit over examples and positions; None
            where no axis is told to hold units.
        unit_stds: The same of the standard deviations of the units.
        dead: Fraction of the units whose value is the same for every example and position.
        zero: Fraction of the elements that are exactly zero; None where it was not counted.
        saturated: Fraction of the elements where the slope of the activation is next to nothing;
            None for what is no activation.
        correlation: Mean cosine between the tensors of different examples; None for one example.
        finite: Whether every element is finite. If not, the other figures may be nan.
        spread: Root mean square of what differs between examples: of the deviation from their mean.
            It is what a network can tell its inputs apart by. None for one example.
        off: Fraction of the units that are exactly zero for every example and position; None for
            what is no activation.

    Example:
        >>> signal = Signal((8, 4), 0.3, 0.5)
        >>> round(signal.std, 12)
        0.4
    """

    shape: tuple[int, ...]
    mean: float
    rms: float
    unit_means: tuple[float, float, float] | None = None
    unit_stds: tuple[float, float, float] | None = None
    dead: float | None = None
    zero: float | None = None
    saturated: float | None = None
    correlation: float | None = None
    finite: bool = True
    spread: float | None = None
    off: float | None = None

    @property
    def std(self) -> float:
        """Standard deviation over all elements."""
        return max(0.0, self.rms**2 - self.mean**2) ** 0.5
