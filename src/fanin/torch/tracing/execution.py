"""What stands around a pass: the module that is running, and code that torch would hide.

No hook is put on the model itself: torch's global ones tell which module is entered and left.
"""

import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.nn.utils.parametrize import ParametrizationList

from fanin.torch.layers import layer_name
from fanin.torch.layouts import Site, module_names
from fanin.torch.tracing.origins import identity
from fanin.torch.tracing.recording import Recording


@contextmanager
def placed(recording: Recording, model: nn.Module, sites: tuple[Site, ...]) -> Generator[None]:
    """Keep track of which module is running, by torch's global hooks: none on the model itself.

    Args:
        recording: Told where the pass is.
        model: The model.
        sites: Its parameters, some of which other modules compute.

    Yields:
        Nothing.
    """
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
def eager() -> Generator[None]:
    """Run compiled code uncompiled, and checkpointed code once.

    Yields:
        Nothing.
    """
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules:
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        checkpoint: Any = sys.modules.get("torch.utils.checkpoint")
        if checkpoint is not None:
            kind: Any = checkpoint.CheckpointFunction
            before: Any = kind.__dict__.get("apply")
            kind.apply = staticmethod(_run_once)
            stack.callback(_put_back, kind, before)
        yield


def _run_once(run: Any, _: Any, *args: Any) -> Any:
    return run(*args)


def _put_back(kind: Any, before: Any) -> None:
    if before is None:
        del kind.apply
    else:
        kind.apply = before
