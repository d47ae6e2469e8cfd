"""What the models are fed with, and what they are trained on: small batches of ordinary data.

Every batch comes from a generator of its own, so that no model can shift the data of another.
"""

import torch
from torch import Tensor
from torch.nn import functional

from zoo.case import Batch


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Draw standard normals, as normalised features are."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def whole(*shape: int, below: int, seed: int = 0) -> Tensor:
    """Draw whole numbers: token ids, labels."""
    return torch.randint(0, below, shape, generator=torch.Generator().manual_seed(seed))


def classified(*shape: int, classes: int = 10) -> Batch:
    """Features with the number of a class for each example."""
    return lambda: (normal(*shape), whole(shape[0], below=classes, seed=1))


def regressed(*shape: int, outputs: int = 1) -> Batch:
    """Features with standardised targets."""
    return lambda: (normal(*shape), normal(shape[0], outputs, seed=1))


def spoken(examples: int = 8, length: int = 12, words: int = 50) -> Batch:
    """Tokens with the tokens that come after each."""

    def batch() -> tuple[Tensor, Tensor]:
        text = whole(examples, length + 1, below=words)
        return text[:, :-1], text[:, 1:]

    return batch


def alone(*shape: int) -> Batch:
    """Features without a target."""
    return lambda: (normal(*shape),)


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    """Classes in the last axis, whatever comes before it."""
    return functional.cross_entropy(output.flatten(0, -2), target.flatten())


def per_pixel(output: Tensor, target: Tensor) -> Tensor:
    """Classes in the second axis, as of images."""
    return functional.cross_entropy(output, target)


def squared(output: Tensor, target: Tensor) -> Tensor:
    """Mean squared error."""
    return functional.mse_loss(output, target)


def absolute(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error."""
    return functional.l1_loss(output, target)


def binary(output: Tensor, target: Tensor) -> Tensor:
    """Binary cross entropy of logits."""
    return functional.binary_cross_entropy_with_logits(output, target)
