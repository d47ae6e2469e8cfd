"""Watching a forward pass for the products of its kernels with a signal, as they happen.

What counts is the operation that consumes a parameter, not the module that owns it: a weight may be
used by a function, turned over first, or used twice. A kernel is recognised by its memory, so every
view of it is seen, and so are the casts that autocast makes of it.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


@dataclass(frozen=True)
class Product:
    """A kernel met a signal.

    Attributes:
        kernel: Name of the kernel.
        bias: Name of the bias that the result has in it already, if any.
        axis: Axis of the result that holds the units.
    """

    kernel: str
    bias: str | None
    axis: int


@dataclass(frozen=True)
class Operands:
    """Where an operation takes what.

    Attributes:
        bias: Place of the bias among its arguments; None where it takes none.
        kernels: Place of a kernel to the axis of the units in the result.
    """

    bias: int | None
    kernels: Mapping[int, int]


OPERATIONS: dict[Any, Operands] = {
    aten.mm.default: Operands(None, {0: 0, 1: 1}),
    aten.addmm.default: Operands(0, {1: 0, 2: 1}),
    aten.bmm.default: Operands(None, {0: 1, 1: 2}),
    aten.baddbmm.default: Operands(0, {1: 1, 2: 2}),
    aten.mv.default: Operands(None, {0: 0}),
    aten.addmv.default: Operands(0, {1: 0}),
    aten.convolution.default: Operands(2, {1: 1}),
    aten._trilinear.default: Operands(None, {1: -1}),  # noqa: SLF001  # what Bilinear comes down to
}
"""What linear maps come down to in torch: all layers, matmul and einsum."""


class Watch(TorchDispatchMode):
    """Calls back at every product, while it is entered.

    Args:
        parameters: Name to parameter, of all that are to be recognised.
        seen: Called with a product and its result; says whether it changed the parameters, in which
            case the operation is repeated.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], seen: Callable[[Product, Tensor], bool]
    ) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]  # untyped in torch
        spans = sorted((held.data_ptr(), held.nbytes, name) for name, held in parameters.items())
        self._starts = [start for start, _, _ in spans]
        self._spans = spans
        self._parameters = parameters
        self._casts = list[tuple[str, Tensor]]()
        self._seen = seen

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation, and look at it."""
        given: dict[str, Any] = kwargs or {}
        operands = OPERATIONS.get(func)
        if operands is None:
            # In inference mode layers come whole, as in `linear`, and not as what they are made of.
            with self:
                parts = func.decompose(*args, **given)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **given)
        if func is aten._to_copy.default:  # noqa: SLF001  # what a cast comes down to
            name = self._name(args[0])
            if name is not None and result.shape == self._parameters[name].shape:
                self._casts.append((name, result))
        if operands is None:
            return result
        bias = None if operands.bias is None else self._name(args[operands.bias])
        for place, axis in operands.kernels.items():
            kernel = self._name(args[place])
            if kernel is not None and self._seen(Product(kernel, bias, axis), result):
                for name, cast in self._casts:
                    cast.copy_(self._parameters[name])
                return func(*args, **given)
        return result

    def _name(self, value: Any) -> str | None:
        """Find the parameter whose memory, or whose cast, a tensor looks at."""
        if not isinstance(value, Tensor):
            return None
        address = value.data_ptr()
        place = bisect_right(self._starts, address) - 1
        if place >= 0:
            start, size, name = self._spans[place]
            if address < start + size:
                return name
        for name, cast in self._casts:
            if cast.data_ptr() <= address < cast.data_ptr() + cast.nbytes:
                return name
        return None
