"""The same build twice: what depends on more than the seed, and what does not depend on it."""

import numpy as np
import torch
from torch import Tensor, nn

from fanin.checks import Rebuild, Unlike
from fanin.torch.building import Build, call, for_a_build


def rebuild(build: Build, first: nn.Module, seed: int) -> Rebuild:
    """Build a model twice more, with the same seed and with another, and compare.

    Args:
        build: Builds the model.
        first: What it built with the seed before.
        seed: That seed.

    Returns:
        What differs, and what is the same. Memory that was never written is left out: it differs
        of itself.

    Raises:
        FaninError: The build fails the second time.

    Example:
        >>> with for_a_build(0):
        ...     first = nn.Linear(4, 2)
        >>> rebuild(lambda: nn.Linear(4, 2), first, 0).random
        ('weight', 'bias')
    """
    before = tensors(first)
    unwritten = {name for name, tensor in before.items() if _has_nan(tensor)}
    again = tensors(build_with(build, seed))
    other = tensors(build_with(build, seed ^ 1))
    differ = tuple(unlike(before, again, leaving_out=unwritten))
    shaky = {one.name for one in differ} | unwritten
    same = [
        name
        for name, tensor in before.items()
        if name in other and name not in shaky and equal(tensor, other[name])
    ]
    random = [name for name in before if name not in same and name not in shaky]
    fixed = [name for name in same if looks_drawn(before[name])]
    return Rebuild(same_seed=differ, other_seed=tuple(fixed), random=tuple(random))


def build_with(build: Build, seed: int) -> nn.Module:
    """Build a model with all random generators seeded, and put them back.

    Args:
        build: Builds the model.
        seed: Seed of Python's, NumPy's and torch's generators.

    Returns:
        The model.

    Raises:
        FaninError: The build fails.
    """
    with for_a_build(seed):
        return call(build, again=True)


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """List everything a model holds, buffers that go into no checkpoint too.

    Args:
        model: The model.

    Returns:
        Name to tensor, each memory once; sparse, nested and meta tensors, which torch cannot
        compare, are left out.
    """
    held: dict[str, Tensor] = {name: own.detach() for name, own in model.named_parameters()}
    held.update((name, own.detach()) for name, own in model.named_buffers())
    return {
        name: own
        for name, own in held.items()
        if not own.is_meta and not own.is_nested and own.layout is torch.strided
    }


def unlike(one: dict[str, Tensor], other: dict[str, Tensor], leaving_out: set[str]) -> list[Unlike]:
    """List what two builds do not agree on.

    Args:
        one: Tensors of the first.
        other: Tensors of the second.
        leaving_out: Names that do not count.

    Returns:
        One entry for each tensor.
    """
    found = list[Unlike]()
    for name in dict.fromkeys((*one, *other)):
        if name in leaving_out:
            continue
        first, second = one.get(name), other.get(name)
        if first is None or second is None:
            what = "added" if first is None else "missing"
            found.append(Unlike(name, what, told(first), told(second)))
        elif first.shape != second.shape:
            found.append(Unlike(name, "shape", str(tuple(first.shape)), str(tuple(second.shape))))
        elif first.dtype != second.dtype:
            found.append(Unlike(name, "dtype", str(first.dtype), str(second.dtype)))
        elif not equal(first, second):
            found.append(Unlike(name, "values", told(first), told(second)))
    return found


def equal(one: Tensor, other: Tensor) -> bool:
    """Tell whether two tensors hold the same, nan included.

    Args:
        one: A tensor.
        other: Another.

    Returns:
        Whether shape, dtype and values are equal.
    """
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.is_quantized or other.is_quantized:
        return one.is_quantized and other.is_quantized and torch.equal(one, other)
    one, other = one.to("cpu"), other.to("cpu")
    if not (one.is_floating_point() or one.is_complex()):
        return torch.equal(one, other)
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def told(tensor: Tensor | None) -> str:
    """Say what a tensor holds, in a few words.

    Args:
        tensor: The tensor, or None.

    Returns:
        Its mean and standard deviation.
    """
    if tensor is None:
        return "not there"
    if tensor.is_quantized or tensor.numel() == 0 or tensor.is_complex():
        return f"{tensor.dtype} {tuple(tensor.shape)}"
    figures = tensor.double()
    return f"mean {figures.mean().item():.4g}, std {figures.std(correction=0).item():.4g}"


def _has_nan(tensor: Tensor) -> bool:
    real = tensor.is_floating_point() or tensor.is_complex()
    return real and not tensor.is_quantized and bool(tensor.isnan().any())


def looks_drawn(tensor: Tensor) -> bool:
    """Tell whether numbers look like a draw: nearly all different.

    Args:
        tensor: Any tensor.

    Returns:
        Whether nine in ten of the first thousands differ, of at least 16.

    Example:
        >>> looks_drawn(torch.rand(64)), looks_drawn(torch.ones(64))
        (True, False)
    """
    if not tensor.is_floating_point() or tensor.is_quantized or tensor.numel() < 16:
        return False
    numbers = tensor.reshape(-1)[: 2**12].double().cpu().numpy()
    return np.unique(numbers).size > 0.9 * numbers.size
