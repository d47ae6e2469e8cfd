"""Tracing a PyTorch model: one forward and one backward pass, and the model as it was before.

The pass runs the model's own code under a recorder; the gradients of every signal are measured as
they come back. What results is plain data.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from fanin.errors import FaninError
from fanin.torch.layers import layer_name
from fanin.torch.layouts import Site, memory, module_names, survey
from fanin.torch.tracing.assembling import assemble
from fanin.torch.tracing.execution import eager, placed
from fanin.torch.tracing.measure import measure
from fanin.torch.tracing.origins import identity
from fanin.torch.tracing.recorder import Recorder
from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.running import (
    Arguments,
    Chosen,
    Loss,
    bind,
    choose_loss,
    describe,
    tensors_in,
)
from fanin.torch.tracing.untouched import Guard, untouched
from fanin.torch.tracing.values import Call
from fanin.trace import Kind, Signal, Trace


@runtime_checkable
class Watch(Protocol):
    """Sees the tensors of a pass while they are there."""

    def answered(self, chosen: Chosen, arguments: Arguments) -> None:
        """See the output and the loss.

        Args:
            chosen: The loss, and the tensors that it was computed from.
            arguments: The batch, sorted.
        """

    def arrived(self, site: Site, tensor: Tensor, gradient: Tensor) -> None:
        """See the gradient of one parameter.

        Args:
            site: The parameter.
            tensor: The tensor of it that is trained.
            gradient: Its gradient, dense.
        """


def trace(
    model: nn.Module,
    *batch: Any,
    loss: Loss | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> Trace:
    """Run a model once, forward and backward, and tell what it did.

    The model is left as it was: parameters, buffers, gradients, modes, hooks, attributes and the
    states of all random generators. Dropout and batch statistics are as the model's mode has them.

    Args:
        model: Any module whose parameters have shapes. On the meta device the graph is read and
            nothing is measured.
        *batch: What its forward pass takes, as positional arguments or one mapping of keyword
            arguments; what it does not take goes to the loss.
        loss: Takes the output, then the rest of the batch, and returns one number; by default the
            loss in the output, one that the rest of the batch calls for, or a neutral one.
        seed: Seed of what the model draws in the pass, and of the neutral loss.
        watch: Sees the output and the gradients before they are let go.

    Returns:
        The trace.

    Raises:
        FaninError: The model cannot be traced, or fails on the batch.

    Example:
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> seen = trace(model, torch.randn(16, 4))
        >>> [f"{op.kind}: {op.detail or op.path}" for op in seen.ops[1:4]]
        ['linear: 0', 'activation: relu', 'linear: 2']
    """
    original = _original(model)
    sites = survey(original)
    arguments = bind(original, batch)
    recording = Recording()
    tensors = [tensor for site in sites for tensor in site.place.tensors]
    meta = any(tensor.is_meta for tensor in tensors)
    if meta:
        recording.values_known = False
        recording.notes.append(
            "the model is on the meta device: its graph was read, nothing measured"
        )
        arguments = _on_meta(arguments)
    leaves = _register(recording, original, sites)
    with (
        untouched(original, seed, "trace") as guard,
        torch.inference_mode(False),
        torch.enable_grad(),
    ):
        chosen = _forward(original, arguments, loss, seed, recording, guard, sites)
        if watch is not None and not meta:
            watch.answered(chosen, arguments)
        gradients = {} if meta else _backward(chosen, leaves, sites, watch)
    return assemble(original, sites, recording, chosen, gradients)


def _original(model: nn.Module) -> nn.Module:
    if _is_scripted(model):
        raise FaninError(
            f"{layer_name(model)} is a scripted model, whose operations torch does not show: pass "
            "the module that was given to torch.jit.script or torch.jit.trace"
        )
    inner = getattr(model, "_orig_mod", None)
    original = inner if isinstance(inner, nn.Module) else model
    if isinstance(original, nn.Module):
        paths = [path for path, own in module_names(original) if _is_scripted(own)]
        if paths:
            raise FaninError(
                f"{', '.join(paths)}: scripted, and torch does not show the operations of a "
                "scripted module: trace the model before torch.jit.script is applied"
            )
    return original


def _is_scripted(module: Any) -> bool:
    return isinstance(module, torch.jit.ScriptModule)


def _on_meta(arguments: Arguments) -> Arguments:
    def move(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to("meta")
        inside: Any = value
        if type(value) is dict:
            return {key: move(item) for key, item in inside.items()}
        if type(value) is list:
            return [move(item) for item in inside]
        if type(value) is tuple:
            return tuple(move(item) for item in inside)
        return inside

    return Arguments(move(arguments.args), move(arguments.kwargs), move(arguments.rest))


def _register(
    recording: Recording, model: nn.Module, sites: tuple[Site, ...]
) -> dict[int, list[Tensor]]:
    """Make every parameter known to the recording; list the tensors of each that are trained."""
    by_memory = dict[object, int]()
    leaves = dict[int, list[Tensor]]()
    for index, site in enumerate(sites):
        for tensor in site.place.tensors:
            by_memory[memory(tensor)] = index
            if tensor.requires_grad:
                leaves.setdefault(index, []).append(tensor)
    for _, parameter in model.named_parameters(remove_duplicate=False):
        index = by_memory.get(memory(parameter))
        if index is not None and tuple(parameter.shape) == sites[index].slot.shape:
            recording.know(parameter, (identity(index, parameter.shape),))
    return leaves


def _forward(
    model: nn.Module,
    arguments: Arguments,
    loss: Loss | None,
    seed: int,
    recording: Recording,
    guard: Guard,
    sites: tuple[Site, ...],
) -> Chosen:
    for tensor in tensors_in([*arguments.args, arguments.kwargs]):
        if not isinstance(tensor, nn.Parameter):
            recording.add(
                Kind.INPUT, Call("input", (), {}, tensor, lambda _: None), [], units=_last(tensor)
            )
    recorder = Recorder(recording, guard.before_writing)
    try:
        with eager(), placed(recording, model, sites), recorder:
            output = model(*arguments.args, **arguments.kwargs)
        recording.at = ("", "")
        chosen = choose_loss(output, arguments.rest, loss, seed)
    except FaninError:
        raise
    except Exception as problem:
        given = ", ".join(
            [describe(value) for value in arguments.args]
            + [f"{name}={describe(value)}" for name, value in arguments.kwargs.items()]
        )
        path, module = recording.failed_at or recording.at
        where = f" in {path} ({module})" if path else ""
        raise FaninError(
            f"{layer_name(model)} failed{where} on the batch ({given}): "
            f"{type(problem).__name__}: {problem}"
        ) from problem
    outputs = [value for t in chosen.measured if (value := recording.read(t)) is not None]
    for value in outputs:
        recording.add(Kind.OUTPUT, Call("output", (), {}, (), lambda _: None), [value])
    if chosen.value is not None:
        own = recording.value(chosen.value) if chosen.inside else None
        call = Call("loss", (), {}, (), lambda _: None)
        recording.add(Kind.LOSS, call, [own] if own is not None else outputs, detail=chosen.name)
    return chosen


def _last(tensor: Tensor) -> tuple[int, ...]:
    """Units of an input: channels of an image, else the last axis."""
    if tensor.ndim in (4, 5) and tensor.is_floating_point():
        return (1,)
    return (tensor.ndim - 1,) if tensor.ndim > 1 and tensor.is_floating_point() else ()


def _backward(
    chosen: Chosen,
    leaves: dict[int, list[Tensor]],
    sites: tuple[Site, ...],
    watch: Watch | None,
) -> dict[int, Signal]:
    """Send gradients back; `.grad` stays as it is."""
    flat = [(index, tensor) for index, tensors in leaves.items() for tensor in tensors]
    if chosen.value is None or not flat:
        return {}
    wanted = [tensor for _, tensor in flat]
    try:
        gradients: Sequence[Tensor | None] = torch.autograd.grad(
            chosen.value, wanted, allow_unused=True
        )
    except Exception as problem:
        raise FaninError(
            f"the forward pass went through, but no gradient could be sent back from the loss "
            f"({chosen.name}): {type(problem).__name__}: {problem}. A training step of this model "
            "would fail in the same way, unless the model goes backward by itself"
        ) from problem
    measured = dict[int, Signal]()
    arrived: Any = gradients
    with torch.no_grad():
        for (index, tensor), gradient in zip(flat, arrived, strict=True):
            if gradient is None:
                continue
            units = (0,) if tensor.ndim > 1 else ()
            dense = gradient.to_dense() if gradient.is_sparse else gradient
            if watch is not None:
                watch.arrived(sites[index], tensor, dense)
            own = measure(dense, units, "gradient")
            if own is not None:
                measured[index] = own
    return measured
