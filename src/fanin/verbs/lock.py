"""`fanin.lock` and `fanin.diff`: a start kept as a small text, and two starts compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fanin.checks import Probe
from fanin.checks.declared import declared
from fanin.checks.starts import Delta, Start, compared, read_lock
from fanin.checks.starts.reading import start_of
from fanin.errors import FaninError
from fanin.recipes import Plan
from fanin.verbs.check import is_module


def lock(
    build: Any,
    *batch: Any,
    plan: Plan | str | Path | None = None,
    seed: int = 0,
    source: str = "build",
) -> Start:
    """Read the start of a model as a small text: for each tensor its figures, law and writer.

    Args:
        build: A function without arguments that builds the model, or a model that is there; then
            nobody saw who wrote it.
        *batch: What its forward pass takes, for a plan that asks where each parameter stands.
        plan: What it is to start as; then the laws are those of the plan.
        seed: Seed of the build.
        source: What the text calls it.

    Returns:
        The start; print it, or save it to a file that `fanin.check(..., lock=file)` takes.

    Raises:
        FaninError: The model cannot be built or read.

    Example:
        >>> import torch
        >>> start = lock(lambda: torch.nn.Linear(64, 32))
        >>> start.tensors["weight"].shape, start.tensors["weight"].law
        ((32, 64), "torch's default")
    """
    from fanin.torch.evidence import gather

    probes = [Probe.VALUES]
    if not is_module(build):
        probes.append(Probe.BIRTH)
    if batch:
        probes.append(Probe.SIGNAL)
    _, seen = gather(build, batch, None, probes=probes, seed=seed)
    if plan is not None:
        seen = declared(seen, plan)
    return start_of(seen, source, seed)


def diff(one: Any, other: Any, *, renamed: Mapping[str, str] | None = None, seed: int = 0) -> Delta:
    """Compare two starts: two branches, two seeds, a port and its original.

    Args:
        one: A start, the file of one, a function that builds a model, or a model.
        other: The same.
        renamed: Name in the first to name in the second, where they are not the same.
        seed: Seed of what is built.

    Returns:
        What differs in law; what is merely drawn anew is counted.

    Raises:
        FaninError: One of them cannot be built or read.

    Example:
        >>> import torch
        >>> def small():
        ...     model = torch.nn.Linear(64, 32)
        ...     torch.nn.init.normal_(model.weight, std=0.01)
        ...     return model
        >>> delta = diff(lambda: torch.nn.Linear(64, 32), small)
        >>> [(change.name, change.what) for change in delta.changes if change.counts]
        [('weight', 'scale')]
    """
    return compared(_start(one, "the first", seed), _start(other, "the second", seed), renamed)


def _start(given: Any, source: str, seed: int) -> Start:
    if isinstance(given, Start):
        return given
    if isinstance(given, str | Path):
        path = Path(given)
        if path.suffix == ".safetensors":
            from fanin.torch.checkpoints import as_module, read_weights

            return lock(as_module(read_weights(path)), source=str(path), seed=seed)
        return read_lock(path)
    if given is None:
        raise FaninError("fanin.diff takes two starts, got None for one of them")
    return lock(given, source=source, seed=seed)
