"""Tracing a PyTorch model: one forward and one backward pass, and the model as it was before.

The pass runs the model's own code under a recorder; the gradients of every signal are measured as
they come back. What results is plain data.
"""

import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.nn.utils.parametrize import ParametrizationList

from fanin.errors import FaninError
from fanin.schemes import Fans
from fanin.torch.layers import layer_name
from fanin.torch.layouts import Site, memory, module_names, survey
from fanin.torch.tracing.measure import measure
from fanin.torch.tracing.origins import identity
from fanin.torch.tracing.recorder import Recorder
from fanin.torch.tracing.recording import WHOLE, Call, Recording
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
from fanin.trace import Kind, Op, Part, Signal, Trace, TracedParameter, Use
from fanin.trace.structure import surroundings

ENDS = (Kind.OUTPUT, Kind.LOSS)
"""What every signal that matters leads to."""


def trace(model: nn.Module, *batch: Any, loss: Loss | None = None, seed: int = 0) -> Trace:
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
        gradients = {} if meta else _backward(chosen, leaves)
    return _assemble(original, sites, recording, chosen, gradients)


def _original(model: nn.Module) -> nn.Module:
    if isinstance(model, torch.jit.ScriptModule):
        raise FaninError(
            f"{layer_name(model)} is a scripted model, whose operations torch does not show: pass "
            "the module that was given to torch.jit.script or torch.jit.trace"
        )
    inner = getattr(model, "_orig_mod", None)
    original = inner if isinstance(inner, nn.Module) else model
    if isinstance(original, nn.Module):
        scripted = [
            path
            for path, module in original.named_modules()
            if isinstance(module, torch.jit.ScriptModule)
        ]
        if scripted:
            raise FaninError(
                f"{', '.join(scripted)}: scripted, and torch does not show the operations of a "
                "scripted module: trace the model before torch.jit.script is applied"
            )
    return original


def _on_meta(arguments: Arguments) -> Arguments:
    def move(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to("meta")
        if isinstance(value, dict):
            return {key: move(item) for key, item in value.items()}
        if isinstance(value, list | tuple) and type(value) in (list, tuple):
            return type(value)(move(item) for item in value)
        return value

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
        with _eager(), _placed(recording, model, sites), recorder:
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


@contextmanager
def _placed(recording: Recording, model: nn.Module, sites: tuple[Site, ...]) -> Generator[None]:
    """Keep track of which module is running, by torch's global hooks: none on the model itself."""
    names = {id(module): path for path, module in reversed(module_names(model))}
    slots = {
        id(computed): (index, site.slot.shape)
        for index, site in enumerate(sites)
        if isinstance(computed := getattr(site.place, "computed", None), nn.Module)
    }
    stack = list[tuple[str, str]]()

    def entered(module: nn.Module, _: Any) -> None:
        stack.append(recording.at)
        if id(module) in names:
            recording.at = (names[id(module)], layer_name(module))

    def left(module: nn.Module, _: Any, output: Any) -> None:
        if recording.failed_at is None and sys.exc_info()[0] is not None:
            recording.failed_at = recording.at
        recording.at = stack.pop() if stack else ("", "")
        if isinstance(module, ParametrizationList) and id(module) in slots:
            index, shape = slots[id(module)]
            if isinstance(output, Tensor) and tuple(output.shape) == shape:
                kinds = tuple(layer_name(step) for step in module)
                recording.know(output, (identity(index, shape, kinds),))

    handles = [
        register_module_forward_pre_hook(entered),
        register_module_forward_hook(left, always_call=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _eager() -> Generator[None]:
    """Run compiled code uncompiled, and checkpointed code once."""
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        checkpoint: Any = sys.modules.get("torch.utils.checkpoint")
        if checkpoint is not None:
            kind = checkpoint.CheckpointFunction
            before = vars(kind).get("apply")
            kind.apply = staticmethod(lambda run, _, *args: run(*args))
            stack.callback(_put_back, kind, before)
        yield


def _put_back(kind: type, before: Any) -> None:
    if before is None:
        del kind.apply  # pyright: ignore[reportAttributeAccessIssue]  # it was set a moment ago
    else:
        kind.apply = before  # pyright: ignore[reportAttributeAccessIssue]  # as above


def _backward(chosen: Chosen, leaves: dict[int, list[Tensor]]) -> dict[int, Signal]:
    """Send gradients back; `.grad` stays as it is."""
    flat = [(index, tensor) for index, tensors in leaves.items() for tensor in tensors]
    if chosen.value is None or not flat:
        return {}
    wanted = [tensor for _, tensor in flat]
    try:
        gradients = torch.autograd.grad(chosen.value, wanted, allow_unused=True)
    except Exception as problem:
        raise FaninError(
            f"the forward pass went through, but no gradient could be sent back from the loss "
            f"({chosen.name}): {type(problem).__name__}: {problem}. A training step of this model "
            "would fail in the same way, unless the model goes backward by itself"
        ) from problem
    measured = dict[int, Signal]()
    with torch.no_grad():
        for (index, tensor), gradient in zip(flat, gradients, strict=True):
            if gradient is None:
                continue
            units = (0,) if tensor.ndim > 1 else ()
            own = measure(
                gradient.to_dense() if gradient.is_sparse else gradient, units, "gradient"
            )
            if own is not None:
                measured[index] = own
    return measured


def _assemble(
    model: nn.Module,
    sites: tuple[Site, ...],
    recording: Recording,
    chosen: Chosen,
    gradients: dict[int, Signal],
) -> Trace:
    ops = tuple(
        replace(op, forward=recording.forward.get(index), backward=recording.backward.get(index))
        for index, op in enumerate(recording.ops)
    )
    uses = {
        index: [_cut(use, sites[index].slot.shape, recording) for use in own]
        for index, own in recording.uses.items()
    }
    fans = {
        (use.op, use.fans): cut.fans
        for index, own in recording.uses.items()
        for use, cut in zip(own, uses[index], strict=True)
        if use.layout is not None
    }
    kept, places = _alive(ops, uses, recording.constant)
    ops = tuple(kept)
    parameters = tuple(
        TracedParameter(
            site.slot.name,
            site.slot.shape,
            site.slot.aliases,
            tuple(_renamed(use, places, fans) for use in uses.get(index, [])),
            gradients.get(index),
        )
        for index, site in enumerate(sites)
    )
    notes = [*dict.fromkeys(recording.notes)]
    if any(op.kind is Kind.DROPOUT and op.detail not in ("", "0") for op in ops):
        notes.append("in training mode: dropout was on, with a fixed seed")
    return Trace(
        ops, parameters, chosen.name, chosen.number, model.training, tuple(notes),
        surroundings(ops, parameters),
    )  # fmt: skip


def _alive(
    ops: tuple[Op, ...], uses: dict[int, list[Use]], constant: set[int]
) -> tuple[list[Op], dict[int, int]]:
    """Leave out what nothing comes of: the steps of an activation that was recognised as a whole.

    So are uses on the way to a weight, such as the power iteration of a spectral norm, where the
    parameter has others.
    """
    reached = _leading_to(ops, {i for i, op in enumerate(ops) if op.kind in ENDS})
    for index, own in uses.items():
        live = [use for use in own if use.op in reached or use.op not in constant]
        uses[index] = live or own
    needed = {use.op for own in uses.values() for use in own}
    needed |= {i for i, op in enumerate(ops) if op.kind is Kind.INPUT or op.kind in ENDS}
    needed = _leading_to(ops, needed)
    alive = [index in needed for index in range(len(ops))]
    places = {old: new for new, old in enumerate(i for i, own in enumerate(alive) if own)}
    kept = [
        replace(op, inputs=tuple(places[before] for before in op.inputs))
        for index, op in enumerate(ops)
        if alive[index]
    ]
    return kept, places


def _leading_to(ops: tuple[Op, ...], ends: set[int]) -> set[int]:
    found = set(ends)
    for index in range(len(ops) - 1, -1, -1):
        if index in found:
            found.update(ops[index].inputs)
    return found


def _renamed(
    use: Use, places: dict[int, int], fans: dict[tuple[int, Fans | None], Fans | None]
) -> Use:
    """Give a use the new index of its operation, and a bias the fans that its kernel was cut to."""
    own = fans.get((use.op, use.fans), use.fans) if use.part is Part.BIAS else use.fans
    return replace(use, op=places[use.op], fans=own)


def _cut(use: Use, shape: tuple[int, ...], recording: Recording) -> Use:
    """Find out into how many matrices of their own the outputs of a kernel are cut."""
    layout = use.layout
    if (
        layout is None
        or not layout.out_axes
        or layout.lookup
        or layout.blocks > 1
        or layout.groups > 1
    ):
        return use
    size = shape[layout.out_axes[0]]
    if use.rows is not None:
        part = use.rows[1] - use.rows[0]
        even = part and size % part == 0 and use.rows[0] % part == 0
        return replace(use, layout=replace(layout, blocks=size // part)) if even else use
    pieces = recording.read_of(use.op)
    total = recording.totals.get(use.op, 0)
    counts = {count for _, _, count in pieces}
    if WHOLE in pieces or len(counts) != 1 or not total or use.fans is None:
        return use
    count = counts.pop()
    parts = total // count if count else 0
    if parts < 2 or parts * count != total or len(pieces) < parts:
        return use
    fans = Fans(use.fans.fan_in, use.fans.fan_out / parts)
    lies_in_order = all(last - first == count for first, last, _ in pieces)
    if lies_in_order and size % parts == 0:
        return replace(use, layout=replace(layout, blocks=parts), fans=fans)
    return replace(use, fans=fans)
