"""Weights behind `torch.nn.utils.parametrize`.

The weight is computed from originals whenever it is read, so to set it is to invert that. The
parametrisation's own `right_inverse` is tried on a copy on the CPU, and the copy is read back: what
it cannot hold is refused while the model is still untouched. What an inverse draws at random is
seeded by the parameter's name, and the process's random state is put back.
"""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import ParametrizationList, is_parametrized

from fanin.errors import FaninError
from fanin.torch.layers import layer_name
from fanin.torch.places import Place, Writing, cannot_hold, cast, close
from fanin.torch.randomness import seeded
from fanin.torch.spectral import NOTE, singular_vectors

Spectral: type[nn.Module] = vars(parametrizations)["_SpectralNorm"]
"""The class behind `parametrizations.spectral_norm`, which torch keeps private."""


@dataclass(frozen=True)
class Parametrised(Place):
    """A tensor that a `ParametrizationList` computes.

    Attributes:
        computed: The list of parametrisations.
    """

    computed: ParametrizationList

    @property
    def originals(self) -> tuple[tuple[nn.Module, str], ...]:
        """The tensors that the weight is computed from."""
        names = (name for name, _ in self.computed.named_parameters(recurse=False))
        return tuple((self.computed, name) for name in names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the computed weight."""
        return tuple(self.current().shape)

    def current(self) -> Tensor:
        """Compute the weight; a copy is asked, because reading may change buffers.

        Raises:
            FaninError: It cannot be computed, as by some parametrisations on the meta device.
        """
        try:
            with torch.no_grad():
                return copy.deepcopy(self.computed).eval()()
        except Exception as problem:
            kinds = ", ".join(_kind(step) for step in self.computed)
            raise FaninError(
                f"{self.attribute} of {layer_name(self.module)} cannot be computed by {kinds}: "
                f"{type(problem).__name__}: {problem}. If it was built on the meta device, build "
                "this layer on the CPU, or apply the parametrisation after fanin.init_"
            ) from problem

    def prepare(self, values: Tensor, seed: int, name: str) -> Writing:
        """Try the values on a copy, and take its originals."""
        kind = ", ".join(_kind(step) for step in self.computed)
        wanted = cast(values, self.tensors[0]).cpu()
        with torch.no_grad(), seeded(seed, f"{name}/parametrisation"):
            trial = _trial(self.computed)
            inverted = _invert(trial, wanted.clone())
            if not inverted:
                if not trial.is_tensor or trial.original.shape != wanted.shape:
                    raise cannot_hold(name, kind)
                trial.original.copy_(wanted)
            weight = _read(trial, seed, name)
        exact = close(weight, wanted)
        spectral = any(isinstance(step, Spectral) for step in self.computed)
        # On the meta device a parametrisation's own parameters are still to be drawn.
        lost = any(tensor.is_meta for tensor in self.computed.parameters())
        broken = not (lost or weight.isfinite().all())
        if not exact and (broken or (inverted and not spectral)):
            raise cannot_hold(name, kind)
        if exact:
            note = f"through {kind}"
        elif spectral:
            note = NOTE
        else:
            note = f"{kind} has no inverse: these values are its original, not the weight"
        originals = tuple(
            cast(value, like)
            for value, like in zip(trial.parameters(recurse=False), self.tensors, strict=True)
        )
        return Writing(originals, tuple(_changed_buffers(self.computed, trial)), note)


def parametrised_places(module: nn.Module) -> list[Place]:
    """List the parametrised parameters of a module.

    Args:
        module: Any module, itself only.

    Returns:
        One place for each of them; a parametrised buffer has none.
    """
    if not is_parametrized(module):
        return []
    lists: Any = module.parametrizations
    places = [Parametrised(module, name, computed) for name, computed in lists.items()]
    return [place for place in places if place.originals]


def _kind(step: nn.Module) -> str:
    """Name a parametrisation as the person knows it: `_WeightNorm` is made by `weight_norm`."""
    name = type(step).__name__
    known = {"_WeightNorm": "weight_norm", "_SpectralNorm": "spectral_norm"}
    return known.get(name, name.removeprefix("_").lower() if name.startswith("_") else name)


def _trial(computed: ParametrizationList) -> ParametrizationList:
    """Copy a parametrisation to the CPU; what is on the meta device comes out as NaN."""
    trial = copy.deepcopy(computed).eval()
    if not any(tensor.is_meta for tensor in (*trial.parameters(), *trial.buffers())):
        return trial.cpu()
    trial.to_empty(device="cpu")
    for tensor in (*trial.parameters(), *trial.buffers()):
        if tensor.is_floating_point():
            tensor.fill_(torch.nan)
    return trial


def _invert(trial: ParametrizationList, wanted: Tensor) -> bool:
    """Set the weight through the inverse, if there is one that takes it."""
    try:
        trial.right_inverse(wanted)
    except (RuntimeError, ValueError, TypeError):
        return False
    return True


def _read(trial: ParametrizationList, seed: int, name: str) -> Tensor:
    """Compute the weight, with singular vectors that belong to it."""
    first, *others = trial
    _refresh(first, trial.original if trial.is_tensor else None, seed, name)
    weight = first(*trial.parameters(recurse=False))
    for step in others:
        _refresh(step, weight, seed, name)
        weight = step(weight)
    return weight


def _refresh(step: Any, weight: Tensor | None, seed: int, name: str) -> None:
    if isinstance(step, Spectral) and weight is not None and weight.ndim > 1:
        buffers = dict(step.named_buffers())
        matrix = vars(Spectral)["_reshape_weight_to_matrix"](step, weight)
        for letter, vector in zip("uv", singular_vectors(matrix, seed, name), strict=True):
            buffers[f"_{letter}"].copy_(vector)


def _changed_buffers(
    computed: ParametrizationList, trial: ParametrizationList
) -> list[tuple[nn.Module, str, Tensor]]:
    return [
        (real, name, buffer)
        for real, tried in zip(computed.modules(), trial.modules(), strict=True)
        for name, buffer in tried.named_buffers(recurse=False)
        if not _same(getattr(real, name), buffer)
    ]


def _same(old: Tensor | None, new: Tensor) -> bool:
    return old is not None and not old.is_meta and torch.equal(old.cpu(), new)
