"""Architectures of Hugging Face transformers, each a line: its class, its config, its batch.

Nothing is downloaded: a config builds the model with the start that its authors gave it. The
library is imported by the first build.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from zoo.case import Cage
from zoo.data import normal, whole

WORDS, LENGTH, EXAMPLES = 120, 12, 4
Inputs = Callable[[], dict[str, Any]]
SMALL = {
    "vocab_size": WORDS,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
"""What most configs call the sizes of a transformer."""

PATCHES = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
    "num_labels": 10,
}
"""The same of one that looks at pictures."""


def text() -> dict[str, Tensor]:
    """Tokens without padding."""
    words = whole(EXAMPLES, LENGTH, below=WORDS - 10) + 5
    return {"input_ids": words, "attention_mask": torch.ones_like(words)}


def masked() -> dict[str, Tensor]:
    """One word in four is hidden, and to be told."""
    words = text()["input_ids"]
    hidden = whole(EXAMPLES, LENGTH, below=4, seed=2) == 0
    return {
        "input_ids": words.masked_fill(hidden, 4),
        "attention_mask": torch.ones_like(words),
        "labels": words.masked_fill(~hidden, -100),
    }


def written() -> dict[str, Tensor]:
    """The next word is to be told."""
    return {**text(), "labels": text()["input_ids"]}


def translated() -> dict[str, Tensor]:
    """Another text for each."""
    return {**text(), "labels": whole(EXAMPLES, 8, below=WORDS - 10, seed=1) + 5}


def pictures(size: int = 32, classes: int = 10) -> Inputs:
    """Normalised pictures with the number of a class."""

    def batch() -> dict[str, Tensor]:
        return {
            "pixel_values": normal(EXAMPLES, 3, size, size),
            "labels": whole(EXAMPLES, below=classes, seed=1),
        }

    return batch


def small(**more: Any) -> dict[str, Any]:
    """The common settings, some of them changed; those set to None are left out."""
    both = {**SMALL, **more}
    return {name: value for name, value in both.items() if value is not None}


def made(model: str, config: str, settings: dict[str, Any]) -> nn.Module:
    """Build a model from its config."""
    import transformers

    return getattr(transformers, model)(getattr(transformers, config)(**settings))


class Architectures(Cage):
    """Cases that are known by the names of a class and of its config."""

    def model(self, name: str, config: str, batch: Inputs, **settings: Any) -> None:
        """Add an architecture; the name of its config comes without the ending."""
        build = functools.partial(made, name, f"{config}Config", settings)
        self.add(name, build, lambda: (batch(),))
