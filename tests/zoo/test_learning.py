"""Healthy means that it learns: a few steps of Adam on its own batch lower the loss of each."""

import statistics
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo import CASES, Case
from zoo.hugging import HUGGING

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning"),
]
STEPS, RATE = 40, 1e-3
TAUGHT = {"generative/dcgan_generator", "agents/deterministic_policy"}
"""These learn from another network, which is not there."""


def losses(case: Case) -> list[float]:
    """Train, and keep the loss of every step."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = case.build()
        batch = case.batch()
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        # Steps of half precision are below its resolution at this rate.
        wide = all(weight.dtype.itemsize > 2 for weight in trained)
        optimizer = torch.optim.Adam(
            trained, RATE if wide else 10 * RATE, eps=1e-8 if wide else 1e-4
        )
        seen = list[float]()
        for _ in range(STEPS):
            loss = loss_of(case, model, batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
    return seen


def loss_of(case: Case, model: nn.Module, batch: tuple[Any, ...]) -> Tensor:
    if len(batch) == 1 and isinstance(batch[0], dict):
        return model(**batch[0]).loss
    count = model.forward.__code__.co_argcount - 1
    output = model(*batch[:count])
    if case.loss is not None:
        return case.loss(output, *batch[count:])
    output = output["loss"] if isinstance(output, dict) else output
    return output if output.ndim == 0 else (output - batch[-1]).square().mean()


@pytest.mark.parametrize(
    "case", [case for case in (*CASES, *HUGGING) if case.name not in TAUGHT], ids=str
)
def test_it_learns(case: Case) -> None:
    seen = losses(case)
    assert statistics.fmean(seen[-5:]) < statistics.fmean(seen[:5])
