"""What can be known of a network before it trains: whether it fits the data, and what it takes.

One training is run alone for one step, so that a mistake in the network is told in terms of the
network; then the same step is run under `vmap`, and what `vmap` says against it is kept in words.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from fanin.errors import FaninError
from fanin.studies.design import Loss
from fanin.studies.fits import check_outputs
from fanin.studies.trainer import Task
from fanin.torch.objectives import example_losses
from fanin.torch.starts import Starts
from fanin.torch.trials import Trials


@dataclass(frozen=True)
class Examination:
    """What one step of one training showed.

    Attributes:
        obstacle: Why `vmap` cannot take the network, as the end of a sentence; None if it can.
        held: Bytes that a training keeps from the forward for the backward pass, for one example.
        doubt: What looks like a slip in the network, as a sentence; None if nothing does.
    """

    obstacle: str | None
    held: int
    doubt: str | None = None


def examine(module: nn.Module, start: Starts, task: Task) -> Examination:
    """Try one step of one training.

    Args:
        module: The network.
        start: The start of one training.
        task: What it is to be trained on.

    Returns:
        What the step showed.

    Raises:
        FaninError: The network fails on a batch, or its outputs do not fit the task.
    """
    design, train = task.design, task.data.train
    first = next(iter(start.parameters.values()))
    examples = slice(0, design.batch_size)
    features = torch.tensor(train.features[examples], dtype=first.dtype, device=first.device)
    targets = torch.tensor(train.target[examples], device=first.device)
    weights = {_memory(values) for values in start.parameters.values()}
    held = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal held
        if _memory(tensor) not in weights:  # kept once for all examples
            held += tensor.nbytes
        return tensor

    alone = Trials(module, start, together=False)
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = _outputs(alone, features, task)
        check_outputs(design, task.data, tuple(features.shape), tuple(outputs.shape[2:]))
        example_losses(design.loss, outputs, targets)
    doubt = _probabilities(outputs.detach(), design.loss)
    last = len(train) % design.batch_size
    if last:
        _outputs(alone, features[:last], task)
    try:
        _step(Trials(module, start, together=True), features, targets, task)
    except Exception as problem:  # noqa: BLE001  # a network may fail under vmap in any way
        return Examination(_obstacle(problem), held // len(features), doubt)
    return Examination(None, held // len(features), doubt)


def give_shapes(module: nn.Module, task: Task) -> None:
    """Run a network with lazy layers once, so that they learn the shapes of their parameters.

    Args:
        module: The network.
        task: What it is to be trained on.

    Raises:
        FaninError: The network fails on a batch.
    """
    features = torch.tensor(task.data.train.features[: task.design.batch_size])
    module.eval()
    with _blaming(task, features), torch.no_grad():
        module(features)


@contextmanager
def _blaming(task: Task, features: Tensor) -> Generator[None]:
    """Tell what goes wrong in the network as the network's failure on this batch."""
    try:
        yield
    except FaninError:
        raise
    except Exception as problem:
        shape = tuple(features.shape)
        raise FaninError(
            f"the network {task.design.network} failed on a batch of {task.data.name} of shape "
            f"{shape}, {shape[0]} examples: {type(problem).__name__}: {problem}"
        ) from problem


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _outputs(alone: Trials, features: Tensor, task: Task) -> Tensor:
    with _blaming(task, features):
        alone.evaluate(features)
        return alone.train(features[None])


def _probabilities(outputs: Tensor, loss: Loss) -> str | None:
    """Notice a sigmoid or softmax that the loss has in it already."""
    inside = bool(((outputs > 0) & (outputs < 1)).all())
    sums = outputs.sum(-1)
    if loss == "bce" and inside:
        last = "sigmoid"
    elif loss == "cross_entropy" and inside and torch.allclose(sums, torch.ones_like(sums)):
        last = "softmax"
    else:
        return None
    return (
        "On the first batch all outputs of the network look like probabilities, and the loss "
        f"{loss} takes logits: if the network ends in a {last}, leave it out."
    )


def _step(trials: Trials, features: Tensor, targets: Tensor, task: Task) -> None:
    outputs = trials.train(features[None])
    torch.autograd.backward(example_losses(task.design.loss, outputs, targets).sum())
    trials.evaluate(features)


def _obstacle(problem: Exception) -> str:
    """The first sentence of what torch says."""
    text = " ".join(str(problem).split()) or type(problem).__name__
    return text.removeprefix("vmap: ").partition(". ")[0].rstrip(".")
