"""The model that a command is about, as typed: the person's own function, a name, or a file."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fanin.calls import parse_call
from fanin.cli.load import load_builder
from fanin.errors import FaninError

HUGGING_FACE = "hf:"
"""What stands before the name of a model of `transformers`."""


@dataclass(frozen=True)
class Named:
    """A model by reference.

    Attributes:
        build: Builds it. For a file of weights it is one that holds nothing but the tensors.
        batch: Makes a batch for what it built, where fanin can; None where the person has to.
        weights_only: Whether there are no layers, only tensors.
    """

    build: Callable[[], Any]
    batch: Callable[[Any, int], tuple[Any, ...]] | None = None
    weights_only: bool = False


def find_model(reference: str) -> Named:
    """Find a model.

    Args:
        reference: ``train.py:build``, ``package.module:build``, ``hf:gpt2``,
            ``"hf:gpt2(n_layer=2)"``, ``hf:path/config.json`` or ``weights.safetensors``.

    Returns:
        How to get it.

    Raises:
        FaninError: There is nothing of that name.
    """
    if reference.endswith(".safetensors"):
        from fanin.torch.checkpoints import as_module, read_weights

        path = Path(reference)
        return Named(lambda: as_module(read_weights(path)), weights_only=True)
    if reference.startswith(HUGGING_FACE):
        from fanin.torch.hugging import hugging_face, hugging_face_batch

        name, settings = _hugging_face(reference.removeprefix(HUGGING_FACE))
        return Named(hugging_face(name, settings), hugging_face_batch)
    return Named(_quiet(load_builder(reference)))


def _hugging_face(text: str) -> tuple[str, dict[str, Any]]:
    if text.endswith(".json"):
        return text, {}
    name, parenthesis, rest = text.partition("(")
    # A name such as xlm-roberta is no word of Python, and only the arguments need reading.
    call = parse_call(f"config({rest}" if parenthesis else "config")
    if call.args or not name:
        raise FaninError(
            f'a model of transformers is written hf:NAME or "hf:NAME(setting=value)", got {text!r}'
        )
    return name, dict(call.kwargs)


def _quiet(build: Callable[[], Any]) -> Callable[[], Any]:
    """Keep what the person's code prints off stdout, where only the result belongs."""

    def built() -> Any:
        with redirect_stdout(sys.stderr):
            return build()

    return built
