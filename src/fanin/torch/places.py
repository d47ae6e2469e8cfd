"""Where the values of one parameter are kept, and what has to be written to put them there.

Mostly in a `Parameter` under its own name. Behind a parametrisation the layer computes its weight
from other tensors, and writing to the weight goes nowhere; a place knows the originals to write so
that the weight comes out as wanted, and finds out beforehand whether that can be done.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fanin.errors import FaninError

CLOSE = 1e-4
"""Largest difference, relative to the largest value, between a weight and what was asked for: far
above the rounding of float32, far below any constraint that would change a start."""


@dataclass(frozen=True)
class Writing:
    """What has to be written so that a parameter holds its values.

    Attributes:
        originals: One tensor for each original of the place, of its dtype.
        buffers: (module, name, tensor) that have to change with them.
        note: What the reader of a plan has to know; empty when there is nothing.
    """

    originals: tuple[Tensor, ...]
    buffers: tuple[tuple[nn.Module, str, Tensor], ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Place:
    """A parameter that lies open under its own name.

    Attributes:
        module: The layer.
        attribute: Name of the parameter in the layer.
    """

    module: nn.Module
    attribute: str

    @property
    def originals(self) -> tuple[tuple[nn.Module, str], ...]:
        """(module, name) of every tensor that holds the parameter."""
        return ((self.module, self.attribute),)

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The originals as they are now."""
        return tuple(getattr(module, name) for module, name in self.originals)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor that the layer computes with."""
        return tuple(self.tensors[-1].shape)

    def current(self) -> Tensor:
        """Work out the tensor that the layer computes with, and change nothing.

        Returns:
            Its values now, without gradient; possibly the parameter itself.
        """
        return self.tensors[0].detach()

    def prepare(self, values: Tensor, seed: int, name: str) -> Writing:
        """Work out what to write, without writing.

        Args:
            values: Values that the layer should compute with.
            seed: The one seed, for the numbers that a parametrisation leaves free.
            name: Name of the parameter.

        Returns:
            What to write.

        Raises:
            FaninError: The place cannot hold these values.
        """
        del seed, name
        return Writing((cast(values, self.tensors[0]),))

    def settle(self) -> None:
        """Bring up to date what the layer keeps besides, once the originals are written."""


def cast(values: Tensor, like: Tensor) -> Tensor:
    """Bring values to the dtype and the device of a tensor; to the CPU when that has none.

    Args:
        values: Any tensor.
        like: The tensor they are meant for.

    Returns:
        The values, possibly the same tensor.
    """
    return values.to(device="cpu" if like.is_meta else like.device, dtype=like.dtype)


def close(weight: Tensor, wanted: Tensor) -> bool:
    """Tell whether a computed weight is the one that was wanted, up to rounding.

    Args:
        weight: What a layer computes with.
        wanted: What it should be, of the same dtype.

    Returns:
        False also when anything is not finite.
    """
    if weight.shape != wanted.shape:
        return False
    tolerance = max(CLOSE, 8 * torch.finfo(wanted.dtype).eps) * wanted.abs().max()
    return bool((weight - wanted).abs().max() <= tolerance)


def cannot_hold(name: str, kind: str) -> FaninError:
    """Build the error for a parametrisation whose range does not hold the values.

    Args:
        name: Name of the parameter.
        kind: Name of the parametrisation.

    Returns:
        The error, to be raised.
    """
    return FaninError(
        f"{name}: {kind} cannot give the values of this scheme (a row of zeros under weight_norm, "
        "or a constraint that they do not meet). Give this parameter a scheme that fits by a rule, "
        f'such as rules={{"{name}": "orthogonal"}}, or call fanin.init_ before {kind} is applied'
    )
