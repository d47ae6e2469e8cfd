"""Which operations come before others, as the gradient sees it."""

from collections.abc import Iterable

from fanin.trace import Op


def before(ops: tuple[Op, ...], starts: Iterable[int]) -> set[int]:
    """List what comes before some operations, as far as a gradient arrives.

    A box that is detached before the next layer refines it does not put the two in a row: each has
    a loss of its own, and they stand side by side.

    Args:
        ops: The operations.
        starts: Indices of some of them, which are listed only if others of them come later.

    Returns:
        Indices of those that a gradient reached.

    Example:
        >>> from fanin.trace import Kind, Signal
        >>> kinds = (Kind.LINEAR, Kind.ACTIVATION, Kind.LINEAR)
        >>> back = Signal((1,), 0.0, 1.0)
        >>> ops = [
        ...     Op(kind, "", inputs=(i - 1,) if i else (), backward=back)
        ...     for i, kind in enumerate(kinds)
        ... ]
        >>> sorted(before(tuple(ops), [2]))
        [0, 1]
    """
    found, open_ = set[int](), list(starts)
    while open_:
        for source in ops[open_.pop()].inputs:
            if source not in found and ops[source].backward is not None:
                found.add(source)
                open_.append(source)
    return found
