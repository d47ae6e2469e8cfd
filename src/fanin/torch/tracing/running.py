"""Running a model once on whatever it takes, and finding a loss to send gradients back from.

The arguments of the forward pass are taken from the batch by the signature; what is left over is
for the loss. Where nobody names a loss, the model's own is used, or one that says nothing about the
task: the output projected on a fixed random direction, so that every output receives a gradient of
unit variance.
"""

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from fanin.draws import Normal
from fanin.errors import FaninError
from fanin.torch.draws import sample_
from fanin.torch.tracing.values import is_mapping, is_sequence

Loss = Callable[..., Any]
"""Takes the output of the model, then what the forward pass left over of the batch."""

NEUTRAL = "the output projected on a fixed random direction"
"""Name of the loss that says nothing about the task."""

CACHES = frozenset({"past_key_values", "hidden_states", "attentions", "cross_attentions", "mems"})
"""Outputs of Hugging Face models that no loss is computed from."""


DEEPEST = 6
"""Containers within containers that are searched for tensors."""


@dataclass(frozen=True)
class Arguments:
    """The batch, sorted.

    Attributes:
        args: Positional arguments of the forward pass.
        kwargs: Its keyword arguments.
        rest: What is left for the loss.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    rest: tuple[Any, ...]


def bind(model: nn.Module, batch: tuple[Any, ...]) -> Arguments:
    """Sort a batch into arguments of the forward pass and what is left for the loss.

    Args:
        model: The model.
        batch: What the person passed. One mapping whose keys are names of arguments is taken as
            keyword arguments.

    Returns:
        The arguments.
    """
    called: Any = model
    while isinstance(called, nn.DataParallel | nn.parallel.DistributedDataParallel):
        called = cast("Any", called).module  # passes on whatever it is given
    parameters = list(inspect.signature(called.forward).parameters.values())
    kinds = inspect.Parameter
    named = [p for p in parameters if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)]
    anything = any(p.kind is kinds.VAR_KEYWORD for p in parameters)
    if len(batch) == 1 and is_mapping(batch[0]) and all(isinstance(k, str) for k in batch[0]):
        given: dict[str, Any] = dict(batch[0])
        names = {p.name for p in named}
        if names & given.keys() or (anything and not named):
            taken = {k: v for k, v in given.items() if anything or k in names}
            return Arguments((), taken, tuple(v for k, v in given.items() if k not in taken))
    if any(p.kind is kinds.VAR_POSITIONAL for p in parameters):
        return Arguments(batch, {}, ())
    most = sum(p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD) for p in parameters)
    return Arguments(batch[:most], {}, batch[most:])


@dataclass(frozen=True)
class Chosen:
    """A loss.

    Attributes:
        value: The loss itself, with its graph; None where there is nothing to send back from.
        name: What a person would call it.
        number: Its value; None for the neutral one.
        measured: The tensors that it was computed from.
        inside: Whether the model computed it itself.
    """

    value: Tensor | None
    name: str
    number: float | None
    measured: tuple[Tensor, ...]
    inside: bool = False


def choose_loss(output: Any, rest: tuple[Any, ...], loss: Loss | None, seed: int) -> Chosen:
    """Compute the loss that gradients are sent back from.

    Args:
        output: What the model returned.
        rest: What its forward pass left over of the batch.
        loss: The person's loss, if there is one.
        seed: Seed of the random direction.

    Returns:
        The loss.

    Raises:
        FaninError: The person's loss fails, or is no single number with a gradient.
    """
    found = tuple(t.values() if t.is_nested else t for t in tensors_in(output, CACHES | {"loss"}))
    if loss is not None:
        return _given(output, rest, loss, found)
    own = _own_loss(output)
    if own is not None:
        return Chosen(own, "the model's own loss", _number(own), found, inside=True)
    real = [t for t in found if t.is_floating_point() and t.requires_grad]
    if len(rest) == 1 and len(real) >= 1 and isinstance(rest[0], Tensor):
        guess = _from_target(real[0], rest[0])
        if guess is not None:
            return Chosen(guess[0], guess[1], _number(guess[0]), (real[0],))
    if not real:
        return Chosen(None, "none: no output depends on a trainable parameter", None, found)
    total = torch.stack([_projected(t, seed, index) for index, t in enumerate(real)]).sum()
    return Chosen(total, NEUTRAL, None, tuple(real))


def _given(output: Any, rest: tuple[Any, ...], loss: Loss, found: tuple[Tensor, ...]) -> Chosen:
    name = getattr(loss, "__name__", type(loss).__name__)
    try:
        value = loss(output, *rest)
    except FaninError:
        raise
    except Exception as problem:
        shown = ", ".join(describe(item) for item in (output, *rest))
        raise FaninError(
            f"loss={name} failed on ({shown}): {type(problem).__name__}: {problem}. It is called "
            "with the output of the model, then with what its forward pass left over of the batch"
        ) from problem
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        raise FaninError(
            f"loss={name} must return one number that depends on the parameters, got "
            f"{describe(value)}" + ("" if not isinstance(value, Tensor) or value.numel() == 1 else
                                    "; take its mean")
        )  # fmt: skip
    return Chosen(value.reshape(()), name, _number(value), found)


def _number(loss: Tensor) -> float:
    """Read a loss; nan on the meta device, where there is nothing to read."""
    return math.nan if loss.is_meta else float(loss.detach())


def _own_loss(output: Any) -> Tensor | None:
    named: Any = output
    own: Any = named.get("loss") if is_mapping(output) else getattr(output, "loss", None)
    if own is None and isinstance(output, Tensor):
        own = output
    usable = isinstance(own, Tensor) and own.numel() == 1 and own.ndim == 0 and own.requires_grad
    return own if usable else None


def _from_target(output: Tensor, target: Tensor) -> tuple[Tensor, str] | None:
    """Guess the loss that a target calls for."""
    whole = not target.is_floating_point() and target.dtype is not torch.bool
    if whole and output.ndim == target.ndim + 1:
        classes = output.shape[-1] if output.shape[:-1] == target.shape else output.shape[1]
        moved = output.movedim(-1, 1) if output.shape[:-1] == target.shape else output
        fits = target.is_meta or (int(target.min()) >= 0 and int(target.max()) < classes)
        if target.numel() and fits:
            return functional.cross_entropy(
                moved, target.long()
            ), "cross entropy with the batch's target"
    if target.is_floating_point() and output.shape == target.shape:
        return functional.mse_loss(
            output, target.to(output.dtype)
        ), "mean squared error with the batch's target"
    return None


def _projected(output: Tensor, seed: int, index: int) -> Tensor:
    """Project on a random direction; the mean over examples, as of any loss."""
    drawn = torch.empty(output.shape, dtype=torch.float32, device=output.device)
    if drawn.is_meta:
        return output.sum()
    sample_(drawn, Normal(), seed, f"output {index}")
    examples = output.shape[0] if output.ndim > 1 else 1
    # A product of vectors, which keeps no third tensor of that size.
    return (output.reshape(-1) @ drawn.to(output.dtype).reshape(-1)) / examples


def tensors_in(value: Any, leaving_out: frozenset[str] = frozenset()) -> Iterator[Tensor]:
    """Find the tensors in an input or output, whatever it is.

    Args:
        value: A tensor, or lists, tuples, mappings, dataclasses or objects of such.
        leaving_out: Names of entries that do not count.

    Yields:
        Each tensor.
    """
    yield from _found(value, leaving_out, 0)


def _found(value: Any, leaving_out: frozenset[str], depth: int) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif depth < DEEPEST:
        for item in _items(value, leaving_out, outermost=depth < 2):
            yield from _found(item, leaving_out, depth + 1)


def _items(value: Any, leaving_out: frozenset[str], outermost: bool) -> Iterable[Any]:
    if is_sequence(value):
        return value
    named: dict[str, Any]
    if is_mapping(value):
        named = dict(value)
    elif dataclasses.is_dataclass(value) or (outermost and hasattr(value, "__dict__")):
        named = {} if _is_code(value) else _attributes(value)
    else:
        return ()
    return [item for name, item in named.items() if name not in leaving_out]


def _is_code(value: Any) -> bool:
    return isinstance(value, nn.Module | type)


def _attributes(value: Any) -> dict[str, Any]:
    whole: Any = value
    if dataclasses.is_dataclass(value):
        return {one.name: getattr(whole, one.name) for one in dataclasses.fields(value)}
    return whole.__dict__


def describe(value: Any) -> str:
    """Say what something is, in a few words.

    Args:
        value: Anything.

    Returns:
        Its shape and dtype for a tensor, else its type.

    Example:
        >>> describe(torch.zeros(2, 3)), describe({"x": 1})
        ('float32 (2, 3)', 'dict of x')
    """
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if is_mapping(value):
        return f"{type(value).__name__} of {', '.join(map(str, value))}"
    return type(value).__name__
