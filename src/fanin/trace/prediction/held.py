"""The sizes of parameters, and what the operations that take them do with those sizes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from fanin.schemes import Fans, Layout
from fanin.trace.ops import Kind, Op, Part, TracedParameter, Use
from fanin.trace.structure.graph import KERNELS, Graph


@dataclass(frozen=True)
class Held:
    """A graph, and the second moment of every parameter of known size.

    Attributes:
        graph: The graph.
        squares: Second moments by name.
        training: Whether batch norms divide by the spread of the batch.
        gaussian: For each operation whether its signal is a sum of many independent terms, and so
            close to a Gaussian about zero.
    """

    graph: Graph
    squares: Mapping[str, float]
    training: bool
    gaussian: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gaussian", _gaussian(self.graph))

    def of(self, index: int, *parts: Part) -> float | None:
        """Add up the second moments of an operation's parameters; None if one is not known."""
        names = [found.name for found, use in self.graph.uses[index] if use.part in parts]
        known = [self.squares[name] for name in names if name in self.squares]
        return sum(known) if len(known) == len(names) else None

    def kernel(self, index: int) -> "Kernel | None":
        """Find the one kernel of an operation.

        Args:
            index: The operation.

        Returns:
            The kernel; None where there are several, its size or its fans are not known, or it is
            a table too: then the signal has been made of it, and is not independent of it.
        """
        found = [(own, use) for own, use in self.graph.uses[index] if use.part in KERNELS]
        if len(found) != 1 or len(self.graph.sources[index]) != 1:
            return None
        parameter, use = found[0]
        tied = any(other.part is Part.TABLE for other in parameter.uses)
        if parameter.name not in self.squares or use.fans is None or tied:
            return None
        return Kernel(self.squares[parameter.name], parameter, use, use.fans)

    def factor(self, index: int) -> float | None:
        """Find the second moment of what an operation multiplies one signal with."""
        op = self.graph.ops[index]
        if self.graph.uses[index]:
            return self.of(index, Part.FACTOR, Part.GAIN)
        try:
            number = float(op.detail)
        except ValueError:
            return None
        if op.function in ("mul", "multiply", "neg"):
            return number**2
        divides = op.function in ("div", "divide", "true_divide")
        return 1 / number**2 if divides and number else None


@dataclass(frozen=True)
class Kernel:
    """A kernel in one use.

    Attributes:
        square: Second moment of its values.
        parameter: The parameter.
        use: The use.
        fans: Fans of the use.
    """

    square: float
    parameter: TracedParameter
    use: Use
    fans: Fans

    def borders(self, before: Op, after: Op) -> tuple[float, float]:
        """Compare the terms of a convolution with its fans, which know no border.

        The padding is not recorded; it follows from the sizes, with equal strides along all axes.

        Args:
            before: What the convolution reads.
            after: The convolution.

        Returns:
            The part of fan_in that meets in an output on average, the rest being padding, and the
            part of fan_out that an input reaches; 1 for what is no convolution, or not measured.
        """
        layout = self.use.layout
        if layout is None or layout.transposed or not layout.kernel_axes:
            return 1.0, 1.0
        windows = layout.kernel(self.parameter.shape)
        spatial = len(windows)
        inputs, outputs = _sizes(before, spatial), _sizes(after, spatial)
        stride = round(layout.stride ** (1 / spatial))
        if not inputs or not outputs or stride**spatial != layout.stride:
            return 1.0, 1.0
        forward, backward = 1.0, 1.0
        for size, made, window in zip(inputs, outputs, windows, strict=True):
            terms = _terms(size, made, window, stride)
            forward *= terms / (made * window)
            backward *= terms / (size * window / stride)
        return forward, backward


def count(op: Op) -> int:
    """Count the elements of a signal.

    Args:
        op: The operation that put it out.

    Returns:
        Their number; 0 where it was not measured.
    """
    return math.prod(op.forward.shape) if op.forward else 0


def outputs_and_inputs(layout: Layout, shape: tuple[int, ...]) -> tuple[int, int]:
    """Count the units that a kernel makes and those that it reads.

    Args:
        layout: Layout of the kernel.
        shape: Its shape.

    Returns:
        Outputs of all matrices, and inputs, which fused blocks share.
    """
    matrices, outputs, inputs, _ = layout.stack(shape)
    return matrices * outputs, matrices // layout.blocks * inputs


def _sizes(op: Op, spatial: int) -> tuple[int, ...]:
    """List the sizes of a signal along its last axes; none where it was not measured."""
    shape = () if op.forward is None else op.forward.shape
    return shape[-spatial:] if len(shape) >= spatial else ()


def _terms(size: int, made: int, window: int, stride: int) -> int:
    """Count the pairs of an input and an output along one axis that a window joins."""
    padding = max(0, (made - 1) * stride + window - size)
    left = padding // 2
    starts = (place * stride - left for place in range(made))
    return sum(max(0, min(start + window, size) - max(start, 0)) for start in starts)


def _gaussian(graph: Graph) -> tuple[bool, ...]:
    """Tell which signals are sums of many terms with random signs."""
    found = list[bool]()
    for index, op in enumerate(graph.ops):
        own = [found[source] for source in graph.sources[index]]
        match op.kind:
            case Kind.LINEAR | Kind.CONVOLUTION | Kind.EMBEDDING:
                found.append(True)
            case Kind.ADD | Kind.CONCATENATE | Kind.NORM | Kind.OUTPUT:
                found.append(bool(own) and all(own))
            case Kind.MULTIPLY:
                found.append(len(own) == 1 and own[0])
            case _:
                found.append(False)
    return tuple(found)
