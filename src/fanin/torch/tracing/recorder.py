"""The mode under which a forward pass is recorded.

Torch tells a function mode of every call of its public functions and tensor methods, wherever they
are made: in a layer, in a functional call, in the code of a custom module. Each call is carried out
as it would have been, and what it did is written down by the handler for its name.
"""

import contextlib
import types
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from fanin.torch.tracing.derived import other
from fanin.torch.tracing.functions import (
    PLAIN,
    function_name,
    plain_name,
)
from fanin.torch.tracing.handlers import HANDLERS
from fanin.torch.tracing.recording import Recording
from fanin.torch.tracing.values import Call, tensors_of
from fanin.torch.tracing.views import into_whole, written


class Recorder(TorchFunctionMode):
    """Carries out every call of torch, and records it.

    Args:
        recording: Where to.
        before_writing: Called with every tensor that is about to be written to.
    """

    def __init__(self, recording: Recording, before_writing: Callable[[Tensor], None]) -> None:
        super().__init__()
        self.recording = recording
        self.before_writing = before_writing

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Carry out one call and record it.

        Args:
            func: The function.
            types: Types of its tensor arguments, which do not matter here.
            args: Positional arguments.
            kwargs: Keyword arguments.

        Returns:
            What the function returns.
        """
        del types
        kwargs = kwargs or {}
        raw = function_name(func)
        if raw in PLAIN:
            return func(*args, **kwargs)
        if func is functional.multi_head_attention_forward:
            with self:
                return opened(func)(*args, **kwargs)
        self._protect(raw, func, args, kwargs)
        out = func(*args, **kwargs)
        name = plain_name(raw)
        call = Call(name, args, kwargs, out, lambda first: func(first, *args[1:], **kwargs))
        with torch.no_grad():
            self._record(name, call)
            if raw != name and isinstance(out, Tensor):
                into_whole(self.recording, out)
        return out

    def _protect(self, raw: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        written = getattr(func, "__name__", "")
        in_place = (raw.endswith("_") and not raw.endswith("__")) or written.startswith("__i")
        if (in_place or raw == "__setitem__" or kwargs.get("inplace")) and args:
            for tensor in tensors_of(args[0]):
                self.before_writing(tensor)
                self.recording.keep(tensor)
        for tensor in tensors_of(kwargs.get("out")):
            self.before_writing(tensor)

    def _record(self, name: str, call: Call) -> None:
        if name == "__setitem__":
            written(self.recording, call)
            return
        if next(tensors_of(call.out), None) is None:
            return
        if not self._concerns(call):
            return
        handler = HANDLERS.get(name, other)
        try:
            handler(self.recording, call)
        except Exception as problem:  # noqa: BLE001  # a model may call anything in any way
            # The model itself is fine: its call went through. The trace goes on without detail.
            where = self.recording.at[0] or "the model"
            self.recording.notes.append(
                f"{name} in {where} was called in a way that could not be read "
                f"({type(problem).__name__}: {problem}); it is recorded without detail"
            )
            # Where even that fails, torch's own graph still tells what came of it.
            with contextlib.suppress(Exception):
                other(self.recording, call)

    def _concerns(self, call: Call) -> bool:
        """Whether a call has to do with signals or parameters at all."""
        operands = (*tensors_of(call.args), *tensors_of(call.kwargs))
        return any(self.recording.knows(tensor) for tensor in operands)


def _nobody_listens(_: Any) -> bool:
    return False


def opened(function: Any) -> Any:
    """Copy a function of torch that hides what it calls, so that it does not.

    Such a function hands itself to the mode as one call. The copy believes that nobody listens, and
    what it calls is heard one by one.

    Args:
        function: A Python function of `torch.nn.functional`.

    Returns:
        The copy.
    """
    inside: dict[str, Any] = {**function.__globals__, "has_torch_function": _nobody_listens}
    copy = types.FunctionType(
        function.__code__, inside, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy
