"""Batches and losses for the cases: standard normal inputs, 32 to 64 examples, fixed draws."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Batch = Callable[[], tuple[Any, ...]]


def _source() -> torch.Generator:
    return torch.Generator().manual_seed(20)


def labelled(*shape: int, classes: int = 10) -> Batch:
    """Standard normal inputs of a shape (the batch first), one class number each."""

    def made() -> tuple[Tensor, Tensor]:
        source = _source()
        return torch.randn(shape, generator=source), torch.randint(
            classes, (shape[0],), generator=source
        )

    return made


def measured(*shape: int, targets: int = 1) -> Batch:
    """Standard normal inputs, and standard normal targets."""

    def made() -> tuple[Tensor, Tensor]:
        source = _source()
        return torch.randn(shape, generator=source), torch.randn(
            shape[0], targets, generator=source
        )

    return made


def copied(*shape: int) -> Batch:
    """Standard normal inputs, and targets of the same shape."""

    def made() -> tuple[Tensor, Tensor]:
        source = _source()
        return torch.randn(shape, generator=source), torch.randn(shape, generator=source)

    return made


def text(vocabulary: int, examples: int = 32, length: int = 16) -> Batch:
    """Token numbers, and the token that follows each."""

    def made() -> tuple[Tensor, Tensor]:
        ids = torch.randint(1, vocabulary, (examples, length + 1), generator=_source())
        return ids[:, :-1], ids[:, 1:]

    return made


def sentences(vocabulary: int, examples: int = 64, length: int = 12, classes: int = 2) -> Batch:
    """Token numbers, and one class for each sentence."""

    def made() -> tuple[Tensor, Tensor]:
        source = _source()
        ids = torch.randint(1, vocabulary, (examples, length), generator=source)
        return ids, torch.randint(classes, (examples,), generator=source)

    return made


def padded(vocabulary: int, padding: int, examples: int = 64, length: int = 12) -> Batch:
    """Sentences of two classes, the last third of each filled up with the padding token."""

    def made() -> tuple[Tensor, Tensor]:
        ids, labels = sentences(vocabulary, examples, length)()
        ids[ids == padding] = padding - 1 or 1
        ids[:, -length // 3 :] = padding
        return ids, labels

    return made


def next_token(logits: Tensor, ids: Tensor) -> Tensor:
    """Mean cross entropy over all positions."""
    return functional.cross_entropy(logits.flatten(0, 1), ids.flatten())
