"""What the tests of the tracer ask of a model, in short."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from fanin.recipes import Slot
from fanin.torch.planning import read
from fanin.trace import Trace


class Model(nn.Module):
    """Parts by name, and what the forward pass does with them."""

    def __init__(self, run: Callable[..., Any], **parts: nn.Module | Tensor) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            if isinstance(part, nn.Module):
                self.add_module(name, part)
            else:
                self.register_parameter(name, nn.Parameter(part))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(self, *args, **kwargs)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Draw standard normals that no other test can shift."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def tokens(*shape: int, below: int = 20) -> Tensor:
    """Draw token numbers."""
    return torch.randint(0, below, shape, generator=torch.Generator().manual_seed(0))


def slots_of(model: nn.Module, *batch: Any, **more: Any) -> dict[str, Slot]:
    """Read the slots of a model by name."""
    return {slot.name: slot for slot in read(model, batch, **more).slots}


def roles_of(model: nn.Module, *batch: Any) -> dict[str, str]:
    """Read the roles of a model's parameters by name."""
    return {name: str(slot.role) for name, slot in slots_of(model, *batch).items()}


def kinds_of(trace: Trace) -> list[str]:
    """List the operations between the inputs and the output, with the detail where there is one."""
    ends = ("input", "output", "loss")
    return [
        f"{op.kind} {op.detail}" if str(op.kind) == "activation" else str(op.kind)
        for op in trace.ops
        if op.kind not in ends
    ]
