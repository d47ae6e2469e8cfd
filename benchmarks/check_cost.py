"""What does a check cost? Against one plain training step of the same model.

The check reads the weights once and makes one pass; a step is forward, backward and an update by
SGD. Time is taken in turns, on one thread. Peak memory is that of a process of its own, above what
it held with the model built, fanin imported and both tried on a small model.

Run: python benchmarks/check_cost.py [figures.jsonl]
"""

import multiprocessing
import resource
import sys
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from _timing import Figure, interleave, report
from fanin.checks import Probe
from fanin.torch.evidence import gather
from fanin.verbs.check import check
from tracing import MODELS

TURNS = 7

NAMES = [name for name in MODELS if "million" in name]


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


CONTESTANTS: dict[str, Callable[[nn.Module, Tensor], None]] = {
    "plain step": step,
    "values": read,
    "values and signal": both,
}


def peak(name: str, contestant: str) -> float:
    """Measure, in a process of its own, the memory that one call adds, in bytes."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, batch = MODELS[name]()
    for run in CONTESTANTS.values():
        run(nn.Linear(4, 4), torch.ones(2, 4))  # what torch and fanin set up once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    CONTESTANTS[contestant](model, batch)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (after - before) * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    torch.set_num_threads(1)
    # Before this process grows: a child inherits the peak of its parent.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        sizes = {
            (name, own): pool.apply(peak, (name, own)) for name in NAMES for own in CONTESTANTS
        }
    for name in NAMES:
        torch.manual_seed(0)
        model, batch = MODELS[name]()
        contestants: dict[str, Callable[[], object]] = {
            own: lambda run=run, model=model, batch=batch: run(model, batch)
            for own, run in CONTESTANTS.items()
        }
        report(name, interleave(contestants, TURNS))
        plain = sizes[name, "plain step"]
        figures = [
            Figure(own, sizes[name, own], sizes[name, own] / max(plain, 1)) for own in contestants
        ]
        report(f"{name}: peak memory", figures, unit="MB", per=1e6)


if __name__ == "__main__":
    main()
