"""Rows, slices and ties of single modules: the figures that the rules on structure ask for."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from fanin.checks import GateBias, Padding
from fanin.torch.layers import GATES

MOST_ROWS = 16
"""How many zero rows are named."""

GATE_NAMES = {
    "LSTM": ("input", "forget", "cell", "output"),
    "GRU": ("reset", "update", "new"),
}
"""Order in which torch stacks the gates (documentation of torch.nn.LSTM and torch.nn.GRU)."""


def declared_ties(module: nn.Module, prefix: str) -> tuple[tuple[str, str], ...]:
    """Read which tensors a module declares to be one.

    Args:
        module: Any module; those of the library transformers declare it.
        prefix: What comes before the names of its tensors.

    Returns:
        Pairs of a tensor and the tensor that it is to be.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> model.all_tied_weights_keys = {"head.weight": "embed.weight"}
        >>> declared_ties(model, "net.")
        (('net.head.weight', 'net.embed.weight'),)
    """
    declared = vars(module).get("all_tied_weights_keys")
    if not isinstance(declared, Mapping):
        return ()
    pairs = cast("Mapping[Any, Any]", declared)
    return tuple((f"{prefix}{one}", f"{prefix}{other}") for one, other in pairs.items())


def padding_row(module: nn.Module, prefix: str) -> Padding | None:
    """Read the padding row of a table.

    Args:
        module: Any module; one with a ``padding_idx`` and a ``weight``, or one other parameter
            alone, is a table, and where it has three axes, the first counts tables.
        prefix: What comes before the names of its tensors.

    Returns:
        The row; None where there is none.

    Example:
        >>> padding_row(nn.Embedding(5, 2, padding_idx=3), "").zero_rows
        (3,)
    """
    row: Any = getattr(module, "padding_idx", None)
    if not isinstance(row, int) or isinstance(row, bool):
        return None
    # Asked as an attribute, a weight under spectral_norm would take a step of its iteration.
    own = dict(module.named_parameters(recurse=False))
    name = "weight" if "weight" in own else next(iter(own), "") if len(own) == 1 else ""
    weight = own.get(name)
    if weight is None or not _readable(weight, axes=(2, 3)):
        return None
    with torch.no_grad():
        tables = weight.detach() if weight.ndim == 3 else weight.detach()[None]
        count, rows = tables.shape[:2]
        if not -rows <= row < rows or not tables.numel():
            return None
        # Only rows that begin with zero can be zero: the rest of a large table is not read.
        zero = tables[..., 0] == 0
        zero[zero.clone()] = (tables[zero] == 0).all(-1)
        everywhere = zero.all(0).nonzero().flatten()[:MOST_ROWS]
        empty = zero.all(1).nonzero().flatten() if count > 1 else torch.empty(0)
        rms = tables[:, row].double().square().mean(-1).max().sqrt()
    return Padding(
        name=f"{prefix}{name}",
        row=row % rows,
        rms=float(rms),
        zero_rows=tuple(int(index) for index in everywhere),
        tables=count,
        zero_tables=tuple(int(index) for index in empty),
    )


def gate_biases(module: nn.Module, prefix: str) -> tuple[GateBias, ...]:
    """Read the biases of the gates of a recurrent layer.

    Args:
        module: Any module; those of torch with gates have some.
        prefix: What comes before the names of its tensors.

    Returns:
        One for each gate of each layer and direction.

    Example:
        >>> cell = nn.LSTMCell(3, 4)
        >>> _ = nn.init.ones_(cell.bias_hh), nn.init.zeros_(cell.bias_ih)
        >>> [(bias.gate, bias.mean) for bias in gate_biases(cell, "")][:2]
        [('input', 1.0), ('forget', 1.0)]
    """
    if not isinstance(module, nn.RNNBase | nn.RNNCellBase):
        return ()
    kind = next((kind for kind in GATES if type(module).__name__.startswith(kind)), "")
    kind = getattr(module, "mode", kind)
    if kind not in GATE_NAMES:
        return ()
    own = dict(module.named_parameters(recurse=False))
    found = list[GateBias]()
    for name, one in own.items():
        other = own.get(name.replace("bias_ih", "bias_hh"))
        if not name.startswith("bias_ih") or other is None or not _readable(one, axes=(1,)):
            continue
        both = (f"{prefix}{name}", f"{prefix}{name.replace('bias_ih', 'bias_hh')}")
        total = (one.detach() + other.detach()).double().chunk(len(GATE_NAMES[kind]))
        for gate, part in zip(GATE_NAMES[kind], total, strict=False):
            spread = float(part.std(correction=0))
            found.append(GateBias(both, gate, float(part.mean()), spread, part.numel()))
    return tuple(found)


def _readable(tensor: Any, axes: tuple[int, ...]) -> bool:
    return (
        isinstance(tensor, Tensor)
        and tensor.ndim in axes
        and tensor.layout is torch.strided
        and tensor.is_floating_point()
        and not tensor.is_meta
        and tensor.numel() > 0
    )
