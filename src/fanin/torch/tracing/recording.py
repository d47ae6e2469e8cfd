"""What has been recorded so far: operations, uses of parameters, and what every tensor is.

Tensors are followed by identity, and let go of when the model lets go of them.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from fanin.schemes import Fans, Layout
from fanin.torch.tracing.ancestry import made_from
from fanin.torch.tracing.examples import inside, outside
from fanin.torch.tracing.measure import measure
from fanin.torch.tracing.origins import IN, OUT, Origin, line, stored_layout
from fanin.torch.tracing.units import distinct_units, number, numbers_in, sample, unit_axes
from fanin.torch.tracing.values import Base, Call, Value, tensors_of
from fanin.torch.tracing.wrapped import inner, is_wrapped, whole
from fanin.trace import Kind, Op, Part, Signal, Use

PASSING = frozenset({Kind.ADD, Kind.MULTIPLY, Kind.DROPOUT})
"""Operations that leave every unit where it was."""


WHOLE = (0, 0, 0)
"""Stands for a reader that takes all units of an operation."""


@dataclass
class Recording:
    """One forward pass, as it is recorded.

    Attributes:
        ops: Operations so far.
        uses: Uses of each parameter so far, by index.
        forward: Figures of the signals put out.
        backward: Figures of the gradients that arrived.
        pieces: For each operation with units of its own, the parts that were read of it.
        totals: Number of units of each of those.
        constant: Operations that no input has a part in.
        values_known: Whether tensors hold numbers; not on the meta device.
        at: Path and type of the module that is running.
        failed_at: Path and type of the module in which the pass failed, if it did.
        notes: What the reader of the trace has to know.
    """

    ops: list[Op] = field(default_factory=list[Op])
    uses: dict[int, list[Use]] = field(default_factory=dict[int, list[Use]])
    forward: dict[int, Signal] = field(default_factory=dict[int, Signal])
    backward: dict[int, Signal] = field(default_factory=dict[int, Signal])
    pieces: dict[int, set[tuple[int, int, int]]] = field(
        default_factory=dict[int, set[tuple[int, int, int]]]
    )
    totals: dict[int, int] = field(default_factory=dict[int, int])
    constant: set[int] = field(default_factory=set[int])
    values_known: bool = True
    at: tuple[str, str] = ("", "")
    failed_at: tuple[str, str] | None = None
    notes: list[str] = field(default_factory=list[str])
    _tracked: dict[int, tuple[Any, Value | tuple[Origin, ...]]] = field(
        default_factory=dict[int, Any]
    )
    _makers: dict[Any, int] = field(default_factory=dict[Any, int])

    def know(self, tensor: Tensor, what: Value | tuple[Origin, ...]) -> None:
        """Remember what a tensor is, for as long as it lives.

        Args:
            tensor: The tensor.
            what: A signal, or what it is made from.
        """
        key, tracked = id(tensor), self._tracked

        def forget(gone: Any) -> None:
            if tracked.get(key, (None,))[0] is gone:
                del tracked[key]

        tracked[key] = (weakref.ref(tensor, forget), what)
        if is_wrapped(tensor):
            self.know(inner(tensor)[0], outside(tensor, what))

    def value(self, tensor: Any) -> Value | None:
        """Look up a signal.

        Args:
            tensor: Anything.

        Returns:
            What is known of it; None for what is no signal.
        """
        found = self.tracked(tensor)
        if isinstance(found, Value):
            return found
        if found is None and isinstance(tensor, Tensor) and whole(tensor).grad_fn is not None:
            return self._opaque(tensor)
        return None

    def origins(self, tensor: Any) -> tuple[Origin, ...]:
        """Look up what a tensor is made from.

        Args:
            tensor: Anything.

        Returns:
            One origin for each parameter; empty for what is made from none.
        """
        found = self.tracked(tensor)
        return found if isinstance(found, tuple) else ()

    def weight(self, tensor: Any) -> tuple[Origin, ...]:
        """Look up what a tensor in the place of a weight is made from.

        Args:
            tensor: Anything.

        Returns:
            As `origins`, and those that a signal carries along.
        """
        found = self.tracked(tensor)
        return found.carried if isinstance(found, Value) else self.origins(tensor)

    def knows(self, tensor: Any) -> bool:
        """Tell whether a tensor has to do with signals or parameters.

        Args:
            tensor: Anything.

        Returns:
            Whether anything is known of it, be it only that it is made from parameters somehow.
        """
        return self.tracked(tensor) is not None or self.value(tensor) is not None

    def read(self, tensor: Any) -> Value | None:
        """Look up a signal that an operation takes, and note which of its units are taken.

        Args:
            tensor: Anything.

        Returns:
            As `value`.
        """
        value = self.value(tensor)
        if value is not None and value.op in self.totals:
            self.pieces.setdefault(value.op, set()).add(self._piece(value))
        return value

    def add(
        self,
        kind: Kind,
        call: Call,
        inputs: Sequence[Value | None],
        *,
        detail: str = "",
        steps: int = 1,
        units: Sequence[int] | Tensor | None = None,
        own: bool = False,
        base: Base | None = None,
        statistic: frozenset[int] = frozenset(),
        carried: tuple[Origin, ...] = (),
    ) -> int:
        """Record an operation and what its results are.

        Args:
            kind: What it does.
            call: The call.
            inputs: The signals that it takes; None for what is none.
            detail: More on the kind.
            steps: How often it was applied to its own result.
            units: Axes of the result along which its units lie, or the unit of each element.
            own: Whether the units are new, made by a kernel.
            base: What the result is an element-by-element function of, if that goes on.
            statistic: Whose numbers it is a statistic of.
            carried: Parameters that the result is made from element by element.

        Returns:
            Index of the operation.
        """
        index = len(self.ops)
        path, module = self.at
        taken = tuple(dict.fromkeys(value.op for value in inputs if value is not None))
        if kind is Kind.ATTENTION or kind is Kind.PRODUCT:
            taken = tuple(value.op for value in inputs if value is not None)
        self.ops.append(Op(kind, call.name, path, module, taken, detail, steps))
        if kind is not Kind.INPUT and self.constant.issuperset(taken):
            self.constant.add(index)
        shadow = None
        for tensor in tensors_of(call.out):
            if tensor.is_nested:
                shadow = None  # its examples differ in shape
            elif not isinstance(units, Tensor) and units:
                shadow = number(tensor, units)
            elif isinstance(units, Tensor) and units.shape == tensor.shape:
                shadow = units
            else:
                shadow = None
            if own and shadow is not None and index not in self.totals:
                self.totals[index] = distinct_units(shadow).numel()
            elif kind in PASSING and shadow is not None and shadow is units:
                self._pass_on(index, taken)
            fitting = tuple(own for own in carried if own.coordinates[0].shape == tensor.shape)
            self.know(tensor, Value(index, shadow, base, statistic, fitting))
            maker = whole(tensor).grad_fn
            if maker is not None:
                self._makers[maker] = index
        first = next(tensors_of(call.out), None)
        if first is not None:
            self._watch(index, first, kind, detail)
        return index

    def use(
        self,
        origins: Sequence[Origin],
        op: int,
        part: Part,
        *,
        layout: Layout | None = None,
        fans: Fans | None = None,
        rows: tuple[int, int] | None = None,
    ) -> None:
        """Record that an operation takes parameters.

        Args:
            origins: Which ones.
            op: Index of the operation.
            part: As what.
            layout: Layout of the stored tensor in this use.
            fans: Fans of the use.
            rows: Part of the first output axis that is taken.
        """
        for origin in origins:
            use = Use(op, part, layout, fans, origin.through, rows)
            self.uses.setdefault(origin.slot, []).append(use)

    def use_kernel(
        self,
        origins: Sequence[Origin],
        op: int,
        roles: Sequence[str],
        fans: Fans,
        part: Part = Part.KERNEL,
        **more: Any,
    ) -> None:
        """Record that an operation sums over parameters.

        Args:
            origins: Which ones.
            op: Index of the operation.
            roles: What each axis of the operand is for.
            fans: Fans of the use.
            part: As what.
            **more: Further fields of the layout.
        """
        for origin in origins:
            stored = stored_layout(origin, roles, **_own_groups(origin, roles, more))
            layout, rows = (None, None) if stored is None else (stored.layout, stored.rows)
            if (
                layout is not None
                and not (layout.in_axes or layout.kernel_axes or origin.inner)
                and IN in roles
            ):
                # One value for all that is summed over: a factor on the weight beside it.
                self.use([origin], op, Part.FACTOR)
                continue
            # Of a low-rank weight the factors have fans of their own.
            own = layout.fans(origin.stored) if layout is not None and origin.inner else fans
            self.use([origin], op, part, layout=layout, fans=own, rows=rows)

    def base_of(self, tensor: Tensor, value: Value) -> Base:
        """Find what a tensor is an element-by-element function of: itself, if nothing else.

        Args:
            tensor: The tensor.
            value: What is known of it.

        Returns:
            The base.
        """
        if value.base is not None and value.base.shape == tuple(tensor.shape):
            return value.base
        shape = () if tensor.is_nested else tuple(tensor.shape)
        return Base(value.op, shape, sample(tensor), value.view)

    def keep(self, tensor: Tensor) -> None:
        """Keep a few elements of a signal that is about to be overwritten.

        Args:
            tensor: The tensor.
        """
        value = self.tracked(tensor)
        if isinstance(value, Value) and value.base is None:
            with torch.no_grad():
                self.know(tensor, replace(value, base=self.base_of(tensor, value)))

    def tracked(self, tensor: Any) -> Value | tuple[Origin, ...] | None:
        """Look up all that is known of a tensor, without a search for what is not.

        Args:
            tensor: Anything.

        Returns:
            A signal, or what it is made from.
        """
        entry = self._tracked.get(id(tensor))
        if entry is not None and entry[0]() is tensor:
            return entry[1]
        if isinstance(tensor, Tensor) and is_wrapped(tensor):
            found = self.tracked(inner(tensor)[0])
            return None if found is None else inside(tensor, found)
        return None

    def _pass_on(self, index: int, taken: Sequence[int]) -> None:
        """Let an operation that keeps the units of one before it be cut in its stead."""
        total = next((self.totals[op] for op in taken if op in self.totals), None)
        if total is not None:
            self.totals[index] = total

    def read_of(self, op: int) -> set[tuple[int, int, int]]:
        """List the parts that were read of an operation, be it behind a sum or a scale.

        Args:
            op: Index of the operation.

        Returns:
            The first unit, one past the last and how many, of each part.
        """
        while self.pieces.get(op) == {WHOLE}:
            readers = [index for index, own in enumerate(self.ops) if op in own.inputs]
            if len(readers) != 1 or self.totals.get(readers[0]) != self.totals[op]:
                break
            (op,) = readers
        return self.pieces.get(op, set())

    def _piece(self, value: Value) -> tuple[int, int, int]:
        """Tell which units of an operation a tensor holds: the first, one past the last, how many.

        A tensor whose units are lost counts as all of them.
        """
        if value.units is None or value.view is None:
            return WHOLE
        kept = numbers_in(distinct_units(value.units))
        if len(kept) >= self.totals[value.op] or not kept:
            return WHOLE
        return kept[0], kept[-1] + 1, len(kept)

    def _watch(self, index: int, tensor: Tensor, kind: Kind, detail: str) -> None:
        """Measure a result, and its gradient when that arrives."""
        tensor = whole(tensor)
        if not self.values_known or not tensor.is_floating_point():
            return
        value = self.tracked(tensor)
        known = value.units if isinstance(value, Value) else None
        units = () if known is None else unit_axes(known)
        activation = detail.partition("(")[0] if kind is Kind.ACTIVATION else ""
        with torch.no_grad():
            measured = measure(tensor, units, activation)
        if measured is not None:
            self.forward[index] = measured
        if tensor.requires_grad and not tensor.is_leaf:
            backward = self.backward

            def arrived(gradient: Tensor) -> None:
                with torch.no_grad():
                    gradient_measured = measure(gradient, units)
                if gradient_measured is not None:
                    backward[index] = gradient_measured

            hooked: Any = tensor
            hooked.register_hook(arrived)

    def _opaque(self, tensor: Tensor) -> Value | None:
        """Record an operation that torch would not show, and find its inputs in torch's graph."""
        known, leaves = made_from(whole(tensor).grad_fn, self._makers)
        taken = [origin for leaf in leaves for origin in self.origins(leaf)]
        if not known and not taken:
            return None
        maker: Any = whole(tensor).grad_fn
        call = Call(str(maker.name()), (), {}, tensor, lambda _: None)
        index = self.add(Kind.OTHER, call, [Value(op) for op in sorted(known)])
        self.use(taken, index, Part.OTHER)
        return self.value(tensor)


def _own_groups(origin: Origin, roles: Sequence[str], more: dict[str, Any]) -> dict[str, Any]:
    """Count the groups that lie within the parameter, where it was repeated for each example."""
    groups = more.get("groups", 1)
    if groups == 1 or origin.order is not None or more.get("transposed"):
        return more
    axis = roles.index(OUT)
    size = origin.coordinates[0].shape[axis]
    own = max(len(numbers_in(line(origin, stored, axis))) for stored in range(len(origin.stored)))
    repeats = size // own
    return {**more, "groups": groups // repeats} if groups % repeats == 0 else more
