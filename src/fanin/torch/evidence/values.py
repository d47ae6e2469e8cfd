"""Reading the values of every parameter and buffer once."""

from collections.abc import Iterable

import torch
from torch import nn

from fanin.checks import Values
from fanin.torch.evidence.marks import block_moments, grid_of
from fanin.torch.held import held
from fanin.torch.layouts import Site


def read_values(model: nn.Module, sites: Iterable[Site]) -> dict[str, Values]:
    """Read every parameter and buffer.

    Args:
        model: The model.
        sites: Its parameters.

    Returns:
        Name to what the tensor holds; values are those that the layers compute with.
    """
    moments = held(model)
    found = dict[str, Values]()
    with torch.no_grad():
        for site in sites:
            own, now = moments[site.slot.name], site.place.current()
            found[site.slot.name] = Values(
                name=site.slot.name,
                shape=tuple(now.shape),
                dtype=str(now.dtype).removeprefix("torch."),
                count=now.numel(),
                aliases=site.slot.aliases,
                frozen=site.slot.frozen,
                mean=own.mean,
                std=own.std,
                minimum=own.minimum,
                maximum=own.maximum,
                nan=int(now.isnan().sum()),
                infinite=int(now.isinf().sum()),
                zero=int((now == 0).sum()),
                blocks=block_moments(now, site.slot.layout),
                grid=grid_of(now),
            )
    return found
