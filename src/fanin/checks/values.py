"""What a tensor holds, as the rules see it: figures from one read of its values.

A framework's room reads them; here they are plain numbers. Whatever needs more than one pass over
the values is taken from a sample, and says so.
"""

from dataclasses import dataclass

QUANTILES = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
"""Probabilities that `Values.quantiles` belong to."""


@dataclass(frozen=True)
class Equal:
    """Slices of a tensor that are bitwise equal.

    Attributes:
        what: What the slices are: ``"unit"`` (all weights into one output), ``"input"`` (all
            weights out of one input), ``"block"`` (one matrix of a stack: a head, an expert, a
            gate, an ensemble member), ``"row"`` (of an embedding table).
        count: Number of slices.
        distinct: Number of different ones.
        groups: The largest groups of equal slices, by index; at most 8 groups of at most 16.
        zero: How many of the slices are all zero.
        constant: How many of them hold one number throughout.
    """

    what: str
    count: int
    distinct: int
    groups: tuple[tuple[int, ...], ...] = ()
    zero: int = 0
    constant: int = 0


@dataclass(frozen=True)
class Values:
    """What one parameter or buffer holds.

    Attributes:
        name: Qualified name, as a plan has it.
        shape: Its shape.
        dtype: Its dtype, such as ``"float32"``.
        count: Number of elements.
        buffer: Whether it is a buffer.
        frozen: Whether it is held constant in training.
        aliases: Further names of the same memory.
        mean: Mean over the finite elements; all moments are taken in float64.
        std: Standard deviation over them.
        minimum: Smallest of them; nan if there is none.
        maximum: Largest of them.
        kurtosis: Fourth standardised moment: 3 for a normal law, 1.8 for a uniform one; nan for a
            constant.
        nan: Number of elements that are nan.
        infinite: Number of elements that are infinite.
        zero: Number of elements that are exactly zero.
        denormal: Number of elements below the smallest normal number of the dtype, but not zero.
        digest: A fingerprint of the values; tensors of equal values and shape have equal ones.
        quantiles: Of a sample of the finite elements, at `QUANTILES`; empty for a constant.
        distinct: Number of different values in a sample of the elements.
        sampled: Size of that sample.
        unit_rms: Smallest, middle and largest root mean square of a slice of weights into one
            output; None for what has no layout.
        input_rms: The same for the weights out of one input.
        equal: Slices that are bitwise equal, one entry for each way to slice it.
        orthogonality: Largest departure of ``W @ W.T`` (or ``W.T @ W``, the smaller of both) from
            a multiple of the identity, relative to that multiple; of the matrix as a whole. None
            where the norms of the rows already tell that it is none.
        block_orthogonality: The same of its blocks, the worst; None where it has no blocks.
        blocks: Mean and standard deviation of each of the matrices that are fused along its output
            axis (gates; query, key and value); empty where there is one alone.
        grid: The coarser dtype that holds every value of a sample exactly, such as ``"bfloat16"``;
            empty where there is none.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    count: int
    buffer: bool = False
    frozen: bool = False
    aliases: tuple[str, ...] = ()
    mean: float = 0.0
    std: float = 0.0
    minimum: float = 0.0
    maximum: float = 0.0
    kurtosis: float = float("nan")
    nan: int = 0
    infinite: int = 0
    zero: int = 0
    denormal: int = 0
    digest: str = ""
    quantiles: tuple[float, ...] = ()
    distinct: int = 0
    sampled: int = 0
    unit_rms: tuple[float, float, float] | None = None
    input_rms: tuple[float, float, float] | None = None
    equal: tuple[Equal, ...] = ()
    orthogonality: float | None = None
    block_orthogonality: float | None = None
    blocks: tuple[tuple[float, float], ...] = ()
    grid: str = ""

    @property
    def finite(self) -> bool:
        """Whether every element is finite."""
        return not (self.nan or self.infinite)

    @property
    def constant(self) -> bool:
        """Whether it holds one number throughout, and has more than one element."""
        return self.count > 1 and self.finite and self.minimum == self.maximum

    def patterned(self, copies: float = 1) -> bool:
        """Tell a pattern that was put there, such as an identity or a filter, from a draw.

        Args:
            copies: How often the tensor repeats itself.

        Returns:
            Whether it holds few different numbers.

        Example:
            >>> Values("eye", (4, 4), "float32", 16, distinct=2, sampled=16).patterned()
            True
        """
        return self.distinct <= min(16, self.sampled / (2 * copies))

    @property
    def rms(self) -> float:
        """Root of the mean square of the finite elements."""
        return (self.mean**2 + self.std**2) ** 0.5


@dataclass(frozen=True)
class Gradient:
    """The gradient of the loss with respect to one parameter, at step 0.

    Attributes:
        name: The parameter.
        rms: Root of its mean square over the finite elements.
        largest: Largest absolute value.
        finite: Whether every element is finite.
        zero: Fraction of the elements that are exactly zero.
        units: Slices of the gradient that are equal up to rounding among units whose weights are
            bitwise equal: they will stay equal. None where no weights are equal.
    """

    name: str
    rms: float
    largest: float
    finite: bool
    zero: float
    units: tuple[Equal, ...] = ()
