"""Hearing every operation of a build, and writing down what it does to which memory."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import HigherOrderOperator
from torch.utils._python_dispatch import TorchDispatchMode

from fanin.births import Allocation, Write
from fanin.torch.births.histories import PENDING, Histories, History, fingerprint, whole
from fanin.torch.births.poison import ALLOCATING, poison
from fanin.torch.callers import Caller, caller

READING_SELF = frozenset({"add_", "sub_", "mul_", "div_", "clamp_", "neg_", "abs_", "erfinv_"})
"""Operations that write what they make of what was there."""

OVERWRITING = frozenset(
    {
        *("fill_", "zero_", "copy_", "normal_", "uniform_", "random_", "bernoulli_", "geometric_"),
        *("exponential_", "log_normal_", "cauchy_", "_foreach_zero_", "_foreach_copy_"),
    }
)
"""Operations that leave nothing of what was there in the elements they are given."""

FILLED = frozenset(
    {
        *("zeros", "ones", "full", "rand", "randn", "zeros_like", "ones_like", "full_like"),
        *("rand_like", "randn_like", "new_zeros", "new_ones", "new_full"),
    }
)
"""Operations that hand out memory with something in it, mostly to be written over."""

PLACING = frozenset(
    {"index_put_", "masked_fill_", "masked_scatter_", "index_fill_", "index_copy_", "scatter_"}
)
"""Operations that write the elements which an index or a mask chooses."""

RESIZING = frozenset({"set_", "resize_", "requires_grad_"})
"""Operations with an underscore that write no values."""

PASSING = frozenset(
    {"clone", "_to_copy", "copy", "lift_fresh_copy", "contiguous", "alias_copy", "view_copy"}
)
"""Operations whose result holds what their argument held."""

UNNAMED = {"_to_copy": "to", "lift_fresh": "torch.tensor", "lift_fresh_copy": "torch.tensor"}


class Recorder(TorchDispatchMode):
    """Writes down what happens to memory.

    Args:
        poisoning: Whether memory that nobody wrote is filled with nan.
    """

    supports_higher_order_operators = True

    def __init__(self, *, poisoning: bool) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]  # untyped in torch
        self.histories = Histories()
        self.poisoning = poisoning
        self.notes = list[str]()
        self.busy = False
        self.alone = threading.RLock()  # a build may start threads
        self._order = 0
        self._calls = 0
        self._running = dict[int, tuple[FrameType, int]]()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Torch would import its compiler, a second's work, to keep it from compiling the recorder.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation and note what it did.

        Args:
            func: The operation.
            types: Types of the tensors, which nothing depends on.
            args: Its arguments.
            kwargs: Its keyword arguments.

        Returns:
            What it returned.
        """
        del types
        given: dict[str, Any] = kwargs or {}
        operation: Any = func
        if isinstance(func, HigherOrderOperator):
            return operation(*args, **given)  # runs a whole graph, and writes no weight
        name: str = func._schema.name.partition("::")[2]  # noqa: SLF001  # its one name
        written = _written(func, args, given)
        stream = self.noted(lambda: self._before(func, given, written)) or ""
        out = func(*args, **given)
        if written:
            if name not in RESIZING:
                self.noted(lambda: self._write(name, func, args, given, written, stream))
        else:
            self.noted(lambda: self._made(name, func, args, given, out, stream))
        return out

    def noted(self, step: Callable[[], str | None]) -> str | None:
        """Do a step of the bookkeeping; where it fails, the build goes on and the record says so.

        Args:
            step: The step.

        Returns:
            What the step returns; None where it failed.
        """
        with self.alone:
            if self.busy:
                return None  # its own reading of memory is nobody's write
            self.busy = True
            try:
                return step()
            except Exception as problem:  # noqa: BLE001  # a person's build must not fail for it
                reason = f"{type(problem).__name__}: {problem}".partition("\n")[0][:100]
                told = f"some writes could not be read ({reason})"
                if told not in self.notes:
                    self.notes.append(told)
                return None
            finally:
                self.busy = False

    def expose(self, tensor: Tensor) -> None:
        """Note that NumPy looks into the memory of a tensor.

        Args:
            tensor: The tensor.
        """
        history = self.histories.find(tensor)
        if history is not None and history.writes:
            self.histories.settle(history, whole(tensor))
            history.exposed = caller()

    def _before(self, func: Any, given: dict[str, Any], written: list[Tensor]) -> str:
        """Take the figures that are about to change, and the state that is drawn from."""
        for tensor in written:
            history = self.histories.find(tensor)
            if history is not None:
                self.expose_end(history, tensor)
                self.histories.settle(history, whole(tensor))
        return _stream(given) if torch.Tag.nondeterministic_seeded in func.tags else ""

    def expose_end(self, history: History, tensor: Tensor) -> None:
        """Add the write that NumPy made, if it made one.

        Args:
            history: The history of the memory.
            tensor: A tensor that looks into it.
        """
        who, history.exposed = history.exposed, None
        if who is None:
            return
        full = whole(tensor)
        if fingerprint(full) != history.writes[-1].after.digest:
            self._add(history, full.numel(), who, ("numpy", ""), "", of=full.numel())

    def _write(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        given: dict[str, Any],
        written: list[Tensor],
        stream: str,
    ) -> None:
        who = caller()
        sources = [t for t in _tensors((args, given)) if all(t is not own for own in written)]
        for tensor in written:
            history = self.histories.find(tensor)
            if history is None:
                continue
            full = whole(tensor)
            known = [found for t in sources if (found := self.histories.find(t)) is not None]
            history.parents |= {
                number for t in sources if (number := self.histories.number(t)) is not None
            }
            if isinstance(tensor, nn.Parameter):
                history.hold(tensor)
            for found in known:
                found.read = True
            if name not in READING_SELF:
                history.read = False
            tainted = any(found.poisoned for found in known)
            over = tensor.numel() >= full.numel() and name in OVERWRITING
            history.poisoned = tainted or (history.poisoned and not over)
            drawn = stream or (history.stream if name in READING_SELF else "")
            drawn = drawn or next((found.stream for found in known if found.stream), "")
            called = _called(name, func, args, given, who, known)
            reached = _reached(name, tensor, args, self.histories)
            self._add(history, reached, who, called, drawn, of=full.numel())

    def _made(
        self,
        name: str,
        func: Any,
        args: tuple[Any, ...],
        given: dict[str, Any],
        out: Any,
        stream: str,
    ) -> None:
        """Note new memory, and what was read for it; a view of known memory is none."""
        results = _tensors(out)
        read = self._numbers(_tensors((args, given))) - self._numbers(results)
        for number in read:
            self.histories.by_number[number].read = True
        for tensor in results:
            number = self.histories.number(tensor)
            if number is None:
                continue
            history = self.histories.by_number[number]
            if history.allocation is not None or history.writes:
                continue
            who = caller()
            history.inner = who.call is not None
            empty = name in ALLOCATING
            called = who.via if empty and who.via == "to_empty" else f"torch.{name}"
            history.allocation = Allocation(who.via or called, empty, who.frames)
            if empty:
                history.poisoned = self.poisoning and poison(tensor)
                continue
            # What is filled has the shape of its arguments, and nothing of their values.
            given_to = () if name in FILLED else (args, given)
            sources = [t for t in _tensors(given_to) if t is not tensor]
            known = [found for t in sources if (found := self.histories.find(t)) is not None]
            history.parents = self._numbers(sources) - {number}
            history.derived = bool(history.parents)
            history.poisoned = any(found.poisoned for found in known)
            if name in PASSING and len(known) == 1:
                history.writes.extend(known[0].writes)
                history.inherited = len(history.writes)
                self.histories.settle(history, whole(sources[0]))
            drawn = stream or next((found.stream for found in known if found.stream), "")
            function, arguments = _called(name, func, args, given, who, known)
            carried = name in PASSING and any(found.allocation or found.writes for found in known)
            if (name in FILLED or carried) and who.by == "init":
                who = replace(who, by="made")
            count = tensor.numel()
            self._add(history, count, who, (function, arguments), drawn, of=count)

    def _numbers(self, tensors: list[Tensor]) -> set[int]:
        return {number for t in tensors if (number := self.histories.number(t)) is not None}

    def _number(self, call: FrameType | None) -> int:
        """Number the calls of functions of `torch.nn.init`, from 1.

        A frame keeps alive all that its functions hold, so that only the one that runs in each
        thread is kept.
        """
        thread = threading.get_ident()
        if call is None:
            self._running.pop(thread, None)
            return 0
        if thread not in self._running or self._running[thread][0] is not call:
            self._calls += 1
            self._running[thread] = call, self._calls
        return self._running[thread][1]

    def _add(
        self,
        history: History,
        reached: int,
        who: Caller,
        called: tuple[str, str],
        stream: str,
        of: int,
    ) -> None:
        last = history.writes[-1] if history.writes else None
        call = self._number(who.call)
        if last is not None and call and history.call == call:
            # A step of the same function: orthogonal_ copies, then multiplies.
            history.writes[-1] = replace(last, after=PENDING, stream=last.stream or stream)
            return
        history.call = call
        history.writes.append(
            Write(
                order=self._order,
                function=called[0],
                arguments=called[1],
                frames=who.frames,
                by=who.by,
                scope=who.scope,
                elements=reached,
                of=of,
                before=None if last is None else last.after,
                after=PENDING,
                stream=stream,
                library=who.library,
            )
        )
        self._order += 1


def _called(
    name: str,
    func: Any,
    args: tuple[Any, ...],
    given: dict[str, Any],
    who: Caller,
    known: list[History],
) -> tuple[str, str]:
    """Name a write as the person would."""
    if who.via in ("load_state_dict", "deepcopy"):
        return who.via, ""
    if who.named is not None:
        return who.named
    arguments = _arguments(func, args, given)
    if name == "copy_":
        source = known[0].writes[-1] if known and known[0].writes else None
        said = "" if source is None else f"{source.function}({source.arguments})"
        return name, said
    if name in ("select_scatter", "slice_scatter", "index_put_"):
        return "__setitem__", arguments
    return UNNAMED.get(name, name), arguments


def _reached(name: str, tensor: Tensor, args: tuple[Any, ...], histories: Histories) -> int:
    """Count the elements that a write through an index or a mask reaches.

    A selection by the tensor's own values, such as a clip, reaches whatever it has to, so it never
    counts as empty.
    """
    if name not in PLACING:
        return tensor.numel()
    chosen = [t for t in _tensors(args[1:]) if not t.is_floating_point()]
    own = histories.number(tensor)
    if any(own in histories.ancestors(number) for t in chosen if (number := histories.number(t))):
        return tensor.numel()
    if name == "index_put_":
        place = tuple(slice(None) if index is None else index for index in args[1])
        return tensor[place].numel()
    if name.startswith("masked"):
        return int(args[1].expand(tensor.shape).sum())
    return args[2].numel() * (1 if name == "scatter_" else tensor.select(args[1], 0).numel())


def _arguments(func: Any, args: tuple[Any, ...], given: dict[str, Any]) -> str:
    """Print the arguments that are no tensors, by their names in the schema."""
    names: list[str] = [argument.name for argument in func._schema.arguments]  # noqa: SLF001
    told = [
        f"{key}={_printed(value)}"
        for key, value in zip(names, args, strict=False)
        if key != "self" and not isinstance(value, Tensor) and value is not None
    ]
    told += [
        f"{key}={_printed(value)}"
        for key, value in given.items()
        if isinstance(value, int | float | str | bool) and key not in ("pin_memory", "layout")
    ]
    return ", ".join(told)


def _printed(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    inside: Any = value
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_printed(item) for item in inside[:6]) + "]"
    return f"tensor {tuple(value.shape)}" if isinstance(value, Tensor) else str(inside)


def _written(func: Any, args: tuple[Any, ...], given: dict[str, Any]) -> list[Tensor]:
    """List the tensors that an operation writes to, by its schema."""
    found = list[Tensor]()
    for place, argument in enumerate(func._schema.arguments):  # noqa: SLF001
        info = argument.alias_info
        if info is None or not info.is_write:
            continue
        value: Any = args[place] if place < len(args) else given.get(argument.name)
        found += [t for t in _tensors(value) if not t.is_meta and t.layout is torch.strided]
    return found


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    inside: Any = value
    if isinstance(value, list | tuple):
        return [tensor for item in inside for tensor in _tensors(item)]
    if isinstance(value, dict):
        return [tensor for item in inside.values() for tensor in _tensors(item)]
    return []


def _stream(given: dict[str, Any]) -> str:
    """Hash the state of the generator that is about to be drawn from."""
    generator: Any = given.get("generator")
    state: Tensor = torch.get_rng_state() if generator is None else generator.get_state()
    return hashlib.blake2b(state.cpu().numpy().tobytes(), digest_size=8).hexdigest()
