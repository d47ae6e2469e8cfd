"""Reading the values of every parameter and buffer once, as the layers compute with them."""

import hashlib
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from fanin.checks import Equal, Values
from fanin.checks.values import QUANTILES
from fanin.errors import FaninError
from fanin.recipes import Role, Slot
from fanin.torch.evidence.marks import block_moments, grid_of
from fanin.torch.evidence.moments import moments
from fanin.torch.evidence.slices import Pile, equal, slices
from fanin.torch.layouts import Site, module_names
from fanin.torch.tracing.functions import VIEWS
from fanin.trace import Trace

SAMPLE = 2**14
"""Elements that quantiles and distinct values are taken from."""

LARGEST_GRAM = 1024
"""Side of the largest matrix whose orthogonality is looked at."""

UNCHANGED = VIEWS | {"cast"}
"""What a parameter may pass through and be the matrix all the same."""

ALIKE = 1e-3
"""Relative spread of the lengths of rows beyond which a matrix is not orthogonal anyway."""


def read_values(model: nn.Module, sites: Iterable[Site]) -> dict[str, Values]:
    """Read every parameter and buffer.

    Args:
        model: The model; left alone.
        sites: Its parameters.

    Returns:
        Name to what the tensor holds, parameters first; of a parametrised weight it is the values
        that the layer computes with. A tensor without values of its own has nan for figures.

    Example:
        >>> model = nn.BatchNorm1d(4)
        >>> list(read_values(model, []))
        ['running_mean', 'running_var', 'num_batches_tracked']
    """
    with torch.no_grad():
        found = {site.slot.name: _parameter(site) for site in sites}
        for values in _buffers(model):
            found.setdefault(values.name, values)
    return found


def as_used(
    values: dict[str, Values], sites: Iterable[Site], slots: Iterable[Slot], seen: Trace
) -> dict[str, Values]:
    """Look for equal slices in the matrices that only a trace tells to be ones.

    Args:
        values: What was read without it.
        sites: The parameters as their layers tell them.
        slots: The same as the trace completes them.
        seen: The trace: `inputs @ self.weight`, an einsum. What a matrix is computed from, such as
            the deviation that noise is multiplied by, is none itself.

    Returns:
        The values of those parameters, with their equal slices.
    """
    used = {own.name: own.uses[0] for own in seen.parameters if own.uses}
    found = dict[str, Values]()
    for site, slot in zip(sites, slots, strict=True):
        held, use = values[slot.name], used.get(slot.name)
        if use is None or site.slot.layout is not None or slot.layout is None or not held.finite:
            continue
        pile = _pile(slot, site.place.current()) if UNCHANGED.issuperset(use.through) else None
        if pile is not None:
            found[slot.name] = replace(held, equal=_equal(pile, slot))
    return found


def _parameter(site: Site) -> Values:
    slot, now = site.slot, site.place.current()
    values = _read(slot.name, now)
    plain = _plain(now) is not None
    values = replace(
        values,
        frozen=slot.frozen,
        aliases=slot.aliases,
        blocks=block_moments(now, slot.layout) if plain else (),
        grid=grid_of(now) if plain else "",
    )
    pile = _pile(slot, now) if values.finite else None
    return values if pile is None else _shaped(values, slot, pile)


def _buffers(model: nn.Module) -> Iterator[Values]:
    seen = set[int]()
    for path, module in module_names(model):
        for name, buffer in module.named_buffers(recurse=False):
            if id(buffer) not in seen:
                seen.add(id(buffer))
                full = f"{path}.{name}" if path else name
                yield replace(_read(full, buffer), buffer=True)


def _read(name: str, tensor: Tensor) -> Values:
    dtype = str(tensor.dtype).removeprefix("torch.")
    shape = () if tensor.is_nested else tuple(tensor.shape)
    values = Values(name, shape, dtype, tensor.numel())
    plain = _plain(tensor)
    if plain is None:
        nan = math.nan
        return replace(values, mean=nan, std=nan, minimum=nan, maximum=nan)
    read = moments(plain)
    sample = _sample(plain)
    return replace(
        values,
        mean=read.mean,
        std=read.std,
        minimum=read.minimum,
        maximum=read.maximum,
        kurtosis=read.kurtosis,
        nan=read.nan,
        infinite=read.infinite,
        zero=read.zero,
        denormal=read.denormal,
        digest=_digest(tensor),
        quantiles=tuple(np.quantile(sample, QUANTILES).tolist())
        if sample.size and read.minimum < read.maximum
        else (),
        distinct=int(np.unique(sample).size),
        sampled=int(sample.size),
    )


def _plain(tensor: Tensor) -> Tensor | None:
    """Bring a tensor to real numbers; None for one without values of its own."""
    if tensor.is_meta or tensor.is_nested or is_traceable_wrapper_subclass(tensor):
        return None
    if tensor.layout is not torch.strided:
        tensor = tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor
        if tensor.layout is not torch.strided:
            return None
    if tensor.is_quantized:
        return tensor.dequantize()
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def _sample(tensor: Tensor) -> NDArray[np.float64]:
    flat = tensor.reshape(-1)
    spread = flat[:: max(1, flat.numel() // SAMPLE)][:SAMPLE]
    numbers: NDArray[np.float64] = spread.double().cpu().numpy()
    return numbers[np.isfinite(numbers)]


def _digest(tensor: Tensor) -> str:
    raw: Any = tensor.int_repr() if tensor.is_quantized else tensor
    raw = raw.coalesce().values() if raw.layout is torch.sparse_coo else raw
    if raw.is_complex():
        raw = torch.view_as_real(raw.resolve_conj())
    hashed = hashlib.blake2b(f"{tensor.dtype} {tuple(tensor.shape)}".encode(), digest_size=16)
    hashed.update(raw.detach().reshape(-1).cpu().contiguous().view(torch.uint8).numpy())
    return hashed.hexdigest()


def _pile(slot: Slot, now: Tensor) -> Pile | None:
    """View a weight as its matrices; None for what sums over nothing."""
    real = now.is_floating_point() and not now.is_meta and not is_traceable_wrapper_subclass(now)
    if slot.layout is None or not real or now.numel() == 0:
        return None
    try:
        numbers = now.detach().cpu()
        wide = numbers if numbers.dtype in (torch.float32, torch.float64) else numbers.float()
        return slot.layout.split(wide.numpy())
    except FaninError:
        return None  # the traced use may be of a part of it


def pile_of(slot: Slot, tensor: Tensor) -> Pile | None:
    """View a tensor of a parameter's shape, such as its gradient, as the matrices of the parameter.

    Args:
        slot: The parameter.
        tensor: The tensor.

    Returns:
        Shape (matrices, outputs, inputs, taps); None for a parameter that sums over nothing.
    """
    return _pile(slot, tensor)


def _shaped(values: Values, slot: Slot, pile: Pile) -> Values:
    with np.errstate(over="ignore"):  # what is too large for a square has an infinite one
        squares = np.square(pile, dtype=pile.dtype)
    units = np.sqrt(squares.mean(axis=(2, 3))).reshape(-1)
    inputs = np.sqrt(squares.mean(axis=(1, 3))).reshape(-1)
    whole, blocks = _orthogonality(pile, units, inputs)
    return replace(
        values,
        unit_rms=_spread(units),
        input_rms=_spread(inputs),
        equal=_equal(pile, slot),
        orthogonality=whole,
        block_orthogonality=blocks,
    )


def _equal(pile: Pile, slot: Slot) -> tuple[Equal, ...]:
    return tuple(equal(one) for one in slices(pile, table=slot.role is Role.EMBEDDING))


def _spread(sizes: NDArray[np.floating]) -> tuple[float, float, float]:
    return float(sizes.min()), float(np.median(sizes)), float(sizes.max())


def _orthogonality(
    pile: Pile, units: NDArray[np.floating], inputs: NDArray[np.floating]
) -> tuple[float | None, float | None]:
    """Measure how far the stacked matrix and its blocks are from orthogonal."""
    matrices, outputs, fed, taps = pile.shape
    stacked = pile.reshape(matrices * outputs, fed * taps)
    whole = None
    if matrices == 1:
        if _even(units) or _even(inputs):
            whole = _departure(stacked)
        return whole, None
    columns = np.sqrt(np.square(stacked).mean(axis=0))
    if _even(units) or _even(columns):
        whole = _departure(stacked)
    blocks = [_departure(one.reshape(outputs, fed * taps)) for one in pile] if matrices < 65 else []
    known = [one for one in blocks if one is not None]
    return whole, max(known) if known and whole is not None else None


def _even(sizes: NDArray[np.floating]) -> bool:
    low, high = float(sizes.min()), float(sizes.max())
    return low > 0 and high / low - 1 < ALIKE


def _departure(matrix: NDArray[np.floating]) -> float | None:
    rows, columns = matrix.shape
    if min(rows, columns) < 2 or min(rows, columns) > LARGEST_GRAM:
        return None
    gram = matrix @ matrix.T if rows <= columns else matrix.T @ matrix
    length = float(np.trace(gram)) / len(gram)
    if length == 0:
        return None
    return float(np.abs(gram / length - np.eye(len(gram))).max())
