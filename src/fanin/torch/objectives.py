"""Losses and hits of many trainings at once.

A loss keeps one number per example and per training. The mean over the examples is taken by the
caller, who knows how many there are: a batch while training, a whole split while measuring.
"""

from torch import Tensor
from torch.nn import functional

from fanin.studies.design import Loss


def example_losses(loss: Loss, outputs: Tensor, targets: Tensor) -> Tensor:
    """Compute the loss of each example.

    Args:
        loss: ``"bce"`` for binary cross-entropy on one logit, ``"cross_entropy"`` for softmax
            cross-entropy on one logit per class, ``"mse"`` for the squared error, a mean over the
            outputs.
        outputs: What the networks return, of shape (..., examples, outputs).
        targets: Classes (int64), which broadcast to (..., examples); or, for ``"mse"``, float
            values, which broadcast to (..., examples, outputs). Under ``"mse"`` a class is 0 or 1
            for one output, and one-hot for one output per class.

    Returns:
        Losses of shape (..., examples).

    Example:
        >>> import torch
        >>> example_losses("mse", torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [1.0]]))
        tensor([0., 4.])

    References:
        Goodfellow, Bengio and Courville (2016), Deep Learning, section 6.2.2.
    """
    if loss == "mse":
        return (outputs - _numbers(targets, outputs)).square().mean(-1)
    targets = targets.expand(outputs.shape[:-1])
    if loss == "bce":
        return functional.binary_cross_entropy_with_logits(
            outputs.squeeze(-1), targets.to(outputs.dtype), reduction="none"
        )
    flat = functional.cross_entropy(outputs.flatten(0, -2), targets.flatten(), reduction="none")
    return flat.view(targets.shape)


def hits(loss: Loss, outputs: Tensor, targets: Tensor) -> Tensor:
    """Say which examples get their own class.

    Args:
        loss: With several outputs the largest is the class; with one, class 1 is a logit above 0
            under ``"bce"``, and an output above one half under ``"mse"``.
        outputs: What the networks return, of shape (..., examples, outputs).
        targets: Classes (int64), which broadcast to (..., examples).

    Returns:
        Truth values of shape (..., examples).

    Example:
        >>> import torch
        >>> hits("bce", torch.tensor([[-1.0], [2.0]]), torch.tensor([0, 0]))
        tensor([ True, False])
    """
    if outputs.shape[-1] > 1:
        return outputs.argmax(-1) == targets
    return (outputs.squeeze(-1) > (0.5 if loss == "mse" else 0.0)) == targets


def _numbers(targets: Tensor, outputs: Tensor) -> Tensor:
    """What the outputs are to come close to."""
    if targets.is_floating_point():
        return targets
    if outputs.shape[-1] == 1:
        return targets.unsqueeze(-1).to(outputs.dtype)
    return functional.one_hot(targets, outputs.shape[-1]).to(outputs.dtype)
