"""Drawing tensors: one function for every law, shape and region.

The value at a flat index depends on the seed, the name and that index, and on nothing else: not on
the device, the number of threads or ranks, the dtype, or how the tensor is cut into regions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fanin.draws.dtypes import floating
from fanin.draws.keys import key
from fanin.draws.laws import Constant, Law
from fanin.draws.reference import numbers_at
from fanin.draws.regions import Runs, runs_of
from fanin.draws.threefry import threefry, words_at
from fanin.errors import FaninError

WORTH_COMPILING = 2**16
"""Elements from which the compiled kernel is used; below, loading it takes longer than it saves."""

LONG_RUN = 512
"""Elements of a run from which a call of the kernel pays for itself."""

BLOCK = 2**18
"""Elements the reference works on at a time, so that its memory stays small."""


def sample(
    law: Law,
    seed: int,
    name: str,
    shape: Sequence[int],
    *,
    region: tuple[slice, ...] | None = None,
    dtype: DTypeLike = np.float32,
) -> NDArray[Any]:
    """Draw a tensor, or a region of it.

    Args:
        law: Distribution of one element.
        seed: The one seed, from 0 to 2**64 - 1.
        name: The parameter's name.
        shape: Shape of the whole tensor.
        region: One slice per axis, of the whole tensor; None draws all of it.
        dtype: Floating-point type of the result; drawn in float32 and cast last.

    Returns:
        The whole tensor or the region, C-contiguous.

    Raises:
        FaninError: An argument is not valid.

    Example:
        >>> from fanin.draws import Normal
        >>> whole = sample(Normal(), 0, "layer.weight", (4, 6))
        >>> part = sample(Normal(), 0, "layer.weight", (4, 6), region=(slice(1, 3), slice(2, 5)))
        >>> bool((part == whole[1:3, 2:5]).all())
        True
    """
    stream, runs = key(seed, name), runs_of(shape, region)
    kind = floating(dtype)
    if isinstance(law, Constant):
        return np.full(runs.shape, law.value, kind)
    out = np.empty(runs.shape, np.float32)
    _fill_runs(out.reshape(-1), law, stream, runs)
    return out if kind == np.float32 else out.astype(kind)


def fill(out: NDArray[np.float32], law: Law, seed: int, name: str) -> None:
    """Draw a tensor into memory that exists.

    Args:
        out: C-contiguous float32 array of the whole tensor's shape; written.
        law: Distribution of one element.
        seed: The one seed, from 0 to 2**64 - 1.
        name: The parameter's name.

    Raises:
        FaninError: The array is not contiguous float32, or another argument is not valid.

    Example:
        >>> from fanin.draws import Normal
        >>> out = np.empty((2, 3), np.float32)
        >>> fill(out, Normal(), 0, "layer.weight")
        >>> bool((out == sample(Normal(), 0, "layer.weight", (2, 3))).all())
        True
    """
    if out.dtype != np.float32 or not out.flags.c_contiguous:
        raise FaninError(f"out must be C-contiguous float32, got {out.dtype} {out.strides}")
    if isinstance(law, Constant):
        out.fill(law.value)
    else:
        _fill_runs(out.reshape(-1), law, key(seed, name), runs_of(out.shape, None))


def words(
    seed: int, name: str, shape: Sequence[int], *, region: tuple[slice, ...] | None = None
) -> NDArray[np.uint32]:
    """Draw the random words themselves.

    Args:
        seed: The one seed, from 0 to 2**64 - 1.
        name: The stream's name.
        shape: Shape of the whole tensor.
        region: One slice per axis, of the whole tensor; None draws all of it.

    Returns:
        uint32 words, each of the 2**32 equally likely.

    Example:
        >>> words(0, "layer.weight", (2,)).tolist()
        [3014339681, 3700056461]
    """
    runs = runs_of(shape, region)
    return words_at(key(seed, name), _index(runs.starts, runs.length)).reshape(runs.shape)


def permutation(seed: int, name: str, size: int) -> NDArray[np.int64]:
    """Draw an order of the first `size` integers.

    Args:
        seed: The one seed, from 0 to 2**64 - 1.
        name: The stream's name, such as ``"data order/epoch 3"``.
        size: How many.

    Returns:
        Each of ``0 .. size - 1`` once, int64.

    Example:
        >>> sorted(permutation(0, "data order/epoch 0", 5).tolist())
        [0, 1, 2, 3, 4]
    """
    runs_of((size, 2), None)
    block = np.arange(size, dtype=np.uint64)  # the words 2 i and 2 i + 1 are those of block i
    low, high = block.astype(np.uint32), (block >> np.uint64(32)).astype(np.uint32)
    first, second = threefry(key(seed, name), low, high)
    return order_of(first, second)


def order_of(first: NDArray[np.uint32], second: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Order the blocks of a stream by their words, which is how a permutation is drawn.

    Args:
        first: First words of the blocks 0, 1, ... along the last axis.
        second: Their second words, same shape.

    Returns:
        Indices of the blocks, int64, same shape.

    Example:
        >>> order_of(np.array([9, 3, 3], np.uint32), np.array([0, 5, 2], np.uint32)).tolist()
        [2, 1, 0]
    """
    pairs = first.astype(np.uint64) << np.uint64(32) | second
    return np.argsort(pairs, axis=-1, kind="stable").astype(np.int64)


def _fill_runs(out: NDArray[np.float32], law: Law, stream: tuple[int, int], runs: Runs) -> None:
    if out.size >= WORTH_COMPILING and runs.length >= LONG_RUN:
        from fanin.draws.kernel import fill_run

        for place, start in enumerate(runs.starts):
            part = out[place * runs.length : (place + 1) * runs.length]
            fill_run(part, law, stream, int(start))
        return
    rows = max(1, BLOCK // max(1, runs.length))
    for place in range(0, len(runs.starts), rows):
        starts = runs.starts[place : place + rows]
        first, last = place * runs.length, (place + len(starts)) * runs.length
        out[first:last] = numbers_at(law, stream, _index(starts, runs.length))


def _index(starts: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    return (starts[:, None] + np.arange(length, dtype=np.uint64)).reshape(-1)
