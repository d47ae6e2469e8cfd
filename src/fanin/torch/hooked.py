"""Weights that a hook computes before every forward pass, in the older style of torch.nn.utils.

`weight_norm`, `spectral_norm` and `prune` replace a parameter by originals under other names and
leave a plain tensor in its place. That tensor is stale until the next forward pass, so it is
brought up to date after the originals are written.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from fanin.torch.places import Place, Writing, cannot_hold, cast
from fanin.torch.spectral import NOTE, singular_vectors


@dataclass(frozen=True)
class WeightNormed(Place):
    """A gain for each row, and its direction.

    Attributes:
        hook: What computes the weight from the two.
    """

    hook: WeightNorm

    @property
    def originals(self) -> tuple[tuple[nn.Module, str], ...]:
        """The parameters that took the place of the tensor."""
        return ((self.module, f"{self.attribute}_g"), (self.module, f"{self.attribute}_v"))

    def current(self) -> Tensor:
        """Compute the tensor, as the next forward pass will."""
        return self.hook.compute_weight(self.module).detach()

    def prepare(self, values: Tensor, seed: int, name: str) -> Writing:
        """Take the values for the directions, and their norms for the gains."""
        del seed
        direction = cast(values, self.tensors[1])
        gain = torch.norm_except_dim(direction, 2, self.hook.dim)
        if not (gain > 0).all():
            raise cannot_hold(name, "weight_norm")
        return Writing((gain, direction), note="through weight_norm")

    def settle(self) -> None:
        """Compute the tensor anew, as the next forward pass will."""
        self.hook(self.module, ())


@dataclass(frozen=True)
class SpectralNormed(Place):
    """An original that is divided by its largest singular value.

    Attributes:
        hook: What divides.
    """

    hook: SpectralNorm

    @property
    def originals(self) -> tuple[tuple[nn.Module, str], ...]:
        """The parameters that took the place of the tensor."""
        return ((self.module, f"{self.attribute}_orig"),)

    def prepare(self, values: Tensor, seed: int, name: str) -> Writing:
        """Write the values to the original, and the singular vectors that belong to them."""
        original = cast(values, self.tensors[0])
        vectors = singular_vectors(self.hook.reshape_weight_to_matrix(original), seed, name)
        buffers = tuple(
            (self.module, f"{self.attribute}_{letter}", vector)
            for letter, vector in zip("uv", vectors, strict=True)
        )
        return Writing((original,), buffers, NOTE)

    def settle(self) -> None:
        """Compute the tensor anew, as the next forward pass will."""
        setattr(self.module, self.attribute, self._divided())

    def current(self) -> Tensor:
        """Compute the tensor, with the singular vectors that are there."""
        return self._divided().detach()

    def _divided(self) -> Tensor:
        return self.hook.compute_weight(self.module, do_power_iteration=False)


_PRUNED = ("orig", "mask")
"""Endings of the names that pruning gives to what it keeps."""


@dataclass(frozen=True)
class Pruned(Place):
    """An original that is multiplied by a mask, which is left as it is.

    Attributes:
        hook: What multiplies.
    """

    hook: BasePruningMethod

    @property
    def originals(self) -> tuple[tuple[nn.Module, str], ...]:
        """The parameters that took the place of the tensor."""
        return ((self.module, f"{self.attribute}_orig"),)

    def current(self) -> Tensor:
        """Compute the tensor, as the next forward pass will."""
        original, mask = (getattr(self.module, f"{self.attribute}_{end}") for end in _PRUNED)
        return (original * mask).detach()

    def prepare(self, values: Tensor, seed: int, name: str) -> Writing:
        """Write the values to the original."""
        del seed, name
        return Writing((cast(values, self.tensors[0]),), note="pruned: its mask still holds")

    def settle(self) -> None:
        """Compute the tensor anew, as the next forward pass will."""
        self.hook(self.module, ())


def hooked_places(module: nn.Module) -> list[Place]:
    """List the tensors of a module that such a hook computes.

    Args:
        module: Any module, itself only.

    Returns:
        One place for each of them.
    """
    hooks: dict[int, Any] = getattr(module, "_forward_pre_hooks", {})
    found = list[Place]()
    for hook in hooks.values():
        match hook:
            case WeightNorm():
                found.append(WeightNormed(module, hook.name, hook))
            case SpectralNorm():
                found.append(SpectralNormed(module, hook.name, hook))
            case BasePruningMethod():
                found.append(Pruned(module, vars(hook)["_tensor_name"], hook))
            case _:
                pass
    return found
