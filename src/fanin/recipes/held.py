"""What a model holds, as moments: enough to tell whether an initialisation was carried out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """The moments of one parameter as it is now.

    Attributes:
        mean: Mean over its elements.
        std: Standard deviation over its elements (the root of the mean square about the mean).
        minimum: Smallest element.
        maximum: Largest element.
        finite: Whether every element is finite. If not, the other figures may be nan.
        shape: Its shape.
    """

    mean: float
    std: float
    minimum: float
    maximum: float
    finite: bool
    shape: tuple[int, ...]
