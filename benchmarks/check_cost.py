"""What does a check cost? Against one plain training step of the same model.

The check reads the weights once and makes one pass; a step is forward, backward and an update by
SGD.

Run: python benchmarks/check_cost.py [figures.jsonl]
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from _models import compare_costs
from fanin.checks import Probe
from fanin.torch.evidence import gather
from fanin.verbs.check import check


def loss(output: Tensor) -> Tensor:
    """Ask for class 0 everywhere: the cost is that of any classes."""
    flat = output.flatten(0, -2)
    return functional.cross_entropy(flat, torch.zeros(len(flat), dtype=torch.int64))


def step(model: nn.Module, batch: Tensor) -> None:
    """Train for one step; the rate is so small that the model stays what it is."""
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-30)
    optimizer.zero_grad()
    loss(model(batch)).backward()
    optimizer.step()


def read(model: nn.Module, batch: Tensor) -> None:
    """Read the weights only."""
    del batch
    gather(model, (), None, probes=[Probe.VALUES], seed=0)


def both(model: nn.Module, batch: Tensor) -> None:
    """Check values and signal."""
    check(model, batch, loss=loss)


if __name__ == "__main__":
    compare_costs({"plain step": step, "values": read, "values and signal": both})
