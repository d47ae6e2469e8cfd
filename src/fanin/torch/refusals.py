"""What cannot be initialised, said before anything is written.

Each check looks at the tensors only and names all that it refuses at once.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from fanin.errors import FaninError
from fanin.recipes import Row
from fanin.schemes import keep
from fanin.torch.layouts import Site


class Refusal(NamedTuple):
    """One reason not to write.

    Attributes:
        applies: Tells it of a tensor.
        why: What the tensor is or holds, and what to do instead.
    """

    applies: Callable[[Tensor], bool]
    why: str


def _is_wrapped(tensor: Tensor) -> bool:
    return bool(is_traceable_wrapper_subclass(tensor))


def _is_empty(tensor: Tensor) -> bool:
    return tensor.numel() == 0


def _is_discrete(tensor: Tensor) -> bool:
    return tensor.is_quantized or not (tensor.is_floating_point() or tensor.is_complex())


def _is_complex(tensor: Tensor) -> bool:
    return tensor.is_complex()


def _is_narrow(tensor: Tensor) -> bool:
    return tensor.itemsize < 2


def _is_sealed(tensor: Tensor) -> bool:
    return tensor.is_inference() and not torch.is_inference_mode_enabled()


def _is_expanded(tensor: Tensor) -> bool:
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return any(stride == 0 and size > 1 for size, stride in steps)


REFUSALS = (
    Refusal(
        _is_wrapped,
        "a tensor of a wrapped kind (sharded or quantised). Call fanin.init_ before the model is "
        "sharded or quantised: it gives the same weights on every rank",
    ),
    Refusal(
        _is_empty,
        "no elements: a placeholder, as DeepSpeed ZeRO-3 leaves one (or a layer of size 0). Call "
        "fanin.init_ before the weights are partitioned, or inside "
        "deepspeed.zero.GatheredParameters",
    ),
    Refusal(
        _is_discrete,
        "not floating-point numbers. Quantised weights are made from initialised ones: call "
        "fanin.init_ before quantising",
    ),
    Refusal(
        _is_complex,
        "complex numbers, and no scheme says how the variance is split between real and imaginary "
        "part. Keep the parts as two real parameters",
    ),
    Refusal(_is_narrow, "too few bits for a start. Call fanin.init_ before converting to float8"),
    Refusal(_is_sealed, "made in torch.inference_mode, so not to be written outside it"),
    Refusal(
        _is_expanded,
        "an expanded view, whose elements share memory. Give it memory of its own with .clone()",
    ),
)
"""What a parameter may not be, and what to say of it."""


REACH = 6.5
"""Standard deviations within which all draws lie: those of a normal end at 6.23."""


def refuse(sites: Sequence[Site]) -> None:
    """Raise if any parameter cannot be written.

    Args:
        sites: All parameters of a model.

    Raises:
        FaninError: Which ones, why, and what to do.
    """
    for applies, why in REFUSALS:
        names = [site.slot.name for site in sites if any(map(applies, site.place.tensors))]
        if names:
            raise FaninError(f"cannot initialise {', '.join(names)}: {why}")
    _refuse_overlaps(sites)


def refuse_overflow(row: Row, tensor: Tensor) -> None:
    """Raise if the values of a parameter do not fit its dtype, which would make them infinite.

    Args:
        row: What the parameter is to hold; nothing is known of values that are kept.
        tensor: The parameter.

    Raises:
        FaninError: Which one, and what to do.
    """
    if isinstance(row.scheme, keep):
        return
    largest = min(torch.finfo(tensor.dtype).max, torch.finfo(torch.float32).max)
    reach = abs(row.mean) + REACH * row.std
    if reach > largest:
        raise FaninError(
            f"{row.name}: {row.scheme} reaches {reach:.3g}, and the largest {tensor.dtype} is "
            f"{largest:.3g}, beyond which it would be infinite: take smaller values"
        )


def _refuse_overlaps(sites: Sequence[Site]) -> None:
    """Two parameters in the same memory cannot both hold their values."""
    spans = sorted(
        (storage.data_ptr() + start, storage.data_ptr() + end, site.slot.name)
        for site in sites
        for tensor in site.place.tensors
        if not tensor.is_meta
        for storage in (tensor.untyped_storage(),)
        for start, end in (_span(tensor),)
    )
    for (_, end, name), (start, _, other) in pairwise(spans):
        if start < end:
            raise FaninError(
                f"{name} and {other} are different parameters in the same memory, so each would "
                "overwrite the other: share one Parameter (a.weight = b.weight), or give each its "
                "own memory with .clone()"
            )


def _span(tensor: Tensor) -> tuple[int, int]:
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    last = sum(int(stride) * (int(size) - 1) for size, stride in steps)
    start = int(tensor.storage_offset()) * tensor.itemsize
    return start, start + (last + 1) * tensor.itemsize
