"""What a model is run on, as typed: the person's own function, or a shape to make one of."""

import re
from typing import Any, cast

from fanin.cli.load import load_builder
from fanin.errors import FaninError

_SHAPE = re.compile(r"\d+(x\d+)*")


def read_batch(
    batch: str | None, shapes: list[str], classes: int | None, tokens: int | None, seed: int
) -> tuple[Any, ...]:
    """Find or make a batch.

    Args:
        batch: A reference to a function that returns one, or None.
        shapes: Shapes to make inputs of, as ``"8x3x32x32"``; one for each argument.
        classes: Number of classes to draw targets from; None for no target.
        tokens: Number of tokens to draw the inputs from; None for standard normal numbers.
        seed: Seed of what is drawn.

    Returns:
        What the forward pass takes, then what the loss takes; empty for no batch.

    Raises:
        FaninError: What was typed cannot be read, or goes together with something else.

    Example:
        >>> [part.shape for part in read_batch(None, ["2x4"], 3, None, seed=0)]
        [torch.Size([2, 4]), torch.Size([2])]
    """
    if batch is not None:
        if shapes or classes is not None or tokens is not None:
            raise FaninError(
                "--batch names a function that makes the whole batch: leave out --input, --classes "
                "and --tokens"
            )
        return made_by(batch, seed)
    if not shapes:
        if classes is not None or tokens is not None:
            raise FaninError("--classes and --tokens need a shape: --input 8x3x32x32")
        return ()
    from fanin.torch.batches import drawn

    return drawn([_shape(text) for text in shapes], classes, tokens, seed)


def made_by(reference: str, seed: int) -> tuple[Any, ...]:
    """Let a person's own function make a batch, the same one each time.

    Args:
        reference: Where the function is.
        seed: Seed of Python's, NumPy's and torch's generators; their states are put back.

    Returns:
        What it returns, as arguments.

    Raises:
        FaninError: There is no such function, or it fails.
    """
    from fanin.torch.building import for_a_build

    function = load_builder(reference, "batch")
    try:
        with for_a_build(seed):
            given = function()
    except (Exception, SystemExit) as problem:
        raise FaninError(
            f"{reference}, which makes the batch, fails: {type(problem).__name__}: {problem}"
        ) from problem
    return tuple(cast("list[Any]", given)) if isinstance(given, tuple | list) else (given,)


def _shape(text: str) -> tuple[int, ...]:
    if not _SHAPE.fullmatch(text) or 0 in (shape := tuple(map(int, text.split("x")))):
        raise FaninError(f"--input is a shape such as 8x3x32x32, got {text!r}")
    return shape
