"""From a trace to slots: what each parameter is for, as its use tells.

The type of a layer says what its author meant; the use says what really happens, also to a bare
parameter, a transposed weight or a fused one. So the use decides, and the type fills in what no use
tells: parameters that this pass did not touch, and habits of a framework.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fanin.recipes.slots import Role, Slot
from fanin.schemes import Layout
from fanin.trace import Kind, Part, Place, Surroundings, Trace, TracedParameter, Use

KERNELS = (Part.KERNEL, Part.STATE_KERNEL)

ROLES: Mapping[Part, Role] = {
    Part.KERNEL: Role.KERNEL,
    Part.STATE_KERNEL: Role.KERNEL,
    Part.TABLE: Role.EMBEDDING,
    Part.BIAS: Role.BIAS,
    Part.GAIN: Role.NORM_GAIN,
    Part.OFFSET: Role.NORM_OFFSET,
    Part.FACTOR: Role.SCALE,
    Part.TERM: Role.BIAS,
    Part.PIECE: Role.EMBEDDING,
}
"""What a parameter is for, by how an operation takes it, before its place is looked at."""


def slots_from(slots: Sequence[Slot], trace: Trace) -> tuple[Slot, ...]:
    """Complete the slots of a model by what a trace of it found.

    Args:
        slots: The slots as the types of the layers tell them.
        trace: A trace of the same model.

    Returns:
        The same parameters in the same order.

    Example:
        >>> from fanin.schemes import Fans
        >>> from fanin.trace import Kind, Op
        >>> bare = Slot("w", (64, 10), Role.OTHER, None, None, "MyLayer")
        >>> use = Use(1, Part.KERNEL, Layout.dense(), Fans(64, 10))
        >>> ops = (Op(Kind.INPUT, "input"), Op(Kind.LINEAR, "matmul", inputs=(0,)))
        >>> seen = Trace(ops, (TracedParameter("w", (64, 10), uses=(use,)),), "none", None, True)
        >>> slot = slots_from([bare], seen)[0]
        >>> str(slot.role), slot.fans
        ('kernel', Fans(fan_in=64.0, fan_out=10.0))
    """
    found = {parameter.name: parameter for parameter in trace.parameters}
    numbers = _asks_for_numbers(trace)
    around = {name: replace(own, regression=numbers) for name, own in trace.surroundings.items()}
    recurrent = {index for index, op in enumerate(trace.ops) if op.kind is Kind.RECURRENT}
    return tuple(
        _complete(slot, found[slot.name], around.get(slot.name), recurrent)
        if slot.name in found
        else slot
        for slot in slots
    )


ERRORS = ("mse", "mean squared", "l1", "huber", "smooth_l1", "mean absolute")
"""How the losses that compare numbers are called."""


CLASSES = ("cross_entropy", "cross entropy", "nll", "crossentropy")
"""How the losses that compare classes are called."""


def _asks_for_numbers(trace: Trace) -> bool:
    """Tell whether a network is asked for numbers rather than classes."""
    losses = [f"{op.function} {op.detail}".lower() for op in trace.ops if op.kind is Kind.LOSS]
    if any(word in text for text in losses for word in CLASSES):
        return False
    if any(word in text for text in losses for word in ERRORS):
        return True
    inputs = [op.forward for op in trace.ops if op.kind is Kind.INPUT and op.forward is not None]
    ends = [trace.ops[op.inputs[0]].forward for op in trace.ops if op.kind is Kind.OUTPUT]
    shapes = {signal.shape for signal in inputs if len(signal.shape) > 1}
    return any(end is not None and end.shape in shapes for end in ends)


def _complete(
    slot: Slot, parameter: TracedParameter, around: Surroundings | None, recurrent: set[int]
) -> Slot:
    if not parameter.uses:
        return replace(slot, used=False)
    main = next((use for use in parameter.uses if use.part in KERNELS), parameter.uses[0])
    completed = _as_used(slot, main, around)
    if main.op in recurrent and completed.role in (Role.HEAD, Role.GATE):
        # All gates of a recurrent layer are in one tensor, and its state is no prediction.
        completed = replace(completed, role=Role.KERNEL)
    others = list[Slot]()
    for use in parameter.uses:
        if _beside(main, use):
            continue
        other = _as_used(replace(slot, uses=()), use, None)
        different = (other.role is not completed.role and main.part is not use.part) or (
            other.fans != completed.fans
        )
        if use is not main and different and _weighs(use) and other not in others:
            others.append(other)
    return replace(completed, uses=tuple(others), around=around, used=True)


def _beside(main: Use, use: Use) -> bool:
    """Tell whether a use takes other rows: a further block of a fused kernel, and no tie."""
    if main.rows is None or use.rows is None:
        return False
    return use.rows[0] >= main.rows[1] or use.rows[1] <= main.rows[0]


def _weighs(use: Use) -> bool:
    """Tell whether a further use bears on how large the values may be."""
    return use.part in (*KERNELS, Part.TABLE)


def _as_used(slot: Slot, use: Use, around: Surroundings | None) -> Slot:
    if use.part in (Part.OTHER, Part.SLOPE):
        return slot
    role = ROLES[use.part]
    places = frozenset[Place]() if around is None else around.places
    if (role is Role.EMBEDDING and Place.POSITION in places) or (
        use.part is Part.TERM and (Place.POSITION in places or len(slot.shape) > 1)
    ):
        role = Role.POSITIONAL
    elif use.part in KERNELS and Place.LAST in places:
        role = Role.HEAD
    elif use.part is Part.KERNEL and Place.GATE in places:
        role = Role.GATE
    return replace(
        slot,
        role=role,
        layout=_layout(slot, use, role),
        fans=use.fans or (slot.fans if role is slot.role else None),
        recurrent=use.part is Part.STATE_KERNEL,
        one_plus="one plus" in use.through,
    )


def _layout(slot: Slot, use: Use, role: Role) -> Layout | None:
    if use.layout is not None:
        return use.layout
    if use.part in (*KERNELS, Part.TABLE):
        return slot.layout
    return slot.layout if role is slot.role else None
