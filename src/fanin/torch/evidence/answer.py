"""What the model answered and what it was asked for, read from the loss itself.

The graph that torch keeps for the backward pass names the function that made the loss and holds
what it was given, whoever called it: the person's loss, or the model inside. So logits and targets
are known without asking for them.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fanin.checks import Answer
from fanin.torch.tracing.running import Chosen
from fanin.trace import Signal

FARTHEST = 400
"""Steps back from the loss that are looked at."""

SMALLEST = 2.0**-24
"""Distance of a probability from 0 or 1 below which float32 does not tell it from them."""

CLASSES = 64
"""Classes whose mean output is kept."""


@dataclass(frozen=True)
class _Made:
    """A loss function in the graph, and what it was given."""

    kind: str
    output: Tensor
    target: Tensor
    ignored: int | None = None


def read_answer(chosen: Chosen) -> Answer:
    """Read what a model answered.

    Args:
        chosen: The loss, with its graph.

    Returns:
        Kind of the loss, its value, and what it is to be held against, as far as the graph tells.

    Example:
        >>> logits = torch.zeros(8, 4, requires_grad=True)
        >>> loss = torch.nn.functional.cross_entropy(logits, torch.arange(8) % 4)
        >>> read = read_answer(Chosen(loss, "cross entropy", loss.item(), (logits,)))
        >>> read.loss, round(read.value, 4), round(read.uniform, 4)
        ('cross entropy', 1.3863, 1.3863)
    """
    made = [] if chosen.value is None or chosen.number is None else _losses(chosen.value)
    if not made:
        return Answer(loss="other" if chosen.number is not None else "", value=chosen.number)
    largest = max(made, key=lambda one: one.output.numel())
    with torch.no_grad():
        match largest.kind:
            case "cross entropy":
                return _classes(largest, chosen)
            case "binary cross entropy":
                return _binary(largest)
            case _:
                return _numbers(largest)


def _losses(value: Tensor) -> list[_Made]:
    """Search the graph behind a loss for the functions that losses are made of."""
    found = list[_Made]()
    waiting = deque[Any]([value.grad_fn])
    seen = set[int]()
    while waiting and len(seen) < FARTHEST:
        node = waiting.popleft()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        made = _read(node)
        if made is not None:
            found.append(made)
            continue
        waiting.extend(following for following, _ in node.next_functions)
    return found


def _read(node: Any) -> _Made | None:
    name: str = node.name()
    try:
        if name.startswith(("NllLossBackward", "NllLoss2DBackward")):
            return _Made(
                "cross entropy", node._saved_self, node._saved_target, node._saved_ignore_index  # noqa: SLF001
            )  # fmt: skip
        if name.startswith("BinaryCrossEntropyWithLogits"):
            return _Made("binary cross entropy", node._saved_self, node._saved_target)  # noqa: SLF001
        if name.startswith("BinaryCrossEntropyBackward"):
            # Of probabilities, which are as good as logits.
            logits = node._saved_self.detach().float().logit(SMALLEST)  # noqa: SLF001
            return _Made("binary cross entropy", logits, node._saved_target)  # noqa: SLF001
        if name.startswith("MseLoss"):
            return _Made("squared error", node._saved_self, node._saved_target)  # noqa: SLF001
        if name.startswith(("SmoothL1Loss", "HuberLoss")):
            return _Made("absolute error", node._saved_self, node._saved_target)  # noqa: SLF001
    except (AttributeError, RuntimeError):
        pass  # kept by another name, or written over since
    return None


def _classes(made: _Made, chosen: Chosen) -> Answer:
    logs = made.output.float()
    count = logs.shape[1] if logs.ndim > 1 else logs.shape[0]
    flat = logs.movedim(1, -1).reshape(-1, count) if logs.ndim > 1 else logs.reshape(1, -1)
    target = made.target.reshape(-1)
    counted = target != made.ignored
    flat, target = flat[counted], target[counted]
    if len(target) == 0:
        return Answer("cross entropy", chosen.number, classes=count)
    losses = -flat.gather(1, target[:, None]).squeeze(1)
    shares = torch.bincount(target, minlength=count).float() / len(target)
    known = shares[shares > 0]
    # A softmax does not see what all classes share.
    logits = flat - flat.mean(dim=1, keepdim=True)
    return Answer(
        "cross entropy",
        losses.mean().item(),
        _signal(logits),
        classes=count,
        uniform=math.log(count) if count > 1 else None,
        prior=-(known * known.log()).sum().item(),
        mean_output=tuple(map(float, logits.mean(dim=0)[:CLASSES].cpu().numpy())),
        batch_loss=_error(losses),
    )


def _binary(made: _Made) -> Answer:
    logits, target = made.output.float(), made.target.float()
    losses = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    rate = target.mean().item()
    entropy = -sum(p * math.log(p) for p in (rate, 1 - rate) if p > 0)
    return Answer(
        "binary cross entropy",
        losses.mean().item(),
        _signal(logits),
        target=(rate, target.std(correction=0).item()),
        classes=2,
        uniform=math.log(2),
        prior=entropy,
        mean_output=(logits.mean().item(),),
        batch_loss=_error(losses),
    )


def _numbers(made: _Made) -> Answer:
    output, target = made.output.float(), made.target.float()
    squared = made.kind == "squared error"
    losses = (output - target).square() if squared else (output - target).abs()
    spread = target.std(correction=0).item()
    centre = target.mean().item()
    return Answer(
        made.kind,
        losses.mean().item(),
        _signal(output),
        target=(centre, spread),
        logits=False,
        prior=spread**2 if squared else (target - target.median()).abs().mean().item(),
        mean_output=(output.mean().item(),),
        batch_loss=_error(losses),
    )


def _signal(tensor: Tensor) -> Signal:
    return Signal(
        tuple(tensor.shape),
        tensor.mean().item(),
        tensor.square().mean().sqrt().item(),
        finite=bool(tensor.isfinite().all()),
    )


def _error(losses: Tensor) -> float | None:
    if losses.ndim == 0 or len(losses) < 2:
        return None
    # Positions of one example are not independent; the examples are.
    each = losses.reshape(len(losses), -1).mean(dim=1)
    return each.std().item() / math.sqrt(len(each))
