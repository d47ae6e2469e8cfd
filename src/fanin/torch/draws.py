"""The draws on any torch device, with the same bits as the NumPy reference.

Torch has no unsigned 32-bit arithmetic on every device, but additions, products of bits and shifts
of int32 wrap in the same way, so the words live in int32 and a right shift clears the sign bits by
a mask. On the CPU the compiled kernel writes straight into the tensor's memory instead.
"""

import math
from functools import cache

import torch
from torch import Tensor

from fanin.draws import Constant, Law, Normal, TruncatedNormal, Uniform, fill, key, sample
from fanin.draws.quantiles import ONE, PLACE_BITS, SEGMENT_BITS, table
from fanin.draws.regions import runs_of
from fanin.draws.threefry import ATTEMPT_SHIFT, PARITY, ROTATIONS
from fanin.errors import FaninError

HOST = "cpu"
"""The device whose memory NumPy and the compiled kernel write to directly."""

BLOCK = 2**22
"""Elements worked on at a time, so that the memory beside the tensor stays near 150 MB."""


def sample_(
    tensor: Tensor,
    law: Law,
    seed: int,
    name: str,
    *,
    shape: tuple[int, ...] | None = None,
    region: tuple[slice, ...] | None = None,
) -> Tensor:
    """Draw into a tensor, in place.

    Args:
        tensor: Floating-point tensor on any device, any strides; written without gradient.
        law: Distribution of one element.
        seed: The one seed, from 0 to 2**64 - 1.
        name: The parameter's name.
        shape: Shape of the whole logical tensor, when `tensor` is a part of it.
        region: Which part of the whole `tensor` is: one slice per axis.

    Returns:
        The same tensor.

    Raises:
        FaninError: The tensor is not floating-point or on the meta device, or does not have the
            region's shape.

    Example:
        >>> whole = sample_(torch.empty(4, 6), Normal(), 0, "layer.weight")
        >>> rows = torch.empty(2, 6)
        >>> part = sample_(rows, Normal(), 0, "layer.weight", shape=(4, 6), region=(slice(1, 3),))
        >>> bool((part == whole[1:3]).all())
        True
    """
    whole = tuple(tensor.shape) if shape is None else shape
    runs = runs_of(whole, region)
    if not tensor.is_floating_point() or tensor.is_meta:
        raise FaninError(
            f"{name} cannot be drawn into: it needs floating-point memory, and is {tensor.dtype} "
            f"on {tensor.device}"
        )
    if tuple(tensor.shape) != runs.shape:
        raise FaninError(
            f"{name} has shape {tuple(tensor.shape)}, but the region to draw has {runs.shape}"
        )
    with torch.no_grad():
        if isinstance(law, Constant):
            return tensor.fill_(law.value)
        if tensor.device.type == HOST:
            if region is None and writes_directly(tensor):
                fill(tensor.detach().numpy(), law, seed, name)
                # NumPy wrote behind autograd's back, and a saved tensor must notice.
                torch.autograd.graph.increment_version(tensor)
                return tensor
            return tensor.copy_(torch.as_tensor(sample(law, seed, name, whole, region=region)))
        flat = torch.empty(runs.shape, dtype=torch.float32, device=tensor.device).view(-1)
        starts = torch.as_tensor(runs.starts.astype("int64")).to(tensor.device)
        for first in range(0, flat.numel(), BLOCK):
            place = torch.arange(
                first, min(first + BLOCK, flat.numel()), dtype=torch.int64, device=tensor.device
            )
            index = starts[place // runs.length] + place % runs.length
            flat[first : first + BLOCK] = numbers_at(law, key(seed, name), index)
        return tensor.copy_(flat.view(runs.shape))


def writes_directly(tensor: Tensor) -> bool:
    """Tell whether a whole draw goes straight into a tensor's memory, and by no operation of torch.

    Args:
        tensor: Any tensor.

    Returns:
        Whether it is contiguous float32 on the CPU, and no lazily negated view.
    """
    plain = tensor.dtype == torch.float32 and tensor.is_contiguous() and not tensor.is_neg()
    return tensor.device.type == HOST and plain


def numbers_at(law: Law, stream: tuple[int, int], index: Tensor) -> Tensor:
    """Draw the elements with the given flat indices, with torch's own operations.

    Args:
        law: Distribution of one element.
        stream: The stream's key.
        index: Flat indices into the whole tensor, one-dimensional, int64, any device.

    Returns:
        One float32 per index, on the same device.
    """
    match law:
        case Constant(value):
            return torch.full_like(index, value, dtype=torch.float32)
        case Uniform(low, high):
            odd = (_shift_right(_words_at(stream, index), 7) | 1) - 2**24
            numbers = _scale(odd.float() * 2**-24, high / 2 - low / 2, high / 2 + low / 2)
            return numbers.clamp_(_rounded(low), _rounded(high))
        case Normal(mean, std):
            return _scale(_normal(_words_at(stream, index)), std, mean)
        case TruncatedNormal(mean, _, cut):
            numbers = _normal(_words_at(stream, index))
            if not math.isinf(cut):
                _redraw_(numbers, stream, index, _rounded(cut))
            return _scale(numbers, law.parent_std, mean)


def _redraw_(numbers: Tensor, stream: tuple[int, int], index: Tensor, cut: float) -> None:
    outside = (numbers.abs() > cut).nonzero().view(-1)
    attempt = 0
    while outside.numel():
        attempt += 1
        again = _normal(_words_at(stream, index[outside], attempt))
        numbers[outside] = again
        outside = outside[again.abs() > cut]


def _words_at(stream: tuple[int, int], index: Tensor, attempt: int = 0) -> Tensor:
    block = index >> 1
    first, second = _threefry(
        stream, _low_word(block), _low_word((block >> 32) | (attempt << ATTEMPT_SHIFT))
    )
    return torch.where((index & 1).bool(), second, first)


def _threefry(stream: tuple[int, int], low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    schedule = [_signed(word) for word in (*stream, stream[0] ^ stream[1] ^ PARITY)]
    left, right = low + schedule[0], high + schedule[1]
    for group in range(5):
        for rotation in ROTATIONS[4 * (group % 2) : 4 * (group % 2) + 4]:
            left = left + right
            right = ((right << rotation) | _shift_right(right, 32 - rotation)) ^ left
        left = left + schedule[(group + 1) % 3]
        right = right + schedule[(group + 2) % 3] + (group + 1)
    return left, right


def _normal(words: Tensor) -> Tensor:
    starts, slopes = _table(words.device)
    position = (_shift_right(words, 1) | 1).float().view(torch.int32) - ONE
    segment = _shift_right(position, 23 - SEGMENT_BITS)
    place = _shift_right(position, 23 - SEGMENT_BITS - PLACE_BITS) & (2**PLACE_BITS - 1)
    size = starts[segment] + slopes[segment] * place.float()
    return torch.where((words & 1).bool(), -size, size)


@cache
def _table(device: torch.device) -> tuple[Tensor, Tensor]:
    starts, slopes = table()
    return torch.as_tensor(starts).to(device), torch.as_tensor(slopes).to(device)


def _scale(standard: Tensor, scale: float, offset: float) -> Tensor:
    """Two operations, never one fused: each is rounded to float32, as in the reference."""
    scaled = standard * _rounded(scale)
    return scaled if offset == 0 else scaled + _rounded(offset)


def _rounded(value: float) -> float:
    """The nearest float32, so that an operation with a Python number rounds it only once."""
    return torch.tensor(value, dtype=torch.float32).item()


def _shift_right(words: Tensor, places: int) -> Tensor:
    return (words >> places) & (2 ** (32 - places) - 1)


def _low_word(numbers: Tensor) -> Tensor:
    low = numbers & 0xFFFFFFFF
    return (low - ((low & 0x80000000) << 1)).to(torch.int32)


def _signed(word: int) -> int:
    return word - 2**32 if word >= 2**31 else word
