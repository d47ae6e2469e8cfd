"""What is known of a tensor inside `torch.vmap`, from what is known outside, and back."""

from dataclasses import replace

from torch import Tensor

from fanin.torch.tracing.origins import Origin
from fanin.torch.tracing.units import unit_axes
from fanin.torch.tracing.values import Value
from fanin.torch.tracing.wrapped import inner


def inside(tensor: Tensor, what: Value | tuple[Origin, ...]) -> Value | tuple[Origin, ...]:
    """Tell what one example of a whole is, from what is known of the whole.

    Args:
        tensor: The example, wrapped.
        what: What is known of what it is wrapped around.

    Returns:
        What is known of the example.
    """
    axis = inner(tensor)[1]
    if axis is None:
        return what
    if isinstance(what, Value):
        units = what.units
        kept = units is not None and axis not in unit_axes(units)
        return Value(what.op, units.select(axis, 0) if units is not None and kept else None)
    return tuple(
        replace(
            origin,
            coordinates=tuple(own.select(axis, 0) for own in origin.coordinates),
            order=None
            if origin.order is None
            else (*origin.order[:axis], *origin.order[axis + 1 :]),
        )
        for origin in what
    )


def outside(tensor: Tensor, what: Value | tuple[Origin, ...]) -> Value | tuple[Origin, ...]:
    """Tell what a whole is, from what is known of one example.

    Args:
        tensor: The example, wrapped.
        what: What is known of it.

    Returns:
        What is known of what it is wrapped around.
    """
    held, axis = inner(tensor)
    if axis is None:
        return what
    if isinstance(what, Value):
        units = what.units
        if units is None:
            return Value(what.op)
        return Value(what.op, units.unsqueeze(axis).expand(held.shape))
    return tuple(
        replace(
            origin,
            coordinates=tuple(own.unsqueeze(axis).expand(held.shape) for own in origin.coordinates),
            order=None,
        )
        for origin in what
    )
