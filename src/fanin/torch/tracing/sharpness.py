"""How sharply a softmax chooses, measured on a few of its rows.

A fused attention never shows its logits; a few are computed again from queries and keys. What is
masked away counts as no choice, so that the first rows of a causal attention say nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.values import Call
from fanin.torch.tracing.wrapped import is_wrapped

ROWS = 256
"""Rows that are looked at, about, evenly spread."""

HEADS = 16
"""Heads of a fused attention that are looked at, over all examples, with as many queries each."""

CHOICES = 8
"""Fewer to choose from than this, and a sharp choice is no surprise."""

MASKED = 5e3
"""Distance from the largest logit beyond which one is masked: the smallest mask in use is -1e4."""


def note_softmax(recording: Recording, index: int, call: Call) -> None:
    """Note how sharp a softmax is.

    Args:
        recording: What is recorded so far.
        index: The operation.
        call: The call.
    """
    logits, axis = call.argument(0, "input"), call.argument(1, "dim")
    if not isinstance(axis, int) or not _is_readable(recording, logits):
        return
    rows = logits.detach().movedim(axis, -1)
    _note(recording, index, rows[_evenly(rows.shape[:-1], ROWS)])


def note_attention(recording: Recording, index: int, call: Call) -> None:
    """Note how sharp the softmax inside a fused attention is.

    Args:
        recording: What is recorded so far.
        index: The operation.
        call: The call.
    """
    query, key = call.argument(0, "query"), call.argument(1, "key")
    if not (_is_readable(recording, query) and _is_readable(recording, key)):
        return
    *lead, queries, width = query.shape
    if key.ndim != query.ndim or not width:
        return
    chosen = (*_evenly(lead, HEADS), *_evenly((queries,), HEADS))
    near = key.detach()
    for axis, size in enumerate(lead):
        # Heads may share their keys: as many in a row as there are more of them.
        own = torch.arange(size)[chosen[axis]] * key.shape[axis] // size
        near = near.index_select(axis, own.to(near.device))
    scale = call.kwargs.get("scale") or width**-0.5
    logits = query.detach()[chosen].float() @ near.float().transpose(-1, -2) * scale
    _note(recording, index, logits + _masked(call, (*lead, queries, key.shape[-2]), chosen))


def _masked(call: Call, shape: tuple[int, ...], chosen: tuple[slice, ...]) -> Tensor:
    """Find what is added to the logits so that some places are not seen."""
    mask = call.argument(3, "attn_mask")
    if isinstance(mask, Tensor):
        own = mask.detach().expand(shape)[chosen]
        return _hidden(~own) if own.dtype is torch.bool else own
    if not call.argument(5, "is_causal", False):
        return torch.zeros((), device=call.out.device)
    seen = torch.ones(shape[-2:], dtype=torch.bool, device=call.out.device).tril()
    return _hidden(~seen[chosen[-1]])


def _hidden(places: Tensor) -> Tensor:
    return torch.zeros(places.shape, device=places.device).masked_fill(places, -torch.inf)


def _is_readable(recording: Recording, tensor: Any) -> bool:
    return (
        recording.values_known
        and isinstance(tensor, Tensor)
        and not (tensor.is_nested or tensor.is_meta or is_wrapped(tensor))
        and tensor.is_floating_point()
        and tensor.numel() > 0
        and tensor.ndim > 0
    )


def _evenly(sizes: Sequence[int], left: int) -> tuple[slice, ...]:
    """Choose about as many places as are left; the last of each axis, which sees the most, too."""
    chosen = list[slice]()
    for size in reversed(sizes):
        step = -(-size // max(1, left))
        chosen.append(slice((size - 1) % step, None, step))
        left //= -(-size // step)
    return tuple(reversed(chosen))


def _note(recording: Recording, index: int, logits: Tensor) -> None:
    rows = logits.float().flatten(0, -2) if logits.ndim > 1 else logits.float()[None]
    choices = (rows > rows.amax(-1, keepdim=True) - MASKED).sum(-1)
    squares = rows.softmax(-1).square().sum(-1)[choices >= CHOICES]
    if squares.numel() and bool(squares.isfinite().all()):
        own = recording.ops[index]
        recording.ops[index] = replace(own, sharpness=float(squares.mean()))
