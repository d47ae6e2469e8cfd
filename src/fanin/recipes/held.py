"""What a parameter holds, in a few numbers: the other side of what a plan promises."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """The values of one parameter, as the layer computes with them.

    Attributes:
        mean: Mean over all elements; nan where some are not finite.
        std: Standard deviation over all elements; nan where some are not finite.
        minimum: Smallest element that is no nan.
        maximum: Largest element that is no nan.
        finite: Whether every element is finite.
        shape: Shape of the tensor.
    """

    mean: float
    std: float
    minimum: float
    maximum: float
    finite: bool
    shape: tuple[int, ...]
