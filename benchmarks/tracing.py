"""What does a trace cost? Against one plain forward and backward step of the same model.

Run: python benchmarks/tracing.py [figures.jsonl]
"""

import torch
from torch import Tensor, nn

from _models import compare_costs
from fanin.torch.tracing import trace


def step(model: nn.Module, batch: Tensor) -> None:
    """Make one forward and one backward pass."""
    torch.autograd.grad(model(batch).square().mean(), [*model.parameters()])


if __name__ == "__main__":
    compare_costs({"plain step": step, "trace": trace})
