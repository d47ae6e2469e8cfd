"""Losses and hits, example by example; the same definitions as `fanin.torch.objectives`."""

import jax
import jax.numpy as jnp
from jax import Array

from fanin.studies.design import Loss


def example_losses(loss: Loss, outputs: Array, targets: Array) -> Array:
    """Compute the loss of each example.

    Args:
        loss: ``"bce"`` for binary cross-entropy on one logit, ``"cross_entropy"`` for softmax
            cross-entropy on one logit per class, ``"mse"`` for the squared error, a mean over the
            outputs.
        outputs: What one network returns, of shape (examples, outputs).
        targets: Classes (integers) of shape (examples,); or, for ``"mse"``, numbers of shape
            (examples, outputs). Under ``"mse"`` a class is 0 or 1 for one output, and one-hot for
            one output per class.

    Returns:
        Losses of shape (examples,).

    Example:
        >>> example_losses("mse", jnp.array([[1.0], [3.0]]), jnp.array([[1.0], [1.0]])).tolist()
        [0.0, 4.0]

    References:
        Goodfellow, Bengio and Courville (2016), Deep Learning, section 6.2.2.
    """
    if loss == "mse":
        return jnp.square(outputs - _numbers(targets, outputs)).mean(-1)
    if loss == "bce":
        logits = outputs[:, 0]
        return jax.nn.softplus(logits) - logits * targets
    chosen = jnp.take_along_axis(outputs, targets[:, None], axis=-1)[:, 0]
    return jax.nn.logsumexp(outputs, axis=-1) - chosen


def hits(loss: Loss, outputs: Array, targets: Array) -> Array:
    """Say which examples get their own class.

    Args:
        loss: With several outputs the largest is the class; with one, class 1 is a logit above 0
            under ``"bce"``, and an output above one half under ``"mse"``.
        outputs: What one network returns, of shape (examples, outputs).
        targets: Classes of shape (examples,).

    Returns:
        Truth values of shape (examples,).

    Example:
        >>> hits("bce", jnp.array([[-1.0], [2.0]]), jnp.array([0, 0])).tolist()
        [True, False]
    """
    if outputs.shape[-1] > 1:
        return outputs.argmax(-1) == targets
    return (outputs[:, 0] > (0.5 if loss == "mse" else 0.0)) == targets


def _numbers(targets: Array, outputs: Array) -> Array:
    """What the outputs are to come close to."""
    if jnp.issubdtype(targets.dtype, jnp.floating):
        return targets
    if outputs.shape[-1] == 1:
        return targets[:, None].astype(outputs.dtype)
    return jax.nn.one_hot(targets, outputs.shape[-1], dtype=outputs.dtype)
