"""What is known of a tensor in flight, and of the call that made it.

A tensor carries a signal, or is made from parameters, or is nothing to the trace. These records are
immutable: an operation makes new ones.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor

from fanin.torch.tracing.origins import Origin


@dataclass(frozen=True)
class Base:
    """The signal that a tensor is an element-by-element function of.

    Attributes:
        op: Index of the operation that put the signal out.
        shape: Its shape.
        sample: A few of its elements, always those at the same places; empty without memory.
        view: Which view of the operation's result it is.
    """

    op: int
    shape: tuple[int, ...]
    sample: Tensor
    view: object = None

    def same(self, other: "Base") -> bool:
        """Tell whether it is the very same signal as another.

        Args:
            other: The other.

        Returns:
            Whether it is: two halves of one result are not.
        """
        return self.op == other.op and self.shape == other.shape and self.view is other.view


@dataclass(frozen=True)
class Value:
    """A tensor that carries a signal.

    Attributes:
        op: Index of the operation that put it out.
        units: The index of the unit that each element belongs to; None where that is lost.
        base: What it is an element-by-element function of.
        statistic: Operations whose own numbers it is a mean, a variance or a norm of.
        carried: Parameters that it is made from element by element, as a weight that is scaled by
            a signal is.
        view: Stands for the way it was cut out of the operation's result; None for all of it.
    """

    op: int
    units: Tensor | None = None
    base: Base | None = None
    statistic: frozenset[int] = frozenset()
    carried: tuple[Origin, ...] = ()
    view: object = None


@dataclass(frozen=True)
class Call:
    """One call of a torch function.

    Attributes:
        name: Its name, without the underscore of the in-place form.
        args: Positional arguments.
        kwargs: Keyword arguments.
        out: What it returned.
        apply: Calls it again with another first argument, for views.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    apply: Callable[[Any], Any]

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Fetch an argument however it was passed.

        Args:
            position: Its place among the positional ones.
            name: Its name.
            default: What it is if it was not passed.

        Returns:
            The argument.
        """
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)


def is_sequence(value: Any) -> bool:
    """Tell a list or a tuple, of whatever.

    Args:
        value: Anything.

    Returns:
        Whether it is one.
    """
    return isinstance(value, list | tuple)


def is_mapping(value: Any) -> bool:
    """Tell a mapping, of whatever to whatever.

    Args:
        value: Anything.

    Returns:
        Whether it is one.
    """
    return isinstance(value, Mapping)


def tensors_of(value: Any) -> Iterator[Tensor]:
    """Find the tensors in nested arguments.

    Args:
        value: A tensor, or a list, tuple or dict of such.

    Yields:
        Each tensor.
    """
    if isinstance(value, Tensor):
        yield value
    elif is_sequence(value):
        for item in value:
            yield from tensors_of(item)
    elif isinstance(value, dict):
        yield from tensors_of([*cast("dict[Any, Any]", value).values()])
