"""Whether the cases that the rules do not report learn as well as their mended twins.

Run: python tools/wild_training.py; prints, for each case and rate, the loss that a case and its
twin reach in 100 steps of Adam, median of five seeds.
"""

import statistics
import sys
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from wild import CASES, MISSED  # found only now
from wild.harness import Case


def reached(bug: Case, rate: float, *, mended: bool, seed: int, steps: int = 100) -> float:
    """Train a case, and return the loss of the last step."""
    torch.manual_seed(seed)
    model = bug.factory(mended)
    inputs, *targets = bug.batch()
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], rate)
    loss = torch.zeros(())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = bug.loss(model(inputs), *targets)
        loss.backward()
        optimizer.step()
    return loss.item()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for bug in (one for one in CASES if one.id in MISSED):
        for rate in (0.001, 0.01):
            case, twin = (
                statistics.median(reached(bug, rate, mended=mended, seed=seed) for seed in range(5))
                for mended in (False, True)
            )
            sys.stdout.write(f"{bug.id} at {rate}: {case:.4f}, mended {twin:.4f}\n")
