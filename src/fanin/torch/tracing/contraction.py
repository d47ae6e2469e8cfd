"""Products that sum over axes: which axes of each operand are summed, kept and shared.

Matrix products of every kind are einsums, so each is told as one: a label for every axis of the two
operands and of the result. What an axis of a weight is for follows from where its label appears.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fanin.torch.tracing.origins import BATCH, IN, OUT


@dataclass(frozen=True)
class Contraction:
    """A product of two tensors.

    Attributes:
        left: A label for each axis of the first operand.
        right: A label for each axis of the second.
        result: A label for each axis of the result.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    result: tuple[str, ...]

    def roles(self, weight: int) -> tuple[str, ...]:
        """Tell what each axis of the operand that is the weight is for.

        Args:
            weight: 0 for the first operand, 1 for the second.

        Returns:
            One role per axis.
        """
        own, other = (self.left, self.right) if weight == 0 else (self.right, self.left)
        return tuple(_role(label, other, self.result) for label in own)

    def units(self, weight: int) -> tuple[int, ...]:
        """Find the axes of the result that the weight's outputs lie along.

        Args:
            weight: 0 for the first operand, 1 for the second.

        Returns:
            Axes of the result, in the order of the weight's axes.
        """
        own = self.left if weight == 0 else self.right
        roles = self.roles(weight)
        labels = [label for label, role in zip(own, roles, strict=True) if role == OUT]
        return tuple(self.result.index(label) for label in labels)


def _role(label: str, other: Sequence[str], result: Sequence[str]) -> str:
    if label not in result:
        return IN
    return BATCH if label in other else OUT


def linear(inputs: int, weight: int) -> Contraction:
    """Describe ``x @ weight.T``, as torch's linear does it.

    Args:
        inputs: Number of axes of x.
        weight: Number of axes of the weight: 2, or 1 for a single output.

    Returns:
        The contraction, x first.
    """
    lead = tuple(f"b{axis}" for axis in range(inputs - 1))
    own = ("m", "k") if weight == 2 else ("k",)
    return Contraction((*lead, "k"), own, (*lead, *own[:-1]))


def matmul(left: int, right: int) -> Contraction:
    """Describe a matrix product with broadcast leading axes.

    Args:
        left: Number of axes of the first operand.
        right: Number of axes of the second operand.

    Returns:
        The contraction.
    """
    rows = () if left == 1 else ("i",)
    columns = () if right == 1 else ("j",)
    # Leading axes are aligned at their ends, so they are named from there.
    ahead = [tuple(f"b{axis}" for axis in range(n - 2, 0, -1)) for n in (left, right)]
    lead = max(ahead, key=len)
    return Contraction(
        (*ahead[0], *rows, "k"), (*ahead[1], "k", *columns), (*lead, *rows, *columns)
    )


def einsum(equation: str, sizes: Sequence[int]) -> Contraction | None:
    """Read an einsum of two operands.

    Args:
        equation: Such as ``"bij,jk->bik"``.
        sizes: Number of axes of each operand.

    Returns:
        The contraction; None for another number of operands, or a repeated label in one.
    """
    terms, arrow, result = equation.replace(" ", "").partition("->")
    operands = terms.split(",")
    if len(operands) != 2 or len(sizes) != 2:
        return None
    labels = [_spread(term, count) for term, count in zip(operands, sizes, strict=True)]
    if any(len(set(own)) != len(own) for own in labels):
        return None
    if arrow:
        longest = max((len(own) for own in labels if own and "..." in terms), default=0)
        out = _spread(result, None, [label for own in labels for label in own][: 2 * longest])
    else:
        together = [*labels[0], *labels[1]]
        once = sorted(
            {label for label in together if together.count(label) == 1 or label[0] == "."}
        )
        out = tuple(once)
    return Contraction(labels[0], labels[1], out)


def _spread(term: str, count: int | None, known: Sequence[str] = ()) -> tuple[str, ...]:
    """Name the axes of a term; those of an ellipsis from its end, as they are aligned there."""
    before, dots, after = term.partition("...")
    if not dots:
        return tuple(before)
    if count is None:
        hidden = sorted({label for label in known if label[0] == "."}, reverse=True)
    else:
        size = count - len(before) - len(after)
        hidden = [f".{axis:03d}" for axis in range(size - 1, -1, -1)]
    return (*before, *hidden, *after)


def tensordot(left: int, right: int, dims: Any) -> Contraction:
    """Describe a sum over given axes of both operands.

    Args:
        left: Number of axes of the first operand.
        right: Number of axes of the second operand.
        dims: How many axes at the end of the first and the start of the second, or which.

    Returns:
        The contraction.
    """
    if isinstance(dims, int):
        pairs = [(left - dims + axis, axis) for axis in range(dims)]
    else:
        pairs = [(a % left, b % right) for a, b in zip(*dims, strict=True)]
    summed_left = {a: f"k{index}" for index, (a, _) in enumerate(pairs)}
    summed_right = {b: f"k{index}" for index, (_, b) in enumerate(pairs)}
    own = tuple(summed_left.get(axis, f"i{axis}") for axis in range(left))
    other = tuple(summed_right.get(axis, f"j{axis}") for axis in range(right))
    kept = [label for label in (*own, *other) if label[0] != "k"]
    return Contraction(own, other, tuple(kept))
