"""Finding again what only a constructor knew, after the meta device has lost it.

Two know it still: whoever can build the model again, and a module whose `reset_parameters` writes
its buffers too, as PyTorch asks of modules that are to be materialised. Neither is believed: what
the first gives must fit, and what the second gives must not depend on what was there before.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from fanin.errors import FaninError
from fanin.torch.layers import layer_name
from fanin.torch.materialise import Lost, inside, parameters_on_meta
from fanin.torch.randomness import seeded

POISONS = (0, 1)
"""What is in the memory before: two fillings that every dtype has."""


@dataclass(frozen=True)
class Restored:
    """A value that was found again.

    Attributes:
        lost: Where it belongs.
        value: A tensor, or a list, tuple or dict with tensors in it.
        source: What computed it.
    """

    lost: Lost
    value: Any
    source: str

    def put(self) -> str:
        """Put it where it belongs.

        Returns:
            What was done, as a sentence.
        """
        setattr(self.lost.module, self.lost.name, self.value)
        return f"{self.lost.path} was computed again by {self.source}"


def computed_again(
    model: nn.Module, lost: Sequence[Lost], seed: int, build: Callable[[], nn.Module] | None
) -> list[Restored]:
    """Compute lost values again, without touching the model.

    Args:
        model: The model they belong to.
        lost: What was lost.
        seed: The one seed; what a constructor draws at random belongs to the start too.
        build: Builds the same model; None where nobody can.

    Returns:
        One for each.

    Raises:
        FaninError: Some cannot be computed; all of those are named, and how to go on.
    """
    if not lost:
        return []
    twin = None if build is None else _build(model, build, seed)
    found = list[Restored]()
    for one in lost:
        restored = _by_itself(one, seed) if twin is None else _from(twin, one)
        if restored is not None:
            found.append(restored)
    missing = [one for one in lost if all(one is not restored.lost for restored in found)]
    if missing:
        raise _refusal(missing, built=twin is not None)
    return found


def _refusal(missing: Sequence[Lost], *, built: bool) -> FaninError:
    listed = "; ".join(map(str, missing))
    if built:
        return FaninError(
            f"what build= builds has no values of the right shape for {listed}. It must build the "
            'same model, with real buffers: without torch.device("meta")'
        )
    return FaninError(
        f"on the meta device, and only the constructor knows the values: {listed}. "
        "Pass build=, a function that builds the same model: its parameters get no memory. Or "
        "build with fanin.torch.parameters_on_meta() in place of torch.device('meta'), or give "
        "the module a reset_parameters that computes them"
    )


def _build(model: nn.Module, build: Callable[[], nn.Module], seed: int) -> nn.Module:
    try:
        with parameters_on_meta(), seeded(seed, "build"):
            twin = build()
    except Exception as problem:
        raise FaninError(
            f"build= failed: {type(problem).__name__}: {problem}. It must build the model that is "
            "to be initialised; its parameters have no memory while it is built"
        ) from problem
    if type(twin) is not type(model):
        raise FaninError(
            f"build= must build the same model, a {layer_name(model)}, got {type(twin).__name__}"
        )
    return twin


def _from(twin: nn.Module, lost: Lost) -> Restored | None:
    modules = dict(cast("Iterator[tuple[str, nn.Module]]", twin.named_modules()))
    value = getattr(modules.get(lost.home), lost.name, None)
    fits = _alike(value, getattr(lost.module, lost.name))
    return Restored(lost, value, "build=") if fits else None


def _by_itself(lost: Lost, seed: int) -> Restored | None:
    """Let a copy of the module reset itself over two fillings, and take what both agree on.

    References:
        PyTorch 2.13, `torch.distributed.fsdp.FullyShardedDataParallel`, on `param_init_fn`: a
        module's `reset_parameters` initialises the parameters and buffers that it owns directly.
    """
    if not hasattr(lost.module, "reset_parameters"):
        return None
    first, second = (_reset(lost, seed, poison) for poison in POISONS)
    if not _alike(first, getattr(lost.module, lost.name)) or not _equal(first, second):
        return None
    return Restored(lost, first, f"reset_parameters of {layer_name(lost.module)}")


def _reset(lost: Lost, seed: int, poison: int) -> Any:
    try:
        trial = copy.deepcopy(lost.module)
        for name, tensor in [*trial.named_buffers(recurse=False), *vars(trial).items()]:
            if isinstance(tensor, Tensor):
                setattr(trial, name, torch.full_like(tensor, poison, device="cpu"))
        for name, old in [*trial.named_parameters(recurse=False)]:
            setattr(trial, name, nn.Parameter(torch.zeros_like(old, device="cpu"), False))
        with torch.no_grad(), seeded(seed, f"{lost.home}/reset_parameters"):
            cast("Any", trial).reset_parameters()
        return getattr(trial, lost.name)
    except Exception:  # noqa: BLE001  # a person's code, tried where it may not be meant to run
        return None


def _alike(value: Any, like: Any) -> bool:
    """Tell whether a value is real and has the kind and the shapes of the one that was lost."""
    ours, theirs = inside(value), inside(like)
    return (
        (type(value) is type(like) or (isinstance(value, Tensor) and isinstance(like, Tensor)))
        and len(ours) == len(theirs)
        and all(map(_fits, ours, theirs))
    )


def _fits(ours: Any, theirs: Any) -> bool:
    if not isinstance(theirs, Tensor):
        return True
    same = isinstance(ours, Tensor) and ours.shape == theirs.shape and ours.dtype == theirs.dtype
    return same and not ours.is_meta


def _equal(first: Any, second: Any) -> bool:
    pairs = zip(inside(first), inside(second), strict=True)
    return all(torch.equal(a, b) for a, b in pairs if isinstance(a, Tensor))
